from dataclasses import replace

import pytest
import torch
from torch import nn

from napari_deep_image_prior import (
    CompactNetwork,
    DeepImagePriorFit,
    DenoisingFit,
    HourglassNetwork,
    InpaintingFit,
    SuperResolutionFit,
)
from napari_deep_image_prior.fitting.networks import build_network, noise_input, padded_shape
from napari_deep_image_prior.methods.deep_image_prior.settings import PUBLISHED

TINY = HourglassNetwork(widths=(4, 5), skips=(2, 0))


def test_the_published_network_has_the_published_size_and_cost() -> None:
    network = build_network(HourglassNetwork(), 32, 3, seed=0)
    assert sum(weight.numel() for weight in network.parameters()) == pytest.approx(2.2e6, rel=0.01)
    products = 0

    def count(convolution: nn.Conv2d, _inputs: object, output: torch.Tensor) -> None:
        nonlocal products
        products += convolution.weight.numel() * output.shape[-1] * output.shape[-2]

    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(count)
    with torch.no_grad():
        network(torch.rand(1, 32, 64, 64))
    assert products * (512 / 64) ** 2 == pytest.approx(77.5e9, rel=0.002)


def test_a_u_net_concatenates_every_channel_of_each_scale() -> None:
    u_net = HourglassNetwork(widths=(4, 6), skips=(0, 0), architecture="u-net")
    network = build_network(u_net, 3, 1, seed=0)
    assert network(torch.rand(1, 3, 16, 24)).shape == (1, 1, 16, 24)
    joining = [
        m.in_channels
        for m in network.modules()
        if isinstance(m, nn.Conv2d) and m.in_channels == 4 + 6
    ]
    assert len(joining) == 1


@pytest.mark.parametrize("experiment", PUBLISHED)
def test_every_published_network_makes_an_image_of_the_input_size(experiment: str) -> None:
    settings = PUBLISHED[experiment]
    depth = settings.input_depth if settings.input == "noise" else 2
    shape = padded_shape((50, 70), settings.network)
    z = torch.rand(1, depth, *shape)
    image = build_network(settings.network, depth, 3, seed=0)(z)
    assert image.shape == (1, 3, *shape)
    assert image.min() > 0
    assert image.max() < 1


@pytest.mark.parametrize(
    "change",
    [
        {"skips": (0, 0)},
        {"downsample": "average"},
        {"upsample": "nearest"},
        {"down_kernel": 5},
        {"up_kernel": 1},
        {"up_1x1": False},
        {"norm": "none"},
        {"padding": "zeros"},
        {"head": "linear"},
        {"align_corners": True},
        {"norm_gain": "uniform"},
    ],
    ids=str,
)
def test_every_switch_changes_the_network_and_leaves_it_trainable(
    change: dict[str, object],
) -> None:
    z = torch.rand(1, 3, 16, 24, generator=torch.Generator().manual_seed(0))
    plain, changed = (
        build_network(settings, 3, 1, seed=0) for settings in (TINY, replace(TINY, **change))
    )
    image = changed(z)
    assert not torch.equal(image, plain(z))
    image.square().mean().backward()
    assert all(weight.grad is not None for weight in changed.parameters())


def test_the_same_seed_gives_the_same_network_and_leaves_the_random_state_alone() -> None:
    before = torch.get_rng_state()
    first, second, other = (build_network(TINY, 3, 1, seed=seed) for seed in (7, 7, 8))
    assert torch.equal(torch.get_rng_state(), before)
    for one, two in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(one, two)
    assert any(
        not torch.equal(one, two)
        for one, two in zip(first.parameters(), other.parameters(), strict=True)
    )


@pytest.mark.parametrize("shape", [(1, 1), (3, 50), (64, 64), (65, 31)])
def test_the_padded_shape_holds_the_image_at_every_scale(shape: tuple[int, int]) -> None:
    height, width = padded_shape(shape, TINY)
    assert height >= shape[0]
    assert width >= shape[1]
    build_network(TINY, 1, 1, seed=0)(noise_input(1, (height, width), torch.Generator()))


def test_the_input_is_uniform_noise_from_0_to_a_tenth() -> None:
    z = noise_input(32, (16, 16), torch.Generator().manual_seed(0))
    assert z.min() >= 0
    assert 0.099 < z.max() <= 0.1


def test_widths_and_skips_must_have_the_same_length() -> None:
    with pytest.raises(ValueError, match="one number for each scale"):
        HourglassNetwork(widths=(4, 4), skips=(4,))
    with pytest.raises(ValueError, match="upsample='cubic'"):
        HourglassNetwork(upsample="cubic")  # type: ignore[arg-type]


def test_settings_out_of_range_are_refused_at_once() -> None:
    for kind, change in [
        (InpaintingFit, {"hidden": (0.5, 0.2)}),
        (SuperResolutionFit, {"father_scales": ()}),
        (SuperResolutionFit, {"back_projections": -1}),
        (DenoisingFit, {"draws": 0}),
        (DenoisingFit, {"crop": 3}),
        (DeepImagePriorFit, {"iterations": 0}),
        (DeepImagePriorFit, {"averaging": 1.0}),
        (CompactNetwork, {"widths": ()}),
    ]:
        with pytest.raises(ValueError, match=next(iter(change))):
            kind(**change)
    with pytest.raises(TypeError, match="network must be HourglassNetwork"):
        DeepImagePriorFit(network=CompactNetwork())  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="iterations"):
        DeepImagePriorFit(iterations=2.5)  # type: ignore[arg-type]
