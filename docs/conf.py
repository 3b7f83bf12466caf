"""Settings of Sphinx: `python -m sphinx -W docs docs/_build` makes the documentation."""

from __future__ import annotations

import json
from importlib.metadata import version as installed_version
from typing import TYPE_CHECKING, Any

from myst_parser.parsers.sphinx_ import MystParser

if TYPE_CHECKING:
    from docutils.nodes import document
    from sphinx.application import Sphinx

project = "napari-deep-image-prior"
author = "napari-deep-image-prior developers"
version = release = installed_version(project)

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build", "gallery/*.ipynb"]  # of each example there is the .rst
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "none"  # the docstrings say it in words
add_module_names = False

html_theme = "furo"
html_title = project
html_copy_source = False
html_show_copyright = False

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "gallery",
    "within_subsection_order": "FileNameSortKey",
    "download_all_examples": False,
    "show_memory": False,
    "write_computation_times": False,
}

_sentences: dict[str, list[str]] = {}
"""Docstrings of fields and properties, while napoleon works."""


class NotebookParser(MystParser):
    """Reads a Jupyter notebook without outputs: its text as MyST, its code as code."""

    supported = ("notebook",)

    def parse(self, inputstring: str, document: document) -> None:
        """Parse the text of an .ipynb file."""
        cells = [
            (cell["cell_type"], "".join(cell["source"]))
            for cell in json.loads(inputstring)["cells"]
        ]
        texts = [text if kind == "markdown" else f"```python\n{text}\n```" for kind, text in cells]
        name = f"{document.settings.env.docname.rpartition('/')[2]}.ipynb"
        texts.insert(
            1,
            f"This page is a notebook: {{download}}`{name}`, for Jupyter. "
            "Run it to see its pictures.",
        )
        super().parse("\n\n".join(texts), document)


def setup(app: Sphinx) -> None:
    """Read notebooks, and keep napoleon from reading "Units: micrometers" as a field's type."""
    app.add_source_suffix(".ipynb", "notebook")
    app.add_source_parser(NotebookParser)
    app.connect("autodoc-process-docstring", _keep, priority=400)
    app.connect("autodoc-process-docstring", _put_back, priority=600)


def _keep(
    _app: Sphinx,
    what: str,
    name: str,
    _object: object,
    _options: Any,  # noqa: ANN401  (Sphinx's)
    lines: list[str],
) -> None:
    if what in ("attribute", "property", "data"):
        _sentences[name] = list(lines)


def _put_back(
    _app: Sphinx,
    _what: str,
    name: str,
    _object: object,
    _options: Any,  # noqa: ANN401  (Sphinx's)
    lines: list[str],
) -> None:
    if name in _sentences:
        lines[:] = _sentences.pop(name)
