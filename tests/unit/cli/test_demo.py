import re

from unit.cli.conftest import Run

EXPECTED = """\
1. The server speaks first. 2xx is a yes: you may begin. [3.1]
   S: 220 exchange.example.org Microsoft ESMTP MAIL Service, Version: 10.0.0.1 ready at DATE

2. Say who you are. (EHLO does the same, and asks what the server can do.) [4.1.1.1]
   C: HELO client.example.com
   S: 250 exchange.example.org Hello [127.0.0.1]

3. Open the envelope: where does a bounce go, if there is one? [4.1.1.2]
   C: MAIL FROM:<alice@example.org>
   S: 250 2.1.0 alice@example.org....Sender OK

4. Whom is it for? Once for each recipient; each may be refused. [4.1.1.3]
   C: RCPT TO:<bob@example.com>
   S: 250 2.1.5 bob@example.com

5. Ask to send the mail itself. 3xx means: go on. [4.1.1.4]
   C: DATA
   S: 354 Start mail input; end with <CRLF>.<CRLF>

6. Header, blank line, text. A line that begins with a dot gets a second one. [4.5.2]
   C: subject: A mail by hand
   C:
   C: Hello Bob,
   C: ..This line begins with a dot.
   C: Alice

7. A lone dot ends the mail. With this 250 the server takes responsibility for it. [4.1.1.4]
   C: .
   S: 250 2.6.0 <ID@exchange.example.org> Queued mail for delivery

8. Say goodbye. [4.1.1.10]
   C: QUIT
   S: 221 2.0.0 exchange.example.org Service closing transmission channel
"""
ARRIVED = """\
   envelope: from alice@example.org to bob@example.com
   | subject: A mail by hand
   |
   | Hello Bob,
   | .This line begins with a dot.
   | Alice
"""


def test_the_dialogue_is_explained(run: Run) -> None:
    result = run("demo")
    assert (result.code, result.err) == (0, "")
    out = re.sub(r" +\n", "\n", result.out)
    out = re.sub(r"ready at .*", "ready at DATE", out)
    out = re.sub(r"<[0-9A-F]{8}@", "<ID@", out)
    assert EXPECTED in out


def test_the_mail_as_it_arrived(run: Run) -> None:
    assert ARRIVED in run("demo").out


def test_what_the_library_makes_of_it(run: Run) -> None:
    out = run("demo").out
    assert "   reply.enhanced_status  2.6.0\n" in out
    assert re.search(r"   queue id +[0-9A-F]{8}@exchange\.example\.org\n", out)


def test_the_same_twice_but_for_port_and_date(run: Run) -> None:
    first, second = (re.sub(r"port \d+|ready at .*", "", run("demo").out) for _ in range(2))
    assert first == second
