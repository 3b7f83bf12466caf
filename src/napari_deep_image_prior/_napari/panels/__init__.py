"""The user interface: Qt widgets only."""
