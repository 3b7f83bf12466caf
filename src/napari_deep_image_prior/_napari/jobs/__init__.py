"""Work in threads, and its queue."""
