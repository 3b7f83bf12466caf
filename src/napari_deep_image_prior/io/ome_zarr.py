"""OME-Zarr images, versions 0.4 and 0.5: read lazily, and made for a result."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .image_file import FileError
from .units import in_unit, ome_unit

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import DTypeLike

NOT_INSTALLED = "OME-Zarr needs further packages: pip install 'napari-deep-image-prior[large]'"
POOLED = 2**22
"""Pixels of a lower level that are computed at once, at most."""


@dataclass(frozen=True, eq=False)
class OmeZarr:
    """An image of an OME-Zarr store, not in memory."""

    path: Path
    levels: tuple[Any, ...]
    """Its zarr arrays, the largest first."""
    axes: str
    """A letter for each axis."""
    version: str
    """Version of the format."""
    metadata: Mapping[str, Any]
    """The validated metadata of the image."""

    @property
    def array(self) -> Any:  # noqa: ANN401
        """The largest array."""
        return self.levels[0]

    def spacing(self, names: str, *, in_micrometers: bool = False) -> tuple[float, ...] | None:
        """Return the size of a pixel along axes; None if one is missing, or its unit is no length.

        in_micrometers: converted; otherwise in the unit of the store.
        """
        if not set(names) <= set(self.axes):
            return None
        changes = self.metadata["multiscales"][0]["datasets"][0]["coordinateTransformations"]
        scale = next(change["scale"] for change in changes if change["type"] == "scale")
        sizes = [float(scale[self.axes.index(name)]) for name in names]
        if in_micrometers:
            axes = self.metadata["multiscales"][0]["axes"]
            units = [ome_unit(axes[self.axes.index(name)].get("unit", "")) for name in names]
            converted = [in_unit(*each, "µm") for each in zip(sizes, units, strict=True)]
            sizes = [size for size in converted if size is not None]
            if len(sizes) < len(names):
                return None
        return tuple(sizes)


def is_store(path: Path) -> bool:
    """Return whether a path is a Zarr store, or a group in one."""
    return any((path / name).is_file() for name in ("zarr.json", ".zgroup"))


def open_ome_zarr(path: Path) -> OmeZarr:
    """Open the image of an OME-Zarr store.

    Raises
    ------
    FileError
        If it is not such an image, or holds several.
    ModuleNotFoundError
        If zarr or yaozarrs is not installed.
    """
    zarr, models = _modules()
    try:
        group = zarr.open_group(str(path), mode="r")
    except Exception as error:
        raise FileError(f"{path}: is not a Zarr group that can be read.") from error
    attributes = dict(group.attrs)
    described = attributes.get("ome", attributes)
    if not isinstance(described, dict):
        raise FileError(f"{path}: its OME-Zarr metadata are invalid: 'ome' must be an object.")
    _refuse_several(path, described)
    version = "0.5" if "ome" in attributes else "0.4"
    if "multiscales" not in described:
        raise FileError(f"{path}: is not an OME-Zarr image; choose one of its groups that is.")
    try:
        image = models[version].Image.model_validate(described)
    except ValueError as error:
        reason = " ".join(str(error).splitlines()[1:3]).partition(" [type=")[0]
        raise FileError(
            f"{path}: its OME-Zarr {version} metadata are invalid: {reason}."
        ) from error
    metadata = image.model_dump(mode="json", by_alias=True, exclude_none=True, exclude={"uri"})
    first = metadata["multiscales"][0]
    levels = tuple(_level(path, group, dataset["path"]) for dataset in first["datasets"])
    axes = _letters(first["axes"])
    for level, dataset in zip(levels, first["datasets"], strict=True):
        if level.ndim != len(axes):
            raise FileError(
                f"{path}: its array {dataset['path']} has {level.ndim} axes, but its metadata name "
                f"{len(axes)}."
            )
        if 0 in level.shape:
            raise FileError(
                f"{path}: its array {dataset['path']} is empty, its shape is {level.shape}."
            )
    if levels[0].dtype.kind not in "buifc":
        raise FileError(f"{path}: holds {levels[0].dtype}, but an image has numbers.")
    return OmeZarr(path, levels, axes, version, metadata)


def _level(path: Path, group: Any, name: str) -> Any:  # noqa: ANN401
    """Return an array of a store."""
    try:
        found = group[name]
    except KeyError as error:
        raise FileError(f"{path}: the array {name} of its metadata is missing.") from error
    except Exception as error:
        raise FileError(f"{path}: its array {name} cannot be read ({error}).") from error
    if not hasattr(found, "shape"):
        raise FileError(f"{path}: {name} must be an array, but is a group.")
    return found


def create_ome_zarr(
    path: Path,
    source: OmeZarr,
    factors: Sequence[int],
    dtype: DTypeLike,
    attributes: Mapping[str, Any],
    units: tuple[Sequence[int], Sequence[int] | None] | None = None,
) -> Any:  # noqa: ANN401
    """Create a store for a result, empty, with the axes, scales, levels and chunks of its source.

    Parameters
    ----------
    path : Path
        Must not exist.
    source : OmeZarr
    factors : sequence of int
        Size of the result relative to the source's along each axis.
    dtype : dtype
    attributes : mapping
        Further attributes of the store.
    units : pair, optional
        Chunks and shards of the largest level; those of the source by default. Shards may be None.

    Returns
    -------
    zarr.Group

    Raises
    ------
    FileError
        If it cannot be written.
    """
    zarr, _ = _modules()
    image = dict(source.metadata)
    first = dict(image["multiscales"][0])
    first["datasets"] = [_rescaled(dataset, factors) for dataset in first["datasets"]]
    image["multiscales"] = [first]
    own = {"ome": image} if source.version == "0.5" else image
    form = 3 if source.version == "0.5" else 2
    try:
        group = zarr.create_group(str(path), zarr_format=form, attributes={**own, **attributes})
        for number, (level, dataset) in enumerate(
            zip(source.levels, first["datasets"], strict=True)
        ):
            shape = [n * factor for n, factor in zip(level.shape, factors, strict=True)]
            more = {} if form == 2 else {"dimension_names": [a["name"] for a in first["axes"]]}
            chunks, shards = units if units and not number else (level.chunks, level.shards)
            if shards is None:
                chunks = [min(chunk, n) for chunk, n in zip(chunks, shape, strict=True)]
            group.create_array(
                dataset["path"],
                shape=shape,
                dtype=np.dtype(dtype),
                chunks=chunks,
                shards=shards,
                chunk_key_encoding={"name": "v2", "separator": "/"} if form == 2 else None,
                **more,
            )
    except OSError as error:
        raise FileError(f"{path}: cannot be written ({error.strerror}).") from error
    return group


def fill_levels(levels: Sequence[Any]) -> Iterator[str]:
    """Compute each lower level as the means of the one above; yields texts for users."""
    for number, (above, level) in enumerate(itertools.pairwise(levels), start=1):
        steps = [_step(a, b) for a, b in zip(above.shape, level.shape, strict=True)]
        for region in _regions(level):
            yield f"level {number} of the pyramid"
            ranges = [
                _ranges(part, step, size)
                for part, step, size in zip(region, steps, above.shape, strict=True)
            ]
            read = tuple(slice(int(starts[0]), int(stops[-1])) for starts, stops in ranges)
            level[region] = _pooled(above[read], ranges, level.dtype)


def _step(above: int, size: int) -> float:
    """Return how many pixels of the level above one pixel stands for; 2 for 101 and 50 or 51."""
    whole = max(1, round(above / size))
    return whole if size in (above // whole, -(-above // whole)) else above / size


def _ranges(part: slice, step: float, size: int) -> tuple[Any, Any]:
    """Return the first pixel of each range that is averaged along an axis, and the one after."""
    edges = np.floor(np.arange(part.start, part.stop + 1) * step + 1e-9).astype(np.int64)
    starts = np.minimum(edges[:-1], size - 1)
    return starts, np.minimum(np.maximum(edges[1:], starts + 1), size)


def _regions(level: Any) -> Iterator[tuple[slice, ...]]:  # noqa: ANN401
    """Yield regions of whole chunks that hold at most `POOLED` pixels where chunks do."""
    sizes = list(level.shards or level.chunks)
    for axis in reversed(range(len(sizes))):
        room = POOLED // max(1, int(np.prod(sizes)))
        sizes[axis] = min(sizes[axis] * max(1, room), level.shape[axis])
    starts = (range(0, n, size) for n, size in zip(level.shape, sizes, strict=True))
    for corner in itertools.product(*starts):
        yield tuple(
            slice(start, min(start + size, n))
            for start, size, n in zip(corner, sizes, level.shape, strict=True)
        )


def _pooled(
    pixels: Any,  # noqa: ANN401
    ranges: Sequence[tuple[Any, Any]],
    dtype: np.dtype[Any],
) -> Any:  # noqa: ANN401
    """Return the means of ranges of pixels along each axis; the first range starts at 0."""
    means = np.asarray(pixels, dtype=np.float64)
    for axis, (starts, stops) in enumerate(ranges):
        counts = (stops - starts).reshape([-1 if i == axis else 1 for i in range(means.ndim)])
        sums = np.add.reduceat(means, starts - starts[0], axis=axis)
        means = sums / counts
    return (np.rint(means) if dtype.kind in "ui" else means).astype(dtype)


def _rescaled(dataset: Mapping[str, Any], factors: Sequence[int]) -> dict[str, Any]:
    """Return the description of a level of an image that is `factors` times as large."""
    changes = [
        {
            **change,
            "scale": [s / factor for s, factor in zip(change["scale"], factors, strict=True)],
        }
        if change["type"] == "scale"
        else change
        for change in dataset["coordinateTransformations"]
    ]
    return {**dataset, "coordinateTransformations": changes}


def _letters(axes: Sequence[Mapping[str, Any]]) -> str:
    """Return a letter for each axis; axes of other kinds get one that is not taken."""
    free = iter("abdefghijklmnopqrsuvw")
    letters = []
    for axis in axes:
        kind, name = axis.get("type"), axis["name"]
        if kind in ("channel", "time"):
            letters.append("c" if kind == "channel" else "t")
        else:
            letters.append(name if name in ("x", "y", "z", "t", "c") else next(free))
    return "".join(letters)


def _refuse_several(path: Path, described: Mapping[str, Any]) -> None:
    """Raise FileError if a store has several images."""
    if "plate" in described:
        wells = _paths(described["plate"], "wells")
        some = f"{path.name}/{wells[0]}/0" if wells else "PLATE/ROW/COLUMN/0"
        raise FileError(f"{path}: is a plate with {len(wells)} wells; choose a field, as {some}.")
    if "well" in described:
        fields = ", ".join(_paths(described["well"], "images")[:8])
        raise FileError(f"{path}: is a well; choose one of its fields, {fields or 'as 0'}.")
    if "bioformats2raw.layout" in described:
        raise FileError(f"{path}: may hold several images; choose one, as {path.name}/0.")


def _paths(described: Any, name: str) -> list[str]:  # noqa: ANN401
    """Return the paths of a plate's wells or a well's fields, none of an invalid description."""
    found = described.get(name) if isinstance(described, dict) else None
    each = found if isinstance(found, list) else []
    return [str(one["path"]) for one in each if isinstance(one, dict) and "path" in one]


def _modules() -> tuple[Any, dict[str, Any]]:
    try:
        import zarr
        from yaozarrs import v04, v05
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(NOT_INSTALLED) from error
    return zarr, {"0.4": v04, "0.5": v05}
