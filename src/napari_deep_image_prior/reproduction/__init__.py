"""Reproduction of the published tables: deep-image-prior reproduce.

`published` has the published values, `cases` makes the corrupted images, `baselines` restores them
by other methods, `measuring` measures each figure with everything it depends on, and `tables`
writes them beside the published ones.
"""
