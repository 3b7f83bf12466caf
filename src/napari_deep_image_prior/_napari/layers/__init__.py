"""The conversion between napari layers and arrays."""
