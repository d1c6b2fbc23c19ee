import io
from email.message import EmailMessage
from pathlib import Path

import pytest
from unit.cli.conftest import Run

from ehlo.cli._arguments import parse
from ehlo.cli._compose import compose
from ehlo.errors import InvalidAddress, InvalidInput
from ehlo.testing import ReceivedMessage, Server

MAIL = ("send", "--from", "Ada <ada@example.org>", "--to", "bob@example.com")


def received(run: Run, *argv: str) -> tuple[ReceivedMessage, EmailMessage]:
    """Send a mail; return how it arrived, as octets and parsed."""
    with Server() as server:
        result = run(*MAIL, "--server", server.url, *argv)
        assert (result.code, result.err) == (0, "")
        (message,) = server.messages
    return message, message.parse()


def text_of(message: EmailMessage) -> str:
    body = message.get_body(("plain",))
    assert body is not None
    return str(body.get_content())


def test_a_mail_of_few_words(run: Run) -> None:
    message, parsed = received(run)
    assert (message.sender, message.recipients) == ("ada@example.org", ("bob@example.com",))
    assert parsed["From"] == "Ada <ada@example.org>"
    assert parsed["To"] == "bob@example.com"
    assert parsed["Subject"] == "A test by ehlo"
    assert parsed["Date"]
    assert parsed["Message-ID"]
    assert text_of(parsed).strip() == "This is a test, sent with `ehlo send`."


def test_subject_and_text(run: Run) -> None:
    _, parsed = received(run, "--subject", "Gr\u00fc\u00dfe", "--body", "S\u00fc\u00df\n.dot\n")
    assert parsed["Subject"] == "Gr\u00fc\u00dfe"
    assert text_of(parsed).splitlines() == ["S\u00fc\u00df", ".dot"]


def test_several_recipients(run: Run) -> None:
    message, parsed = received(run, "--to", "eve@example.com", "--cc", "Cy <cy@example.com>")
    assert message.recipients == ("bob@example.com", "eve@example.com", "cy@example.com")
    assert parsed["To"] == "bob@example.com, eve@example.com"
    assert parsed["Cc"] == "Cy <cy@example.com>"


def test_the_postmaster_needs_no_domain(run: Run) -> None:
    with Server() as server:
        argv = ("--from", "ada@example.org", "--to", "postmaster", "--to", "bob@example.com")
        assert run("send", *argv, "--server", server.url).code == 0
        (message,) = server.messages
    assert message.recipients == ("bob@example.com", "postmaster")
    assert b"postmaster" not in message.content


def test_headers(run: Run) -> None:
    _, parsed = received(run, "--header", "X-One: 1", "--header", "X-Two:two: too")
    assert (parsed["X-One"], parsed["X-Two"]) == ("1", "two: too")


def test_text_html_and_attachment_from_files(run: Run, tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text("Words.\n", encoding="utf-8")
    (tmp_path / "text.html").write_text("<p>W\u00f6rter.</p>\n", encoding="utf-8")
    (tmp_path / "data.bin").write_bytes(bytes(range(256)))
    _, parsed = received(
        run,
        *("--body-file", str(tmp_path / "text.txt")),
        *("--html-file", str(tmp_path / "text.html")),
        *("--attach", str(tmp_path / "data.bin")),
    )
    assert text_of(parsed).strip() == "Words."
    html = parsed.get_body(("html",))
    assert html is not None
    assert html.get_content().strip() == "<p>W\u00f6rter.</p>"
    (attachment,) = parsed.iter_attachments()
    assert attachment.get_filename() == "data.bin"
    assert attachment.get_content() == bytes(range(256))


def test_text_from_standard_input(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("From a pipe.\n"))
    _, parsed = received(run, "--body-file", "-")
    assert text_of(parsed).strip() == "From a pipe."


@pytest.mark.parametrize(
    ("argv", "why"),
    [
        (["--body", "x", "--body-file", "y"], "either --body or --body-file"),
        (["--body-file", "no-such-file"], "cannot read no-such-file: No such file"),
        (["--html-file", "no-such-file"], "cannot read no-such-file: No such file"),
        (["--attach", "no-such-file"], "cannot read no-such-file: No such file"),
        (["--header", "no colon"], "'Name: value', not 'no colon'"),
    ],
)
def test_what_cannot_be_composed(argv: list[str], why: str) -> None:
    with pytest.raises(InvalidInput, match=why):
        compose(parse([*MAIL, *argv]))


@pytest.mark.parametrize("argv", [["--header", "a\nb: c"], ["--subject", "a\nb"]])
def test_what_no_header_may_hold(run: Run, argv: list[str]) -> None:
    with Server() as server:
        result = run(*MAIL, "--server", server.url, *argv)
        assert server.connections == 0
    assert (result.code, result.out) == (2, "")


@pytest.mark.parametrize("argv", [["--to", "nobody"], ["--cc", "a@b@c"]])
def test_what_is_no_address(argv: list[str]) -> None:
    with pytest.raises(InvalidAddress):
        compose(parse([*MAIL, *argv]))


def test_a_text_that_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / "latin-1.txt"
    path.write_bytes(b"Gr\xfc\xdfe")
    with pytest.raises(InvalidInput, match=r"is no UTF-8 text \(octet 2\); --attach"):
        compose(parse([*MAIL, "--body-file", str(path)]))
