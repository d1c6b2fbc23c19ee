"""The HTML of a message that was delivered, as a browser shows it."""

import base64
import re
from email import message_from_bytes, policy
from email.message import MIMEPart
from typing import cast
from urllib.parse import unquote

CID = re.compile(r"cid:([^\"'\s<>)]+)")


def page(octets: bytes) -> str:
    """Return the HTML of a message, with the parts that it shows as `data:` URLs (RFC 2397).

    Args:
        octets: The message.

    Returns:
        A page that needs nothing else.

    Raises:
        AssertionError: There is no HTML.
        KeyError: It shows a part that is not related to it.
    """
    message = message_from_bytes(octets, policy=policy.default)
    html = message.get_body(("html",))
    assert html is not None
    parts = {
        part["Content-ID"].strip().strip("<>"): part
        for related in message.walk()
        if related.get_content_type() == "multipart/related" and html in related.get_payload()
        for part in related.iter_parts()
        if part["Content-ID"]
    }
    text = cast("str", html.get_content())
    return CID.sub(lambda found: _data_url(parts[unquote(found[1])]), text)


def _data_url(part: MIMEPart) -> str:
    octets = cast("bytes", part.get_content())
    return f"data:{part.get_content_type()};base64,{base64.b64encode(octets).decode()}"
