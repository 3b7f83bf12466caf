"""What the user sees: Qt widgets only."""
