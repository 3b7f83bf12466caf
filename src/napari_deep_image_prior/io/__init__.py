"""Images from and to files, and progress on the console."""
