"""The host: where napari versions differ, and the state of a viewer."""
