"""Restore one image with an untrained network (Deep Image Prior).

Importing this package loads neither napari, Qt nor torch: each public name is imported from its
module (see `__init__.pyi`) when it is first used.
"""

import lazy_loader

_fetch, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)


def __getattr__(name: str) -> object:
    if name == "__version__":  # reading the metadata takes longer than the import
        from importlib.metadata import version

        return version("napari-deep-image-prior")
    return _fetch(name)
