"""Noise of an image: its model, its estimation, spatial correlation and clipping."""
