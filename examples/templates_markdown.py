"""Make the text and the HTML of a message from one source in Markdown.

Run it with a server's URL: `python templates_markdown.py smtp://localhost:2525`. It needs
`markdown-it-py`.
"""

from __future__ import annotations

import re
import sys

from markdown_it import MarkdownIt

import ehlo

NEWS = """\
Dear $reader,

there is **some** news:

1. The engine weaves *algebraic* patterns.
2. There is [more on our site](https://example.org/news).

| Engine     | Parts |
|------------|------:|
| difference |  8000 |
| analytical | 25000 |
"""

FRAME = """\
<!DOCTYPE html>
<html lang="en"><body style="font-family: sans-serif; max-width: 36em">
{body}</body></html>
"""

# Tags in the source are shown and not passed on.
MARKDOWN = MarkdownIt("commonmark", {"html": False}).enable("table")
PUNCTUATION = re.compile(r"([!-/:-@\[-`{-~])")  # all of it may be escaped in CommonMark


def filled(template: str, values: dict[str, str]) -> str:
    """Fill in values; `$` and a name stand for one."""
    return re.sub(r"\$(\w+)", lambda found: values[found[1]], template)


def escaped(values: dict[str, str]) -> dict[str, str]:
    """Return values that are text in Markdown too: a reader's name is no link."""
    return {name: PUNCTUATION.sub(r"\\\1", value) for name, value in values.items()}


def from_markdown(source: str, values: dict[str, str], *, to: tuple[str, str]) -> ehlo.Message:
    """Make a message whose text is the source, and whose HTML is made of it."""
    body = MARKDOWN.render(filled(source, escaped(values)))
    return ehlo.Message(
        from_="News <news@example.org>",
        to=to,
        subject="News of the engine",
        text=filled(source, values),
        html=FRAME.format(body=body),
    )


def main(url: str) -> None:
    """Send news to a reader who likes punctuation."""
    reader = "*Bob* [the](builder)"
    message = from_markdown(NEWS, {"reader": reader}, to=(reader, "bob@example.com"))
    receipt = ehlo.blocking.send(message, url)
    print(f"accepted: {receipt.reply}")


if __name__ == "__main__":
    main(sys.argv[1])
