"""The checker of messages refuses what is wrong, for its reason, and nothing else."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from support.structure import Transfer, check

BASE = {
    "date": "Date: Thu, 29 Feb 2024 12:30:05 +0000",
    "from": "From: ada@example.org",
    "to": "To: bob@example.com",
    "message-id": "Message-ID: <1@example.org>",
    "mime-version": "MIME-Version: 1.0",
}


def with_fields(*lines: str, body: str = "words\r\n") -> bytes:
    """A message with these fields; one of a name that it has already takes that one's place."""
    fields = dict(BASE)
    for number, line in enumerate(lines):
        name = line.partition(":")[0].lower()
        fields[name if name in BASE and fields[name] == BASE[name] else f"+{number}"] = line
    return "".join(f"{line}\r\n" for line in (*fields.values(), "")).encode() + body.encode()


def without(name: str) -> bytes:
    return with_fields().replace(f"{BASE[name]}\r\n".encode(), b"")


def content(body: str | bytes, encoding: str, kind: str = "text/plain; charset=utf-8") -> bytes:
    """A message of one part."""
    octets = with_fields(f"Content-Type: {kind}", f"Content-Transfer-Encoding: {encoding}", body="")
    return octets + (body if isinstance(body, bytes) else body.encode())


def multipart(
    body: str, kind: str = "multipart/mixed; boundary=b", encoding: str = "7bit"
) -> bytes:
    return content(body, encoding, kind)


def one_part(fields: str, body: str = "x") -> bytes:
    return multipart(f"--b\r\n{fields}\r\n{body}\r\n--b--\r\n")


def related(html: str, *, kind: str = "text/html", content_id: str = "<pic@x>") -> bytes:
    return multipart(
        f"--b\r\nContent-Type: text/html\r\n\r\n{html}\r\n"
        f"--b\r\nContent-Type: image/png\r\nContent-ID: {content_id}\r\n\r\nx\r\n--b--\r\n",
        f'multipart/related; type="{kind}"; boundary=b',
    )


def subject(text: str) -> bytes:
    return with_fields(f"Subject: {text}")


def to(text: str) -> bytes:
    return with_fields(f"To: {text}")


def filename(parameters: str) -> bytes:
    return with_fields(f"Content-Disposition: attachment; {parameters}")


def encoded_word(octets: int) -> str:
    """An encoded word of so many octets of text."""
    return f"=?utf-8?q?{'x' * octets}?="


class Bad(NamedTuple):
    """A message that has to be refused, and a part of what has to be said."""

    octets: bytes
    reason: str
    transfer: Transfer = "7bit"
    utf8_header: bool = False


LONG = "x" * 999
NESTED = (
    "--b\r\nContent-Type: multipart/mixed; boundary=bb\r\n\r\n"
    "--bb\r\n\r\nx\r\n--bb--\r\n\r\n--b--\r\n"
)

BAD = {
    # lines
    "the end is missing": Bad(with_fields(body="words"), "the last line is not ended"),
    "a bare LF in the body": Bad(with_fields(body="a\nb\r\n"), "a bare CR or LF in 7bit"),
    "a bare CR in the body": Bad(with_fields(body="a\rb\r\n"), "a bare CR or LF in 7bit"),
    "a bare LF in the header": Bad(subject("a\nBcc: x@y"), "the control character U+000A"),
    "a bare CR in the header": Bad(subject("a\rb"), "the control character U+000D"),
    "a NUL in the body": Bad(with_fields(body="a\0b\r\n"), "a NUL in 7bit"),
    "a NUL in the header": Bad(subject("a\0b"), "the control character U+0000"),
    "a long line in the body": Bad(with_fields(body=f"{LONG}\r\n"), "a line of more than 998"),
    "a long line in the header": Bad(subject(LONG), "more than 998 octets"),
    "no end of the header": Bad(b"From: a@b\r\n", "no empty line behind the header"),
    # the header
    "8 bits in the header": Bad(subject("é"), "not ASCII"),
    "a header that is not UTF-8": Bad(
        subject("é").replace("é".encode(), b"\xe9"), "not UTF-8", utf8_header=True
    ),
    "a C1 control in UTF-8": Bad(subject("a\x85b"), "U+0085", utf8_header=True),
    "a line separator in UTF-8": Bad(subject("a\u2028b"), "U+2028", utf8_header=True),
    "a space in a name": Bad(with_fields("X Y: z"), "not a field"),
    "a space before the colon": Bad(with_fields("X : z"), "not a field"),
    "no colon": Bad(with_fields("nothing"), "not a field"),
    "a fold of white space only": Bad(subject("a\r\n  \r\n b"), "only white space"),
    "a fold at the start": Bad(b" x\r\n" + with_fields(), "continues nothing"),
    "a line that could be folded": Bad(subject("word " * 20), "more than 78 characters"),
    "a list that could be folded": Bad(
        to(",".join(["ada@example.org"] * 6)), "more than 78 characters"
    ),
    "no date": Bad(without("date"), "the field date is not there"),
    "no author": Bad(without("from"), "the field from is not there"),
    "no Message-ID": Bad(without("message-id"), "the field message-id is not there"),
    "two subjects": Bad(with_fields("Subject: a", "SUBJECT: b"), "subject stands 2 times"),
    "two To": Bad(with_fields("To: a@b", "To: c@d"), "to stands 2 times"),
    "Bcc": Bad(with_fields("Bcc: a@b"), "bcc may not be sent"),
    "Resent-Bcc": Bad(with_fields("Resent-Bcc: a@b"), "resent-bcc may not be sent"),
    "Return-Path": Bad(with_fields("Return-Path: <a@b>"), "return-path may not be sent"),
    "authors without a sender": Bad(with_fields("From: a@b, c@d"), "no sender"),
    "authors in a group": Bad(with_fields("From: x: a@b, c@d;"), "no sender"),
    # structured fields
    "a date that is none": Bad(with_fields("Date: 2024-02-29"), "not a date"),
    "a date that never was": Bad(
        with_fields("Date: Thu, 30 Feb 2024 12:30:05 +0000"), "no such date"
    ),
    "the wrong day": Bad(
        with_fields("Date: Fri, 29 Feb 2024 12:30:05 +0000"), "not that day of the week"
    ),
    "an hour too many": Bad(with_fields("Date: Thu, 29 Feb 2024 24:30:05 +0000"), "not a date"),
    "a Message-ID without brackets": Bad(with_fields("Message-ID: 1@x"), "no identifier"),
    "two Message-IDs in one": Bad(with_fields("Message-ID: <1@x> <2@x>"), "unexpected text"),
    "references with a comma": Bad(with_fields("References: <1@x>, <2@x>"), "no identifier"),
    "no reference": Bad(with_fields("References: "), "no identifier"),
    "an empty list of addresses": Bad(to(""), "no <"),
    "an address without a domain": Bad(to("postmaster"), "no <"),
    "a name with a dot": Bad(to("J. Doe <a@b>"), "no <"),
    "a comma too many": Bad(to("a@b, , c@d"), "no <"),
    "a list that ends with a comma": Bad(to("a@b,"), "no <"),
    "no comma": Bad(to("a@b c@d"), "unexpected text"),
    "a quoted name that does not end": Bad(to('"a <a@b>'), "no <"),
    "a bracket that does not end": Bad(to("A <a@b"), "no >"),
    "two dots in an address": Bad(to("a..b@c"), "no <"),
    "a group that does not end": Bad(to("g: a@b"), "no ;"),
    "a group in a group": Bad(to("g: h: a@b;;"), "no <"),
    "a comment that does not end": Bad(to("a@b (c"), "a comment that does not end"),
    "two senders": Bad(with_fields("Sender: a@b, c@d"), "unexpected text"),
    "a link without brackets": Bad(with_fields("List-Help: https://x"), "no <URL>"),
    "a link that is encoded": Bad(with_fields("List-Help: =?utf-8?q?=3Cx=3E?="), "no <URL>"),
    "a List-Id without brackets": Bad(with_fields("List-Id: x.y"), "no list identifier"),
    "another one-click": Bad(
        with_fields("List-Unsubscribe-Post: yes"), "no List-Unsubscribe=One-Click"
    ),
    "a notice to a group": Bad(with_fields("Disposition-Notification-To: g: a@b;"), "no <"),
    "another version": Bad(with_fields("MIME-Version: 1.1"), "no 1.0"),
    # encoded words
    "a word too long": Bad(subject("\r\n " + encoded_word(64)), "of more than 75 characters"),
    "a line with a word too long": Bad(subject(encoded_word(60)), "and more than 76 characters"),
    "half a character": Bad(subject("=?utf-8?q?=C3?="), "does not decode alone"),
    "half a character in base64": Bad(subject("=?utf-8?b?ww==?="), "does not decode alone"),
    "an unknown charset": Bad(subject("=?x-none?q?a?="), "does not decode alone"),
    "a word that is none": Bad(subject("=?utf-8?x?a?="), "not an encoded word"),
    "an empty word": Bad(subject("=?utf-8?q??="), "not an encoded word"),
    "a word with a space": Bad(subject("=?utf-8?q?a b?="), "not an encoded word"),
    "a word in a word": Bad(subject("a=?utf-8?q?b?="), "not an encoded word"),
    "two words without a space": Bad(subject("=?utf-8?q?a?==?utf-8?q?b?="), "not an encoded word"),
    "base64 without padding": Bad(subject("=?utf-8?b?YQ?="), "bad base64"),
    "base64 with loose bits": Bad(subject("=?utf-8?b?YR==?="), "bad base64"),
    "Q in small letters": Bad(subject("=?utf-8?q?=c3=a9?="), "bad Q encoding"),
    "a hidden line end": Bad(subject("=?utf-8?q?a=0D=0ABcc:?="), "hides a control"),
    "Q of a text in a name": Bad(to("=?utf-8?q?a,b?= <a@b>"), "not an encoded word"),
    "Q of a text in a word of a name": Bad(to("=?utf-8?q?a.b?= <a@b>"), "not an encoded word"),
    "a name's word at its bracket": Bad(to("=?utf-8?q?a?=<a@b>"), "without white space"),
    "a group's word at its colon": Bad(to("=?utf-8?q?a?=: a@b;"), "without white space"),
    "a word in quotes": Bad(to('"=?utf-8?q?a?=" <a@b>'), "an encoded word in a quoted string"),
    # parameters
    "a parameter twice": Bad(filename("filename=a; FILENAME=b"), "filename stands twice"),
    "a parameter in both forms": Bad(
        filename("filename=a; filename*=utf-8''b"), "filename stands twice"
    ),
    "a segment twice": Bad(filename("filename*0=a; filename*0=b"), "filename stands twice"),
    "a segment and the whole": Bad(filename("filename=a; filename*0=b"), "stands twice"),
    "a gap in the segments": Bad(filename("filename*0=a; filename*2=b"), "the segments 0, 2"),
    "segments that begin late": Bad(filename("filename*1=a; filename*2=b"), "the segments 1, 2"),
    "segments out of order": Bad(filename("filename*1=a; filename*0=b"), "the segments 1, 0"),
    "a segment with a zero": Bad(filename("filename*0=a; filename*01=b"), "no parameter"),
    "no charset": Bad(filename("filename*=a"), "no charset'language'"),
    "no charset in the first segment": Bad(filename("filename*0=a; filename*1*=b"), "no charset"),
    "a file name in another charset": Bad(filename("filename*=utf-8''%C3"), "not in its charset"),
    "a file name in no charset": Bad(filename("filename*=x-no''a"), "not in its charset"),
    "half an octet": Bad(filename("filename*=utf-8''%C"), "a bad percent encoding"),
    "an octet in small letters": Bad(filename("filename*=utf-8''%c3%a9"), "a bad percent"),
    "a hidden NUL": Bad(filename("filename*=utf-8''a%00b"), "hides a control character"),
    "quotes around an encoded value": Bad(filename("filename*=\"utf-8''a\""), "unexpected text"),
    "a value with a space": Bad(filename("filename=a b"), "unexpected text"),
    "a value that is open": Bad(filename('filename="a'), "no value"),
    "an encoded word as a file name": Bad(
        filename('filename="=?utf-8?q?a?="'), "an encoded word in a parameter"
    ),
    "a semicolon too many": Bad(filename("filename=a;"), "no parameter"),
    "no semicolon": Bad(with_fields("Content-Type: text/plain charset=x"), "unexpected text"),
    "half a media type": Bad(with_fields("Content-Type: text"), "no media type"),
    # the tree
    "no boundary": Bad(multipart("--b--\r\n", "multipart/mixed"), "not a boundary: ''"),
    "a boundary too long": Bad(
        multipart("x\r\n", f"multipart/mixed;\r\n boundary={'b' * 71}"), "not a boundary"
    ),
    "a boundary that ends with a space": Bad(
        multipart("x\r\n", 'multipart/mixed; boundary="b "'), "not a boundary"
    ),
    "no delimiter": Bad(multipart("x\r\n--b--\r\n"), "no delimiter"),
    "no close-delimiter": Bad(multipart("--b\r\n\r\nx\r\n"), "0 close-delimiters"),
    "two close-delimiters": Bad(
        multipart("--b\r\n\r\nx\r\n--b--\r\n--b--\r\n"), "2 close-delimiters"
    ),
    "a part behind the end": Bad(
        multipart("--b\r\n\r\nx\r\n--b--\r\n--b\r\n\r\ny\r\n"), "0 close-delimiters"
    ),
    "boundaries that collide": Bad(multipart(NESTED), "the boundaries 'b' and 'bb' collide"),
    "the same boundary twice": Bad(multipart(NESTED.replace("bb", "b")), "2 close-delimiters"),
    "a boundary in a part": Bad(one_part("", "a\r\n--bc"), "part 1: a line begins with"),
    "a boundary at a part's start": Bad(
        multipart("--b\r\n\r\n--bc\r\n--b--\r\n"), "part 1: a line begins with"
    ),
    "a boundary in the preamble": Bad(
        multipart("--bc\r\n--b\r\n\r\nx\r\n--b--\r\n"), "a line begins with the boundary 'b'"
    ),
    "a boundary in the epilogue": Bad(
        multipart("--b\r\n\r\nx\r\n--b--\r\n--bc\r\n"), "a line begins with the boundary 'b'"
    ),
    "a part without an empty line": Bad(
        multipart("--b\r\nContent-Type: text/plain\r\n--b--\r\n"), "no empty line"
    ),
    "a subject in a part": Bad(one_part("Subject: x\r\n"), "part 1: the field subject means"),
    "two types": Bad(
        one_part("Content-Type: a/b\r\nContent-Type: a/c\r\n"), "content-type stands 2 times"
    ),
    # transfer encodings
    "another encoding": Bad(content("x\r\n", "uuencode"), "uuencode is none"),
    "base64 of a multipart": Bad(multipart("LS1i\r\n", encoding="base64"), "base64 is not for"),
    "a message in base64": Bad(content("QTog\r\n", "base64", "message/rfc822"), "is not for"),
    "a message in quoted-printable": Bad(
        content("A: b\r\n", "quoted-printable", "message/rfc822"), "is not for message/rfc822"
    ),
    "8bit where 7bit is asked for": Bad(content("é\r\n", "8bit"), "8bit is more than 7bit"),
    "binary where 8bit is asked for": Bad(
        content("é\r\n", "binary"), "binary is more than 8bit", "8bit"
    ),
    "8bit in a 7bit multipart": Bad(
        one_part("Content-Transfer-Encoding: 8bit\r\n"),
        "part 1: the transfer encoding 8bit",
        "8bit",
    ),
    "8 bits in 7bit": Bad(content("é\r\n", "7bit"), "8-bit octets in 7bit", "8bit"),
    "a bare LF in 8bit": Bad(content("é\nb\r\n", "8bit"), "a bare CR or LF in 8bit", "8bit"),
    "a NUL in 8bit": Bad(content("é\0b\r\n", "8bit"), "a NUL in 8bit", "8bit"),
    "a long line in 8bit": Bad(content(f"{LONG}\r\n", "8bit"), "a line of more", "8bit"),
    "UTF-8 of a part in a 7bit multipart": Bad(
        one_part("Content-Description: é\r\n"), "8-bit octets in 7bit", "8bit", utf8_header=True
    ),
    "a long line of quoted-printable": Bad(
        content("x" * 77 + "\r\n", "quoted-printable"), "line 1 has more than 76"
    ),
    "a space at a line's end": Bad(
        content("a \r\nb\r\n", "quoted-printable"), "quoted-printable line 1 is none"
    ),
    "a lone equals sign": Bad(content("a=b\r\n", "quoted-printable"), "line 1 is none"),
    "an escape in small letters": Bad(content("=c3=a9\r\n", "quoted-printable"), "line 1 is none"),
    "an escape across a line": Bad(content("=C3=\r\n=A\r\n9\r\n", "quoted-printable"), "2 is none"),
    "a soft break at the end": Bad(content("a=\r\n", "quoted-printable"), "ends with a soft line"),
    "a long line of base64": Bad(content("QUJD" * 20 + "\r\n", "base64"), "more than 76"),
    "a gap in base64": Bad(content("QUJD\r\n\r\nQUJD\r\n", "base64"), "base64 line 2 is none"),
    "another letter in base64": Bad(content("QU-D\r\n", "base64"), "base64 line 1 is none"),
    "base64 that is not padded": Bad(content("QQ\r\n", "base64"), "base64 is not padded"),
    "base64 with padding inside": Bad(content("QQ==\r\nQQ==\r\n", "base64"), "is not padded"),
    "base64 with a loose bit": Bad(content("QR==\r\n", "base64"), "base64 is not padded"),
    # texts
    "a text in another charset": Bad(content("=E9\r\n", "quoted-printable"), "not in its charset"),
    "a text in no charset": Bad(
        content("a\r\n", "7bit", "text/plain; charset=x-no"), "not in its charset, 'x-no'"
    ),
    "a bare LF in a text": Bad(content("a=0Ab\r\n", "quoted-printable"), "a bare CR or LF in the"),
    # multipart/related
    "a related without a type": Bad(
        multipart("--b\r\n\r\nx\r\n--b--\r\n", "multipart/related; boundary=b"), "its type is None"
    ),
    "a related with another type": Bad(related("x", kind="text/plain"), "not text/html"),
    "a start that is not there": Bad(
        multipart(
            "--b\r\n\r\nx\r\n--b--\r\n",
            'multipart/related; type="text/plain"; start="<1@x>"; boundary=b',
        ),
        "no part is its start '<1@x>'",
    ),
    "an image that is not there": Bad(related('<img src="cid:other@x">'), "cid:other@x is not in"),
    "an image outside": Bad(
        content('<img src="cid:pic@x">\r\n', "7bit", "text/html"), "cid:pic@x is not in the same"
    ),
    "a Content-ID without brackets": Bad(related("x", content_id="pic@x"), "no identifier"),
    "a Content-ID twice": Bad(
        related("x").replace(b"text/html\r\n\r\n", b"text/html\r\nContent-ID: <pic@x>\r\n\r\n"),
        "the Content-ID <pic@x> stands 2 times",
    ),
}


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
def test_what_is_wrong_is_refused_for_its_reason(bad: Bad) -> None:
    with pytest.raises(AssertionError) as caught:
        check(bad.octets, transfer=bad.transfer, utf8_header=bad.utf8_header)
    assert bad.reason in str(caught.value)


class Good(NamedTuple):
    """A message that has to pass."""

    octets: bytes
    transfer: Transfer = "7bit"
    utf8_header: bool = False


GOOD = {
    "the least": Good(with_fields()),
    "no text": Good(with_fields(body="")),
    "a token that no line holds": Good(subject("x" * 900)),
    "a fold": Good(subject("a\r\n b\r\n\tc")),
    "an empty subject": Good(subject("")),
    "lists": Good(to('a@b, A <a@b>, "J. Doe" <"a b"@[192.0.2.1]>, =?utf-8?q?=C3=A9?=\r\n <c@d>')),
    "an address that looks like a word": Good(
        to('=?utf-8?q?a?=@b, "=?utf-8?q?a?="@b, A <=?utf-8?q?a?=@b>')
    ),
    "groups": Good(to("undisclosed-recipients:;, g: a@b,\r\n C <c@d>; (comment (inside)), e@f")),
    "several authors": Good(with_fields("From: a@b, c@d", "Sender: a@b")),
    "a group of authors": Good(with_fields("From: x: a@b, c@d;", "Sender: a@b")),
    "a long name": Good(to('"' + "x " * 50 + '"\r\n <a@b>')),
    "the longest word": Good(subject("\r\n " + encoded_word(63))),
    "words": Good(subject("a =?utf-8?b?w6k=?= =?utf-8*en?Q?b_=C3=A9?= =?iso-8859-1?q?=E9?=")),
    "links": Good(
        with_fields(
            "List-Id: The list <list.example.org>",
            "List-Unsubscribe: <mailto:a@b?subject=x>,\r\n <https://x/a,b?c=?d> (a comment)",
            "List-Unsubscribe-Post: List-Unsubscribe=One-Click",
            "List-Post: NO",
            "References: <1@x>\r\n <2@[::1]>",
            "Keywords: a, b c",
            "Disposition-Notification-To: A <a@b>, c@d",
            "Received: from anywhere",
            "Auto-Submitted: auto-replied; owner=x",
        )
    ),
    "UTF-8": Good(
        with_fields('To: Jürgen <jürgen@bücher.example>,\r\n "ä b" <a@b>', "Subject: é" + "é" * 60),
        utf8_header=True,
    ),
    "a UTF-8 file name": Good(filename('filename="é.pdf"'), utf8_header=True),
    "a file name in segments": Good(
        filename("filename*0*=utf-8''%C3%A9;\r\n filename*1=\"a b\"; filename*2*=%20")
    ),
    "a file name in quotes": Good(filename(r'filename="a \"b\" \\ ;,=?"; size=1')),
    "a part without a header": Good(multipart("--b\r\n\r\nx\r\n--b--\r\n")),
    "an empty part": Good(multipart("--b\r\n\r\n\r\n--b--\r\n")),
    "a preamble and an epilogue": Good(
        multipart("a -- b\r\n--b \t\r\n\r\nx\r\n--b--\r\nthe end\r\n")
    ),
    "a tree": Good(multipart(NESTED.replace("bb", "cc"))),
    "8bit": Good(content("é\r\n", "8bit"), "8bit"),
    "8bit in a tree": Good(
        multipart(
            "--b\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit"
            "\r\n\r\né\r\n--b--\r\n",
            encoding="8bit",
        ),
        "binary",
    ),
    "binary in a tree": Good(
        multipart(
            "--b\r\nContent-Type: image/png\r\nContent-Transfer-Encoding: binary\r\n\r\n"
            f"\0\r\n\n{LONG}\r\n--b--\r\n",
            encoding="binary",
        ),
        "binary",
    ),
    "quoted-printable": Good(content("=C3=A9 =\r\na=20\r\n=3D\tb\r\n", "quoted-printable")),
    "base64": Good(content("QUJD" * 19 + "\r\nQQ==\r\n", "base64")),
    "no base64 at all": Good(content("\r\n", "base64", "image/png")),
    "a message": Good(content("Anything: x\r\n", "7bit", "message/rfc822")),
    "a message in UTF-8, encoded": Good(content("QTog\r\n", "base64", "message/global")),
    "a file in a charset that it is not in": Good(
        with_fields(
            "Content-Type: text/csv; charset=x-no", "Content-Disposition: attachment", body="x\r\n"
        )
    ),
    "an image": Good(related("<img src='CID:pic@x'> <p style='x: url(cid:pic%40x)'>")),
    "a start": Good(
        multipart(
            "--b\r\nContent-ID: <1@x>\r\n\r\nx\r\n--b--\r\n",
            'multipart/related; type="text/plain"; start="<1@x>"; boundary=b',
        )
    ),
    "a link in plain text": Good(with_fields(body='<img src="cid:pic@x">\r\n')),
}


@pytest.mark.parametrize("good", GOOD.values(), ids=GOOD)
def test_what_is_right_passes(good: Good) -> None:
    check(good.octets, transfer=good.transfer, utf8_header=good.utf8_header)


def test_the_tree_is_what_was_written() -> None:
    tree = check(related("<img src=cid:pic@x>"))
    assert [(part.path, part.kind) for part in tree.walk()] == [
        ("", "multipart/related"),
        ("1", "text/html"),
        ("2", "image/png"),
    ]
    assert tree.parts[1].octets == b"x"


def test_file_names_are_decoded() -> None:
    octets = with_fields(
        "Content-Type: a/b; name*0*=utf-8''%C3%A9;\r\n name*1*=%20; name*2=\"\\\"'%20\""
    )
    assert check(octets).parameters == {"name": "é \"'%20"}
