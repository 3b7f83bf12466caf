"""What buttons and scripts do."""
