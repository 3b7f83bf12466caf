"""Deconvolution."""
