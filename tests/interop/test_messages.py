"""Every message of the gallery lands unchanged: by Postfix, and by Dovecot's LMTP, in a Maildir."""

import base64
import re
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

import ehlo
from ehlo.commands import Body
from gallery import GALLERY, LARGE, envelope
from gallery.images import logo
from support.colours import Colour, colour
from support.maildir import taken
from support.servers import Servers
from support.shown import CID, page

pytestmark = pytest.mark.interop

BOUNDARY = re.compile(rb';\s+boundary="=_\d+_(\w+)"')
WITH_SMTPUTF8_ALONE = {"international_addresses"}
EVERY = [pytest.param(name, marks=pytest.mark.slow if name in LARGE else ()) for name in GALLERY]


@pytest.fixture(params=["blocking", "asyncio"])
def adapter(request: pytest.FixtureRequest) -> Iterator[Colour]:
    with colour(request.param) as chosen:
        yield chosen


def fresh(name: str) -> tuple[ehlo.Message, ehlo.Envelope]:
    """Return a message with an identifier that no other has, and its sender with a recipient."""
    message = GALLERY[name]().replace(message_id=f"{uuid.uuid4().hex}@example.org")
    return message, ehlo.Envelope(envelope(name).sender, "erin@example.org")


def arrived(maildir: Path, message: ehlo.Message) -> bytes:
    assert message.message_id is not None
    return taken(maildir / "erin", message.message_id)


def as_sent(name: str, sent: ehlo.Message, found: bytes, *, smtputf8: bool) -> bytes:
    """Make the octets again that were sent to a server with 8BITMIME.

    Only what the boundaries are made of is taken from what was found: it is made anew each time.
    """
    boundary = BOUNDARY.search(found)
    identifier = boundary[1].decode() if boundary else "none"
    again = GALLERY[name]().replace(message_id=sent.message_id)
    return again.as_bytes(
        transfer=Body.EIGHT_BIT_MIME, smtputf8=smtputf8, make_id=lambda: identifier
    )


@pytest.mark.parametrize("name", EVERY)
def test_postfix_delivers_what_was_sent(name: str, adapter: Colour, servers: Servers) -> None:
    message, to_erin = fresh(name)
    adapter.send(message, f"smtp://{servers.plain.host}:{servers.plain.port}", envelope=to_erin)
    found = arrived(servers.maildir, message)
    smtputf8 = message.needs_smtputf8 or to_erin.needs_smtputf8
    assert found == as_sent(name, message, found, smtputf8=smtputf8)


@pytest.mark.parametrize("name", EVERY)
def test_dovecot_delivers_what_was_sent(name: str, adapter: Colour, servers: Servers) -> None:
    message, to_erin = fresh(name)
    url = f"lmtp://{servers.lmtp.host}:{servers.lmtp.port}"
    if name in WITH_SMTPUTF8_ALONE:  # Dovecot 2.3 does not offer it
        with pytest.raises(ehlo.CapabilityMissing, match="SMTPUTF8"):
            adapter.send(message, url, envelope=to_erin)
        return
    adapter.send(message, url, envelope=to_erin)
    found = arrived(servers.lmtp_maildir, message)
    assert found == as_sent(name, message, found, smtputf8=False)


@pytest.mark.parametrize(
    "name", ["newsletter_with_inline_images", "signature_image_and_attachment"]
)
def test_all_that_delivered_html_shows_is_there(name: str, servers: Servers) -> None:
    """As in the picture in the documentation, which `tests/interop/render.py` makes."""
    message, to_erin = fresh(name)
    url = f"smtp://{servers.plain.host}:{servers.plain.port}"
    ehlo.blocking.send(message, url, envelope=to_erin)
    html = page(arrived(servers.maildir, message))  # finds every part, or raises KeyError
    assert message.html is not None
    assert html.count("data:image/png;base64,") == len(CID.findall(message.html)) > 0
    assert "cid:" not in html


def test_the_logo_that_is_shown_is_the_one_that_was_sent(servers: Servers) -> None:
    message, to_erin = fresh("newsletter_with_inline_images")
    url = f"smtp://{servers.plain.host}:{servers.plain.port}"
    ehlo.blocking.send(message, url, envelope=to_erin)
    shown = f'src="data:image/png;base64,{base64.b64encode(logo()).decode()}"'
    assert shown in page(arrived(servers.maildir, message))
