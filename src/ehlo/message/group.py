"""Groups of mailboxes under a name (RFC 5322 section 3.4)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from typing_extensions import override

from ehlo.address import Mailbox
from ehlo.errors import InvalidInput
from ehlo.message.mailboxes import parse_groups
from ehlo.text import refuse_control_characters, require_str

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ehlo.address import MailboxLike

__all__ = ["Entry", "Group"]


@dataclass(frozen=True, slots=True, init=False)
class Group:
    """Mailboxes that belong together, shown to readers under one name.

    Everybody in a group is a recipient. A group of nobody hides those that only Bcc names:
    `Group("undisclosed-recipients")`.

    Args:
        name: The group's name, in any script.
        mailboxes: Who is in it, each in any form that stands for one mailbox.

    Raises:
        InvalidAddress: A text is not one mailbox.
        InvalidInput: The name is blank or holds a control character.
        TypeError: A value is of a type that cannot be meant.

    Attributes:
        name: As above.
        mailboxes: As above.
    """

    name: str
    mailboxes: tuple[Mailbox, ...]

    def __init__(self, name: str, mailboxes: Iterable[MailboxLike] = ()) -> None:
        # Before anything is refused: a traceback may show it.
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "mailboxes", ())
        refuse_control_characters("the name of a group", require_str("the name of a group", name))
        if not name.strip():
            raise InvalidInput("the name of a group is empty")
        if isinstance(mailboxes, str | Mailbox):
            mailboxes = (mailboxes,)
        object.__setattr__(self, "mailboxes", tuple(map(Mailbox.of, mailboxes)))

    @classmethod
    def parse(cls, text: str) -> Group:
        """Read `Team: ada@example.org, Bob <bob@example.com>;`.

        Args:
            text: One group. Encoded words in it are text like any other.

        Returns:
            The group.

        Raises:
            InvalidAddress: The text is no list of mailboxes and groups.
            InvalidInput: It is not one group.
        """
        found = parse_groups(require_str("a group", text))
        if len(found) != 1 or found[0].name is None:
            raise InvalidInput("not one group: it is written `name: mailbox, mailbox;`")
        return cls(found[0].name, [member.mailbox for member in found[0].members])

    @override
    def __str__(self) -> str:
        """Return the group as people write it."""
        name = str(Mailbox(_NOBODY, self.name)).removesuffix(f" <{_NOBODY}>")
        return f"{name}: {', '.join(map(str, self.mailboxes))};"


_NOBODY = Mailbox.parse("postmaster").address

Entry = Mailbox | Group
"""What a list of mailboxes holds."""
