"""The only part of the package that knows napari and Qt."""
