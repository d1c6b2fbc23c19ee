"""Two verifiers of DKIM signatures that share nothing with the signer: Mail::DKIM and dkimpy.

Mail::DKIM is Perl (Debian: libmail-dkim-perl), and knows RSA; dkimpy knows Ed25519 as well.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, NamedTuple, Protocol

import dkim
import pytest

from ehlo.dkim import Algorithm, Signer

__all__ = ["Dkimpy", "Finding", "MailDkim", "Verifier", "dkim_verifier", "mail_dkim"]

SCRIPT = Path(__file__).with_name("verify_dkim.pl")
MISSING = "no Mail::DKIM: install Perl and libmail-dkim-perl"


class Finding(NamedTuple):
    """What a verifier says of one signature."""

    selector: str
    passed: bool


class Verifier(Protocol):
    """Verifies the signatures of a message."""

    algorithms: frozenset[Algorithm]

    def verify(self, octets: bytes, *signers: Signer) -> list[Finding]:
        """Return a finding for each signature, from the top down; the keys are the signers'."""
        ...


class MailDkim:
    """One process of Perl that verifies message after message."""

    algorithms = frozenset({Algorithm.RSA_SHA256})

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._requests: IO[bytes] = process.stdin
        self._answers: IO[bytes] = process.stdout

    def verify(self, octets: bytes, *signers: Signer) -> list[Finding]:
        records = {signer.record_name: signer.record for signer in signers}
        request = json.dumps({"length": len(octets), "records": records})
        self._requests.write(request.encode() + b"\n" + octets)
        self._requests.flush()
        answer = json.loads(self._answers.readline())
        return [Finding(each["selector"], each["result"] == "pass") for each in answer]


class Dkimpy:
    """The package dkimpy."""

    algorithms = frozenset(Algorithm)

    def verify(self, octets: bytes, *signers: Signer) -> list[Finding]:
        records = {f"{each.record_name}.".encode(): each.record.encode() for each in signers}

        def look_up(name: bytes, timeout: int = 5) -> bytes | None:
            assert timeout
            return records.get(name)

        return [
            Finding(selector, _is_good(octets, number, look_up))
            for number, selector in enumerate(_selectors(octets))
        ]


def _is_good(octets: bytes, number: int, look_up: Callable[..., bytes | None]) -> bool:
    try:
        return bool(dkim.DKIM(octets).verify(number, look_up))
    except dkim.DKIMException:
        return False


def _selectors(octets: bytes) -> list[str]:
    header = octets.partition(b"\r\n\r\n")[0].decode("latin-1")
    return re.findall(r"^DKIM-Signature:(?:[^\r]|\r\n )*?\bs=([^;]+);", header, re.MULTILINE)


@pytest.fixture(scope="session")
def mail_dkim() -> Iterator[Verifier]:
    """Mail::DKIM; where it is not there the test is skipped, or fails where ``CI`` is set."""
    perl = shutil.which("perl")
    probe = [perl or "perl", "-MMail::DKIM::Verifier", "-e", "1"]
    if perl is None or subprocess.run(probe, capture_output=True, check=False).returncode:
        if os.environ.get("CI"):
            pytest.fail(MISSING)
        pytest.skip(MISSING)
    with subprocess.Popen(
        [perl, str(SCRIPT)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        yield MailDkim(process)


@pytest.fixture(scope="session", params=["dkimpy", "Mail::DKIM"])
def dkim_verifier(request: pytest.FixtureRequest) -> Verifier:
    """Each of both in turn."""
    if request.param == "dkimpy":
        return Dkimpy()
    verifier: Verifier = request.getfixturevalue("mail_dkim")
    return verifier
