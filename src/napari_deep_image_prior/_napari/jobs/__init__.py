"""Jobs that run in worker threads, and their queue."""
