"""Restoration of arrays larger than memory, tile by tile."""
