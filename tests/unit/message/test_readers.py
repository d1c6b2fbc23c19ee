"""Both readers understand messages that were written by hand, and say when they do not."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from support.reader import Group, Leaf, PerlReader, Person, Reading
from support.structure import check

Readers = Mapping[str, Callable[[bytes], Reading]]

HEAD = (
    "Date: Thu, 29 Feb 2024 12:30:05 +0000\r\n"
    "Message-ID: <1@example.org>\r\n"
    "MIME-Version: 1.0\r\n"
    "From: ada@example.org\r\n"
)


@pytest.fixture(params=["email", "Email::MIME"])
def read(request: pytest.FixtureRequest, readers: Readers) -> Callable[[bytes], Reading]:
    if request.param not in readers:
        request.getfixturevalue("perl_reader")  # skips the test, and says why
    return readers[request.param]


Read = Callable[[bytes], Reading]


def test_people_and_groups(read: Read) -> None:
    octets = HEAD.replace(
        "From: ada@example.org",
        "From: =?utf-8?q?Ada_=C3=84?= =?utf-8?q?_B?=\r\n <ada@example.org>, b@c\r\n"
        "Sender: Bob <b@c>\r\n"
        'Reply-To: "J. \\"Q\\" Doe" <"a \\"b"@[192.0.2.1]>\r\n'
        "To: undisclosed-recipients:;, =?utf-8?q?Fr=C3=A9d?= : a@b,\r\n C <c@d>;, e@f, g@h\r\n"
        "Cc: a@b",
    )
    octets += "Subject: =?utf-8?q?a_?=\r\n =?utf-8?b?w6k=?=  b\r\n\r\nx\r\n"
    check(octets.encode())
    reading = read(octets.encode())
    assert reading.subject == "a é  b"
    ada, bob = Person("Ada Ä B", "ada", "example.org"), Person("", "b", "c")
    assert reading.from_ == (Group(None, (ada, bob)),)
    assert reading.sender == (Group(None, (Person("Bob", "b", "c"),)),)
    assert reading.reply_to == (Group(None, (Person('J. "Q" Doe', 'a "b', "[192.0.2.1]"),)),)
    assert reading.to == (
        Group("undisclosed-recipients", ()),
        Group("Fréd", (Person("", "a", "b"), Person("C", "c", "d"))),
        Group(None, (Person("", "e", "f"), Person("", "g", "h"))),
    )
    assert reading.cc == (Group(None, (Person("", "a", "b"),)),)


TREE = (
    'Content-Type: multipart/mixed; boundary="one"\r\n\r\n'
    '--one\r\nContent-Type: multipart/related; type="text/html"; boundary="two"\r\n\r\n'
    '--two\r\nContent-Type: text/html; charset="utf-8"\r\n'
    "Content-Transfer-Encoding: quoted-printable\r\n\r\n"
    '<img src=3D"cid:pic@x"> =C3=A9\r\n\r\n'
    "--two\r\nContent-Type: image/png\r\nContent-ID: <pic@x>\r\n"
    "Content-Transfer-Encoding: base64\r\nContent-Disposition: inline\r\n\r\nAP8=\r\n"
    "--two--\r\n\r\n"
    "--one\r\nContent-Type: a/b; name=x\r\nContent-Transfer-Encoding: base64\r\n"
    "Content-Disposition: attachment; filename*0*=utf-8''%C3%A9%20;\r\n filename*1*=b.txt\r\n"
    "\r\nYQ==\r\n"
    "--one\r\nContent-Type: message/rfc822\r\n\r\nSubject: inner\r\n\r\nwords\r\n\r\n"
    "--one--\r\n"
)


def test_the_tree(read: Read) -> None:
    octets = (HEAD + TREE).encode()
    check(octets)
    assert read(octets).leaves == (
        Leaf(
            path="1.1",
            within=("multipart/mixed", "multipart/related"),
            kind="text/html",
            parameters={"charset": "utf-8"},
            disposition=None,
            filename=None,
            content_id=None,
            octets='<img src="cid:pic@x"> é\r\n'.encode(),
            text='<img src="cid:pic@x"> é\r\n',
        ),
        Leaf(
            path="1.2",
            within=("multipart/mixed", "multipart/related"),
            kind="image/png",
            parameters={},
            disposition="inline",
            filename=None,
            content_id="<pic@x>",
            octets=b"\0\xff",
            text=None,
        ),
        Leaf(
            path="2",
            within=("multipart/mixed",),
            kind="a/b",
            parameters={"name": "x"},
            disposition="attachment",
            filename="é b.txt",
            content_id=None,
            octets=b"a",
            text=None,
        ),
        Leaf(
            path="3",
            within=("multipart/mixed",),
            kind="message/rfc822",
            parameters={},
            disposition=None,
            filename=None,
            content_id=None,
            octets=b"Subject: inner\r\n\r\nwords\r\n",
            text=None,
        ),
    )


def test_utf8_in_the_header_and_in_the_body(read: Read) -> None:  # RFC 6532
    octets = (
        HEAD.replace("ada@example.org", "Jürgen <jürgen@bücher.example>")
        + "Subject: Grüße\r\nX-Note: ü\r\nContent-Type: text/plain; charset=utf-8\r\n"
        'Content-Transfer-Encoding: 8bit\r\nContent-Disposition: inline; filename="é.txt"\r\n'
        "\r\nFüße\r\n"
    ).encode()
    check(octets, transfer="8bit", utf8_header=True)
    reading = read(octets)
    assert reading.subject == "Grüße"
    assert reading.from_ == (Group(None, (Person("Jürgen", "jürgen", "bücher.example"),)),)
    assert reading.extra == {"X-Note": "ü"}
    (leaf,) = reading.leaves
    assert (leaf.path, leaf.filename, leaf.octets) == ("", "é.txt", "Füße\r\n".encode())


@pytest.mark.parametrize("kind", ["rfc822", "delivery-status", "global"])
def test_messages_in_messages_are_octets(read: Read, kind: str) -> None:
    inner = "Subject: a\r\n\r\nB: c\r\n"
    part = f"Content-Type: message/{kind}\r\n\r\n{inner}"
    tree = f"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n{part}\r\n--b--\r\n"
    (leaf,) = read((HEAD + tree).encode()).leaves
    assert (leaf.path, leaf.octets) == ("1", inner.encode())


@pytest.mark.parametrize(
    "fields",
    [
        "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit",
        "To: nobody",
        "To: a@b c@d",
        "Content-Type: text/plain; charset=utf-8;",
        "Content-Type: text/plain; name=a b",
    ],
)
def test_perl_complains_and_goes_on(perl_reader: PerlReader, fields: str) -> None:
    with pytest.raises(AssertionError):
        perl_reader.read(f"{HEAD}{fields}\r\n\r\n".encode() + b"\xff\r\n")
    assert perl_reader.read(f"{HEAD}\r\n".encode()).subject is None


def test_what_differs_is_seen(readers: Readers) -> None:
    one, other = HEAD + "Subject: a\r\n\r\n", HEAD + "Subject: b\r\n\r\n"
    for read in readers.values():
        assert read(one.encode()) != read(other.encode())
        assert read(one.encode()) == read(one.encode())
