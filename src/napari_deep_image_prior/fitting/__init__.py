"""Fitting an untrained network to one image."""
