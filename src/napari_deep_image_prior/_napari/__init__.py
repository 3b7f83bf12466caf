"""The napari plugin: the only part of the package that imports napari and Qt."""

from ..restoration.threads import wait_passively

wait_passively()  # before the first panel imports torch
