"""Requests from the consumer of the steps."""

from __future__ import annotations

import math
import time
from collections import deque
from typing import TYPE_CHECKING, Any

from .base import PREVIEW_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray
    from torch import Tensor

    from ..methods.task import Task


class Consumer:
    """Requests from the consumer of the steps."""

    def __init__(self) -> None:
        self.stop_requested = False
        self.more: int | None = None
        self.repainted: deque[Task] = deque(maxlen=1)
        """The task with a new mask, until it is applied."""
        self.wants_image: Callable[[], bool] | None = None
        self.start: dict[str, Tensor] | None = None
        """Weights for a warm start; None: random weights."""
        self.network: dict[str, Tensor] | None = None
        """Weights at the end, if another fit can start from them."""
        self._last_image, self._rest = -math.inf, 0.0

    def image_is_due(self, seconds: float = PREVIEW_SECONDS) -> bool:
        """Return whether `seconds` have passed since the last image, more if images are costly."""
        return time.monotonic() - self._last_image > max(seconds, self._rest)

    def preview(self, make: Callable[[], NDArray[Any]]) -> NDArray[Any] | None:
        """Return an image if one is requested."""
        if not (self.wants_image or self.image_is_due)():
            return None
        started = time.monotonic()
        image = make()
        self._last_image = time.monotonic()
        # previews take at most a tenth of the time, even of large images
        self._rest = 9 * (self._last_image - started)
        return image
