"""What may be tried again, and what is kept of what failed."""

from __future__ import annotations

import pickle

import pytest

from ehlo.address import Address
from ehlo.errors import (
    CapabilityMissing,
    ConnectFailed,
    ConnectionLost,
    ContentRefused,
    DeliveryUnknown,
    InvalidInput,
    RecipientsRefused,
    Refused,
    RemoteProtocolError,
    SenderRefused,
    SMTPError,
    Timeout,
)
from ehlo.phase import Phase
from ehlo.pool.pace import Pace
from ehlo.pool.retrying import Backoff, is_certainly_not_sent, kept, own_copy
from ehlo.pool.stats import Stats, total
from ehlo.reply import Reply

BYE, LATER = Reply.of(421, "Bye"), Reply.of(451, "Later")


def delivered(error: SMTPError) -> SMTPError:
    error.delivered = (Address("b@example.com"),)
    return error


def limited(temporary: bool) -> SMTPError:
    error = CapabilityMissing("no", capability="LIMITS")
    error.temporary = temporary
    return error


@pytest.mark.parametrize(
    ("error", "may_be"),
    [
        (ConnectionLost("gone", phase=Phase.DATA), True),
        (Timeout("silent", phase=Phase.MAIL), True),
        (delivered(ConnectionLost("gone")), False),
        (DeliveryUnknown("gone"), False),
        (SenderRefused("no", phase=Phase.MAIL, reply=BYE), True),
        (SenderRefused("no", phase=Phase.MAIL, reply=LATER), False),
        (ContentRefused("no", phase=Phase.DATA, reply=BYE), True),
        (ContentRefused("no", phase=Phase.CONTENT, reply=BYE), True),
        (ContentRefused("no", phase=Phase.END_OF_CONTENT, reply=BYE), False),
        (RecipientsRefused(refused={Address("b@example.com"): BYE}, phase=Phase.RCPT), True),
        (RecipientsRefused(refused={Address("b@example.com"): LATER}, phase=Phase.RCPT), False),
        (Refused("no", phase=Phase.AUTH, reply=BYE), False),
        (limited(True), True),
        (limited(False), False),
        (InvalidInput("wrong"), False),
        (RemoteProtocolError("garbage"), False),
    ],
)
def test_what_is_certainly_not_sent(error: SMTPError, may_be: bool) -> None:
    assert is_certainly_not_sent(error, was_begun=True) is may_be


def test_garbage_before_anything_was_said() -> None:
    assert is_certainly_not_sent(RemoteProtocolError("garbage"), was_begun=False)


def test_backoff() -> None:
    policy = Backoff(first=1, most=5, attempts=5)
    delays = [policy.delay(SMTPError(), attempt) for attempt in range(1, 7)]
    assert delays == [1, 2, 4, 5, None, None]
    assert Backoff(attempts=10**6).delay(SMTPError(), 10**5) == 60


@pytest.mark.parametrize(
    "wrong", [{"first": 0}, {"most": -1}, {"attempts": 0}, {"first": 5, "most": 1}]
)
def test_backoff_out_of_range(wrong: dict[str, int]) -> None:
    with pytest.raises(InvalidInput):
        Backoff(**wrong)


def test_what_is_kept_has_no_traceback() -> None:
    def fail() -> None:
        try:
            raise OSError("cause")  # noqa: TRY301 - for its traceback
        except OSError as exc:
            raise ConnectionLost("gone") from exc

    with pytest.raises(ConnectionLost) as caught:
        fail()
    error = kept(caught.value)
    assert error.__traceback__ is None
    assert error.__cause__ is not None
    assert error.__cause__.__traceback__ is None
    assert error.__context__ is None


def test_nor_have_the_errors_of_servers_that_were_tried_before() -> None:
    def fail() -> None:
        raise OSError("cause")

    error, earlier = Timeout("late"), ConnectionLost("gone")
    with pytest.raises(OSError, match="cause") as caught:
        fail()
    earlier.__cause__ = caught.value
    error.failed_over = (("a.example.com:25", earlier),)
    assert kept(own_copy(error)).failed_over == error.failed_over
    assert caught.value.__traceback__ is None


def test_copies_are_equal_and_not_the_same() -> None:
    error = Timeout("late", phase=Phase.CONNECT)
    error.__cause__ = OSError("cause")
    own = own_copy(error)
    assert own is not error
    assert (type(own), str(own), own.phase) == (Timeout, "late", Phase.CONNECT)
    assert own.__cause__ is error.__cause__


def test_what_is_not_ours_is_named_and_not_quoted() -> None:
    own = own_copy(ValueError("a secret"))
    assert isinstance(own, ConnectFailed)
    assert "secret" not in str(own)
    assert isinstance(own.__cause__, ValueError)


def test_attempts_survive_a_pickle() -> None:
    error = ConnectionLost("gone")
    error.failed_attempts = (Timeout("late"),)
    again = pickle.loads(pickle.dumps(error))  # noqa: S301 - its own
    assert [str(failed) for failed in again.failed_attempts] == ["late"]


def test_pace() -> None:
    pace = Pace(4)
    assert pace.is_limited
    assert pace.is_due(10)
    pace.begin(10)
    assert not pace.is_due(10.2)
    assert pace.is_due(10.25)
    pace.begin(10.3)  # a little late
    assert pace.next == 10.5
    pace.begin(12)
    assert pace.next == 12.25
    assert not Pace(None).is_limited


def test_sums() -> None:
    assert total([]) == Stats()
    assert total([Stats(1, sent=2), Stats(3, sent=4)]) == Stats(4, sent=6)
