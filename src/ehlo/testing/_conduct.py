"""What quirks are made of: rules about answers, edits of content, and a few habits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from enum import Enum, auto
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from ehlo.testing._content import EndMarks

if TYPE_CHECKING:
    import re
    from collections.abc import Iterable

    from ehlo.commands import Verb
    from ehlo.testing._actions import OneAnswer
    from ehlo.testing._received import ReceivedCommand, Situation

__all__ = ["HELD_GREETING", "Conduct", "Edit", "Habit", "Offers", "Rule"]

HELD_GREETING: Final = "greeting"
"""What a held greeting waits for."""

Condition: TypeAlias = "Callable[[ReceivedCommand, Situation], bool]"
Offers: TypeAlias = Callable[[tuple[str, ...], bool], tuple[str, ...]]
"""Turns the lines that EHLO announces into others; told whether the client is authenticated."""


@dataclass(frozen=True, slots=True)
class Rule:
    """An answer that depends on the situation.

    Attributes:
        verbs: The commands it is about; empty for all.
        when: Whether it applies.
        answer: What is answered then, or what makes the answer.
    """

    verbs: frozenset[Verb]
    when: Condition
    answer: OneAnswer | Callable[[Situation], OneAnswer]

    def __call__(self, command: ReceivedCommand, situation: Situation) -> OneAnswer | None:
        """Return the answer, if it applies."""
        if (self.verbs and command.verb not in self.verbs) or not self.when(command, situation):
            return None
        return self.answer(situation) if callable(self.answer) else self.answer


@dataclass(frozen=True, slots=True)
class Edit:
    """A change to content before it is kept.

    Attributes:
        pattern: What is changed.
        replacement: What it becomes, as `re.sub` takes it.
    """

    pattern: re.Pattern[bytes]
    replacement: bytes

    def __call__(self, content: bytes) -> bytes:
        """Return the content with the change made."""
        return self.pattern.sub(self.replacement, content)


class Habit(Enum):
    """What cannot be said as an answer."""

    TAKES_CONTENT_FOR_NOBODY = auto()
    READS_REFUSED_CHUNKS = auto()
    HOLDS_GREETING = auto()
    BEGINS_GREETING = auto()
    GREETS_LATE = auto()
    KEEPS_SENDER_REFUSAL = auto()
    ANSWERS_RCPT_LATE = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Conduct:
    """How a server differs from one that keeps to the RFCs.

    Attributes:
        rules: Which answers it gives; the first that applies counts.
        edits: What it does to content, in order.
        offers: What it does to the lines that EHLO announces, in order.
        habits: What else.
        hello: The text of the reply to EHLO, as a template; empty for that of the options.
        end_marks: What ends content.
        command_line_max: How many octets a command line may have; 0 for what the options say.
        moved: The parameters that belong to the other one of MAIL and RCPT.
    """

    rules: tuple[Rule, ...] = ()
    edits: tuple[Edit, ...] = ()
    offers: tuple[Offers, ...] = ()
    habits: frozenset[Habit] = frozenset()
    hello: str = ""
    end_marks: EndMarks = EndMarks.STRICT
    command_line_max: int = 0
    moved: frozenset[str] = frozenset()

    @classmethod
    def merged(cls, conducts: Iterable[Conduct]) -> Conduct:
        """Return several in one: collections add up, and of other values the first counts."""
        values: dict[str, Any] = {}
        for conduct in conducts:
            for field in fields(cls):
                value = getattr(conduct, field.name)
                values[field.name] = _joined(values.get(field.name), value, field.default)
        return cls(**values)


def _joined(known: Any, value: Any, default: Any) -> Any:  # noqa: ANN401 - any field
    if known is None or known == default:
        return value
    if isinstance(known, frozenset):
        return known | value
    return known + value if isinstance(known, tuple) else known
