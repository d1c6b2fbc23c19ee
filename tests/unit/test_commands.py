from __future__ import annotations

import traceback
from collections.abc import Callable
from typing import Any

import pytest
from typing_extensions import override

from ehlo import Address, InvalidInput, MailOptions, RcptOptions, Secret, commands
from ehlo.commands import Body, Command, Verb
from support.hostile import CONTROL_CHARACTERS
from support.pickling import pickled, unpickled

ADA = Address("ada@example.org")
QUOTED = Address('"a> b"@example.org')
GRUEN = Address("gr\u00fcn@example.org")
RESPONSE = Secret("AGFkYQBodW50ZXIy")
PASSWORD = Secret("hunter2")

# (command, its line, its verb, whether it ends a group: RFC 2920 section 3.1)
COMMANDS: list[tuple[Command, bytes, Verb, bool]] = [
    (commands.Greeting(), b"", Verb.GREETING, True),
    (commands.Ehlo("c.example.org"), b"EHLO c.example.org\r\n", Verb.EHLO, True),
    (commands.Ehlo("[192.0.2.1]"), b"EHLO [192.0.2.1]\r\n", Verb.EHLO, True),
    (commands.Ehlo("[IPv6:2001:db8::1]"), b"EHLO [IPv6:2001:db8::1]\r\n", Verb.EHLO, True),
    (commands.Ehlo("my_host"), b"EHLO my_host\r\n", Verb.EHLO, True),
    (commands.Helo("c.example.org"), b"HELO c.example.org\r\n", Verb.HELO, True),
    (commands.Lhlo("c.example.org"), b"LHLO c.example.org\r\n", Verb.LHLO, True),
    (commands.StartTls(), b"STARTTLS\r\n", Verb.STARTTLS, True),
    (commands.Auth("LOGIN"), b"AUTH LOGIN\r\n", Verb.AUTH, True),
    (commands.Auth("PLAIN", RESPONSE), b"AUTH PLAIN AGFkYQBodW50ZXIy\r\n", Verb.AUTH, True),
    (commands.Auth("EXTERNAL", Secret("=")), b"AUTH EXTERNAL =\r\n", Verb.AUTH, True),
    (commands.AuthResponse(RESPONSE), b"AGFkYQBodW50ZXIy\r\n", Verb.AUTH_RESPONSE, True),
    (commands.AuthResponse(Secret("")), b"\r\n", Verb.AUTH_RESPONSE, True),
    (commands.AuthCancel(), b"*\r\n", Verb.AUTH_RESPONSE, True),
    (commands.Mail(None), b"MAIL FROM:<>\r\n", Verb.MAIL, False),
    (commands.Mail(ADA), b"MAIL FROM:<ada@example.org>\r\n", Verb.MAIL, False),
    (commands.Mail(ADA, size=0), b"MAIL FROM:<ada@example.org> SIZE=0\r\n", Verb.MAIL, False),
    (commands.Mail(None, body=Body.SEVEN_BIT), b"MAIL FROM:<> BODY=7BIT\r\n", Verb.MAIL, False),
    (
        commands.Mail(GRUEN, 1234, Body.EIGHT_BIT_MIME, smtputf8=True),
        "MAIL FROM:<gr\u00fcn@example.org> SIZE=1234 BODY=8BITMIME SMTPUTF8\r\n".encode(),
        Verb.MAIL,
        False,
    ),
    (
        commands.Mail(None, 5, Body.BINARY_MIME, options=MailOptions(ret="FULL", envid="a b")),
        b"MAIL FROM:<> SIZE=5 BODY=BINARYMIME RET=FULL ENVID=a+20b\r\n",
        Verb.MAIL,
        False,
    ),
    (commands.Rcpt(ADA), b"RCPT TO:<ada@example.org>\r\n", Verb.RCPT, False),
    (
        commands.Rcpt(ADA, RcptOptions(notify="NEVER")),
        b"RCPT TO:<ada@example.org> NOTIFY=NEVER\r\n",
        Verb.RCPT,
        False,
    ),
    (commands.Rcpt(QUOTED), b'RCPT TO:<"a> b"@example.org>\r\n', Verb.RCPT, False),
    (commands.Rcpt(Address("postmaster")), b"RCPT TO:<postmaster>\r\n", Verb.RCPT, False),
    (commands.Data(), b"DATA\r\n", Verb.DATA, True),
    (commands.Bdat(1000, last=False), b"BDAT 1000\r\n", Verb.BDAT, False),
    (commands.Bdat(0, last=True), b"BDAT 0 LAST\r\n", Verb.BDAT_LAST, False),
    (commands.EndOfContent(), b".\r\n", Verb.END_OF_CONTENT, False),
    (commands.Rset(), b"RSET\r\n", Verb.RSET, False),
    (commands.Noop(), b"NOOP\r\n", Verb.NOOP, True),
    (commands.Noop("are you  there"), b"NOOP are you  there\r\n", Verb.NOOP, True),
    (commands.Vrfy("bob"), b"VRFY bob\r\n", Verb.VRFY, True),
    (commands.Vrfy("gr\u00fcn"), "VRFY gr\u00fcn\r\n".encode(), Verb.VRFY, True),
    (commands.Expn("staff"), b"EXPN staff\r\n", Verb.EXPN, True),
    (commands.Etrn("example.org"), b"ETRN example.org\r\n", Verb.ETRN, True),
    (commands.Etrn("@example.org"), b"ETRN @example.org\r\n", Verb.ETRN, True),
    (commands.Etrn("#uucp"), b"ETRN #uucp\r\n", Verb.ETRN, True),
    (
        commands.Xclient({"NAME": "[TEMPUNAVAIL]", "ADDR": "IPV6:2001:db8::1", "LOGIN": "a b+"}),
        b"XCLIENT NAME=[TEMPUNAVAIL] ADDR=IPV6:2001:db8::1 LOGIN=a+20b+2B\r\n",
        Verb.XCLIENT,
        True,
    ),
    (
        commands.Xforward({"SOURCE": "REMOTE", "IDENT": commands.UNAVAILABLE}),
        b"XFORWARD SOURCE=REMOTE IDENT=[UNAVAILABLE]\r\n",
        Verb.XFORWARD,
        False,
    ),
    (commands.Help(), b"HELP\r\n", Verb.HELP, True),
    (commands.Help("MAIL"), b"HELP MAIL\r\n", Verb.HELP, True),
    (commands.Quit(), b"QUIT\r\n", Verb.QUIT, True),
    (commands.Raw("XFOO bar"), b"XFOO bar\r\n", Verb.OTHER, True),
    (commands.Raw("mail from:<>"), b"mail from:<>\r\n", Verb.MAIL, True),
    (commands.Raw("quit"), b"quit\r\n", Verb.QUIT, True),
    (commands.Raw("."), b".\r\n", Verb.OTHER, True),
    (commands.Raw("(greeting)"), b"(greeting)\r\n", Verb.OTHER, True),
    (commands.Raw("\u00fc"), "\u00fc\r\n".encode(), Verb.OTHER, True),
]
EACH = pytest.mark.parametrize(
    ("command", "wire", "verb", "ends_group"), COMMANDS, ids=[repr(row[0]) for row in COMMANDS]
)


@EACH
def test_a_command_is_one_line(
    command: Command, wire: bytes, verb: Verb, ends_group: bool
) -> None:  # I4
    assert command.wire() == wire
    assert command.verb is verb
    assert command.ends_group is ends_group


@EACH
def test_a_command_is_shown_as_it_is_unless_it_has_a_secret(
    command: Command, wire: bytes, verb: Verb, ends_group: bool
) -> None:
    if command.secrets:
        assert "***" in command.shown
    elif verb is not Verb.GREETING:
        assert command.shown.encode() + b"\r\n" == wire
    assert ends_group or not command.secrets


@EACH
def test_a_command_is_a_value(command: Command, wire: bytes, verb: Verb, ends_group: bool) -> None:
    assert hash(command) == hash(command)
    if not command.secrets:
        copy = unpickled(command)
        assert copy == command
        assert (copy.wire(), copy.verb, copy.ends_group) == (wire, verb, ends_group)


def test_the_table_above_knows_every_command_and_verb() -> None:
    kinds = {type(row[0]).__name__ for row in COMMANDS}
    assert kinds == set(commands.__all__) - {
        "ATTRIBUTE_LINE_MAX",
        "AUTH_LINE_MAX",
        "Body",
        "COMMAND_LINE_MAX",
        "Command",
        "Verb",
        "UNAVAILABLE",
        "TEMPORARILY_UNAVAILABLE",
    }
    assert {row[2] for row in COMMANDS} == set(Verb)


Argument = Callable[[Any], Command]

# Every argument that reaches a line as text.
ARGUMENTS: dict[str, Argument] = {
    "EHLO name": commands.Ehlo,
    "EHLO literal": lambda text: commands.Ehlo(f"[{text}]"),
    "HELO name": commands.Helo,
    "HELO literal": lambda text: commands.Helo(f"[{text}]"),
    "LHLO name": commands.Lhlo,
    "LHLO literal": lambda text: commands.Lhlo(f"[{text}]"),
    "AUTH mechanism": commands.Auth,
    "AUTH initial response": lambda text: commands.Auth("PLAIN", Secret(text)),
    "AUTH response": lambda text: commands.AuthResponse(Secret(text)),
    "MAIL local part": lambda text: commands.Mail(Address(f"{text}@example.org")),
    "MAIL quoted local part": lambda text: commands.Mail(Address(f'"{text}"@example.org')),
    "MAIL domain": lambda text: commands.Mail(Address(f"ada@{text}")),
    "MAIL size": lambda text: commands.Mail(None, size=text),
    "MAIL body": lambda text: commands.Mail(None, body=text),
    "MAIL envid": lambda text: commands.Mail(None, options=MailOptions(envid=text)),
    "MAIL ret": lambda text: commands.Mail(None, options=MailOptions(ret=text)),
    "MAIL auth": lambda text: commands.Mail(None, options=MailOptions(auth=f"{text}@example.org")),
    "RCPT notify": lambda text: commands.Rcpt(ADA, RcptOptions(notify=text)),
    "RCPT orcpt": lambda text: commands.Rcpt(ADA, RcptOptions(orcpt=f"{text}@example.org")),
    "RCPT local part": lambda text: commands.Rcpt(Address(f"{text}@example.org")),
    "RCPT quoted pair": lambda text: commands.Rcpt(Address(f'"\\{text}"@example.org')),
    "RCPT literal": lambda text: commands.Rcpt(Address(f"ada@[{text}]")),
    "NOOP": commands.Noop,
    "VRFY": commands.Vrfy,
    "EXPN": commands.Expn,
    "HELP": commands.Help,
    "ETRN": commands.Etrn,
    "XCLIENT value": lambda text: commands.Xclient({"NAME": text}),
    "XCLIENT name": lambda text: commands.Xclient({text: "x"}),
    "XFORWARD value": lambda text: commands.Xforward({"IDENT": text}),
    "XFORWARD name": lambda text: commands.Xforward({text: "x"}),
    "raw line": commands.Raw,
    "raw verb": lambda text: commands.Raw(f"X{text}"),
}


@pytest.mark.parametrize("make", ARGUMENTS.values(), ids=ARGUMENTS)
def test_nothing_passed_can_end_a_line(make: Argument) -> None:  # I1
    for character in CONTROL_CHARACTERS:
        for text in (f"a{character}", f"{character}a", f"a{character}RCPT", character):
            with pytest.raises(InvalidInput):
                make(text).wire()


def test_not_even_a_command_of_ones_own_can_end_a_line() -> None:  # I1
    class Own(Command):
        __slots__ = ()
        verb = Verb.OTHER

        @override
        def _line(self) -> str:
            return "XOWN\r\nDATA"

    with pytest.raises(InvalidInput, match="holds the control character U\\+000D at position 4"):
        Own().wire()


@pytest.mark.parametrize("make", [commands.Ehlo, commands.Helo])
@pytest.mark.parametrize(
    "name",
    ["", " ", "a b", "a ", "-a", "a-", ".a", "a.", "b\u00fccher", "[", "[]", "[a", "a]", "[a b]",
     "[a[b]", "[a]b]", "[\u00fc]", "a/b", "a:b", "a" * 256],
)  # fmt: skip
def test_an_ehlo_name_is_a_host_name_or_a_literal(
    make: Callable[[str], Command], name: str
) -> None:
    with pytest.raises(InvalidInput, match="the EHLO name is a host name or an address literal"):
        make(name)


@pytest.mark.parametrize("name", ["a", "a" * 255, "1", "_", "a..b", "A-b.c_d"])
def test_real_host_names_are_ehlo_names(name: str) -> None:
    assert commands.Ehlo(name).wire() == f"EHLO {name}\r\n".encode()


@pytest.mark.parametrize("mechanism", ["", "plain", "PLAIN LOGIN", "A" * 21, "PLA\u0130N", "A.B"])
def test_a_mechanism_is_a_sasl_name(mechanism: str) -> None:
    with pytest.raises(InvalidInput, match="a SASL mechanism is 1 to 20 of"):
        commands.Auth(mechanism)


@pytest.mark.parametrize("mechanism", ["X", "SCRAM-SHA-256", "A_B", "A" * 20, "9"])
def test_sasl_names_are_mechanisms(mechanism: str) -> None:
    assert commands.Auth(mechanism).wire() == f"AUTH {mechanism}\r\n".encode()


@pytest.mark.parametrize("argument", [" a", "a ", " ", "\u00a0a", "a\u3000"], ids=ascii)
@pytest.mark.parametrize(
    "make", [commands.Noop, commands.Vrfy, commands.Expn, commands.Help, commands.Raw]
)
def test_an_argument_begins_and_ends_with_text(
    make: Callable[[str], Command], argument: str
) -> None:
    with pytest.raises(InvalidInput, match="begins or ends with a blank"):
        make(argument)


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (commands.Vrfy, "the argument of VRFY is empty"),
        (commands.Expn, "the argument of EXPN is empty"),
        (commands.Raw, "the command line is empty"),
    ],
)
def test_an_argument_that_is_needed_is_not_empty(make: Callable[[str], Command], why: str) -> None:
    with pytest.raises(InvalidInput, match=why):
        make("")


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("STARTTLS", r"STARTTLS is more than one line: call starttls\(\)"),
        ("starttls", r"call starttls\(\)"),
        ("STARTTLS x", r"call starttls\(\)"),
        ("AUTH PLAIN AGEAYg==", r"AUTH is more than one line: call authenticate\(\)"),
        ("auth", r"call authenticate\(\)"),
        ("DATA", r"DATA is more than one line: call data\(\)"),
        ("data x", r"call data\(\)"),
        ("BDAT 5 LAST", "BDAT is followed by octets"),
        ("bdat 0", "BDAT is followed by octets"),
    ],
)
def test_a_raw_line_begins_nothing_that_takes_more_than_a_line(line: str, why: str) -> None:
    with pytest.raises(InvalidInput, match=why):
        commands.Raw(line)


@pytest.mark.parametrize("line", ["XDATA", "DATAX", "STARTTLSX", "BDATA 1", "AUTHX"])
def test_a_raw_verb_is_read_whole(line: str) -> None:
    assert commands.Raw(line).verb is Verb.OTHER


@pytest.mark.parametrize(
    ("make", "limit"),
    [
        (lambda n: commands.Noop("a" * (n - 7)), 2048),
        (lambda n: commands.Noop("\u00fc" * ((n - 8) // 2) + "a" * (1 + n % 2)), 2048),
        (lambda n: commands.Raw("a" * (n - 2)), 2048),
        (lambda n: commands.Auth("PLAIN", Secret("a" * (n - 13))), 12288),
        (lambda n: commands.AuthResponse(Secret("a" * (n - 2))), 12288),
    ],
)
def test_a_line_has_a_limit(make: Callable[[int], Command], limit: int) -> None:
    assert len(make(limit).wire()) == limit
    with pytest.raises(InvalidInput, match=f"has {limit + 1} octets; {limit} are allowed"):
        make(limit + 1).wire()


@pytest.mark.parametrize("size", [-1, "1 BODY=7BIT", 1.5, True, 10**5000], ids=type)
def test_a_size_is_a_number_of_octets(size: Any) -> None:  # I1 I3
    with pytest.raises((InvalidInput, TypeError)):
        commands.Mail(None, size=size).wire()


@pytest.mark.parametrize("body", ["", "7bit", "8BITMIME ", "8BITMIME SMTPUTF8", 8])
def test_a_body_is_one_of_three(body: Any) -> None:  # I1 I3
    with pytest.raises(InvalidInput, match="Body is one of '7BIT', '8BITMIME', 'BINARYMIME'"):
        commands.Mail(None, body=body)


def test_a_body_may_be_its_string() -> None:
    assert commands.Mail(None, body="7BIT").body is Body.SEVEN_BIT  # type: ignore[arg-type]


@pytest.mark.parametrize("options", [None, "RET=FULL", RcptOptions(), object()])
def test_options_of_mail_are_mail_options(options: Any) -> None:  # I1
    with pytest.raises(TypeError, match="the options are MailOptions, not"):
        commands.Mail(None, options=options)


@pytest.mark.parametrize("options", [None, "NOTIFY=NEVER", MailOptions(), object()])
def test_options_of_rcpt_are_rcpt_options(options: Any) -> None:  # I1
    with pytest.raises(TypeError, match="the options are RcptOptions, not"):
        commands.Rcpt(ADA, options)


@pytest.mark.parametrize("node", ["", " a", "a b", "a\u3000b"], ids=ascii)
def test_a_node_is_one_word(node: str) -> None:
    with pytest.raises(InvalidInput, match="the node of ETRN"):
        commands.Etrn(node)


@pytest.mark.parametrize("make", [commands.Xclient, commands.Xforward])
@pytest.mark.parametrize(
    ("attributes", "why"),
    [
        ({}, "needs at least one attribute"),
        ({"name": "x"}, "a word such as NAME, not 'name'"),
        ({"": "x"}, "a word such as NAME"),
        ({"NAME=": "x"}, "a word such as NAME"),
        ({"NAME X": "x"}, "a word such as NAME"),
        ({"NAME": "x", "A" * 65: "x"}, "a word such as NAME"),
        ({"NAME": ""}, "is empty; what is not known is \\[UNAVAILABLE\\]"),
        ({"NAME": "a" * 256}, "255 characters at the most"),
        ({"NAME": "+" * 86}, "255 characters at the most"),
    ],
)
def test_attributes_are_names_and_values(
    make: Callable[[Any], Command], attributes: dict[str, str], why: str
) -> None:  # I1 I3
    with pytest.raises(InvalidInput, match=why):
        make(attributes)


@pytest.mark.parametrize("make", [commands.Xclient, commands.Xforward])
def test_attributes_have_a_limit_and_do_not_change(make: Callable[[Any], Command]) -> None:
    attributes = {"NAME": "a" * 255, "HELO": "b" * 200}
    command = make(attributes)
    attributes["NAME"] = "c"
    assert b"NAME=aaa" in command.wire()
    assert command == make({"HELO": "b" * 200, "NAME": "a" * 255})
    assert hash(command) == hash(make({"HELO": "b" * 200, "NAME": "a" * 255}))
    with pytest.raises(InvalidInput, match="octets; 512 are allowed"):
        make({"NAME": "a" * 255, "HELO": "b" * 255}).wire()


@pytest.mark.parametrize("attributes", [{"NAME": None}, {5: "x"}, {"PORT": 25}])
def test_attributes_are_texts(attributes: Any) -> None:
    with pytest.raises(TypeError):
        commands.Xclient(attributes)


WITH_SECRETS: list[tuple[Command, str, tuple[Secret, ...]]] = [
    (commands.Auth("PLAIN", RESPONSE, (PASSWORD,)), "AUTH PLAIN ***", (RESPONSE, PASSWORD)),
    (commands.Auth("LOGIN", hidden=(PASSWORD,)), "AUTH LOGIN", (PASSWORD,)),
    (commands.AuthResponse(RESPONSE, (PASSWORD,)), "***", (RESPONSE, PASSWORD)),
]


@pytest.mark.parametrize(("command", "shown", "secrets"), WITH_SECRETS)
def test_a_secret_is_shown_nowhere(  # A8
    command: Command, shown: str, secrets: tuple[Secret, ...]
) -> None:
    assert command.shown == shown
    assert command.secrets == secrets
    for text in (command.shown, repr(command), str(command), f"{command}", f"{[command]}"):
        assert not [secret for secret in secrets if secret.reveal() in text]
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickled(command)


@pytest.mark.parametrize("tail", ["\r\n", "\ud800", "a" * 12288], ids=ascii)
@pytest.mark.parametrize(
    "make",
    [lambda text: commands.Auth("PLAIN", Secret(text)), lambda t: commands.AuthResponse(Secret(t))],
)
def test_nor_by_the_error_that_refuses_it(make: Argument, tail: str) -> None:  # A8
    command = make(f"hunter2{tail}")
    with pytest.raises(InvalidInput) as caught:
        command.wire()
    report = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    ours = [frame for frame in report.stack if frame.filename.endswith("commands.py")]
    assert len(ours) >= 1
    text = repr(caught.value) + "".join(f"{frame.locals}" for frame in ours if frame.name == "wire")
    assert "hunter2" not in text
