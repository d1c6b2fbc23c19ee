from __future__ import annotations

import copy
import logging
import traceback
from base64 import b64encode
from dataclasses import asdict, dataclass

import pytest

from ehlo import Secret
from ehlo.secret import MASK, Mask, scrub
from support.pickling import PROTOCOLS, pickled

VALUE = "hunter2"
SECRET = Secret(VALUE)


@dataclass
class Holder:
    secret: Secret


def test_reveal_is_the_way_in() -> None:
    assert SECRET.reveal() == VALUE


@pytest.mark.parametrize(
    "shown",
    [
        repr(SECRET),
        str(SECRET),
        format(SECRET, ">40"),
        f"{SECRET}",
        f"{SECRET!r:>20}".strip(),
        "%s" % SECRET,  # noqa: UP031 - the old way too
        f"{Holder(SECRET)}",
        f"{[SECRET]}",
        ascii(SECRET),
    ],
)
def test_no_way_of_printing_shows_it(shown: str) -> None:  # A8
    assert VALUE not in shown
    assert f"Secret({MASK})" in shown


def test_logging_does_not_show_it(caplog: pytest.LogCaptureFixture) -> None:  # A8
    with caplog.at_level(logging.INFO):
        logging.getLogger("test").info("%s %r", SECRET, SECRET)
    assert VALUE not in caplog.text


def test_a_traceback_with_locals_does_not_show_it() -> None:  # A8
    def fail(secret: Secret) -> None:
        raise ValueError(secret)

    with pytest.raises(ValueError, match=r"Secret\(\*\*\*\)") as caught:
        fail(SECRET)
    report = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    assert not [frame for frame in report.stack if VALUE in str(frame.locals)]


def test_it_has_no_dictionary_to_look_into() -> None:  # A8
    assert not hasattr(SECRET, "__dict__")


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_it_cannot_be_pickled(protocol: int) -> None:  # A8
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickled(SECRET, protocol)


def test_copies_are_the_secret_itself() -> None:
    assert copy.copy(SECRET) is SECRET
    assert copy.deepcopy([SECRET]) == [SECRET]
    assert asdict(Holder(SECRET)) == {"secret": SECRET}


def test_equal_by_value() -> None:
    assert Secret(VALUE) == SECRET
    assert hash(Secret(VALUE)) == hash(SECRET)
    assert Secret("other") != SECRET


def test_not_equal_to_the_value() -> None:
    assert SECRET != VALUE
    assert hash(SECRET) != hash(VALUE)


@pytest.mark.parametrize("value", [None, b"hunter2", 7, SECRET], ids=repr)
def test_only_text_is_kept(value: str) -> None:
    with pytest.raises(TypeError, match="the value of a Secret is a str, not"):
        Secret(value)


@pytest.mark.parametrize(
    ("octets", "secrets", "scrubbed"),
    [
        (b"nothing here", ("hunter2",), b"nothing here"),
        (b"535 hunter2 is wrong, hunter2!", ("hunter2",), b"535 *** is wrong, ***!"),
        (b"one two", ("one", "two"), b"*** ***"),
        ("gr\u00fcn".encode(), ("gr\u00fcn",), b"***"),
        (b"as it is", (), b"as it is"),
        (b"as it is", ("",), b"as it is"),
        (b"\xff\x00hunter2", ("hunter2",), b"\xff\x00***"),
        pytest.param(
            b"abcdef",
            ("abc", "abcdef"),
            b"***",
        ),
        (b"abcdef", ("abcdef", "abc"), b"***"),
    ],
)
def test_scrubbing_masks_every_secret(  # A8
    octets: bytes, secrets: tuple[str, ...], scrubbed: bytes
) -> None:
    assert scrub(octets, tuple(map(Secret, secrets))) == scrubbed


@pytest.mark.parametrize("secret", ["ab", "1", "="])
def test_one_or_two_characters_are_no_secret(secret: str) -> None:
    assert scrub(b"250 2.1.1 ab = 1", (Secret(secret),)) == b"250 2.1.1 ab = 1"


@pytest.mark.parametrize(
    ("octets", "scrubbed"),
    [
        (b"535 4F1A is wrong", b"535 *** is wrong"),
        (b"user/4F1A,", b"user/***,"),
        (b"queued as 004F1A00", b"queued as 004F1A00"),
        (b"4F1A", b"***"),
        (b"4F1Ab 4F1A", b"4F1Ab ***"),
    ],
)
def test_a_short_secret_is_masked_as_a_word(octets: bytes, scrubbed: bytes) -> None:  # A8
    assert scrub(octets, (Secret("4F1A"),)) == scrubbed


def test_a_long_secret_is_masked_wherever_it_stands() -> None:  # A8
    assert scrub(b"xxtanstaafxx", (Secret("tanstaaf"),)) == b"xx***xx"


@pytest.mark.parametrize("before", range(7))
@pytest.mark.parametrize("behind", range(4))
@pytest.mark.parametrize("secret", ["hunter22", "tanstaaf!", "gr\u00fcn \u20ac!"])
def test_a_secret_is_masked_in_base64(secret: str, before: int, behind: int) -> None:  # A8
    whole = b"\0user\0x"[:before] + secret.encode() + b"\0yz"[:behind]
    shown = scrub(b"501 what is " + b64encode(whole) + b"?", (Secret(secret),))
    left = shown.removeprefix(b"501 what is ").removesuffix(b"?")
    assert b"***" in left
    # What is left over is made of the other octets alone.
    head, _, tail = left.partition(b"***")
    assert len(head) <= -(-before * 8 // 6)
    assert len(tail.rstrip(b"=")) <= -(-behind * 8 // 6)


def test_a_mask_grows() -> None:
    mask = Mask()
    assert not mask
    assert mask.scrub(b"hunter2") == b"hunter2"
    more = mask.adding((Secret("hunter2"),)).adding((Secret("tanstaaf"),))
    assert more
    assert more.scrub(b"hunter2 tanstaaf") == b"*** ***"
    assert "hunter2" not in repr(more)


def test_a_mask_of_short_secrets_masks_nothing() -> None:
    assert Mask((Secret("ab"),)).scrub(b"ab") == b"ab"


@pytest.mark.parametrize("value", [b"hunter2", ["hunter2"]], ids=type)
def test_no_local_variable_shows_what_was_no_text(value: str) -> None:  # A8
    with pytest.raises(TypeError) as caught:
        Secret(value)
    report = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    ours = [frame.locals for frame in report.stack if "/ehlo/" in frame.filename]
    assert ours
    assert "hunter2" not in str(ours)
