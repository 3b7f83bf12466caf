"""The host application: differences between napari versions, and the state of a viewer."""
