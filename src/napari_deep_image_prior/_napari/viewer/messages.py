"""Messages to the user."""

from __future__ import annotations


def sentence(message: object) -> str:
    """Return a message, such as an exception, as it is shown: with a capital letter.

    Examples
    --------
    >>> sentence(ValueError("choose an image layer first."))
    'Choose an image layer first.'
    """
    text = str(message)
    return text[:1].upper() + text[1:]
