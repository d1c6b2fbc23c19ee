"""Speak to a server command by command, as people do in a terminal, and print the dialogue.

Run it with a server's URL: `python by_hand.py "smtp://mail.example.org?tls=none"`.
"""

from __future__ import annotations

import sys

import ehlo

CONTENT = b"""\
From: ada@example.org
To: bob@example.com
Subject: test

By hand.
"""


def show(entry: ehlo.Entry) -> None:
    """Print a line of the dialogue as it goes by."""
    print(entry)


def main(url: str) -> None:
    """Have the classic dialogue: HELO, MAIL, RCPT, DATA, a lone dot, QUIT."""
    transcript = ehlo.Transcript(on_entry=show)
    with ehlo.blocking.connect(url, hello="none", transcript=transcript) as session:
        session.helo("client.example.org")
        session.mail("ada@example.org")
        # A method named after a command returns the reply, whatever its code.
        reply = session.rcpt("bob@example.com")
        if reply.is_positive:
            session.data(CONTENT)
        else:
            session.rset()
        session.vrfy("bob")
        session.execute("XYZZY nothing happens")


if __name__ == "__main__":
    main(sys.argv[1])
