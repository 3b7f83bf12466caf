"""Image files, animations, and console output."""
