"""Nonlocal estimates from similar patches."""
