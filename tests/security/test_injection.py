"""Nothing that a caller passes can end a line, begin another, or get out of its header.

`LINES`, `HEADERS` and `CONTENTS` list every parameter of the public surface through which text can
come to the wire, `ELSEWHERE` every other one, and why it does not. That the four are complete is
checked against the surface itself: a new parameter has to be put into one of them.
"""

import inspect
import re
from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from enum import Enum
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import ehlo
import ehlo.blocking
from ehlo import (
    Address,
    Attachment,
    Endpoint,
    Envelope,
    Mailbox,
    MailOptions,
    Message,
    commands,
    dkim,
    sasl,
)
from ehlo.dialogues import authenticate
from ehlo.runtime.options import Settings
from ehlo.runtime.tunnel import HttpTunnel
from ehlo.testing import Server, ServerOptions
from ehlo.wire import Framing, encode_whole
from support import dkim_keys
from support.colours import Colour, colour
from support.hostile import CONTROL_CHARACTERS, HARMLESS, controls_in

REFUSALS = (ehlo.InvalidInput, ehlo.CapabilityMissing, TypeError, ehlo.LocalProtocolError)
"""How a value may be refused. All of these come before an octet of it leaves."""

# -- What is tried ---------------------------------------------------------------------------------

PAYLOADS = (
    "x\r\nRCPT TO:<eve@example.net>",
    "x\nDATA",
    "x\rQUIT",
    "x\x00y",
    "\r\n.\r\nMAIL FROM:<eve@example.net>\r\n",
    "x> SIZE=1\r\nRSET",
    "x>\r\n",
    "x\u2028RSET\u2029",
    "x\u0085RSET",
    "x\x0bRSET\x0c",
    "x\ud80dy",
    "\u560d\u560aRSET",
    "x\r\n Bcc: eve@example.net",
    "x\r\nBcc: eve@example.net\r\n\r\nbody",
    "=?utf-8?q?x=0D=0ABcc:_eve=40example.net?=",
    '"\r\nBcc: eve@example.net',
    "x; charset=utf-8\r\nBcc: eve@example.net",
    "a@b\r\nDATA",
    "<a@b\r\n>",
    '"a\r\nb"@c',
    "a@[127.0.0.1\r\nDATA]",
    "x=y\r\n",
)
CHARACTERS = st.one_of(
    st.sampled_from(CONTROL_CHARACTERS),
    st.sampled_from([*HARMLESS, *'.@"\\<>()[]:;,-_=*?+ ']),
    st.characters(),
)
TEXTS = st.one_of(st.sampled_from(PAYLOADS), st.text(CHARACTERS, max_size=16))
ADA, BOB = Address("ada@example.org"), Address("bob@example.com")
A_SECRET = ehlo.Secret("x")

# -- Through which parameters ----------------------------------------------------------------------


def line(command: commands.Command) -> bytes:
    return command.wire()


def mail(**options: Any) -> bytes:
    return commands.Mail(ADA, options=MailOptions(**options)).wire()


def rcpt(recipient: ehlo.Recipient) -> bytes:
    return commands.Rcpt(recipient.address, recipient.options).wire()


CHANNEL = ehlo.Channel(
    host="mail.example.org",
    port=587,
    bindings={"tls-server-end-point": b"1234"},
    make_nonce=lambda: "fyko+d2lbbFgONRv9qkxdawL",
)


def credentials(auth: sasl.CredentialsLike, offered: bytes = b"PLAIN") -> bytes:
    """Return the lines of an authentication."""
    connection = ehlo.Connection()
    connection.receive_data(b"220 mx\r\n")
    connection.next_event()
    connection.send(commands.Ehlo("client.example.org"))
    connection.data_to_send()
    connection.receive_data(b"250-mx\r\n250 AUTH " + offered + b"\r\n")
    connection.next_event()
    allowed = ehlo.Cleartext.ALLOW_CREDENTIALS
    dialogue = authenticate(connection, auth, allowed, CHANNEL)
    said = bytearray()
    asks = offered in {b"LOGIN", b"CRAM-MD5"}
    for reply in (b"334 VXNlcm5hbWU6\r\n", b"334 UGFzc3dvcmQ6\r\n", b"235 2.7.0 ok\r\n"):
        with suppress(StopIteration, ehlo.ServerNotAuthenticated):
            next(dialogue)
            said += b"".join(connection.data_to_send())
            connection.receive_data(reply if asks else b"235 2.7.0 ok\r\n")
    return bytes(said)


def mechanism(one: sasl.Mechanism) -> bytes:
    return credentials(one, one.name.encode())


def from_url(url: str) -> bytes:
    """Return what a client says because of what stands in a URL."""
    endpoint = Endpoint.from_url(url)
    assert endpoint.username is not None
    assert endpoint.password is not None
    return credentials(ehlo.Password(endpoint.username, endpoint.password))


def ehlo_name(name: Any) -> bytes:
    settings = Settings.of("smtp://127.0.0.1:25", {"name": name})
    return commands.Ehlo(settings.opening(("127.0.0.1", 25)).name).wire()


Make = Callable[[Any], bytes]

LINES: dict[str, Make] = {
    "Address:spec": lambda text: line(commands.Mail(Address(text), smtputf8=True)),
    "Address.of:value": lambda text: line(commands.Rcpt(Address.of(text))),
    "Mailbox.parse:text": lambda text: line(commands.Rcpt(Mailbox.parse(text).address)),
    "Mailbox.of:value": lambda text: line(commands.Rcpt(Mailbox.of(text).address)),
    "Envelope:sender": lambda text: line(commands.Mail(Envelope(text, "a@b").sender)),
    "Envelope:recipients": lambda text: line(commands.Rcpt(Envelope("a@b", text).recipients[0])),
    "Recipient:address": lambda text: rcpt(ehlo.Recipient(text)),
    "Recipient:notify": lambda text: rcpt(ehlo.Recipient(BOB, notify=text)),
    "Recipient:orcpt": lambda text: rcpt(ehlo.Recipient(BOB, orcpt=text)),
    "RcptOptions:notify": lambda text: line(commands.Rcpt(BOB, ehlo.RcptOptions(notify=[text]))),
    "RcptOptions:orcpt": lambda text: line(commands.Rcpt(BOB, ehlo.RcptOptions(orcpt=text))),
    "OriginalRecipient:address": lambda text: rcpt(
        ehlo.Recipient(BOB, orcpt=ehlo.OriginalRecipient(text, "x400"))
    ),
    "OriginalRecipient:type": lambda text: rcpt(
        ehlo.Recipient(BOB, orcpt=ehlo.OriginalRecipient("a@b", text))
    ),
    "OriginalRecipient.of:value": lambda text: rcpt(
        ehlo.Recipient(BOB, orcpt=ehlo.OriginalRecipient.of(text))
    ),
    "DeliverBy:mode": lambda text: mail(deliver_by=ehlo.DeliverBy(60, mode=text)),
    "MailOptions:ret": lambda text: mail(ret=text),
    "MailOptions:envid": lambda text: mail(envid=text),
    "MailOptions:auth": lambda text: mail(auth=text),
    "Endpoint.from_url:url": lambda text: from_url(f"smtp://{text}:{text}@127.0.0.1"),
    "Endpoint.of:value": lambda text: from_url(f"smtp://ada:{text}@127.0.0.1"),
    "ConnectOptions:name": ehlo_name,
    "Password:username": lambda text: credentials(ehlo.Password(text, "x")),
    "Password:password": lambda text: credentials(ehlo.Password("x", text), b"LOGIN"),
    "OAuth2:username": lambda text: credentials(ehlo.OAuth2(text, "x"), b"XOAUTH2"),
    "OAuth2.bearing:token": lambda text: mechanism(
        ehlo.OAuth2("x", "x").bearing(ehlo.Secret(text))[0]
    ),
    "External:authzid": lambda text: mechanism(ehlo.External(text)),
    "Anonymous:trace": lambda text: mechanism(ehlo.Anonymous(text)),
    "sasl.Plain:username": lambda text: mechanism(sasl.Plain(text, A_SECRET)),
    "sasl.Plain:password": lambda text: mechanism(sasl.Plain("x", ehlo.Secret(text))),
    "sasl.Login:username": lambda text: mechanism(sasl.Login(text, A_SECRET)),
    "sasl.Login:password": lambda text: mechanism(sasl.Login("x", ehlo.Secret(text))),
    "sasl.CramMd5:username": lambda text: mechanism(sasl.CramMd5(text, A_SECRET)),
    "sasl.CramMd5:password": lambda text: mechanism(sasl.CramMd5("x", ehlo.Secret(text))),
    "sasl.Scram:username": lambda text: mechanism(sasl.Scram(text, A_SECRET)),
    "sasl.Scram:password": lambda text: mechanism(sasl.Scram("x", ehlo.Secret(text))),
    "sasl.ScramPlus:username": lambda text: mechanism(sasl.ScramPlus(text, A_SECRET)),
    "sasl.ScramPlus:password": lambda text: mechanism(sasl.ScramPlus("x", ehlo.Secret(text))),
    "sasl.OAuthBearer:username": lambda text: mechanism(sasl.OAuthBearer(text, A_SECRET)),
    "sasl.OAuthBearer:token": lambda text: mechanism(sasl.OAuthBearer("x", ehlo.Secret(text))),
    "sasl.XOAuth2:username": lambda text: mechanism(sasl.XOAuth2(text, A_SECRET)),
    "sasl.XOAuth2:token": lambda text: mechanism(sasl.XOAuth2("x", ehlo.Secret(text))),
    "Secret:value": lambda text: line(commands.AuthResponse(ehlo.Secret(text))),
    "commands.Auth:mechanism": lambda text: line(commands.Auth(text)),
    "commands.Auth:initial_response": lambda text: line(commands.Auth("PLAIN", ehlo.Secret(text))),
    "commands.AuthResponse:response": lambda text: line(commands.AuthResponse(ehlo.Secret(text))),
    "commands.Ehlo:name": lambda text: line(commands.Ehlo(text)),
    "commands.Helo:name": lambda text: line(commands.Helo(text)),
    "commands.Lhlo:name": lambda text: line(commands.Lhlo(text)),
    "commands.Etrn:node": lambda text: line(commands.Etrn(text)),
    "commands.Expn:argument": lambda text: line(commands.Expn(text)),
    "commands.Help:argument": lambda text: line(commands.Help(text)),
    "commands.Noop:argument": lambda text: line(commands.Noop(text)),
    "commands.Vrfy:argument": lambda text: line(commands.Vrfy(text)),
    "commands.Raw:line": lambda text: line(commands.Raw(text)),
    "commands.Xclient:attributes": lambda text: line(commands.Xclient({"ADDR": text})),
    "commands.Xforward:attributes": lambda text: line(commands.Xforward({text: "x"})),
}
"""What ends up in commands."""


def written(**fields: Any) -> bytes:
    message = Message(**{"from_": "ada@example.org", "to": "bob@example.com", "text": "x"} | fields)
    date = datetime(2026, 11, 23, 21, tzinfo=UTC)
    return message.as_bytes(now=date, make_id=lambda: "1")


def attached(attachment: Attachment) -> bytes:
    return written(attachments=[attachment])


def inline(attachment: Attachment) -> bytes:
    return written(html="x", inline=[attachment])


def listed(**fields: Any) -> bytes:
    whole: dict[str, Any] = {"id": "a.example.org", **fields}
    return written(mailing_list=ehlo.MailingList(**whole))


def resent(**fields: Any) -> bytes:
    whole: dict[str, Any] = {"from_": "ada@example.org", "to": BOB, **fields}
    return written(resent=ehlo.Resent(**whole))


def invited(text: str, **options: Any) -> bytes:
    calendar = f"BEGIN:VCALENDAR\r\nMETHOD:{text}\r\nEND:VCALENDAR\r\n"
    return written(calendar=ehlo.Calendar(calendar, **options))


def signed(**options: Any) -> bytes:
    own = {"domain": "example.org", "selector": "a", "private_key": dkim_keys.ED25519}
    return dkim.Signer(**(own | options), clock=lambda: 0)(written())


def written_by(method: str, identifier: str) -> bytes:
    date = datetime(2026, 11, 23, tzinfo=UTC)
    message = Message(from_="a@b", to="c@d", text="x", html="x", date=date)
    found = getattr(message, method)(make_id=lambda: identifier)
    return b"".join(found) if method == "iter_bytes" else bytes(found)


HEADERS: dict[str, Make] = {
    "Message:from_": lambda text: written(from_=text),
    "Message:to": lambda text: written(to=text),
    "Message:cc": lambda text: written(cc=[text]),
    "Message:bcc": lambda text: written(bcc=text),
    "Message:reply_to": lambda text: written(reply_to=text),
    "Message:sender": lambda text: written(sender=text),
    "Message:subject": lambda text: written(subject=text),
    "Message:headers": lambda text: written(headers={"X-A": text}),
    "Message:message_id": lambda text: written(message_id=text),
    "Message.as_bytes:make_id": lambda text: Message(
        from_="a@b", to="c@d", text="x", date=datetime(2026, 11, 23, tzinfo=UTC)
    ).as_bytes(make_id=lambda: text),
    "Message:auto_submitted": lambda text: written(auto_submitted=text),
    "Message:disposition_notification_to": lambda text: written(disposition_notification_to=text),
    "Message:in_reply_to": lambda text: written(in_reply_to=text),
    "Message:references": lambda text: written(references=["<1@example.org>", text]),
    "Message.aiter_bytes:make_id": lambda text: written_by("as_bytes", text),
    "Message.as_email:make_id": lambda text: written_by("as_email", text),
    "Message.iter_bytes:make_id": lambda text: written_by("iter_bytes", text),
    "Mailbox:name": lambda text: written(to=Mailbox(BOB, text)),
    "Group:name": lambda text: written(to=ehlo.Group(text, [BOB])),
    "Group:mailboxes": lambda text: written(to=ehlo.Group("a", [text])),
    "Group.parse:text": lambda text: written(to=ehlo.Group.parse(text)),
    "MailingList:id": lambda text: listed(id=text),
    "MailingList:name": lambda text: listed(name=text),
    "MailingList:unsubscribe": lambda text: listed(unsubscribe=text),
    "MailingList:one_click_unsubscribe": lambda text: listed(one_click_unsubscribe=text),
    "MailingList:help": lambda text: listed(help=text),
    "MailingList:subscribe": lambda text: listed(subscribe=text),
    "MailingList:post": lambda text: listed(post=[text]),
    "MailingList:owner": lambda text: listed(owner=text),
    "MailingList:archive": lambda text: listed(archive=text),
    "Resent:from_": lambda text: resent(from_=text),
    "Resent:to": lambda text: resent(to=text),
    "Resent:cc": lambda text: resent(cc=text),
    "Resent:bcc": lambda text: resent(bcc=text),
    "Resent:sender": lambda text: resent(sender=text),
    "Resent:message_id": lambda text: resent(message_id=text),
    "Calendar:method": lambda text: invited(text, method=text),
    "Calendar:filename": lambda text: invited("REQUEST", filename=text),
    "Alternative:content_type": lambda text: written(
        alternatives=[ehlo.Alternative("x", content_type=text)]
    ),
    "Attachment:content_id": lambda text: inline(Attachment(b"x", content_id=text)),
    "Attachment.from_path:content_id": lambda text: inline(
        Attachment.from_path(__file__, content_id=text)
    ),
    "dkim.Signer:domain": lambda text: signed(domain=text),
    "dkim.Signer:selector": lambda text: signed(selector=text),
    "dkim.Signer:headers": lambda text: signed(headers=["From", text, text]),
    "dkim.Signer:identity": lambda text: signed(identity=text),
    "Attachment:filename": lambda text: attached(Attachment(b"x", filename=text)),
    "Attachment:content_type": lambda text: attached(
        Attachment(b"x", filename="a", content_type=text)
    ),
    "Attachment.from_path:filename": lambda text: attached(
        Attachment.from_path(__file__, filename=text)
    ),
    "Attachment.from_path:content_type": lambda text: attached(
        Attachment.from_path(__file__, content_type=text)
    ),
}
"""What ends up in header fields, of a message or of a part."""
FIELD_NAMES: dict[str, Make] = {
    "Message:headers, name": lambda text: written(headers={text: "x"}),
    "Message:headers, addresses": lambda text: written(headers={"Errors-To": text}),
    "Message:headers, identifiers": lambda text: written(headers={"References": text}),
}


def encoded(content: str) -> bytes:
    return encode_whole(content.encode("utf-8", "surrogatepass"), Framing.DATA)


CONTENTS: dict[str, Make] = {
    "Message:text": lambda text: encoded(written(text=text).decode()),
    "Message:html": lambda text: encoded(written(html=text).decode()),
    "Alternative:text": lambda text: encoded(
        written(alternatives=[ehlo.Alternative(text, content_type="text/x-a")]).decode()
    ),
    "Calendar:text": lambda text: encoded(invited(f"REQUEST\r\nX:{text}").decode()),
    "Attachment:content": lambda text: encoded(
        attached(Attachment(text.encode("utf-8", "surrogatepass"), filename="x")).decode()
    ),
    "Connection.send_content:chunk": encoded,
    "Connection.send_whole:content": encoded,
}
"""What ends up in content behind DATA."""

ELSEWHERE: Mapping[str, str] = {
    "Attachment.from_path:path": "a file to read; its name is a filename",
    "Message.aiter_bytes:transfer": "a policy",
    "Message.as_bytes:transfer": "a policy",
    "Message.iter_bytes:transfer": "a policy",
    "Message.size:make_id": "as for as_bytes; only counted",
    "Message.size:transfer": "a policy",
    "Message:transfer": "a policy",
    "Resent.fields:message_id": "checked by Resent, or made",
    "Sealed:message": "what it is otherwise",
    "Sealed:seals": "code of the caller's, which writes what it likes",
    "Capabilities:domain": "what a server said",
    "Capabilities:keywords": "what a server said",
    "Capabilities.without:keywords": "compared with what a server said",
    "ConnectOptions:cleartext": "a policy",
    "ConnectOptions:client_certificate": "files to read",
    "ConnectOptions:hello": "a policy",
    "ConnectOptions:local_address": "an IP address",
    "ConnectOptions:pipelining": "a policy",
    "ConnectOptions:proxy": "a URL; see Proxy.from_url",
    "ConnectOptions:server_hostname": "compared with a certificate; SNI is OpenSSL's",
    "ConnectOptions:tls": "a policy",
    "ConnectOptions:without": "compared with what a server said",
    "Connection:without": "compared with what a server said",
    "Connection.abandon:why": "for errors and the trace",
    "Connection.receive_data:data": "what a server said",
    "Connection.send_group:content": "octets behind BDAT, as many as it says or none at all",
    "Channel:bindings": "what a TLS connection is known by",
    "Channel:host": "from an Endpoint",
    "Channel:make_nonce": "a source of randomness",
    "Channel:offered": "what a server said",
    "dkim.Signer:canonicalization": "a policy",
    "dkim.Signer:oversigning": "a policy",
    "dkim.Signer:private_key": "a key that is read, not sent",
    "Endpoint:host": "looked up; see test_a_host_stays_in_its_place",
    "Endpoint:password": "a Secret; see Password",
    "Endpoint:path": "a file of the system",
    "Endpoint:username": "see Password",
    "Endpoint.from_mapping:settings": "what an Endpoint is made of",
    "Entry:text": "for people; printable() makes it so",
    "Proxy:host": "looked up; see test_a_host_stays_in_its_place",
    "Proxy:kind": "a policy",
    "Proxy:password": "see test_what_a_proxy_is_told_is_one_request",
    "Proxy:username": "see test_what_a_proxy_is_told_is_one_request",
    "Proxy.from_url:url": "what a Proxy is made of",
    "Receipt:message_id": "what was sent",
    "Receipt.outcome:recipient": "compared with what was sent",
    "Reply:raw_lines": "what a server said",
    "Reply.of:lines": "what a server said",
    "TlsFacts:channel_bindings": "what OpenSSL said",
    "TlsFacts:cipher": "what OpenSSL said",
    "TlsFacts:fingerprint": "what OpenSSL said",
    "TlsFacts:issuer": "what a certificate says",
    "TlsFacts:names": "what a certificate says",
    "TlsFacts:serial": "what a certificate says",
    "TlsFacts:subject": "what a certificate says",
    "TlsFacts:version": "what OpenSSL said",
    "Trace.content:octets": "what was sent",
    "Trace.line:text": "for people",
    "Transcript.content:octets": "what was sent",
    "Transcript.line:text": "for people",
    "sasl.saslprep:text": "returned to whoever asked",
    "sasl.server_end_point:certificate": "what a server said",
    "commands.Auth:hidden": "looked for in what a server says",
    "commands.AuthResponse:hidden": "looked for in what a server says",
    "blocking.Client:server": "a URL; see Endpoint.from_url",
    "blocking.Client.send:message": "see CONTENTS and Message",
    "blocking.Client.send:on_refusal": "a policy",
    "blocking.Client.send_many:on_refusal": "a policy",
    "blocking.Client.send_many:order": "a policy",
    "blocking.connect:server": "a URL; see Endpoint.from_url",
    "blocking.send:message": "see CONTENTS and Message",
    "blocking.send:on_refusal": "a policy",
    "blocking.send:server": "a URL; see Endpoint.from_url",
    "blocking.send_many:on_refusal": "a policy",
    "blocking.send_many:server": "a URL; see Endpoint.from_url",
}
"""What does not end up on the wire, and why."""

SESSION: dict[str, Callable[[Any, Any], Any]] = {
    "blocking.Session.ehlo:name": lambda session, text: session.ehlo(text),
    "blocking.Session.helo:name": lambda session, text: session.helo(text),
    "blocking.Session.lhlo:name": lambda session, text: session.lhlo(text),
    "blocking.Session.mail:sender": lambda session, text: session.mail(text),
    "blocking.Session.rcpt:recipient": lambda session, text: session.rcpt(text),
    "blocking.Session.noop:argument": lambda session, text: session.noop(text),
    "blocking.Session.vrfy:argument": lambda session, text: session.vrfy(text),
    "blocking.Session.expn:argument": lambda session, text: session.expn(text),
    "blocking.Session.help:argument": lambda session, text: session.help(text),
    "blocking.Session.etrn:node": lambda session, text: session.etrn(text),
    "blocking.Session.xclient:attributes": lambda session, text: session.xclient(ADDR=text),
    "blocking.Session.xforward:attributes": lambda session, text: session.xforward(NAME=text),
    "blocking.Session.execute:line": lambda session, text: session.execute(text),
    "blocking.Session.send:on_refusal": lambda session, text: session.send(
        b"x", envelope=Envelope(ADA, BOB), on_refusal=text
    ),
    "blocking.Session.send_many:on_refusal": lambda session, text: list(
        session.send_many([(b"x", Envelope(ADA, BOB))], on_refusal=text)
    ),
    "blocking.Session.send:message": lambda session, text: session.send(
        text.encode("utf-8", "surrogatepass"), envelope=Envelope(ADA, BOB)
    ),
    "blocking.Session.data:content": lambda session, text: whole(
        session, lambda: session.data(text.encode("utf-8", "surrogatepass"))
    ),
    "blocking.Session.bdat:octets": lambda session, text: whole(
        session, lambda: session.bdat(text.encode("utf-8", "surrogatepass"))
    ),
}
"""The methods of sessions; tried on a real server."""


def whole(session: Any, send: Callable[[], Any]) -> None:
    session.mail("ada@example.org")
    session.rcpt("bob@example.com")
    send()


# -- The table is complete -------------------------------------------------------------------------

TEXTUAL = re.compile(
    r"\b(str|bytes|AddressLike|EntryLike|MailboxLike|RecipientLike|Seal|Sendable|Secret|SecretLike"
    r"|Servers|SourceLike|Text|UrlsLike)\b"
)


def surface() -> Iterator[str]:
    """Tell every parameter of the public surface that takes text."""
    for module, prefix in (
        (ehlo, ""),
        (commands, "commands."),
        (sasl, "sasl."),
        (dkim, "dkim."),
        (ehlo.blocking, "blocking."),
    ):
        for name in module.__all__:
            member = getattr(module, name)
            if prefix and member in vars(ehlo).values():
                continue
            if inspect.isclass(member):
                yield from of_class(f"{prefix}{name}", member)
            elif inspect.isfunction(member):
                yield from of_function(f"{prefix}{name}", member)
    for name, kind in ehlo.ClientOptions.__annotations__.items():
        if TEXTUAL.search(str(kind)):
            yield f"ConnectOptions:{name}"


OPTIONS = {ehlo.ConnectOptions, ehlo.ClientOptions, ehlo.MessageParts}


def of_class(name: str, kind: type) -> Iterator[str]:
    if issubclass(kind, BaseException | Enum) or kind in OPTIONS:
        return
    yield from of_function(name, kind)
    ours = (each for each in kind.__mro__ if each.__module__.startswith("ehlo"))
    for method in dict.fromkeys(method for each in ours for method in vars(each)):
        if not method.startswith("_") and callable(getattr(kind, method)):
            yield from of_function(f"{name}.{method}", getattr(kind, method))


def of_function(name: str, function: Callable[..., Any]) -> Iterator[str]:
    for parameter in inspect.signature(function).parameters.values():
        if TEXTUAL.search(str(parameter.annotation)):
            yield f"{name}:{parameter.name}"


def test_every_parameter_is_tried_or_accounted_for() -> None:
    tables = [set(LINES), set(HEADERS), set(CONTENTS), set(ELSEWHERE), set(SESSION)]
    assert sum(map(len, tables)) == len(set().union(*tables))
    assert set(surface()) == set().union(*tables)


AN_ADDRESS = "ada@example.org"
LIST_URLS = ("unsubscribe", "help", "subscribe", "post", "owner", "archive")
BENIGN: dict[str, str] = {
    **dict.fromkeys(
        [
            *("Address:spec", "Address.of:value", "Mailbox.parse:text", "Mailbox.of:value"),
            *("Envelope:sender", "Envelope:recipients", "Recipient:address", "Recipient:orcpt"),
            *("RcptOptions:orcpt", "OriginalRecipient.of:value", "MailOptions:auth"),
            *("Message:from_", "Message:to", "Message:cc", "Message:bcc", "Message:reply_to"),
            *("Message:sender", "Message:headers, addresses", "Group:mailboxes"),
            *("Message:disposition_notification_to", "Resent:from_", "Resent:to", "Resent:cc"),
            *("Resent:bcc", "Resent:sender"),
        ],
        AN_ADDRESS,
    ),
    **dict.fromkeys(["Recipient:notify", "RcptOptions:notify"], "NEVER"),
    **dict.fromkeys(
        [
            *("Message:message_id", "Message:headers, identifiers", "Resent:message_id"),
            *("Message:in_reply_to", "Message:references"),
        ],
        "<1@example.org>",
    ),
    **dict.fromkeys(
        [f"MailingList:{name}" for name in (*LIST_URLS, "one_click_unsubscribe")],
        "https://example.org/",
    ),
    "Message:auto_submitted": "auto-generated",
    "MailingList:id": "a.example.org",
    "Group.parse:text": "a: ada@example.org;",
    "Calendar:method": "REQUEST",
    "Alternative:content_type": "text/x-a",
    **dict.fromkeys(["Attachment:content_type", "Attachment.from_path:content_type"], "text/plain"),
    "DeliverBy:mode": "R",
    "dkim.Signer:domain": "example.com",
    "dkim.Signer:identity": "ada@lists.example.org",
    "MailOptions:ret": "FULL",
    "commands.Xforward:attributes": "NAME",
    "commands.Auth:mechanism": "PLAIN",
    "commands.Raw:line": "NOOP x",
}
"""What is taken, where `x` is not."""


@pytest.mark.parametrize("name", LINES | HEADERS | FIELD_NAMES | CONTENTS)
def test_what_is_in_order_is_taken(name: str) -> None:
    """So a refusal of something else says something."""
    text = BENIGN.get(name, "x")
    octets = (LINES | HEADERS | FIELD_NAMES | CONTENTS)[name](text)
    assert octets.endswith(b"\r\n")


# -- The laws --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", LINES)
@given(text=TEXTS)
@example(text="a\r\nRCPT TO:<eve@example.net>")
def test_nothing_that_is_passed_ends_a_line(name: str, text: str) -> None:  # I1
    """What comes is one line (of an authentication several, of Base64), or an error."""
    try:
        octets = LINES[name](text)
    except REFUSALS:
        return
    *lines, rest = octets.decode().split("\r\n")
    assert rest == ""
    assert lines
    assert not controls_in("".join(lines))
    if "AUTH" not in lines[0]:
        assert len(lines) == 1
    assert all(re.fullmatch(r"[A-Za-z0-9+/=]+|\*", line) for line in lines[1:])


@pytest.mark.parametrize("name", HEADERS | FIELD_NAMES)
@given(text=TEXTS)
@example(text="x\r\nBcc: eve@example.net")
def test_nothing_that_is_passed_begins_a_header_field(name: str, text: str) -> None:  # H1
    try:
        octets = (HEADERS | FIELD_NAMES)[name](text)
    except REFUSALS:
        return
    header = octets.partition(b"\r\n\r\n")[0]
    assert b"\0" not in octets
    for line in octets.split(b"\r\n"):
        assert b"\r" not in line
        assert b"\n" not in line
    for field in header.split(b"\r\n"):
        assert re.match(rb"[!-9;-~]+:|[ \t]+\S", field), field
        assert not controls_in(field.decode().replace("\t", " "))
    names = re.findall(rb"^([!-9;-~]+):", header, re.MULTILINE)
    assert b"Bcc" not in names
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("name", CONTENTS)
@given(text=TEXTS)
@example(text="x\r\n.\r\nMAIL FROM:<eve@example.net>\r\n")
@example(text="x\n.\nMAIL")
@example(text="x\r.\rMAIL")
@example(text=".")
def test_nothing_that_is_passed_ends_the_content(name: str, text: str) -> None:  # D1 D2
    try:
        octets = CONTENTS[name](text)
    except REFUSALS:
        return
    assert octets.endswith(b"\r\n.\r\n") or octets == b".\r\n"
    lines = octets.split(b"\r\n")
    assert lines.count(b".") == 1
    assert lines[-2:] == [b".", b""]
    assert b"\n" not in octets.replace(b"\r\n", b"")
    assert b"\r" not in octets.replace(b"\r\n", b"")


SEPARATORS = {b"PLAIN": b"\0", b"XOAUTH2": b"\1", b"OAUTHBEARER": b"\1", b"SCRAM-SHA-256": b","}


@pytest.mark.parametrize("name", [name for name in LINES if name.startswith("sasl.")])
@given(text=TEXTS)
@example(text="x\0y")
@example(text="x\1auth=Bearer eve")
@example(text="x,a=eve")
@example(text="x=2Cy")
def test_no_field_of_a_sasl_message_moves(name: str, text: str) -> None:  # A7
    """There are as many separators as with a harmless value."""
    usual = LINES[name]("x").split()
    try:
        words = LINES[name](text).split()
    except REFUSALS:
        return
    separator = SEPARATORS.get(usual[1])
    if separator is not None:
        found = b64decode(words[2]).count(separator)
        assert found == b64decode(usual[2]).count(separator)


# -- On a real server ------------------------------------------------------------------------------

OFFERS = ("SMTPUTF8", "8BITMIME", "CHUNKING", "ETRN", "XCLIENT ADDR", "XFORWARD NAME", "SIZE")


@pytest.fixture(params=["blocking", "asyncio"])
def adapter(request: pytest.FixtureRequest) -> Iterator[Colour]:
    with colour(request.param) as chosen:
        yield chosen


@pytest.mark.parametrize("name", SESSION)
def test_a_server_hears_one_command(adapter: Colour, name: str) -> None:
    """Each payload is one command at the most, or one transaction where it is content."""
    is_content = name.rpartition(":")[2] in {"message", "content", "octets"}
    with Server(ServerOptions(capabilities=OFFERS)) as server:
        for payload in PAYLOADS:
            before = len(server.commands)
            with adapter.connect(server.url) as session, suppress(*REFUSALS):
                SESSION[name](session, payload)
            verbs = [command.verb for command in server.commands[before:]]
            allowed = {"MAIL", "RCPT", "DATA", "BDAT", ".", "BDAT LAST"}
            middle = verbs[1:-1] if is_content else []
            assert verbs[0] == "EHLO"
            assert verbs[-1] == "QUIT"
            if is_content:
                assert set(map(str, middle)) <= allowed | {"(end of content)"}
            else:
                assert len(verbs) <= 3
        for message in server.messages:
            assert message.recipients == ("bob@example.com",)


@pytest.mark.parametrize("payload", PAYLOADS)
def test_a_host_stays_in_its_place(payload: str) -> None:
    with pytest.raises(ehlo.InvalidInput):
        Endpoint(host=payload, port=25)
    with pytest.raises(ehlo.InvalidInput):
        Endpoint.from_url(f"smtp://{payload}/")
    with pytest.raises(ehlo.InvalidInput):
        ehlo.Proxy(kind="socks5", host=payload)


@given(user=TEXTS, password=TEXTS)
def test_what_a_proxy_is_told_is_one_request(user: str, password: str) -> None:
    try:
        proxy = ehlo.Proxy(kind="http", host="h", port=1, username=user, password=password)
    except ehlo.InvalidInput:
        return
    octets = bytes(HttpTunnel(proxy, Endpoint(host="mx.example.com", port=25)).unsent)
    first, second, third, *rest = octets.split(b"\r\n")
    assert first == b"CONNECT mx.example.com:25 HTTP/1.1"
    assert second == b"Host: mx.example.com:25"
    name, _, value = third.rpartition(b" ")
    assert name == b"Proxy-Authorization: Basic"
    assert b64decode(value, validate=True).decode() == f"{user}:{password}"
    assert rest == [b"", b""]
