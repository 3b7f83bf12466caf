"""Deconvolution: the task, its point spread functions, and its result."""

from pathlib import Path

import numpy as np
import pytest
import tifffile
from scipy.integrate import quad
from scipy.special import j0

import napari_deep_image_prior as dip
from napari_deep_image_prior.cli import main as cli
from napari_deep_image_prior.methods.deconvolution import optics
from napari_deep_image_prior.restoration.cost import estimate

OIL = {"na": 1.4, "wavelength": 520, "refractive_index": 1.518}
QUICK = dip.DeconvolutionFit(iterations=4)


@pytest.fixture
def blurred() -> tuple[np.ndarray, np.ndarray]:
    """Return drawn cells and spots, and their blurred image with photon noise."""
    y, x = np.mgrid[:72, :80]
    truth = np.full((72, 80), 10.0)
    random = np.random.default_rng(0)
    for _ in range(12):
        cy, cx, radius = random.uniform(5, 67), random.uniform(5, 75), random.uniform(2, 9)
        truth[np.hypot(y - cy, x - cx) < radius] += random.uniform(50, 150)
    task = dip.Deconvolve(truth, psf=2)
    noisy = random.poisson(task._measured(truth)).astype(float)
    return truth, noisy


def _error(image: np.ndarray, truth: np.ndarray) -> float:
    return float(np.square(image - truth).mean())


def test_the_result_is_closer_to_the_truth_and_keeps_the_flux(
    blurred: tuple[np.ndarray, np.ndarray],
) -> None:
    truth, noisy = blurred
    result = dip.restore(dip.Deconvolve(noisy, psf=2, noise="poisson")).image
    assert _error(result, truth) < 0.65 * _error(noisy, truth)
    assert result.sum() == pytest.approx(noisy.sum(), rel=0.01)
    assert result.min() >= 0


def test_intensities_may_have_any_scale_and_background(
    blurred: tuple[np.ndarray, np.ndarray],
) -> None:
    _, noisy = blurred
    plain = dip.restore(dip.Deconvolve(noisy, psf=2), settings=QUICK).image
    task = dip.Deconvolve(1000 + 7 * noisy, psf=2, background=1000)
    scaled = dip.restore(task, settings=QUICK).image
    assert scaled.min() >= 1000
    np.testing.assert_allclose((scaled - 1000) / 7, plain, atol=0.05 * np.ptp(plain))


def test_unknown_pixels_are_filled_and_channels_are_restored(
    blurred: tuple[np.ndarray, np.ndarray],
) -> None:
    truth, noisy = blurred
    holed = noisy.copy()
    holed[30:34, 40:44] = np.nan
    colors = np.stack([holed, noisy], axis=-1)
    result = dip.restore(dip.Deconvolve(colors, psf=2, channel_axis=-1), settings=QUICK).image
    assert result.shape == colors.shape
    assert np.isfinite(result).all()
    assert _error(result[..., 0], truth) < 1.3 * _error(result[..., 1], truth)


def test_a_volume_is_deconvolved_along_z_too() -> None:
    truth = np.full((12, 28, 28), 5.0)
    truth[6, 6:22, 14] = truth[4:6, 14, 6:22] = 200
    task = dip.Deconvolve(truth, psf=(2, 1.2, 1.2))
    noisy = np.random.default_rng(1).poisson(task._measured(truth)).astype(float)
    result = dip.restore(dip.Deconvolve(noisy, psf=(2, 1.2, 1.2)), settings=QUICK).image
    assert _error(result, truth) < 0.9 * _error(noisy, truth)
    assert result.sum() == pytest.approx(noisy.sum(), rel=0.01)


def test_a_restoration_can_be_stopped_and_repeated(
    blurred: tuple[np.ndarray, np.ndarray],
) -> None:
    _, noisy = blurred
    task = dip.Deconvolve(noisy, psf=2)
    stopped = dip.restore(task, stop_after=1)
    assert np.isfinite(stopped.image).all()
    made = dip.restore(task, settings=QUICK)
    np.testing.assert_array_equal(dip.repeat(made.provenance, noisy).image, made.image)


def test_the_published_prior_restores_planes_only() -> None:
    image = np.random.default_rng(0).random((16, 32, 32))
    few = dip.DeepImagePriorFit(iterations=2)
    assert dip.restore(dip.Deconvolve(image[0], psf=1), settings=few).image.shape == (32, 32)
    with pytest.raises(ValueError, match="planes only"):
        dip.restore(dip.Deconvolve(image, psf=1), settings=few)


@pytest.mark.parametrize(
    ("psf", "reason"),
    [
        (np.ones((41, 5)), "larger than the image"),
        (np.full((5, 5), np.nan), "NaN"),
        (np.zeros((5, 5)), "no positive sum"),
        (np.ones((3, 3, 3)), "axes"),
        (np.ones((5, 5), dtype=complex), "real numbers"),
        ((1.0, 2.0, 3.0), "one for each axis"),
        (-2, "positive"),
    ],
)
def test_a_psf_that_cannot_be_used_is_refused(psf: object, reason: str) -> None:
    with pytest.raises((ValueError, TypeError), match=reason) as raised:
        dip.Deconvolve(np.ones((40, 40)), psf=psf)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"na": 1.6}, "below the refractive index"),
        ({"wavelength": 0.52}, "nanometers are expected"),
        ({"spacing": None}, "give spacing"),
        ({"spacing": (0.1, 0.1, 0.1)}, "2 axes"),
        ({"refractive_index": None}, "needs wavelength"),
        ({"psf": 2}, "give one of"),
    ],
)
def test_optics_that_make_no_sense_are_refused(changes: dict[str, object], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        dip.Deconvolve(np.ones((40, 40)), **{**OIL, "spacing": (0.1, 0.1), **changes})


def test_a_psf_is_normalized_and_centered_with_a_message() -> None:
    psf = np.zeros((9, 8), dtype=np.uint8)
    psf[2:5, 4:7] = 200  # the sum overflows
    task = dip.Deconvolve(np.ones((40, 40)), psf=psf)
    assert task.kernel.sum() == pytest.approx(1)
    assert all(size % 2 for size in task.kernel.shape)
    middle = tuple(size // 2 for size in task.kernel.shape)
    assert task.kernel[middle] > 0
    assert np.argwhere(task.kernel).mean(axis=0) == pytest.approx(middle)
    assert "sum was 1800" in task.detected
    assert "off its center" in task.caution
    assert not dip.Deconvolve(np.ones((40, 40)), psf=dip.gaussian_psf(2)).caution


def test_the_psf_of_beads_is_that_of_their_microscope() -> None:
    psf = dip.gaussian_psf((1.4, 2.0))
    beads = np.zeros((96, 96))
    for y, x in [(20, 20), (20, 60), (60, 25), (70, 70)]:
        beads[y - 6 : y + 7, x - 8 : x + 9] += 1000 * psf
    noisy = 50 + beads + np.random.default_rng(0).normal(0, 0.5, beads.shape)
    measured = dip.measure_psf(noisy, radius=(6, 8))
    assert np.abs(measured - psf).max() < 0.1 * psf.max()
    with pytest.raises(ValueError, match="no isolated bead"):
        dip.measure_psf(noisy, radius=50)


@pytest.mark.parametrize(("depth", "sample"), [(0.0, 1.518), (5.0, 1.45)])
def test_the_series_of_the_microscope_is_the_integral(depth: float, sample: float) -> None:
    given = (2 * np.pi / 0.52, 1.4, 1.518, sample, depth)
    stage, radii = optics._best_focus(given) + np.array([-1.5, 0, 0.7]), np.array([0, 0.2, 0.9])
    field = optics._field(radii, stage, given)

    def integrand(rho: float, r: float, displacement: float) -> complex:
        path = optics.path_difference(np.array([0, rho]), np.array([displacement]), given)[0, 1]
        return complex(np.exp(1j * given[0] * path) * j0(given[0] * given[1] * r * rho) * rho)

    for row, displacement in zip(field, stage, strict=True):
        for found, r in zip(row, radii, strict=True):
            expected = quad(integrand, 0, 1, (r, displacement), limit=200, complex_func=True)[0]
            assert found == pytest.approx(expected, abs=1e-5)


def test_a_microscope_psf_has_the_resolution_of_its_aperture() -> None:
    psf = dip.microscope_psf(**OIL, spacing=(0.02, 0.02), shape=(61, 61))
    assert np.unravel_index(psf.argmax(), psf.shape) == (30, 30)
    line = psf[30, 30:]
    first_zero = 0.02 * np.argmax(np.diff(line) > 0)
    assert first_zero == pytest.approx(0.61 * 0.52 / 1.4, abs=0.02)
    confocal = dip.microscope_psf(**OIL, spacing=(0.02, 0.02), shape=(61, 61), kind="confocal")
    np.testing.assert_allclose(confocal, psf**2 / (psf**2).sum())


def test_the_predicted_time_grows_with_the_image() -> None:
    image = np.random.default_rng(0).poisson(50, (1000, 1000)).astype(float)
    seconds = [
        estimate(dip.Deconvolve(image[:edge, :edge], psf=1), settings=QUICK, device="cpu").seconds
        for edge in (250, 1000)
    ]
    assert 4 < seconds[1] / seconds[0] < 30


def test_a_wrong_noise_level_is_compensated_by_the_coupling(
    blurred: tuple[np.ndarray, np.ndarray],
) -> None:
    truth, noisy = blurred
    task = dip.Deconvolve(noisy, psf=2, noise="gaussian")  # much lower than the photon noise
    chosen = dip.restore(task).image
    fixed = dip.restore(task, settings=dip.DeconvolutionFit(couplings=(0.3,))).image
    assert _error(chosen, truth) < 0.8 * _error(fixed, truth)


def test_the_command_line_takes_every_kind_of_psf(
    tmp_path: Path, blurred: tuple[np.ndarray, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.conftest import use_settings

    use_settings(monkeypatch, "deconvolve", QUICK)
    monkeypatch.chdir(tmp_path)
    noisy = blurred[1].astype(np.uint16)
    tifffile.imwrite("in.tif", noisy, imagej=True, resolution=(10, 10), metadata={"unit": "um"})
    tifffile.imwrite("psf.tif", dip.gaussian_psf(2).astype(np.float32))
    made = []
    for number, given in enumerate(
        (["--psf", "psf.tif"], ["--psf-sigma", "2"], ["--na", "0.5", "--wavelength", "520"])
    ):
        index = ["--refractive-index", "1"] if "--na" in given else []
        assert cli.main(["deconvolve", "in.tif", "-o", f"{number}.tif", *given, *index]) == 0
        made.append(tifffile.imread(f"{number}.tif"))
    # the file has float32; what it rounds off grows in the alternation
    assert np.abs(made[0].astype(float) - made[1]).mean() < 0.2
    assert (made[2] != made[1]).any()


def test_the_command_line_says_what_is_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    tifffile.imwrite("in.tif", np.ones((40, 40), np.uint16))
    optical = ["--na", "1.4", "--wavelength", "520", "--refractive-index", "1.518"]
    assert cli.main(["deconvolve", "in.tif", "-o", "out.tif", *optical]) == 2
    assert "give spacing" in capsys.readouterr().err
    assert cli.main(["deconvolve", "in.tif", "-o", "out.tif"]) == 2
    assert "give one of" in capsys.readouterr().err
