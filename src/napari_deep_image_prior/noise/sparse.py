"""Images of which most pixels have exactly the same value, such as single points on a dark ground.

Noise would give that ground different values. The points may be the specimen (localizations,
particles) or noise (single photons): the image does not tell.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST = 0.5
"""Share of the pixels, in the image and in a block, from which on they are most of it."""
NEARLY_ALL = 0.9
"""Share from which on the ground has no noise, unless the others look like photons."""
FULL = 0.1
"""Share of blocks that are not mostly ground, above which these show whether there is noise."""


def share_of_ground(values: NDArray[np.float64], blocks: NDArray[np.float64]) -> float:
    """Return the share of the pixels with the most common value if the others are sparse, else 0.

    Parameters
    ----------
    values : (n,) float array
        The pixels.
    blocks : (m, pixels) float array
        Blocks of the image; constant ones do not count.
    """
    if values.size == 0:
        return 0.0
    ground = np.median(values)  # of more than half of the pixels, if so many are equal
    share = float((values == ground).mean())
    if share <= MOST or share == 1:
        return 0.0
    own: NDArray[Any] = (blocks == ground).mean(axis=1)
    varied = np.ptp(blocks, axis=1) > 0
    is_sparse = (own[varied] <= MOST).sum() <= FULL * varied.sum()
    return share if is_sparse else 0.0
