"""Arrays as text."""

import numpy as np
import pytest

from napari_deep_image_prior.encoding import decoded, encoded


def test_an_encoded_array_is_decoded() -> None:
    array = np.arange(6, dtype=np.int16).reshape(2, 3)
    again = decoded(encoded(array))
    np.testing.assert_array_equal(again, array)
    assert again.dtype == array.dtype


def test_an_array_that_claims_to_be_huge_is_refused() -> None:
    text = encoded(np.arange(6.0))
    text["array_shape"] = [10**6, 10**6]
    with pytest.raises(ValueError, match="at most 268435456"):
        decoded(text)
