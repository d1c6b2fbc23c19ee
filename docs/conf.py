"""Configuration of the documentation (Sphinx, MyST)."""

from __future__ import annotations

from importlib.metadata import version as installed_version
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sphinx.application import Sphinx

project = "ehlo"
author = "The ehlo authors"
copyright = "2026, The ehlo authors"
release = installed_version("ehlo")
version = release

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build", "explanation/_generated/*.md"]
nitpicky = True
# Names of the standard library have no page here: nothing is fetched from the network.
nitpick_ignore_regex = [
    (r"py:.*", r"(asyncio|collections|datetime|email|enum|os|pathlib|socket|ssl|types|typing)\..*"),
    (
        r"py:.*",
        r"(None|bool|bytes|bytearray|dict|float|frozenset|int|list|memoryview|object|set|str|tuple|type)",
    ),
    (r"py:class", r"datetime|timedelta|EmailMessage|Path(Like)?"),
    (r"py:(class|exc)", r"[A-Z]\w*(Error|Warning)"),
    # Aliases and helpers that are no public names of their own; the pages say what they stand for.
    (r"py:class", r"AddressLike|ConnectOptions|Connecting|Entry(Like)?|Item|Mailbox(Like|es)"),
    (r"py:class", r"Content|Progress|(ehlo\.message\.\w+\.)?(Readable|Source(Like)?)|Sendable"),
    (r"py:class", r"Connector|Found|PassedOver|Route|Servers|SocketName|UrlsLike|Watch"),
    (r"py:class", r"typing_extensions.Unpack"),
    (r"py:class", r"Callable\[\[.*|Mapping\[str|tuple\[\w+|Sendable \| .*"),
    (r"py:(class|obj)", r"(ehlo\.[\w.]+\.)?_T(_co)?"),
]
# "Session" in an annotation is the one of its own module; Sphinx finds that of both adapters.
suppress_warnings = ["ref.python"]

default_role = "code"  # docstrings mark code with single backticks
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True

myst_enable_extensions = ["colon_fence", "deflist", "fieldlist"]
myst_heading_anchors = 3

html_theme = "furo"
html_title = f"ehlo {release}"


_COLON = "\ufe55"  # stands in for ":" while Napoleon looks on


def _hide_colons(
    _app: Sphinx, what: str, _name: str, _obj: object, _options: object, lines: list[str]
) -> None:
    """Keep Napoleon from reading "Whether it is so: always" as a type and its description."""
    hidden = what in {"attribute", "data", "property"}
    for number, line in enumerate(lines):
        if hidden:
            lines[number] = line.replace(":", _COLON)
        hidden = line.strip() in {"Returns:", "Yields:"}


def _show_colons(
    _app: Sphinx, _what: str, _name: str, _obj: object, _opt: object, lines: list[str]
) -> None:
    lines[:] = [line.replace(_COLON, ":") for line in lines]


def setup(app: Sphinx) -> None:
    """Connect the two, before and behind Napoleon (which has priority 500)."""
    app.connect("autodoc-process-docstring", _hide_colons, priority=400)
    app.connect("autodoc-process-docstring", _show_colons, priority=600)
