"""Planes and channels restored one after another, without a window."""

import numpy as np

from napari_deep_image_prior import Denoise, PriorFit, iter_restore, restore
from napari_deep_image_prior.repetition import script
from napari_deep_image_prior.stack import StackSteps, selection

TWO_STEPS = PriorFit(iterations=2)


def test_a_plane_lies_where_its_index_says_with_all_of_an_axis_where_that_is_none() -> None:
    image = np.arange(2 * 3 * 4 * 5).reshape(2, 3, 4, 5)
    np.testing.assert_array_equal(image[selection((None, 1))], image[:, 1])
    np.testing.assert_array_equal(image[selection((1, 2))], image[1, 2])


def test_planes_with_channels_fill_their_places_and_the_others_stay(picture: np.ndarray) -> None:
    series = np.stack([np.stack([picture, picture + 50, picture - 20]), np.stack([picture] * 3)])  # C, T, Y, X
    tasks = [(t, Denoise(series[:, t], channel_axis=0)) for t in (0, 2)]
    planes = [((None, t), iter_restore(task, settings=TWO_STEPS)) for t, task in tasks]
    steps = StackSteps(series.astype(np.float32), planes, called="time")
    notes = [step.note for step in steps]
    assert notes[0].startswith("time 1 of 2")
    assert steps.result.stop_reason == notes[-1] == "2 of 2 times done"
    assert [plane["index"] for plane in steps.result.provenance["planes"]] == [[None, 0], [None, 2]]
    for t, task in tasks:
        np.testing.assert_array_equal(steps.image[:, t], restore(task, settings=TWO_STEPS).image)
    np.testing.assert_array_equal(steps.image[:, 1], series[:, 1].astype(np.float32))


def test_the_script_of_a_plane_with_channels_takes_all_of_them(picture: np.ndarray) -> None:
    made = restore(Denoise(np.stack([picture, picture]), channel_axis=0), settings=TWO_STEPS).provenance
    source = {"layer": "cells", "plane": [3, None], "path": "cells.tif", "rgb": False}
    assert "image = tifffile.imread('cells.tif')[3, :]\n" in script({**made, "source": source})
    assert "layer 'cells', plane 3, all" in script({**made, "source": {**source, "path": None}})
