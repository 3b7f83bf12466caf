"""The tasks, and how each is done: one room for each method, and the registry of them all."""
