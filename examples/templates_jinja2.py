"""Make messages from Jinja2 templates: subject, text and HTML, with an image in it.

Run it with a server's URL: `python templates_jinja2.py smtp://localhost:2525`. It needs `jinja2`.
"""

from __future__ import annotations

import sys
from base64 import b64decode
from typing import TYPE_CHECKING

from jinja2 import DictLoader, Environment, StrictUndefined, select_autoescape

import ehlo

if TYPE_CHECKING:
    from collections.abc import Mapping

TEMPLATES = {
    "order.subject": "Your order {{ number }}",
    "order.txt": """\
Dear {{ customer }},

thank you for your order {{ number }}:

{% for name, price in lines -%}
* {{ name }}, {{ "%.2f"|format(price) }} EUR
{% endfor %}
""",
    "frame.html": """\
<!DOCTYPE html>
<html lang="en"><body style="font-family: sans-serif">
<img src="{{ logo }}" alt="The Shop" width="64">
{% block body %}{% endblock %}
</body></html>
""",
    "order.html": """\
{% extends "frame.html" %}
{% block body %}
<p>Dear {{ customer }},</p>
<p>thank you for your order {{ number }}:</p>
<ul>
{% for name, price in lines -%}
<li>{{ name }}, <b>{{ "%.2f"|format(price) }} EUR</b></li>
{% endfor -%}
</ul>
{% endblock %}
""",
}
"""Stands for a folder of files, and `FileSystemLoader("templates")`."""

LOGO = ehlo.Attachment(
    b64decode(
        "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJg"
        "gg=="
    ),
    filename="logo.png",
    content_id="logo@example.org",
)
ENVIRONMENT = Environment(
    loader=DictLoader(TEMPLATES),
    autoescape=select_autoescape(["html"]),  # in HTML, and nowhere else
    undefined=StrictUndefined,  # what is missing is an error, not a hole in the mail
    keep_trailing_newline=True,
)


def from_template(name: str, values: Mapping[str, object], *, to: tuple[str, str]) -> ehlo.Message:
    """Render the templates of one kind of message."""

    def rendered(kind: str) -> str:
        return ENVIRONMENT.get_template(f"{name}.{kind}").render(values, logo=LOGO.url)

    return ehlo.Message(
        from_="The Shop <shop@example.org>",
        to=to,  # a pair: no name can become an address
        subject=rendered("subject").strip(),
        text=rendered("txt"),
        html=rendered("html"),
        inline=[LOGO],
        auto_submitted="auto-generated",
    )


def main(url: str) -> None:
    """Send a confirmation to a customer whose name is none too simple."""
    values = {
        "customer": "Bob & Sons <Ltd.>",
        "number": "2026-42",
        "lines": [("Gear, brass", 12.5), ("Punched cards, 100", 4)],
    }
    message = from_template("order", values, to=("Bob & Sons <Ltd.>", "bob@example.com"))
    receipt = ehlo.blocking.send(message, url)
    print(f"accepted: {receipt.reply}")


if __name__ == "__main__":
    main(sys.argv[1])
