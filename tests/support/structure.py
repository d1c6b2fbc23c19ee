"""A strict check of a message's octets: lines, header, and the tree of MIME parts.

It is written from RFC 5322, 2045, 2046, 2047, 2183, 2231, 2369, 2387, 6532 and 6854, and asks
neither the library's own code nor Python's `email`. What a sender should not write is refused even
where a reader would forgive it.
"""

from __future__ import annotations

import binascii
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal
from urllib.parse import unquote

from support.grammar import STRUCTURED, check_field, disposition, media_type, one_identifier
from support.scanning import Field, Malformed

__all__ = ["Malformed", "Part", "Transfer", "check"]

Transfer = Literal["7bit", "8bit", "binary"]

_LINE_OCTETS: Final = 998
_LINE_CHARACTERS: Final = 78
_ENCODED_LINE: Final = 76  # of quoted-printable and base64
_RANKS: Final = {"7bit": 0, "8bit": 1, "binary": 2}
_ENCODINGS: Final = {**_RANKS, "quoted-printable": 0, "base64": 0}
_ONCE: Final = {
    *("date", "from", "sender", "reply-to", "to", "cc", "message-id", "in-reply-to"),
    *("references", "subject", "mime-version"),
}
_NEEDED: Final = ("date", "from", "message-id", "mime-version")
_NEVER: Final = {"bcc", "resent-bcc", "return-path"}
_CONTROL: Final = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029]")
_FIELD: Final = re.compile(r"([!-9;-~]+):(.*)", re.DOTALL)
_WHOLE: Final = re.compile(r'"(?:[^"\\]|\\.)*"|<[^<>]*>|\[[^\[\]]*\]')  # what holds no break
_BOUNDARY: Final = re.compile(r"[A-Za-z0-9'()+_,./:=? -]{0,69}[A-Za-z0-9'()+_,./:=?-]")
_BASE64: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="
_QP_LINE: Final = re.compile(rb"(?:[\t !-<>-~]|=[0-9A-F]{2})*(?:(?<![\t ])|=)")
_CID: Final = re.compile(r"""(?:=\s*["']?|url\(\s*["']?)cid:([^"'\s<>)]+)""", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Part:
    """A part that was found to be sound.

    Attributes:
        path: Where it is: `1.2` is the second part of the first; the message itself has none.
        kind: The media type.
        parameters: Its parameters, decoded.
        fields: Its header.
        octets: Its content, decoded; of a multipart, as it stands.
        parts: The parts of a multipart.
    """

    path: str
    kind: str
    parameters: dict[str, str]
    fields: tuple[Field, ...]
    octets: bytes
    parts: tuple[Part, ...] = ()

    def first(self, name: str) -> Field | None:
        """Return the first field of a name."""
        return next((it for it in self.fields if it.name.lower() == name), None)

    def walk(self) -> Iterator[Part]:
        """Yield the part and all that are in it."""
        yield self
        for part in self.parts:
            yield from part.walk()


@dataclass(frozen=True, slots=True)
class _Around:
    """What the parts around a part ask of it."""

    path: str
    transfer: str
    boundaries: tuple[str, ...]
    utf8_header: bool
    default: str = "text/plain"


def check(octets: bytes, *, transfer: Transfer = "7bit", utf8_header: bool = False) -> Part:
    """Check a message that is ready to be sent.

    Args:
        octets: The message.
        transfer: The most that its bodies may need.
        utf8_header: Whether its headers may hold UTF-8 (RFC 6532).

    Returns:
        The message as a tree.

    Raises:
        AssertionError: Something is wrong; it says what, and where.
    """
    if not octets.endswith(b"\r\n"):
        raise Malformed("the last line is not ended")
    message = _part(octets, _Around("", transfer, (), utf8_header))
    _check_names(message.fields)
    _check_content_ids(message)
    return message


# --- the header -----------------------------------------------------------------------------------


def _where(path: str, what: str) -> str:
    return f"part {path}: {what}" if path else what


def _header(octets: bytes, around: _Around) -> tuple[Field, ...]:
    fields: list[Field] = []
    for number, line in enumerate(octets.split(b"\r\n"), 1):
        where = _where(around.path, f"header line {number}")
        text = _header_line(line, where, utf8=around.utf8_header)
        if text.startswith((" ", "\t")):
            if not text.strip(" \t"):
                raise Malformed(f"{where}: only white space")
            if not fields:
                raise Malformed(f"{where}: continues nothing")
            name, body, start = fields.pop()
            fields.append(Field(name, f"{body}\r\n{text}", start))
        elif found := _FIELD.fullmatch(text):
            fields.append(Field(found[1], found[2], number))
        else:
            raise Malformed(f"{where}: not a field: {text[:60]!r}")
    for field in fields:
        _check_field(field, _where(around.path, f"{field.name} (line {field.line})"))
    return tuple(fields)


def _header_line(line: bytes, where: str, *, utf8: bool) -> str:
    if len(line) > _LINE_OCTETS:
        raise Malformed(f"{where}: more than {_LINE_OCTETS} octets")
    try:
        text = line.decode("utf-8" if utf8 else "ascii")
    except UnicodeDecodeError as exc:
        raise Malformed(f"{where}: not {'UTF-8' if utf8 else 'ASCII'}: {line!r}") from exc
    if control := _CONTROL.search(text):
        raise Malformed(f"{where}: the control character U+{ord(control[0]):04X}")
    return text


def _check_field(field: Field, where: str) -> None:
    try:
        check_field(field)
    except Malformed as exc:
        raise Malformed(f"{where}: {exc}") from None
    for line in f"{field.name}:{field.body}".split("\r\n"):
        if len(line) > _LINE_CHARACTERS and _can_break(field, line):
            raise Malformed(f"{where}: more than {_LINE_CHARACTERS} characters: {line!r}")


def _can_break(field: Field, line: str) -> bool:
    """Tell whether a line could have been folded: it is more than one token."""
    text = line.removeprefix(f"{field.name}:").strip(" \t")
    if field.name.lower() not in STRUCTURED:
        return bool(re.search(r"[ \t]", text))
    return bool(re.search(r"[ \t]|[,;](?=[^,;])", _WHOLE.sub("x", text)))


def _check_names(fields: Sequence[Field]) -> None:
    """See which fields a message has (RFC 5322 section 3.6)."""
    counts = Counter(field.name.lower() for field in fields)
    for name in counts:
        if name in _NEVER:
            raise Malformed(f"the field {name} may not be sent")
        if counts[name] > 1 and name in _ONCE:
            raise Malformed(f"the field {name} stands {counts[name]} times")
    for name in _NEEDED:
        if not counts[name]:
            raise Malformed(f"the field {name} is not there")
    authors = next(check_field(field) for field in fields if field.name.lower() == "from")
    if authors != 1 and not counts["sender"]:
        raise Malformed("several authors, or none, and no sender")


# --- the parts ------------------------------------------------------------------------------------


def _part(octets: bytes, around: _Around) -> Part:
    head, empty_line, content = octets.partition(b"\r\n\r\n")
    if octets.startswith(b"\r\n"):  # no header at all
        head, empty_line, content = b"", b"\r\n", octets[2:]
    if not empty_line:
        raise Malformed(_where(around.path, "no empty line behind the header"))
    fields = _header(head, around) if head else ()
    where = _where(around.path, "the content")
    _check_mime_fields(fields, around)
    found = {field.name.lower(): field for field in fields}
    default = Field("Content-Type", around.default, 0)
    kind, parameters = media_type(found.get("content-type", default))
    encoding = "7bit"
    if "content-transfer-encoding" in found:
        encoding = found["content-transfer-encoding"].body.strip().lower()
    _check_encoding(kind, encoding, around)
    _check_lines(content, encoding, where)
    if kind.startswith("multipart/"):
        parts = _parts(content, kind, parameters, encoding, around)
        part = Part(around.path, kind, parameters, fields, content, parts)
        _check_related(part)
        return part
    _check_for_boundaries(octets, around)
    decoded = _decoded(content, encoding, where)
    part = Part(around.path, kind, parameters, fields, decoded)
    _check_text(part)
    return part


def _check_mime_fields(fields: Sequence[Field], around: _Around) -> None:
    counts = Counter(field.name.lower() for field in fields)
    for name, count in counts.items():
        if name.startswith("content-"):
            if count > 1:
                raise Malformed(_where(around.path, f"the field {name} stands {count} times"))
        elif around.path:
            raise Malformed(_where(around.path, f"the field {name} means nothing in a part"))


def _check_encoding(kind: str, encoding: str, around: _Around) -> None:
    """See that the transfer encoding is one, and may be used here (RFC 2045 section 6)."""
    where = _where(around.path, f"the transfer encoding {encoding}")
    if encoding not in _ENCODINGS:
        raise Malformed(f"{where} is none")
    is_composite = kind.startswith(("multipart/", "message/")) and kind != "message/global"
    if is_composite and encoding not in _RANKS:
        raise Malformed(f"{where} is not for {kind}")
    if _ENCODINGS[encoding] > _RANKS[around.transfer]:
        raise Malformed(f"{where} is more than {around.transfer}, which is around it")


def _check_lines(content: bytes, encoding: str, where: str) -> None:
    if encoding == "binary":
        return
    if encoding != "8bit" and not content.isascii():
        raise Malformed(f"{where}: 8-bit octets in {encoding}")
    if b"\0" in content:
        raise Malformed(f"{where}: a NUL in {encoding}")
    ends = content.count(b"\r\n")  # counted: an attachment may be large
    if content.count(b"\r") != ends or content.count(b"\n") != ends:
        raise Malformed(f"{where}: a bare CR or LF in {encoding}")
    if any(len(line) > _LINE_OCTETS for line in content.split(b"\r\n")):
        raise Malformed(f"{where}: a line of more than {_LINE_OCTETS} octets in {encoding}")


def _parts(
    content: bytes, kind: str, parameters: dict[str, str], encoding: str, around: _Around
) -> tuple[Part, ...]:
    """Take a multipart apart (RFC 2046 section 5.1.1)."""
    where = _where(around.path, kind)
    boundary = parameters.get("boundary", "")
    if not _BOUNDARY.fullmatch(boundary):
        raise Malformed(f"{where}: not a boundary: {boundary!r}")
    for other in around.boundaries:
        if boundary.startswith(other) or other.startswith(boundary):
            raise Malformed(f"{where}: the boundaries {other!r} and {boundary!r} collide")
    # Begins with a literal, which is looked for quickly: an attachment may be large.
    delimiter = rb"\r\n--" + re.escape(boundary.encode())
    preamble, *contents = re.split(delimiter + rb"[ \t]*(?=\r\n)", b"\r\n" + content)
    if not contents:
        raise Malformed(f"{where}: no delimiter")
    contents[-1], *epilogues = re.split(delimiter + rb"--[ \t]*(?=\r\n|\Z)", contents[-1])
    if len(epilogues) != 1:
        raise Malformed(f"{where}: {len(epilogues)} close-delimiters at its end")
    default = "message/rfc822" if kind == "multipart/digest" else "text/plain"
    boundaries = (*around.boundaries, boundary)
    inside = _Around(around.path, encoding, boundaries, around.utf8_header, default)
    for it in (preamble, *epilogues):
        _check_for_boundaries(it, inside)
    prefix = f"{around.path}." if around.path else ""
    return tuple(
        _part(it.removeprefix(b"\r\n"), replace(inside, path=f"{prefix}{number}"))
        for number, it in enumerate(contents, 1)
    )


def _check_for_boundaries(octets: bytes, around: _Around) -> None:
    """See that no line begins like a delimiter: readers compare no more than that."""
    for boundary in around.boundaries:
        if octets.startswith(start := f"--{boundary}".encode()) or b"\n" + start in octets:
            raise Malformed(_where(around.path, f"a line begins with the boundary {boundary!r}"))


def _check_related(part: Part) -> None:
    """See that a reader finds the root of a multipart/related (RFC 2387 section 3)."""
    if part.kind != "multipart/related":
        return
    where = _where(part.path, part.kind)
    root: Part | None = part.parts[0]
    if start := part.parameters.get("start"):
        found = (it for it in part.parts if (cid := it.first("content-id")) and start in cid.body)
        root = next(found, None)
    if root is None:
        raise Malformed(f"{where}: no part is its start {start!r}")
    if part.parameters.get("type", "").lower() != root.kind:
        raise Malformed(f"{where}: its type is {part.parameters.get('type')!r}, not {root.kind}")


# --- the contents ---------------------------------------------------------------------------------


def _decoded(content: bytes, encoding: str, where: str) -> bytes:
    if encoding == "base64":
        return _from_base64(content, where)
    return _from_quoted_printable(content, where) if encoding == "quoted-printable" else content


def _from_base64(content: bytes, where: str) -> bytes:
    body = content.removesuffix(b"\r\n")
    lines = body.split(b"\r\n") if body else []
    joined = b"".join(lines)
    is_usual = {*map(len, lines[:-1])} <= {_ENCODED_LINE} and not joined.translate(None, _BASE64)
    for number, line in enumerate(lines[-1:] if is_usual else lines, 1):
        if len(line) > _ENCODED_LINE:
            raise Malformed(f"{where}: base64 line {number} has more than 76 characters")
        if not re.fullmatch(rb"[A-Za-z0-9+/]*={0,2}", line) or not line:
            raise Malformed(f"{where}: base64 line {number} is none: {line!r}")
    try:
        decoded = binascii.a2b_base64(joined, strict_mode=True) if joined else b""
    except binascii.Error as exc:
        raise Malformed(f"{where}: base64 is not padded as it has to be ({exc})") from exc
    if binascii.b2a_base64(decoded, newline=False) != joined:
        raise Malformed(f"{where}: base64 is not padded as it has to be")
    return decoded


def _from_quoted_printable(content: bytes, where: str) -> bytes:
    lines = content.split(b"\r\n")
    for number, line in enumerate(lines, 1):
        if len(line) > _ENCODED_LINE:
            raise Malformed(f"{where}: quoted-printable line {number} has more than 76 characters")
        if not _QP_LINE.fullmatch(line):
            raise Malformed(f"{where}: quoted-printable line {number} is none: {line!r}")
    if content.removesuffix(b"\r\n").endswith(b"="):
        raise Malformed(f"{where}: quoted-printable ends with a soft line break")
    joined = content.replace(b"=\r\n", b"")
    return re.sub(rb"=(..)", lambda found: bytes.fromhex(found[1].decode()), joined)


def _check_text(part: Part) -> None:
    """See that a text is in its charset, in lines; an attached file is what it is."""
    if not part.kind.startswith("text/") or _is_file(part):
        return
    where = _where(part.path, part.kind)
    charset = part.parameters.get("charset", "us-ascii")
    try:
        text = part.octets.decode(charset)
    except (LookupError, ValueError) as exc:
        raise Malformed(f"{where}: not in its charset, {charset!r}") from exc
    if re.search(r"\r(?!\n)|(?<!\r)\n", text):
        raise Malformed(f"{where}: a bare CR or LF in the text")


def _is_file(part: Part) -> bool:
    field = part.first("content-disposition")
    return field is not None and (disposition(field)[0] != "inline" or "filename" in field.body)


def _check_content_ids(message: Part) -> None:
    """See that Content-IDs are unique, and that HTML finds what it shows (RFC 2392)."""
    counts = Counter(_content_ids(message))
    for identifier, count in counts.items():
        if count > 1:
            raise Malformed(f"the Content-ID {identifier} stands {count} times")
    _check_links(message, frozenset())


def _content_ids(part: Part) -> Iterator[str]:
    for each in part.walk():
        if field := each.first("content-id"):
            yield one_identifier(field)


def _check_links(part: Part, known: frozenset[str]) -> None:
    if part.kind == "multipart/related":
        known |= frozenset(_content_ids(part))
    if part.kind == "text/html" and not _is_file(part):
        html = part.octets.decode(part.parameters.get("charset", "us-ascii"))
        for link in _CID.findall(html):
            if f"<{unquote(link)}>" not in known:
                raise Malformed(_where(part.path, f"cid:{link} is not in the same related tree"))
    for inner in part.parts:
        _check_links(inner, known)
