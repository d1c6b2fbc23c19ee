"""Two readers of messages that give the same tree: Perl's Email::MIME, and Python's `email`.

What the library writes is read by both: a mistake that the one forgives the other one may not. The
Perl one runs in a process of its own, `reader.pl`, for the whole session.
"""

from __future__ import annotations

import base64
import email
import json
import os
import re
import shutil
import struct
import subprocess
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from email import policy
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.utils import getaddresses
from inspect import signature
from pathlib import Path
from typing import Any, Final, Self, cast

import pytest

__all__ = [
    "Group",
    "Leaf",
    "PerlReader",
    "Person",
    "Reading",
    "perl_reader",
    "read_by_email",
    "readers",
]

SCRIPT: Final = Path(__file__).with_name("reader.pl")
MODULES: Final = ("Email::MIME", "Email::Address::XS", "JSON::PP")
HOW_TO_INSTALL: Final = (
    "no second reader: apt-get install perl libemail-mime-perl libemail-address-xs-perl"
)


@dataclass(frozen=True, slots=True)
class Person:
    """A mailbox: its display name, and its address with the local part unquoted."""

    name: str
    local_part: str
    domain: str


@dataclass(frozen=True, slots=True)
class Group:
    """A group of mailboxes; those that follow each other in no group are one without a name."""

    name: str | None
    members: tuple[Person, ...]


@dataclass(frozen=True, slots=True)
class Leaf:
    """A part that has no parts.

    Attributes:
        path: `2.1` is the first part of the second; a message without parts is one without path.
        within: The media types of the parts it is in, from the outside.
        kind: The media type.
        parameters: Its parameters.
        disposition: `attachment`, `inline` or None.
        filename: The file name that Content-Disposition gives.
        content_id: With its angle brackets.
        octets: What it holds, the transfer encoding undone.
        text: The same in characters, for a text that is no file.
    """

    path: str
    within: tuple[str, ...]
    kind: str
    parameters: Mapping[str, str]
    disposition: str | None
    filename: str | None
    content_id: str | None
    octets: bytes = field(repr=False)
    text: str | None


@dataclass(frozen=True, slots=True)
class Reading:
    """A message as a reader understands it."""

    subject: str | None
    from_: tuple[Group, ...]
    sender: tuple[Group, ...]
    reply_to: tuple[Group, ...]
    to: tuple[Group, ...]
    cc: tuple[Group, ...]
    extra: Mapping[str, str]
    """The fields whose names begin with `X-`."""
    leaves: tuple[Leaf, ...]


# --- Perl -----------------------------------------------------------------------------------------


class PerlReader:
    """The process, for as long as the context lasts."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            ["perl", SCRIPT], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin
        assert stdout
        stdin.close()
        assert self._process.wait(10) == 0
        stdout.close()

    def read(self, octets: bytes) -> Reading:
        """Read a message.

        Args:
            octets: The message.

        Returns:
            What Perl understands.

        Raises:
            AssertionError: It understands nothing, or complains.
        """
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin
        assert stdout
        stdin.write(struct.pack("!I", len(octets)) + octets)
        stdin.flush()
        facts: dict[str, Any] = json.loads(stdout.readline())
        assert "error" not in facts, facts["error"]
        assert not facts["warnings"], facts["warnings"]
        return Reading(
            subject=facts["subject"],
            from_=_groups(facts["from"]),
            sender=_groups(facts["sender"]),
            reply_to=_groups(facts["reply-to"]),
            to=_groups(facts["to"]),
            cc=_groups(facts["cc"]),
            extra=facts["extra"],
            leaves=tuple(map(_leaf, facts["leaves"])),
        )


def _groups(found: Iterable[tuple[str | None, list[list[str]]]]) -> tuple[Group, ...]:
    return tuple(
        Group(name, tuple(Person(*member) for member in members)) for name, members in found
    )


def _leaf(facts: dict[str, Any]) -> Leaf:
    octets = base64.b64decode(facts["octets"])
    return Leaf(**facts | {"within": tuple(facts["within"]), "octets": octets})


def _is_installed() -> bool:
    if shutil.which("perl") is None:
        return False
    modules = [f"-M{module}" for module in MODULES]
    done = subprocess.run(["perl", *modules, "-e", "1"], check=False, capture_output=True)
    return done.returncode == 0


@pytest.fixture(scope="session")
def perl_reader() -> Iterator[PerlReader]:
    """The second reader; without it the test is skipped, or fails where ``CI=true``."""
    if not _is_installed():
        if os.environ.get("CI") == "true":
            pytest.fail(HOW_TO_INSTALL)
        pytest.skip(HOW_TO_INSTALL)
    with PerlReader() as reader:
        yield reader


@pytest.fixture(scope="session")
def readers(request: pytest.FixtureRequest) -> dict[str, Callable[[bytes], Reading]]:
    """All the readers there are, by name; where ``CI=true`` both have to be there."""
    found: dict[str, Callable[[bytes], Reading]] = {"email": read_by_email}
    if _is_installed() or os.environ.get("CI") == "true":
        perl: PerlReader = request.getfixturevalue("perl_reader")
        found["Email::MIME"] = perl.read
    return found


# --- Python ---------------------------------------------------------------------------------------

_AS_READ: Final = policy.SMTP.clone(refold_source="none")


def read_by_email(octets: bytes) -> Reading:
    """Read a message with Python's `email`.

    Args:
        octets: The message.

    Returns:
        What Python understands.
    """
    message = email.message_from_bytes(octets, policy=policy.default)
    raw = email.message_from_bytes(octets, policy=policy.compat32).raw_items()
    source = {name: it.encode("utf-8", "surrogateescape").decode() for name, it in raw}
    return Reading(
        subject=message["Subject"],
        from_=_email_groups(message, "From", source),
        sender=_email_groups(message, "Sender", source),
        reply_to=_email_groups(message, "Reply-To", source),
        to=_email_groups(message, "To", source),
        cc=_email_groups(message, "Cc", source),
        extra={name: str(message[name]) for name in source if name.lower().startswith("x-")},
        leaves=tuple(_email_leaves(message, "", ())),
    )


_ENCODED_NAME = re.compile(r"((?:=\?[^?]+\?[bqBQ]\?[^?]*\?=\s*)+):")
"""The name of a group, in encoded words; what they are read as when they are read together."""


def _email_groups(message: EmailMessage, name: str, source: Mapping[str, str]) -> tuple[Group, ...]:
    """Read a field of addresses: the modern parser tells the groups, the older one all else.

    The modern one (seen with 3.11 to 3.13) adds a blank between two encoded words of a display name
    where the first of them ends with one, and decodes what looks like an encoded word in a local
    part. It is slow, too, so that it is only asked where there may be a group.
    """
    if name not in source:
        return ()
    lenient = {"strict": False} if "strict" in signature(getaddresses).parameters else {}
    pairs = getaddresses([re.sub(r"\r\n(?=[ \t])", "", source[name])], **lenient)
    people = [_person(name, spec) for name, spec in pairs if spec]  # none of an empty group
    if ";" not in source[name]:
        return (Group(None, tuple(people)),)
    found = map(str.strip, _ENCODED_NAME.findall(source[name]))
    phrases = (str(make_header(decode_header(it))) for it in found)
    names = {phrase.replace(" ", ""): phrase for phrase in phrases}
    groups: list[Group] = []
    for group in message[name].groups:
        count = len(group.addresses)
        members = tuple(people[:count])
        del people[:count]
        if group.display_name is None and groups and groups[-1].name is None:
            members = groups.pop().members + members
        known = group.display_name
        groups.append(Group(known and names.get(known.replace(" ", ""), known), members))
    assert not people
    return tuple(groups)


def _person(name: str, spec: str) -> Person:
    local_part, _, domain = spec.rpartition("@")
    if local_part.startswith('"'):
        local_part = re.sub(r"\\(.)", r"\1", local_part[1:-1])
    return Person(str(make_header(decode_header(name))), local_part, domain)


def _email_leaves(part: EmailMessage, path: str, within: tuple[str, ...]) -> Iterator[Leaf]:
    media_type, disposition = part["Content-Type"], part["Content-Disposition"]  # slow to look up
    kind = media_type.content_type if media_type else part.get_default_type()
    if kind.startswith("multipart/"):
        for number, inner in enumerate(cast("list[EmailMessage]", part.get_payload()), 1):
            yield from _email_leaves(inner, f"{path}.{number}".lstrip("."), (*within, kind))
        return
    parameters = dict(media_type.params) if media_type else {}
    filename = disposition and disposition.params.get("filename")
    octets = cast("bytes", part.get_payload(decode=True))
    if kind.startswith("message/"):  # kept as messages, no longer as octets
        octets = part.as_bytes(policy=_AS_READ).partition(b"\r\n\r\n")[2]
    is_text = kind.startswith("text/") and filename is None
    yield Leaf(
        path=path,
        within=within,
        kind=kind,
        parameters=parameters,
        disposition=disposition and disposition.content_disposition,
        filename=filename,
        content_id=part["Content-ID"],
        octets=octets,
        text=octets.decode(parameters.get("charset", "us-ascii")) if is_text else None,
    )
