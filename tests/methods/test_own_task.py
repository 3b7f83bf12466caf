"""A task registered from outside the package, as CONTRIBUTING shows, works everywhere."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import tifffile
from scipy.ndimage import median_filter

import napari_deep_image_prior as dip
from napari_deep_image_prior.cli import main as cli
from napari_deep_image_prior.methods import registry
from napari_deep_image_prior.restoration.cost import estimate
from napari_deep_image_prior.restoration.script import script
from tests.conftest import python_blocks

CONTRIBUTING = Path(__file__).parents[2] / "CONTRIBUTING.md"


@pytest.fixture
def own() -> Iterator[ModuleType]:
    if not CONTRIBUTING.exists():
        pytest.skip("CONTRIBUTING is in the repository only")
    (code,) = python_blocks(CONTRIBUTING)
    module = ModuleType("own_task")
    exec(compile(code, str(CONTRIBUTING), "exec"), vars(module))
    yield module
    dip.unregister_method("despeckle")


@pytest.fixture
def speckled(picture: np.ndarray) -> np.ndarray:
    image = picture.astype(np.float32)
    image[5, 7] = 1000
    return image


def test_the_section_is_short() -> None:
    section = CONTRIBUTING.read_text().split("\n## Add a task\n")[1].split("\n## ")[0]
    assert section.strip().count("\n") + 3 < 40


def test_it_is_restored_at_once_and_step_by_step(own: ModuleType, speckled: np.ndarray) -> None:
    result = dip.restore(own.Despeckle(speckled, size=5))
    np.testing.assert_array_equal(result.image, median_filter(speckled, 5))
    assert result.stop_reason == "filtered"
    assert (result.iterations, result.history) == (0, [])
    assert result.provenance["iterations"] == 0
    steps = list(dip.iter_restore(own.Despeckle(speckled), settings=own.MedianFilter()))
    assert [step.iteration for step in steps[:1]] == [1]
    assert steps[-1].result is not None
    assert np.isfinite(dip.residual(own.Despeckle(speckled), result.image)).all()
    assert estimate(own.Despeckle(speckled)).seconds >= 0


def test_its_provenance_repeats_it(own: ModuleType, speckled: np.ndarray) -> None:
    first = dip.restore(own.Despeckle(speckled, size=5), settings=own.MedianFilter())
    made = json.loads(json.dumps(first.provenance))
    assert made["task"]["kind"] == "despeckle"
    assert made["task"]["size"] == 5
    np.testing.assert_array_equal(dip.repeat(made, speckled).image, first.image)
    with pytest.raises(ValueError, match="another image"):
        dip.repeat(made, speckled + 1)
    names: dict[str, Any] = {}
    exec(script(made).replace("image = ...", "image = given"), names | {"given": speckled}, names)
    np.testing.assert_array_equal(names["restored"], first.image)


def test_it_is_a_sub_command_for_images_stacks_and_folders(
    own: ModuleType, speckled: np.ndarray, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stack = np.stack([speckled, 2 * speckled]).astype(np.uint16)
    tifffile.imwrite(tmp_path / "stack.tif", stack, imagej=True, metadata={"axes": "ZYX"})
    assert (
        cli.main(
            [
                "despeckle",
                str(tmp_path / "stack.tif"),
                "-o",
                str(tmp_path / "out.tif"),
                "--size",
                "5",
            ]
        )
        == 0
    )
    np.testing.assert_array_equal(
        tifffile.imread(tmp_path / "out.tif"), [median_filter(p, 5) for p in stack]
    )
    assert "iterations" not in capsys.readouterr().out
    with pytest.raises(SystemExit):
        cli.main(["despeckle", "--help"])
    assert "edge of the filter in pixels" in capsys.readouterr().out
    paper = ["despeckle", str(tmp_path / "stack.tif"), "-o", "o.tif", "--preset", "paper"]
    with pytest.raises(SystemExit):
        cli.main(paper)
    assert "choose from" in capsys.readouterr().err


def test_settings_of_another_task_are_refused(own: ModuleType, speckled: np.ndarray) -> None:
    with pytest.raises(TypeError, match="use MedianFilter"):
        dip.restore(own.Despeckle(speckled), settings=dip.DenoisingFit())
    with pytest.raises(TypeError, match="use DenoisingFit or DeepImagePriorFit"):
        dip.restore(dip.Denoise(speckled), settings=own.MedianFilter())


def test_its_own_settings_are_in_the_record(own: ModuleType, speckled: np.ndarray) -> None:
    @dataclass(frozen=True)
    class Passes(dip.Settings):
        passes: int = 2

    class Repeatedly(own.DespeckleRestorer):
        stop_reason = "all passes done"

        @classmethod
        def for_task(cls, task: Any, settings: Any, device: Any, seed: int) -> Any:
            made = super().for_task(task, settings, device, seed)
            made.passes = settings.passes
            return made

        def steps(self) -> Iterator[dip.Progress]:
            for number in range(1, self.passes + 1):
                yield from (dip.Progress(number, self.passes) for _ in super().steps())

    method = registry.method_of("despeckle")
    presets = {"fast": Passes(passes=1), "best": Passes()}
    dip.register_method(replace(method, presets=presets, restorers={Passes: Repeatedly}))
    first = dip.restore(own.Despeckle(speckled), preset="best")
    np.testing.assert_array_equal(first.image, median_filter(median_filter(speckled, 3), 3))
    made = json.loads(json.dumps(first.provenance))
    assert made["settings"]["passes"] == 2
    np.testing.assert_array_equal(dip.repeat(made, speckled).image, first.image)
    steps = list(dip.iter_restore(own.Despeckle(speckled), settings=Passes(passes=3)))
    assert [step.iteration for step in steps[:3]] == [1, 2, 3]


@pytest.mark.gui
def test_it_restores_a_layer(
    own: ModuleType, speckled: np.ndarray, make_napari_viewer: Any
) -> None:
    viewer = make_napari_viewer()
    source = viewer.add_image(np.stack([speckled, speckled + 5]), name="cells", scale=(1, 2, 2))
    run = dip.restore_layer(viewer, source, task="despeckle", size=5, planes="all", block=True)
    assert run.layer.name == "cells despeckled"
    np.testing.assert_array_equal(run.layer.data[1], median_filter(speckled + 5, 5))
    assert run.layer.metadata["deep_image_prior"]["task"]["size"] == 5


def test_another_package_provides_it_as_an_entry_point(
    own: ModuleType, speckled: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    method = registry.method_of("despeckle")
    dip.unregister_method("despeckle")

    def broken() -> None:
        raise ImportError("it needs what is not there")

    points = [
        SimpleNamespace(load=lambda: dip.register_method(method), value="own_task"),
        SimpleNamespace(load=broken, value="broken_package"),
    ]
    monkeypatch.setattr(
        registry, "entry_points", lambda group: points if group == registry.ENTRY_POINTS else []
    )
    registry._load_plugins.cache_clear()
    with pytest.warns(UserWarning, match="broken_package"):
        result = dip.restore(own.Despeckle(speckled))
    np.testing.assert_array_equal(result.image, median_filter(speckled, 3))
    registry._load_plugins.cache_clear()


@pytest.mark.gui
def test_a_mask_that_differs_by_plane_is_repeated(make_napari_viewer: Any) -> None:
    viewer = make_napari_viewer()
    image = np.random.default_rng(0).normal(100, 5, (2, 20, 24)).astype(np.float32)
    masks = np.zeros(image.shape, int)
    masks[1, 5:15, 5:20] = 1

    @dataclass(frozen=True, eq=False, kw_only=True)
    class Erase(dip.Task):
        kind = "erase"
        pixelwise = ("erased",)
        erased: np.ndarray | None = None

    class Eraser(dip.Restorer):  # type: ignore[type-arg]
        stop_reason = "erased"

        @classmethod
        def for_task(cls, task: Erase, *_: object) -> "Eraser":
            made = cls()
            image = np.atleast_3d(np.asarray(task.image, dtype=float)).transpose(2, 0, 1)
            made.image = image if task.erased is None else np.where(task.erased, 0, image)
            return made

        def steps(self) -> Iterator[dip.Progress]:
            yield dip.Progress(1, 1)

        def estimate(self) -> np.ndarray:
            return self.image

        def finish(self) -> Iterator[None]:
            yield from ()
            return self.estimate()

    class Plain(dip.Settings): ...

    method = dip.Method(
        task=Erase,
        summary="erase",
        past_participle="erased",
        presets={"fast": Plain()},
        restorers={Plain: Eraser},
        options=(dip.Option(name="erased", help="where"),),
    )
    dip.register_method(method)
    try:
        layer, labels = viewer.add_image(image), viewer.add_labels(masks)
        run = dip.restore_layer(
            viewer, layer, task="erase", erased=labels, planes="all", block=True
        )
        assert (run.layer.data[1][masks[1] == 1] == 0).all()
        again = dip.repeat(run.layer.metadata["deep_image_prior"], image).image
        np.testing.assert_array_equal(again, run.layer.data)
        colors = np.dstack([image[0]] * 3)
        for mask in (None, masks[1] != 0):  # the cost of a task with a mask of its own
            assert estimate(Erase(image[0], erased=mask)).seconds >= 0
            assert estimate(Erase(colors, channel_axis=-1, erased=mask)).seconds >= 0
        # an array, and an option that the task does not have
        one = dip.restore_layer(viewer, layer, task="erase", erased=masks[1] != 0, block=True)
        assert one.layer is not None
        assert run.summary == one.summary == "fast"  # a mask is not part of the name
        with pytest.raises(TypeError, match="no option 'missing'"):
            dip.restore_layer(viewer, layer, task="erase", missing=labels)
    finally:
        dip.unregister_method("erase")


def test_an_invalid_method_is_not_registered() -> None:
    class NoDataclass(dip.Task):
        kind = "none"

    class Plain(dip.Settings): ...

    entry = {"summary": "x", "past_participle": "x", "restorers": {}}
    with pytest.raises(TypeError, match="not a dataclass"):
        dip.register_method(dip.Method(task=NoDataclass, presets={"fast": Plain()}, **entry))
    with pytest.raises(ValueError, match="preset 'fast'"):
        dip.register_method(dip.Method(task=dip.Denoise, presets={"best": Plain()}, **entry))
    option = dip.Option(name="wrong", help="x")
    with pytest.raises(ValueError, match="not a field"):
        dip.register_method(
            dip.Method(task=dip.Denoise, presets={"fast": Plain()}, options=(option,), **entry)
        )
