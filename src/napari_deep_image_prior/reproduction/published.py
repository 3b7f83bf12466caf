"""What was published: the images of each table and the figures, PSNR in dB.

Ulyanov, Vedaldi, Lempitsky, "Deep Image Prior", CVPR 2018, arXiv:1711.10925.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class PublishedRow:
    """One row as printed."""

    label: str
    mean: float
    """Mean over all images of the table, as printed."""
    psnr: tuple[float, ...] = ()
    """PSNR of each image in the table's order; empty if only the mean was printed."""
    mean_is_ours: bool = False
    """Whether the mean was computed here from the printed figures."""


@dataclass(frozen=True)
class Table:
    """A published table: its images, its rows and how its images are corrupted."""

    key: str
    title: str
    kind: str
    """Kind of the task: inpaint, denoise or super-resolve."""
    folder: str
    """Sub-folder of the images."""
    sizes: Mapping[str, tuple[int, int]]
    """(Y, X) shape of each image, in the table's order."""
    rows: tuple[PublishedRow, ...]
    compared: Mapping[str, str]
    """Label of the published row with which each kind of our results is compared."""
    channels: tuple[int, ...] = (1,)
    """Accepted numbers of channels: 1 for gray, 3 for color."""
    factor: int = 1
    """Factor of super-resolution."""

    @property
    def images(self) -> tuple[str, ...]:
        """Names of the images."""
        return tuple(self.sizes)

    def row(self, label: str) -> PublishedRow:
        """Return the row of a label."""
        return next(row for row in self.rows if row.label == label)

    def published(self, label: str, image: str) -> float | None:
        """Return the printed figure of one image, None if only the mean was printed."""
        figures = self.row(label).psnr
        return figures[self.images.index(image)] if figures else None


DIP = "Deep Image Prior (published)"
RESTORED, PASTED = "restored", "known pixels kept"
LAST, AVERAGE, TWO_RUNS = "last iterate", "moving average", "two runs averaged"

_GRAY_11 = {
    "barbara": (512, 512),
    "boat": (512, 512),
    "house": (256, 256),
    "lena": (512, 512),
    "peppers": (256, 256),
    "cameraman": (256, 256),
    "couple": (512, 512),
    "fingerprint": (512, 512),
    "hill": (512, 512),
    "man": (512, 512),
    "montage": (256, 256),
}
_COLOR_9 = {
    "house": (256, 256),
    "peppers": (512, 512),
    "lena": (512, 512),
    "baboon": (512, 512),
    "F16": (512, 512),
    "kodim01": (512, 768),
    "kodim02": (512, 768),
    "kodim03": (512, 768),
    "kodim12": (512, 768),
}
_SET5 = {
    "baby": (512, 512),
    "bird": (288, 288),
    "butterfly": (256, 256),
    "head": (280, 280),
    "woman": (344, 228),
}
_SET14 = {
    "baboon": (480, 500),
    "barbara": (576, 720),
    "bridge": (512, 512),
    "coastguard": (288, 352),
    "comic": (361, 250),
    "face": (276, 276),
    "flowers": (362, 500),
    "foreman": (288, 352),
    "lenna": (512, 512),
    "man": (512, 512),
    "monarch": (512, 768),
    "pepper": (512, 512),
    "ppt3": (656, 529),
    "zebra": (391, 586),
}

TABLES: Mapping[str, Table] = {
    table.key: table
    for table in (
        Table(
            "inpainting",
            "Inpainting, 50 % of the pixels missing",
            "inpaint",
            "inpainting11",
            _GRAY_11,
            (
                PublishedRow(
                    "Papyan et al. (published)",
                    31.19,
                    (28.14, 31.44, 34.58, 35.04, 31.11, 27.90, 31.18, 31.34, 32.35, 31.92, 28.05),
                ),
                PublishedRow(
                    DIP,
                    33.48,
                    (32.22, 33.06, 39.16, 36.16, 33.05, 29.80, 32.52, 32.84, 32.77, 32.20, 34.54),
                ),
            ),
            {RESTORED: DIP},
        ),
        Table(
            "denoising",
            "Denoising, sigma 25",
            "denoise",
            "denoising9",
            _COLOR_9,
            (
                PublishedRow("NLM (published)", 30.26),
                PublishedRow("CBM3D (published)", 31.42),
                PublishedRow("Deep Image Prior, last iterate (published)", 29.22),
                PublishedRow("Deep Image Prior, moving average (published)", 30.43),
                PublishedRow("Deep Image Prior, two runs averaged (published)", 31.00),
            ),
            {name: f"Deep Image Prior, {name} (published)" for name in (LAST, AVERAGE, TWO_RUNS)},
            channels=(3,),
        ),
        Table(
            "set5-x4",
            "Super-resolution x4, Set5",
            "super-resolve",
            "set5",
            _SET5,
            (
                PublishedRow("no prior (published)", 26.56, (30.16, 27.67, 19.82, 29.98, 25.18)),
                PublishedRow("bicubic (published)", 28.44, (31.78, 30.20, 22.13, 31.34, 26.75)),
                PublishedRow("TV prior (published)", 28.86, (31.21, 30.43, 24.38, 31.34, 26.93)),
                PublishedRow(
                    "Glasner et al. (published)", 28.86, (32.24, 31.34, 22.18, 31.69, 26.85)
                ),
                PublishedRow(DIP, 29.90, (31.49, 31.80, 26.23, 31.04, 28.93)),
                PublishedRow(
                    "LapSRN, trained (published)", 31.59, (33.55, 33.76, 27.28, 32.62, 30.72)
                ),
                PublishedRow(
                    "SRResNet, trained (published)", 32.10, (33.66, 35.10, 28.41, 32.73, 30.60)
                ),
            ),
            {RESTORED: DIP},
            channels=(3,),
            factor=4,
        ),
        Table(
            "set5-x8",
            "Super-resolution x8, Set5",
            "super-resolve",
            "set5",
            _SET5,
            (
                PublishedRow(
                    "bicubic (published)",
                    24.37,
                    (27.28, 25.28, 17.74, 28.82, 22.74),
                    mean_is_ours=True,
                ),
                PublishedRow(DIP, 25.89, (28.28, 27.09, 20.02, 29.55, 24.50), mean_is_ours=True),
            ),
            {RESTORED: DIP},
            channels=(3,),
            factor=8,
        ),
        Table(
            "set14-x4",
            "Super-resolution x4, Set14",
            "super-resolve",
            "set14",
            _SET14,
            (
                PublishedRow("bicubic (published)", 26.05),
                PublishedRow("TV prior (published)", 26.42),
                PublishedRow("Glasner et al. (published)", 26.46),
                PublishedRow(
                    DIP,
                    27.00,
                    (
                        22.29,
                        25.53,
                        24.38,
                        25.81,
                        22.18,
                        31.02,
                        26.14,
                        31.66,
                        30.83,
                        26.09,
                        29.98,
                        32.08,
                        24.38,
                        25.71,
                    ),
                ),
                PublishedRow("LapSRN, trained (published)", 28.13),
                PublishedRow("SRResNet, trained (published)", 28.53),
            ),
            {RESTORED: DIP},
            channels=(1, 3),
            factor=4,
        ),
        Table(
            "set14-x8",
            "Super-resolution x8, Set14",
            "super-resolve",
            "set14",
            _SET14,
            (
                PublishedRow("bicubic (published)", 23.10),
                PublishedRow("TV prior (published)", 23.49),
                PublishedRow(
                    DIP,
                    24.15,
                    (
                        21.38,
                        23.94,
                        22.20,
                        24.21,
                        19.86,
                        29.52,
                        22.86,
                        27.87,
                        27.93,
                        23.57,
                        24.86,
                        29.18,
                        20.12,
                        20.62,
                    ),
                ),
                PublishedRow("LapSRN, trained (published)", 24.35),
            ),
            {RESTORED: DIP},
            channels=(1, 3),
            factor=8,
        ),
    )
}

EXPERIMENTS: Mapping[str, tuple[Table, ...]] = {
    "inpainting": (TABLES["inpainting"],),
    "denoising": (TABLES["denoising"],),
    "super-resolution": tuple(
        TABLES[f"{group}-x{factor}"] for group in ("set5", "set14") for factor in (4, 8)
    ),
}
"""The tables of each subcommand."""
