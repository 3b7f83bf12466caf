"""The methods: one folder for each task, and the registry."""
