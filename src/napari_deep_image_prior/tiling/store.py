"""Restore an OME-Zarr image into another one; a run that was broken off is continued."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import numpy as np

from ..encoding import encoded
from ..io.image_file import FileError
from ..io.ome_zarr import create_ome_zarr, fill_levels, is_store
from ..methods.registry import settings_to_dict
from ..restoration.fitted import Fitted
from .array import chunks_of, full_mask, restore_tiles
from .learning import learned_plan
from .plan import Plan, plan_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from pathlib import Path

    from ..io.ome_zarr import OmeZarr

Units = tuple[tuple[int, ...], "tuple[int, ...] | None"]
"""Chunks and shards."""
KEY = "deep_image_prior"
"""Attribute and group of a result with its state."""


def restore_store(
    source: OmeZarr,
    path: Path,
    *,
    masks: Mapping[str, Any],
    mask_stores: Sequence[Path] = (),
    fitted: Fitted | None = None,
    overwrite: bool = False,
    show: Callable[[str], object],
    **how: Any,  # noqa: ANN401
) -> str:
    """Restore an OME-Zarr image, on the current scheduler of dask.

    Tiles that an earlier run with the same settings has finished are kept.

    Parameters
    ----------
    source : OmeZarr
    path : Path
        Store of the result.
    masks : mapping
        Masks by the name of the task's field.
    mask_stores : sequence of Path
        Where the masks are; not overwritten.
    fitted : Fitted, optional
        A network to denoise with, in place of a fit.
    overwrite : bool
        Replace the Zarr group at `path`; another folder is not deleted.
    show : callable
        Receives the state of the work as text.
    **how
        As of `plan_of`.

    Returns
    -------
    str
        What was done, in one line.

    Raises
    ------
    FileError
        If the result cannot be written, or something else is at `path`.
    RestorationError, ValueError, TypeError
        As `restore_array`.
    """
    plan, units = _planned(source, **how)
    masks = {name: full_mask(mask, plan) for name, mask in masks.items()}
    record = _record(source, plan, fitted)
    if mask_stores:
        record["masks"] = [_name(each) for each in mask_stores]
    group = _begun(path, source, plan, record, units, mask_stores, overwrite=overwrite)
    state = group[KEY]
    if state.attrs.get("complete"):
        return f"is complete, nothing to do: {len(plan.tiles)} tiles"
    skipped = set(np.flatnonzero(state["done"][:]).tolist())
    try:
        _fill(group, source, plan, masks, fitted, skipped, show)
    except OSError as error:  # a full disk, a lost share
        raise FileError(
            f"{path}: stopped ({error.strerror or error}); the same command continues it."
        ) from error
    kept = f", {len(skipped)} of them kept from an earlier run" if skipped else ""
    return f"{len(plan.tiles)} tiles{kept}"


def _fill(
    group: Any,  # noqa: ANN401
    source: OmeZarr,
    plan: Plan,
    masks: Mapping[str, Any],
    fitted: Fitted | None,
    skipped: Collection[int],
    show: Callable[[str], object],
) -> None:
    """Restore the tiles that are left, then the lower levels."""
    state, array = group[KEY], source.array
    if len(skipped) < len(plan.tiles):
        networks = _networks(state)
        for step in learned_plan(plan, array, fitted, networks):
            if isinstance(step, Plan):
                plan = step
            else:
                show(step)
        _keep_networks(state, plan, networks)
    levels = [group[each["path"]] for each in source.metadata["multiscales"][0]["datasets"]]
    restore_tiles(plan, array, levels[0], masks, done=state["done"], skipped=skipped, show=show)
    for text in fill_levels(levels):
        show(text)
    state.attrs["complete"] = True


def _planned(source: OmeZarr, **how: Any) -> tuple[Plan, Units]:  # noqa: ANN401
    """Return the plan, and the chunks and shards of the result, which no two tiles share.

    They are those of the source where tiles are multiples of them, and else a tile's.
    """
    array = source.array
    plans = [
        plan_of(array.shape, array.dtype, axes=source.axes, multiples=multiples, **how)
        for multiples in dict.fromkeys((chunks_of(array), array.chunks))
    ]
    if plans[0].owns(chunks_of(array) or array.chunks):
        return plans[0], (array.chunks, array.shards)
    plan = plans[-1]
    cut = tuple(
        chunk if edge * factor % chunk == 0 else edge * factor
        for chunk, edge, factor in zip(array.chunks, plan.edges, plan.factors, strict=True)
    )
    return plan, (cut, None)


def _record(source: OmeZarr, plan: Plan, fitted: Fitted | None) -> dict[str, Any]:
    """Return what must be equal for a run to continue another."""
    made = {
        "source": _name(source.path),
        "task": plan.kind,
        "options": {name: encoded(value) for name, value in plan.options.items()},
        "settings": settings_to_dict(plan.settings),
        "shape": list(plan.shape),
        "source_dtype": str(plan.source_dtype),
        "dtype": str(plan.dtype),
        "volume": plan.is_volume,
        "tile": list(plan.edges),
        "halo": list(plan.halos),
        "seed": plan.seed,
        "fitted": None if fitted is None else fitted.sha256,
    }
    plain: dict[str, Any] = json.loads(json.dumps(made))
    return plain


def _name(path: Path) -> str:
    """Return the name of a store and the group in it: the fields of a plate have equal names."""
    parts = path.resolve().parts
    stores = [number for number, part in enumerate(parts) if part.endswith(".zarr")]
    return "/".join(parts[stores[-1] if stores else -1 :])


def _begun(
    path: Path,
    source: OmeZarr,
    plan: Plan,
    record: dict[str, Any],
    units: Units,
    mask_stores: Sequence[Path] = (),
    *,
    overwrite: bool,
) -> Any:  # noqa: ANN401
    """Return the group of a result, that of an earlier run or a new one."""
    import zarr

    group: Any
    _check_place(path, [source.path], "input", overwrite=overwrite)
    _check_place(path, mask_stores, "mask", overwrite=overwrite)
    if path.exists() and not overwrite:
        try:
            group = zarr.open_group(str(path), mode="r+")
            found: Any = dict(group.attrs[KEY])
        except Exception as error:
            raise FileError(
                f"{path}: exists and is not a result of this program; use --overwrite or another "
                "name."
            ) from error
        if found != record:
            differ = [name for name in record if name not in found or record[name] != found[name]]
            raise FileError(
                f"{path}: is a result with other settings ({', '.join(differ)}); use --overwrite, "
                "the same settings, or another name."
            )
        if KEY in group and "done" in group[KEY]:  # else it ended before its first tile
            return group
    if path.exists():
        shutil.rmtree(path)
    group = create_ome_zarr(path, source, plan.factors, plan.dtype, {KEY: record}, units)
    state = group.create_group(KEY)
    # a chunk for each tile: workers write them at the same time
    state.create_array("done", shape=(len(plan.tiles),), chunks=(1,), dtype="uint8")
    return group


def _check_place(path: Path, others: Sequence[Path], name: str, *, overwrite: bool) -> None:
    """Raise FileError if a result would replace what is read, or what is not a store."""
    place = path.resolve()
    for other in (each.resolve() for each in others):
        if place == other:
            raise FileError(f"{path}: would overwrite the {name}; choose another name.")
        if place in other.parents:
            raise FileError(f"{path}: contains the {name}, {other}; choose another name.")
        if other in place.parents:
            raise FileError(f"{path}: is inside the {name}; choose a name outside of it.")
    if path.is_symlink() or (path.exists() and not path.is_dir()):
        raise FileError(f"{path}: exists and is not a folder; remove it or choose another name.")
    if overwrite and path.exists() and not is_store(path) and any(path.iterdir()):
        raise FileError(
            f"{path}: is a folder that is not a Zarr group, and is not deleted; choose another "
            "name."
        )


def _networks(state: Any) -> dict[int, Fitted]:  # noqa: ANN401
    """Return the networks of an earlier run, by channel."""
    found = {}
    for name in state.array_keys():
        if name.startswith("fit_") and state[name].attrs.get("whole"):
            found[int(name[4:])] = Fitted.from_content(state[name][:].tobytes())
    return found


def _keep_networks(state: Any, plan: Plan, kept: Mapping[int, Fitted]) -> None:  # noqa: ANN401
    for channel, learned in plan.learned.items():
        if channel not in kept:
            content = np.frombuffer(learned.network.content, dtype=np.uint8)
            array = state.create_array(f"fit_{channel}", data=content, overwrite=True)
            array.attrs["whole"] = True
