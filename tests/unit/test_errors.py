from __future__ import annotations

import copy
import importlib
from collections.abc import Callable
from types import MappingProxyType

import pytest

from ehlo import Address, Outcome, Phase, Reply, errors
from support.pickling import PROTOCOLS, unpickled

ADA = Address("ada@example.org")
BOB = Address('"bob <b"@example.org')
LATER = Reply.of(450, "4.2.0 Greylisted", "gr\u00fcn")
NO = Reply(550, (b"5.1.1 \xff\x00",))


def full(error_class: type[errors.SMTPError]) -> errors.SMTPError:
    """Make an error with every argument that its class takes."""
    special: dict[type[errors.SMTPError], Callable[[], errors.SMTPError]] = {
        errors.InvalidInput: lambda: errors.InvalidInput("no"),
        errors.InvalidAddress: lambda: errors.InvalidAddress("no", text="a b", position=1),
        errors.CapabilityMissing: lambda: errors.CapabilityMissing(
            "no", capability="DSN", phase=Phase.MAIL
        ),
        errors.RecipientsRefused: lambda: errors.RecipientsRefused(
            "no",
            refused=MappingProxyType({ADA: LATER, BOB: NO}),
            accepted=(Address("eva@example.org"),),
            command="RCPT TO:<ada@example.org>",
            phase=Phase.RCPT,
        ),
    }
    if error_class in special:
        return special[error_class]()
    return error_class("no", phase=Phase.DATA, command="DATA", reply=LATER)


CLASSES: list[type[errors.SMTPError]] = [getattr(errors, name) for name in errors.__all__]
EACH_CLASS = pytest.mark.parametrize("error_class", CLASSES, ids=errors.__all__)


def facts(error: errors.SMTPError) -> dict[str, object]:
    answers = ("phase", "command", "reply", "outcome", "temporary", "retry_safe",
               "connection_usable", "message_id")  # fmt: skip
    return {
        "class": type(error),
        "args": error.args,
        "text": str(error),
        **{name: getattr(error, name) for name in answers},
        **vars(error),
    }


def test_every_error_is_exported_and_part_of_one_tree() -> None:
    module = importlib.import_module("ehlo.errors")
    defined = {
        name
        for name, value in vars(module).items()
        if isinstance(value, type) and value.__module__ == "ehlo.errors"
    }
    assert defined == set(errors.__all__)
    assert all(issubclass(error_class, errors.SMTPError) for error_class in CLASSES)


@EACH_CLASS
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_it_survives_pickling_with_all_it_knows(
    error_class: type[errors.SMTPError], protocol: int
) -> None:
    error = full(error_class)
    error.connection_usable = True
    error.message_id = "<1@example.org>"
    error.add_note("a note")
    assert facts(unpickled(error, protocol)) == facts(error)


@EACH_CLASS
def test_it_can_be_copied(error_class: type[errors.SMTPError]) -> None:
    error = full(error_class)
    assert facts(copy.copy(error)) == facts(copy.deepcopy(error)) == facts(error)


@EACH_CLASS
def test_it_can_be_made_without_any_fact(error_class: type[errors.SMTPError]) -> None:
    error = error_class()
    assert error.args == ("",)
    assert (error.phase, error.command, error.reply, error.message_id) == (None, None, None, None)
    assert error.connection_usable is issubclass(error_class, errors.InvalidInput)
    assert facts(unpickled(error)) == facts(error)


def test_mechanisms_survive_pickling_too() -> None:
    error = errors.AuthenticationRefused("no", phase=Phase.AUTH, reply=NO)
    assert error.offered == error.tried == ()
    error.offered, error.tried = ("PLAIN", "LOGIN"), ("PLAIN",)
    copied = unpickled(error)
    assert (copied.offered, copied.tried) == (("PLAIN", "LOGIN"), ("PLAIN",))


def test_what_was_passed_is_kept() -> None:
    error = errors.SMTPError("no", phase=Phase.DATA, command="DATA", reply=LATER)
    assert str(error) == "no"
    assert (error.phase, error.command, error.reply) == (Phase.DATA, "DATA", LATER)
    address_error = errors.InvalidAddress("no", text="a b", position=1)
    assert (address_error.text, address_error.position) == ("a b", 1)
    assert errors.CapabilityMissing("no", capability="DSN").capability == "DSN"


@pytest.mark.parametrize(
    ("error_class", "kin"),
    [
        (errors.InvalidInput, ValueError),
        (errors.InvalidAddress, errors.InvalidInput),
        (errors.GreetingRefused, errors.Refused),
        (errors.HelloRefused, errors.Refused),
        (errors.AuthenticationRefused, errors.Refused),
        (errors.SenderRefused, errors.Refused),
        (errors.RecipientsRefused, errors.Refused),
        (errors.ContentRefused, errors.Refused),
        (errors.ConnectionLost, ConnectionError),
        (errors.ConnectFailed, errors.ConnectionLost),
        (errors.Timeout, errors.ConnectionLost),
        (errors.Timeout, TimeoutError),
    ],
)
def test_who_expects_the_kin_catches_the_error(
    error_class: type[errors.SMTPError], kin: type[Exception]
) -> None:
    with pytest.raises(kin):
        raise full(error_class)


# What is certain about the mail, and what follows: the whole table, permanent replies first.
@pytest.mark.parametrize(
    ("error_class", "outcome", "temporary", "retry_safe"),
    [
        (errors.SMTPError, Outcome.NOT_SENT, False, False),
        (errors.InvalidInput, Outcome.NOT_SENT, False, False),
        (errors.InvalidAddress, Outcome.NOT_SENT, False, False),
        (errors.LocalProtocolError, Outcome.NOT_SENT, False, False),
        (errors.CapabilityMissing, Outcome.NOT_SENT, False, False),
        (errors.Refused, Outcome.NOT_SENT, True, True),
        (errors.GreetingRefused, Outcome.NOT_SENT, True, True),
        (errors.HelloRefused, Outcome.NOT_SENT, True, True),
        (errors.AuthenticationRefused, Outcome.NOT_SENT, True, True),
        (errors.SenderRefused, Outcome.REFUSED, True, True),
        (errors.RecipientsRefused, Outcome.REFUSED, False, False),
        (errors.ContentRefused, Outcome.REFUSED, True, True),
        (errors.TlsFailed, Outcome.NOT_SENT, False, False),
        (errors.RemoteProtocolError, Outcome.NOT_SENT, False, False),
        (errors.ConnectionLost, Outcome.NOT_SENT, True, True),
        (errors.ConnectFailed, Outcome.NOT_SENT, True, True),
        (errors.Timeout, Outcome.NOT_SENT, True, True),
        (errors.DeliveryUnknown, Outcome.UNKNOWN, False, False),
    ],
)
def test_what_it_says_about_the_message(  # T9 T10
    error_class: type[errors.SMTPError], outcome: Outcome, temporary: bool, retry_safe: bool
) -> None:
    error = full(error_class)
    assert error.outcome is outcome
    assert error.temporary is temporary
    assert error.retry_safe is retry_safe


@pytest.mark.parametrize("outcome", [Outcome.UNKNOWN, Outcome.ACCEPTED])
def test_what_may_be_out_is_never_safe_to_send_again(outcome: Outcome) -> None:  # T9
    error = errors.ConnectionLost("gone")
    error.outcome = outcome
    assert error.temporary
    assert not error.retry_safe


@pytest.mark.parametrize(
    ("reply", "temporary"),
    [
        (Reply(421), True),
        (Reply(451), True),
        (Reply(550), False),
        (Reply(354), False),
        (None, False),
    ],
)
def test_a_refusal_is_as_temporary_as_its_reply(  # T2
    reply: Reply | None, temporary: bool
) -> None:
    assert errors.ContentRefused("no", reply=reply).temporary is temporary


@pytest.mark.parametrize(
    ("replies", "temporary"),
    [
        ({}, False),
        ({ADA: LATER}, True),
        ({ADA: LATER, BOB: LATER}, True),
        ({ADA: LATER, BOB: NO}, False),
        ({ADA: NO, BOB: LATER}, False),
    ],
)
def test_refused_recipients_are_temporary_if_each_is(  # T4
    replies: dict[Address, Reply], temporary: bool
) -> None:
    error = errors.RecipientsRefused("no", refused=replies)
    assert error.temporary is error.retry_safe is temporary
    assert error.refused == replies
    assert error.reply == next(iter(replies.values()), None)


def test_refused_recipients_are_a_copy() -> None:
    replies = {ADA: LATER}
    error = errors.RecipientsRefused("no", refused=replies)
    replies.clear()
    assert error.refused == {ADA: LATER}
