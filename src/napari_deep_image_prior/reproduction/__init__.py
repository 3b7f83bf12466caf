"""The published tables, measured again: deep-image-prior reproduce.

`published` has what was printed, `cases` makes the corrupted images, `baselines` the
classical restorations, `measuring` one figure after another with all that it depends on,
`tables` sets them beside the published ones.
"""
