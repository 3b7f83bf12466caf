from collections.abc import Callable
from typing import Any

import pytest

from napari_deep_image_prior.io.console import complain, say


@pytest.mark.parametrize("show", [say, complain])
def test_control_characters_of_a_name_are_not_sent_to_the_terminal(
    show: Callable[[str], None], capsys: Any
) -> None:
    show("µm \x1b[2J\u202egnp.tif")
    printed = "".join(capsys.readouterr())
    assert printed.endswith("µm \\x1b[2J\\u202egnp.tif\n")
    say("a\nb")
    assert capsys.readouterr().out == "a\\nb\n"
