"""`openssl s_server`: a TLS server that does on command what no other one can be made to do."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import threading
from pathlib import Path
from typing import Self

import pytest

from support.tls import leaf

OPENSSL = shutil.which("openssl")
# Where all has to be tested, a test without it fails.
needs_openssl = pytest.mark.skipif(
    OPENSSL is None and os.environ.get("CI") != "true", reason="there is no openssl to run"
)


class SServer:
    """Greets, and answers each line with 250; `say` gives it commands of its own.

    Args:
        folder: For its certificate.
        options: Of `openssl s_server`.
    """

    def __init__(self, folder: Path, *options: str) -> None:
        pem = folder / "server.pem"
        leaf().private_key_and_cert_chain_pem.write_to_path(str(pem))
        command = [OPENSSL or "openssl", "s_server", "-accept", "127.0.0.1:0", "-cert", str(pem)]
        self._process = subprocess.Popen(
            [*command, "-crlf", *options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            bufsize=0,
        )
        self.port = 0
        self._listening = threading.Event()
        self._thread = threading.Thread(target=self._answer, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._listening.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        self._thread.join()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()

    def say(self, line: str) -> None:
        """Say a line, or be told what to do: `K` updates the keys, `r` negotiates anew."""
        assert self._process.stdin is not None
        self._process.stdin.write(line.encode() + b"\n")

    def _answer(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if found := re.match(rb"ACCEPT \S+:([0-9]+)", line):
                self.port = int(found[1])
                self._listening.set()
            elif line.startswith(b"CIPHER is"):
                self.say("220 s_server")
            elif line.endswith(b"NOOP\r\n"):
                self.say("250 ok")
