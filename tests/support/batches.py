"""Many messages that differ in everything that could be mixed up on the way."""

import uuid
from dataclasses import dataclass

import ehlo

_BODIES = (
    b"Plain words.\r\n",
    b".\r\n..\r\n.dot\r\n\r\n.\r\n",
    "Grüße, 世界 👋\r\n".encode(),
    b"x" * 998 + b"\r\n." + b"y" * 997 + b"\r\n",
    b"MAIL FROM:<eve@example.org>\r\nRCPT TO:<alice@example.org>\r\nDATA\r\n.\r\nQUIT\r\n",
    b"BDAT 5 LAST\r\nRSET\r\n" * 400,
    b"",
)


@dataclass(frozen=True, slots=True)
class Batch:
    """Some messages, known by a mark of their own.

    Attributes:
        mark: Stands in every one of them, and nowhere else.
        contents: What was sent, by the number in the subject.
    """

    mark: bytes
    contents: tuple[bytes, ...]

    @classmethod
    def of(cls, count: int) -> "Batch":
        """Make messages."""
        mark = uuid.uuid4().hex
        return cls(mark.encode(), tuple(_content(mark, number) for number in range(count)))

    def pairs(self, *recipients: str) -> list[tuple[bytes, ehlo.Envelope]]:
        """Return the messages as `send_many` takes them."""
        envelope = ehlo.Envelope("ada@example.org", recipients)
        return [(content, envelope) for content in self.contents]

    def check(self, arrived: list[bytes]) -> None:
        """Make sure that each arrived exactly once, octet by octet behind the trace header."""
        cut = [octets[octets.index(b"Subject: batch ") :] for octets in arrived]
        assert sorted(cut) == sorted(self.contents)


def _content(mark: str, number: int) -> bytes:
    name = "ü" if number % 5 == 0 else "u"  # a header in UTF-8 takes SMTPUTF8
    head = f"Subject: batch {number} {name}\r\nMessage-ID: <{number}.{mark}@example.org>\r\n"
    head += "From: ada@example.org\r\nDate: Mon, 23 Nov 2026 21:00:00 +0000\r\n"
    body = b"".join(_BODIES[(number + place) % len(_BODIES)] for place in range(number % 4))
    return head.encode() + b"\r\n" + f"number {number}\r\n".encode() + body
