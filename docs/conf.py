"""Configuration of the documentation (Sphinx, MyST)."""

from __future__ import annotations

from importlib.metadata import version as installed_version

project = "ehlo"
author = "The ehlo authors"
copyright = "2026, The ehlo authors"
release = installed_version("ehlo")
version = release

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]
nitpicky = True
# Names of the standard library have no page here: nothing is fetched from the network.
nitpick_ignore_regex = [
    (r"py:.*", r"(asyncio|collections|datetime|email|enum|os|pathlib|socket|ssl|types|typing)\..*"),
    (
        r"py:.*",
        r"(None|bool|bytes|bytearray|dict|float|frozenset|int|list|memoryview|object|set|str|tuple|type)",
    ),
    (r"py:(class|exc)", r"[A-Z]\w*(Error|Warning)"),
]

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
napoleon_google_docstring = True
napoleon_numpy_docstring = False

myst_enable_extensions = ["colon_fence", "deflist", "fieldlist"]
myst_heading_anchors = 3

html_theme = "furo"
html_title = f"ehlo {release}"
