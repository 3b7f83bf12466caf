"""Records come from files of unknown origin: they are data, checked once."""

import ast
import base64
import copy
import json
import threading
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch

import napari_deep_image_prior as dip
from napari_deep_image_prior.methods.registry import settings_to_dict
from napari_deep_image_prior.restoration.record import MAX_THREADS, checked_record
from napari_deep_image_prior.restoration.script import script
from tests.conftest import QUICK

JUNK: list[Any] = [
    None,
    True,
    -1,
    10**30,
    10**400,
    float("nan"),
    "x",
    'x\n"""\nimport os\n',
    [],
    [[]],
    ["a"],
    {},
    {"a": 1},
]


@pytest.fixture
def record(picture: np.ndarray, hole: np.ndarray) -> dict[str, Any]:
    task = dip.Inpaint(picture, missing=hole)
    made = dip.restore(task, settings=QUICK["inpaint"], stop_after=1, threads=1).provenance
    source = {"layer": "cells", "plane": [3], "path": "cells.tif", "rgb": False, "region": None}
    return json.loads(json.dumps({**made, "source": source}))


def _places(values: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    entries = values.items() if isinstance(values, dict) else enumerate(values[:2])
    for key, value in entries:
        yield (*path, key)
        if isinstance(value, dict | list):
            yield from _places(value, (*path, key))


def _changed(record: dict[str, Any], path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    changed = copy.deepcopy(record)
    inner: Any = changed
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return changed


def test_a_record_with_any_value_in_any_place_is_refused_in_one_line_or_repeated(
    record: dict[str, Any], picture: np.ndarray
) -> None:
    tried, refusals = 0, []
    for path in _places(record):
        for value in JUNK:
            changed = _changed(record, path, value)
            tried += 1
            try:
                compile(script(changed), "script.py", "exec")
            except ValueError as error:
                refusals.append(str(error))
    assert len(refusals) > tried / 4
    for path in (("task", "missing_zlib"), ("settings",), ("settings", "network"), ("seed",)):
        for value in JUNK:
            try:
                dip.repeat(_changed(record, path, value), picture)
            except ValueError as error:
                refusals.append(str(error))
    assert all("\n" not in refusal and len(refusal) < 500 for refusal in refusals)


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (("threads",), 20_000, "threads is 20000"),
        (("settings", "iterations"), 10**12, "iterations"),
        (("settings", "network", "widths"), [10**9], "widths"),
        (("settings", "network", "widths"), [4096] * 5, "weights"),
        (("settings", "network", "widths"), [2] * 14, "too many scales"),
        (("settings", "batch"), 10**9, "batch"),
        (("device",), "c\npu", r"device 'c\\npu' is unknown"),
        (("task", "image_dtype"), "object", "image_dtype"),
        (("task", "shape"), [2**40, 2**40], "shape"),
        (("source", "plane"), ["0]; import os"], "source.plane"),
    ],
)
def test_records_that_would_exhaust_the_machine_or_run_code_are_refused(
    record: dict[str, Any], picture: np.ndarray, path: tuple[str, ...], value: Any, words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        dip.repeat(_changed(record, path, value), picture)


@pytest.mark.parametrize("key", ["widths", "iterations", "input", 5000 * "y"])
def test_messages_stay_short_whatever_a_record_says(
    record: dict[str, Any], picture: np.ndarray, key: str
) -> None:
    settings = dip.DeepImagePriorFit()
    made = settings_to_dict(settings)
    place = made["network"] if key == "widths" else made
    place[key] = 5000 * "x"
    task = {**record["task"], "factor": [5000 * "x"]}
    for changed in ({"settings": made}, {"task": task}):
        with pytest.raises(ValueError, match=r".") as caught:
            dip.repeat({**record, **changed}, picture)
        assert len(str(caught.value)) < 400


def test_the_channel_axis_of_a_stack_is_one_of_its_axes(record: dict[str, Any]) -> None:
    plane = {"index": [0], "image_sha256": 16 * "0"}
    stack = {"called": "channel", "warm_start": False, "channel_axis": 0}
    made = {**record, "stack": stack, "stack_shape": [1, 24, 28], "planes": [plane]}
    checked_record(made)
    stack["channel_axis"] = 1
    with pytest.raises(ValueError, match="has no axis 1"):
        checked_record(made)


def test_text_of_a_record_never_becomes_code(record: dict[str, Any]) -> None:
    evil = '"""\nopen("made", "w")\n"""'
    for path in (("versions", "napari-deep-image-prior"), ("source", "layer"), ("source", "path")):
        text = script(_changed(record, path, evil))
        calls = [node.func for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call)]
        assert {ast.unparse(call) for call in calls} <= {"dip.repeat", "tifffile.imread"}


def test_a_mask_is_unpacked_no_further_than_its_image(
    record: dict[str, Any], picture: np.ndarray
) -> None:
    bomb = base64.b64encode(zlib.compress(bytes(10**7), 9)).decode()
    with pytest.raises(ValueError, match="does not have the 84 bytes"):
        dip.repeat(_changed(record, ("task", "missing_zlib"), bomb), picture)


def test_what_is_no_record_is_refused() -> None:
    for nothing in (None, 3, "record", [1]):
        with pytest.raises(ValueError, match="not a provenance record"):
            checked_record(nothing)


def test_the_number_of_threads_is_limited(picture: np.ndarray) -> None:
    with pytest.raises(ValueError, match=f"from 1 to {MAX_THREADS}"):
        dip.iter_restore(dip.Denoise(picture), threads=MAX_THREADS + 1)


def test_restorations_in_several_threads_leave_torch_as_it_was(picture: np.ndarray) -> None:
    cudnn = torch.backends.cudnn
    before = (torch.get_num_threads(), cudnn.deterministic, cudnn.allow_tf32, cudnn.benchmark)

    def restore(count: int) -> None:
        for _ in range(3):
            settings = QUICK["inpaint"]
            missing = picture > 150
            dip.restore(dip.Inpaint(picture, missing=missing), settings=settings, threads=count)

    workers = [threading.Thread(target=restore, args=(count,)) for count in (1, 2, 3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    after = (torch.get_num_threads(), cudnn.deterministic, cudnn.allow_tf32, cudnn.benchmark)
    assert after == before
