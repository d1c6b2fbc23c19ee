"""What newsletters and posts of mailing lists look like."""

from __future__ import annotations

from ehlo.commands import Body
from gallery import newsletters
from gallery.images import logo
from gallery.showing import contents, header, text, tree


def test_newsletter_with_inline_images() -> None:
    message = newsletters.newsletter_with_inline_images()
    assert header(message) == (
        "From: The Cogwheel <news@example.org>\n"
        "To: =?utf-8?b?Wm/DqyDFu2Fr?= <zoe@example.com>\n"
        "Message-ID: <cogwheel.11.8f2c@example.org>\n"
        "Subject: A year of mail, and nothing lost =?utf-8?b?4oCT?= The Cogwheel, No.\n"
        " 11\n"
        "List-Id: The Cogwheel <cogwheel.example.org>\n"
        "List-Unsubscribe: <https://cogwheel.example.org/u/8f2c>,\n"
        " <mailto:leave+8f2c@example.org>\n"
        "List-Unsubscribe-Post: List-Unsubscribe=One-Click\n"
    )
    assert tree(message) == (
        "multipart/alternative\n"
        "  text/plain quoted-printable\n"
        "  multipart/related\n"
        "    text/html quoted-printable\n"
        "    image/png base64 inline\n"
        "    image/png base64 inline\n"
    )
    assert contents(message, "image/png")[0] == logo()
    html = text(message, "text/html")
    assert 'src="cid:logo@example.org"' in html
    assert 'src="cid:year.11@example.org"' in html


def test_one_click_newsletter() -> None:
    message = newsletters.one_click_newsletter()
    assert header(message) == (
        "From: =?utf-8?b?S3VsdHVyYsO8cm8gS8O2bG4=?= <news@kultur.example.org>\n"
        "To: abo@example.com\n"
        "Message-ID: <woche.47.4711@kultur.example.org>\n"
        "Subject: Diese Woche: Jazz, =?utf-8?b?VMO2cGZlcm4s?= Lesungen\n"
        "List-Id: =?utf-8?q?Kulturb=C3=BCro=3A_die_Woche?= <woche.kultur.example.org>\n"
        "List-Unsubscribe: <https://kultur.example.org/u?abo=4711&liste=woche>,\n"
        " <mailto:abmelden@kultur.example.org?subject=4711>\n"
        "List-Unsubscribe-Post: List-Unsubscribe=One-Click\n"
        "List-Post: NO\n"
        "List-Archive: <https://kultur.example.org/archiv>\n"
    )
    assert tree(message) == "text/plain quoted-printable\n"


def test_mailing_list_post() -> None:
    message = newsletters.mailing_list_post()
    assert header(message) == (
        "From: Ada Lovelace <ada@example.org>\n"
        "Sender: engine-bounces@lists.example.org\n"
        "Reply-To: engine@lists.example.org\n"
        "To: Engine hackers <engine@lists.example.org>\n"
        "Message-ID: <carry.1843@example.org>\n"
        "Subject: [engine] Carry mechanism jams at 10^21\n"
        "List-Id: Engine hackers <engine.lists.example.org>\n"
        "List-Unsubscribe: <https://lists.example.org/engine/leave>,\n"
        " <mailto:engine-leave@lists.example.org>\n"
        "List-Help: <mailto:engine-request@lists.example.org?subject=help>\n"
        "List-Subscribe: <mailto:engine-join@lists.example.org>\n"
        "List-Post: <mailto:engine@lists.example.org>\n"
        "List-Owner: <mailto:engine-owner@lists.example.org>\n"
        "List-Archive: <https://lists.example.org/engine/>\n"
        "Precedence: list\n"
        "X-BeenThere: engine@lists.example.org\n"
    )
    assert str(message.envelope().sender) == "engine-bounces@lists.example.org"
    assert text(message).endswith("\n-- \nAda\n")


def test_amp_for_email() -> None:
    message = newsletters.amp_for_email()
    assert tree(message) == (
        "multipart/alternative\n"
        "  text/plain 7bit\n"
        "  text/x-amp-html quoted-printable\n"
        "  text/html 7bit\n"
    )
    assert tree(message, Body.EIGHT_BIT_MIME) == (
        "multipart/alternative 8bit\n  text/plain 7bit\n  text/x-amp-html 8bit\n  text/html 7bit\n"
    )
    assert "<html ⚡4email data-css-strict>" in text(message, "text/x-amp-html")


def test_markdown_alternative() -> None:
    message = newsletters.markdown_alternative()
    assert tree(message) == (
        "multipart/alternative\n  text/plain 7bit\n  text/markdown 7bit\n  text/html 7bit\n"
    )
    octets = message.as_bytes(make_id=lambda: "x")
    assert b'Content-Type: text/markdown; variant=GFM; charset="us-ascii"\r\n' in octets
    assert text(message, "text/markdown") == "# Notes\n\n1. *read*\n2. **write**\n"


def test_html_only() -> None:
    message = newsletters.html_only()
    assert tree(message) == "text/html quoted-printable\n"
    assert tree(message, Body.EIGHT_BIT_MIME) == "text/html quoted-printable\n"  # too long a line
    assert text(message, "text/html") == message.html
