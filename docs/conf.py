"""Settings of Sphinx: `python -m sphinx -W docs docs/_build` makes the documentation."""

from __future__ import annotations

from importlib.metadata import version as installed_version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sphinx.application import Sphinx

project = "napari-deep-image-prior"
author = "napari-deep-image-prior developers"
version = release = installed_version(project)

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "none"  # the docstrings say it in words
add_module_names = False

html_theme = "furo"
html_title = project
html_copy_source = False
html_show_copyright = False

_sentences: dict[str, list[str]] = {}
"""Docstrings of fields and properties, while napoleon works."""


def setup(app: Sphinx) -> None:
    """Keep napoleon from reading the docstring "Units: micrometres" of a field as a type and a description."""
    app.connect("autodoc-process-docstring", _keep, priority=400)
    app.connect("autodoc-process-docstring", _put_back, priority=600)


def _keep(_app: Sphinx, what: str, name: str, _object: object, _options: Any, lines: list[str]) -> None:  # noqa: ANN401
    if what in ("attribute", "property", "data"):
        _sentences[name] = list(lines)


def _put_back(_app: Sphinx, _what: str, name: str, _object: object, _options: Any, lines: list[str]) -> None:  # noqa: ANN401
    if name in _sentences:
        lines[:] = _sentences.pop(name)
