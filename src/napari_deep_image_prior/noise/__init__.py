"""What noise an image has."""
