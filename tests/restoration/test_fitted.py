"""A network fitted to some images, which restores others."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch

from napari_deep_image_prior import (
    DeepImagePriorFit,
    Denoise,
    Fitted,
    Inpaint,
    fit,
    iter_fit,
    load_fitted,
    repeat,
    restore,
)
from napari_deep_image_prior.io.image_file import FileError
from napari_deep_image_prior.methods.denoising import restorer as denoising
from napari_deep_image_prior.restoration.base import RestorationError
from napari_deep_image_prior.restoration.network import KEY
from napari_deep_image_prior.restoration.stack import StackSteps
from tests.conftest import QUICK

SETTINGS = QUICK["denoise"]
Y, X = np.mgrid[:40, :44]
SCENES = [100 + 50 * np.sin(X / 4 + shift) + 40 * (Y > 11) for shift in range(3)]
STACK = np.stack(SCENES) + np.random.default_rng(0).normal(0, 10, (3, 40, 44))


@pytest.fixture(scope="module")
def fitted() -> Fitted:
    return fit([Denoise(plane) for plane in STACK[:2]], settings=SETTINGS)


@pytest.fixture
def written(fitted: Fitted, tmp_path: Path) -> Path:
    path = tmp_path / "network.safetensors"
    fitted.save(path)
    return path


def test_a_network_restores_another_image(fitted: Fitted) -> None:
    result = fitted.restore(Denoise(STACK[2]))
    assert result.stop_reason.startswith("corrected by the fitted network; correction weight")
    assert result.iterations == 0
    assert np.square(result.image - SCENES[2]).mean() < 0.4 * 10**2
    assert result.provenance["fitted"] == fitted.sha256
    assert len(fitted.learned_from) == 2
    assert "noise" in fitted.learned_from[0]["found"]


def test_the_image_that_was_learned_from_gets_the_result_of_restore() -> None:
    task = Denoise(STACK[0])
    own = restore(task, settings=SETTINGS)
    same = fit(task, settings=SETTINGS).restore(task)
    np.testing.assert_array_equal(same.image, own.image)


def test_an_interrupted_fit_leaves_torch_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(_: Any) -> None:
        raise KeyboardInterrupt

    before = torch.get_num_threads(), torch.backends.cudnn.deterministic
    monkeypatch.setattr(denoising.DenoisingRestorer, "fitting", interrupt)
    with pytest.raises(KeyboardInterrupt):
        fit(Denoise(STACK[0]), settings=SETTINGS, threads=1)
    assert (torch.get_num_threads(), torch.backends.cudnn.deterministic) == before


def test_the_same_seed_gives_the_same_network(fitted: Fitted) -> None:
    tasks = [Denoise(plane) for plane in STACK[:2]]
    assert fit(tasks, settings=SETTINGS).content == fitted.content
    assert fit(tasks, settings=SETTINGS, seed=1).content != fitted.content


def test_a_saved_network_gives_the_same_result(fitted: Fitted, written: Path) -> None:
    task = Denoise(STACK[2])
    loaded = load_fitted(written)
    assert loaded.sha256 == fitted.sha256
    assert loaded.settings == SETTINGS
    first = fitted.restore(task, seed=5)
    np.testing.assert_array_equal(loaded.restore(task, seed=5).image, first.image)


def test_a_result_is_repeated_with_its_network(fitted: Fitted) -> None:
    first = fitted.restore(Denoise(STACK[2]), seed=3)
    record = json.loads(json.dumps(first.provenance))
    np.testing.assert_array_equal(repeat(record, STACK[2], fitted=fitted).image, first.image)
    with pytest.raises(ValueError, match="pass it to repeat as fitted="):
        repeat(record, STACK[2])
    with pytest.raises(ValueError, match="another fitted network"):
        repeat(record, STACK[2], fitted=replace(fitted, sha256="0" * 64))
    del record["fitted"]
    with pytest.raises(ValueError, match="omit fitted="):
        repeat(record, STACK[2], fitted=fitted)


def test_a_stack_is_restored_and_repeated_with_one_network(fitted: Fitted) -> None:
    planes = [((z,), lambda z=z: Denoise(STACK[z])) for z in range(3)]
    steps = StackSteps(planes, np.zeros(STACK.shape, np.float32), {"fitted": fitted})
    for _ in steps:
        pass
    image = steps.result.image
    np.testing.assert_array_equal(image[2], fitted.restore(Denoise(STACK[2])).image)
    again = repeat(steps.result.provenance, STACK, fitted=fitted)
    np.testing.assert_array_equal(again.image, image)


def test_an_image_that_does_not_profit_gets_its_first_estimate(
    fitted: Fitted, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = Denoise(STACK[2])
    first = replace(fitted, adds_nothing=True).restore(task)
    assert first.stop_reason == denoising.ADDS_NOTHING_HERE
    assert first.iterations == 0
    # a correction that makes each image worse
    spoiled = {name: -30 * weight for name, weight in fitted.weights.items()}
    worse = replace(fitted, weights=spoiled).restore(task)
    assert worse.stop_reason == denoising.ADDS_NOTHING_HERE
    np.testing.assert_array_equal(worse.image, first.image)
    # one beyond the range of float32
    huge = {name: 1e38 * weight for name, weight in fitted.weights.items()}
    endless = replace(fitted, weights=huge).restore(task)
    assert endless.stop_reason == denoising.ADDS_NOTHING_HERE
    np.testing.assert_array_equal(endless.image, first.image)


def test_steps_are_reported_and_can_be_stopped(fitted: Fitted) -> None:
    steps = fitted.iter_restore(Denoise(STACK[2]))
    steps.wants_image = lambda: True
    made = list(steps)
    assert {step.stage for step in made} <= {"estimating noise", "first estimate", "finishing"}
    assert made[-1].iteration == made[-1].total == 3 * 20
    assert any(step.image is not None for step in made[:-1])
    assert not steps.can_run_on
    with pytest.raises(RestorationError, match="no fit to run on"):
        steps.run_on()
    stopped = fitted.restore(Denoise(STACK[2]), stop_after=3)
    assert stopped.stop_reason == "stopped by the user in the stage: first estimate"
    np.testing.assert_array_equal(
        repeat(stopped.provenance, STACK[2], fitted=fitted).image, stopped.image
    )


def test_the_steps_of_a_fit() -> None:
    steps = list(iter_fit([Denoise(plane) for plane in STACK[:2]], settings=SETTINGS))
    assert [step.result is not None for step in steps] == [False] * (len(steps) - 1) + [True]
    assert steps[0].place.startswith("image 1 of 2: ")
    assert steps[-1].place == "fitting, step 40 of 40"
    assert {step.image_number for step in steps} == {1, 2}
    threads = torch.get_num_threads()
    left = iter_fit(Denoise(STACK[0]), settings=SETTINGS, threads=1)
    next(left)
    assert torch.get_num_threads() == threads
    left.close()  # type: ignore[attr-defined]


def test_volumes_and_channels() -> None:
    quick = replace(SETTINGS, iterations=3)
    volume = fit(Denoise(STACK), settings=quick)
    assert volume.neighbors == 1
    assert volume.restore(Denoise(STACK[:2])).image.shape == (2, 40, 44)
    with pytest.raises(ValueError, match=r"fitted to volumes with 1 channel.* is planes"):
        volume.restore(Denoise(STACK[0]))
    colors = fit(Denoise(STACK[:2], channel_axis=0), settings=quick)
    assert colors.restore(Denoise(STACK[1:], channel_axis=0)).image.shape == (2, 40, 44)
    with pytest.raises(ValueError, match="is planes with 1 channel"):
        colors.restore(Denoise(STACK[0]))
    with pytest.raises(ValueError, match="differ in their number of channels"):
        fit([Denoise(STACK[0]), Denoise(STACK[:2], channel_axis=0)], settings=quick)


@pytest.mark.parametrize(
    ("make", "how", "message"),
    [
        (list, {}, "no image to learn from"),
        (lambda: Inpaint(STACK[0], missing=Y < 3), {}, "only for Denoise with preset fast or best"),
        (lambda: Denoise(STACK[0]), {"preset": "paper"}, "not for Denoise with DeepImagePriorFit"),
        (lambda: Denoise(STACK[0]), {"settings": DeepImagePriorFit()}, "only for Denoise"),
        (lambda: Denoise(STACK[0]), {"seed": -1}, "seed=-1"),
    ],
)
def test_what_cannot_be_learned_from(make: Callable[[], Any], how: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        fit(make(), **how)


def test_other_tasks_are_refused(fitted: Fitted) -> None:
    with pytest.raises(ValueError, match="not for Inpaint"):
        fitted.restore(Inpaint(STACK[0], missing=Y < 3))  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        fitted.restore(STACK[0])  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="preset"):
        fitted.restore(Denoise(STACK[0]), preset="best")


def _changed(path: Path, **described: Any) -> bytes:
    """Return the content of the file with another description."""
    content = path.read_bytes()
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    made = json.loads(header["__metadata__"][KEY]) | described
    return safetensors.torch.save(safetensors.torch.load(content), {KEY: json.dumps(made)})


def _with_weights(path: Path, change: Callable[[dict[str, torch.Tensor]], object]) -> bytes:
    """Return the content of the file with other weights."""
    content = path.read_bytes()
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    weights = safetensors.torch.load(content)
    change(weights)
    return safetensors.torch.save(weights, header["__metadata__"])


def _set(weights: dict[str, torch.Tensor], change: Callable[[torch.Tensor], torch.Tensor]) -> None:
    weights["last.weight"] = change(weights["last.weight"])


RATE: dict[str, Any] = {"method": "DenoisingFit", "learning_rate": 10**400}
NETWORK: dict[str, Any] = {"method": "DenoisingFit", "network": {"widths": [4096] * 16}}


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda _: b"", "not a safetensors file, or it is damaged"),
        (lambda _: b"\x80\x04pickle", "not a safetensors file"),
        (lambda path: path.read_bytes()[:-4], "not a safetensors file"),
        (lambda path: b"\xff" * 8 + path.read_bytes()[8:], "not a safetensors file"),
        (lambda _: (2**25).to_bytes(8, "little") + b" " * 2**25, "header is too large"),
        (lambda path: _changed(path, settings=RATE), "must be a finite number"),
        (lambda _: safetensors.torch.save({"a": torch.ones(2)}), "it is None"),
        (lambda _: safetensors.torch.save({}, {KEY: "[" * 10**6}), "cannot be read"),
        (lambda _: safetensors.torch.save({}, {KEY: "{"}), "cannot be read"),
        (lambda _: safetensors.torch.save({}, {KEY: "3"}), "it is 3"),
        (lambda path: _changed(path, channels=2), r"weights \S+ are .* of shape"),
        (lambda path: _changed(path, channels=10**9), "channels is 1000000000"),
        (lambda path: _changed(path, neighbors=-1), "neighbors is -1"),
        (lambda path: _changed(path, seed="x"), "seed is 'x'"),
        (lambda path: _changed(path, adds_nothing=0), "true or false"),
        (lambda path: _changed(path, learned_from=[{}]), "learned_from"),
        (lambda path: _changed(path, kind="inpaint"), "only denoise is known"),
        (lambda path: _changed(path, settings={"method": "InpaintingFit"}), "only denoise"),
        (lambda path: _changed(path, settings={"method": "os.system"}), "unknown"),
        (lambda path: _changed(path, settings=NETWORK), "use .* at most"),
        (lambda path: _changed(path, settings={"method": "DenoisingFit"}), "weights"),
        (lambda path: _with_weights(path, lambda w: w.pop("last.bias")), "not those of the"),
        (lambda path: _with_weights(path, lambda w: _set(w, lambda t: t * torch.nan)), "finite"),
        (lambda path: _with_weights(path, lambda w: _set(w, torch.Tensor.half)), "torch.float16"),
        (lambda path: _with_weights(path, lambda w: _set(w, lambda t: t[:1])), "shape"),
    ],
)
def test_a_damaged_or_hostile_file_is_refused_in_one_line(
    written: Path, damage: Callable[[Path], bytes], message: str
) -> None:
    written.write_bytes(damage(written))
    with pytest.raises(FileError, match=message) as refused:
        load_fitted(written)
    text = str(refused.value)
    assert len(text.splitlines()) == 1
    assert len(text) < 600


def test_paths_that_are_refused(fitted: Fitted, tmp_path: Path) -> None:
    with pytest.raises(FileError, match="no such file"):
        load_fitted(tmp_path / "none.safetensors")
    with pytest.raises(FileError, match="no such file"):
        load_fitted(tmp_path)
    with pytest.raises(FileError, match=r"must end with \.safetensors"):
        fitted.save(tmp_path / "network.pt")
    with pytest.raises(FileError, match="does not exist"):
        fitted.save(tmp_path / "none" / "network.safetensors")
    assert not list(tmp_path.iterdir())
