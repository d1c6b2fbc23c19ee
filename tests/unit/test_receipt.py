from __future__ import annotations

import pytest

from ehlo import Address, Envelope, Outcome, Phase, Receipt, RecipientsRefused, Reply
from ehlo.receipt import Result, queue_id
from support.pickling import unpickled

BOB = Address("bob@example.org")
EVA = Address("eva@example.org")
MAX = Address("max@example.org")
ENVELOPE = Envelope("ada@example.org", [BOB, EVA, MAX])
OK = Reply.of(250, "2.0.0 Ok: queued as 4XyZ12")
NO = Reply.of(550, "5.1.1 No such user")
LATER = Reply.of(450, "4.2.0 Greylisted")


# Replies as servers send them, from their source, their documentation or mail logs. Some ids are
# made up to the same pattern, and so are addresses and hosts where a log had private ones.
QUEUE_IDS = {
    "Postfix": ("2.0.0 Ok: queued as 9EFE470001", "9EFE470001"),
    "Postfix, long": ("2.0.0 Ok: queued as 4X1Rnl2Nq3z9vBt", "4X1Rnl2Nq3z9vBt"),
    "Postfix, old": ("Ok: queued as DD8F02787", "DD8F02787"),
    "Postfix, bytes": ("2.0.0 Ok: 1234 bytes queued as 4XyZ12", "4XyZ12"),
    "iCloud": ("2.0.0 Ok: queued as D04B3C0008B", "D04B3C0008B"),
    "SendGrid": ("Ok: queued as bdT3qimVR7SSpBEKunexIg", "bdT3qimVR7SSpBEKunexIg"),
    "SendGrid, -_": ("Ok: queued as x-1_3qimVR7SSpBEKune-_", "x-1_3qimVR7SSpBEKune-_"),
    "MailHog": (
        "Ok: queued as tN_8yTl4LwJW4nWTpCqPQ2QmGRxtmGsjW9c=@mailhog.example",
        "tN_8yTl4LwJW4nWTpCqPQ2QmGRxtmGsjW9c=@mailhog.example",
    ),
    "amavis": (
        "2.0.0 from MTA(smtp:[127.0.0.1]:10025): 250 2.0.0 Ok: queued as 932E2280F22",
        "932E2280F22",
    ),
    "amavis, old": (
        "2.6.0 Ok, id=05500-07, from MTA([127.0.0.1]:10025): 250 2.0.0 Ok: queued as 4320170DA5",
        "4320170DA5",
    ),
    "Exim": ("OK id=1rAbCd-000123-Ef", "1rAbCd-000123-Ef"),
    "Exim 4.97": ("OK id=1rAbCd-00000000aBc-1DeF", "1rAbCd-00000000aBc-1DeF"),
    "GMX": (
        "Requested mail action okay, completed: id=1MKsaz-1wevcp3BHR-00M7kH",
        "1MKsaz-1wevcp3BHR-00M7kH",
    ),
    "KumoMTA": ("OK ids=8a5475ccbbc611eda12250ebf67f93bd", "8a5475ccbbc611eda12250ebf67f93bd"),
    "Sendmail": ("2.0.0 v8T8xJvo021562 Message accepted for delivery", "v8T8xJvo021562"),
    "Sendmail 8.8": ("DAA75168 Message accepted for delivery", "DAA75168"),
    "Sendmail, two": (
        "2.0.0 t5UI2nBt018923-t5UI2nBw018923 Message accepted for delivery",
        "t5UI2nBt018923-t5UI2nBw018923",
    ),
    "Proofpoint": ("2.0.0 2xkxc5b3dv-1 Message accepted for delivery", "2xkxc5b3dv-1"),
    "OpenSMTPD": ("2.0.0 4f1a2b3c Message accepted for delivery", "4f1a2b3c"),
    "OpenSMTPD, old": ("2.0.0: 4f1a2b3c Message accepted for delivery", "4f1a2b3c"),
    "Exchange": (
        "2.6.0 <6b36518e-14b1@example.com> [InternalId=23138874] Queued mail for delivery",
        "23138874",
    ),
    "Outlook.com": (
        (
            "2.6.0 <a@example.com> [InternalId=38328401204839, Hostname=x.example.com] "
            "8812 bytes in 0.130, 65.999 KB/sec Queued mail for delivery"
        ),
        "38328401204839",
    ),
    "IIS": (
        "2.6.0 <WEB01JswFCHOzyfyz5b000015ac@smtprelay.example.com> Queued mail for delivery",
        "WEB01JswFCHOzyfyz5b000015ac@smtprelay.example.com",
    ),
    "Haraka": (
        "Message Queued (6E2D8E5C-3F44-4B8A-9E5A-0C1E6B2F7A11.1)",
        "6E2D8E5C-3F44-4B8A-9E5A-0C1E6B2F7A11.1",
    ),
    "Stalwart": ("2.0.0 Message queued with id 3f481c415800015.", "3f481c415800015"),
    "Brevo": (
        "Message queued as <12345678901234.12345ABCDE@example.com>",
        "12345678901234.12345ABCDE@example.com",
    ),
    "Gmail": (
        "2.0.0 OK  1761288810 41be03b00d2f7-b6cf4b95f0asi2402216a12.166 - gsmtp",
        "41be03b00d2f7-b6cf4b95f0asi2402216a12.166",
    ),
    "Gmail, old": (
        "2.0.0 OK 1539154772 az9-v6si5976496plb.190 - gsmtp",
        "az9-v6si5976496plb.190",
    ),
    "Gmail, DMARC": (
        "2.0.0 OK DMARC:Quarantine 1680059472 l4-20020ad44084000000b00570b7ce3d7.465 - gsmtp",
        "l4-20020ad44084000000b00570b7ce3d7.465",
    ),
    "qmail": ("ok 1297879505 qp 12345", "1297879505 qp 12345"),
    "MessageLabs": (
        "ok 1378390021 qp 25245 server-5.tower-132.messagelabs.com!1378390021!7234!1",
        "1378390021 qp 25245",
    ),
    "SES": (
        "Ok 01000154dc729264-93fdd7ea-f039-43d6-91ed-653e8547867c-000000",
        "01000154dc729264-93fdd7ea-f039-43d6-91ed-653e8547867c-000000",
    ),
    "SES, receiving": (
        "OK 0bj6h9o5vlt5t6hug8b40eo1q4o9fk5ql6gj23o1",
        "0bj6h9o5vlt5t6hug8b40eo1q4o9fk5ql6gj23o1",
    ),
    "IronPort": ("ok:  Message 256429218 accepted", "256429218"),
    "Mimecast": (
        "SmtpThread-230451-1550091842414@snd-mta-2.snd.mimecast.lan Received OK",
        "SmtpThread-230451-1550091842414@snd-mta-2.snd.mimecast.lan",
    ),
    "Yandex": (
        "2.0.0 Ok: queued on mxfront9q.mail.yandex.net as 1590262878-g7S0CPwaoz-fIVS8Xqq",
        "1590262878-g7S0CPwaoz-fIVS8Xqq",
    ),
    "Yandex, new": (
        "2.0.0 Ok: queued on main-64.vla.yp-c.yandex.net 1783419955-tPFHe55kViE0-EXc4x7wE",
        "1783419955-tPFHe55kViE0-EXc4x7wE",
    ),
    "NetEase": (
        "Mail OK queued as smtp8,DMCowACHOslvk6hWF1u7AA--.51185S2 1453888371",
        "smtp8,DMCowACHOslvk6hWF1u7AA--.51185S2",
    ),
    "NetEase, new": (
        "Mail OK queued as zwqz-smtp-mta-g0-1,_____wDnF4jOiCdlWH9UAQ--.45967S3 1697089742",
        "zwqz-smtp-mta-g0-1,_____wDnF4jOiCdlWH9UAQ--.45967S3",
    ),
    "Coremail": (
        "Mail OK queued as UEJ2ygBnb+8toTZjKwx_CA--.36240S2",
        "UEJ2ygBnb+8toTZjKwx_CA--.36240S2",
    ),
    "Sun": (
        "2.5.0 Ok, envelope id \t0LUD00A9Q8EK4BQ0@smtpin135.example.com",
        "0LUD00A9Q8EK4BQ0@smtpin135.example.com",
    ),
    "Dovecot": (
        "2.0.0 <adm@example.com> +molDg3LsWaKHQAAqrKISg Saved",
        "+molDg3LsWaKHQAAqrKISg",
    ),
    "Dovecot, second": (
        "2.0.0 <adm@example.com> qIs0C7bdDFx6RQAAfXFM7g:2 Saved",
        "qIs0C7bdDFx6RQAAfXFM7g:2",
    ),
    "Cyrus": (
        "2.1.5 Ok SESSIONID=<cyrus-12823-1488397532-1> [example.net!user.ada ()]",
        "cyrus-12823-1488397532-1",
    ),
    "Ethereal": (
        "Accepted [STATUS=new MSGID=Zdfgw.BRgEWXfYm4Zdvxz0XpHMXMElx4AAAAERe5rwRAVHKncVc9]",
        "Zdfgw.BRgEWXfYm4Zdvxz0XpHMXMElx4AAAAERe5rwRAVHKncVc9",
    ),
}


@pytest.mark.parametrize(("line", "name"), QUEUE_IDS.values(), ids=QUEUE_IDS)
def test_the_queue_id_is_found_where_the_way_of_saying_it_is_known(line: str, name: str) -> None:
    assert queue_id(Reply.of(250, line)) == name
    assert queue_id(Reply.of(250, f"{line} ")) == name
    assert queue_id(Reply.of(250, f"not {line}")) is None


def test_the_queue_id_may_stand_on_another_line() -> None:
    assert queue_id(Reply.of(250, "2.0.0 OK", "2.0.0 1700000000 a1-2 - gsmtp")) == "a1-2"
    assert queue_id(Reply.of(250, "2.0.0 Ok: queued as 4XyZ12", "2.0.0 Thank you")) == "4XyZ12"


@pytest.mark.parametrize(
    "line",
    [
        "",
        "2.0.0 Ok",
        "OK",  # aiosmtpd
        "Ok: queued as ",  # QQ
        "OK: queued as.",  # QQ
        "2.0.0 OK: queued",  # maddy
        "Queued. Thank you.",  # Mailgun
        "Great success",  # Mailgun
        "ok dirdel",  # Yahoo, AOL
        "2.5.0 Ok.",  # iCloud, once
        "2.1.5 Ok",
        "2.6.0 message received",  # PowerMTA
        "Message received",  # Zoho
        "Queued (1.234 seconds)",  # hMailServer
        "Requested mail action okay, completed",  # MailEnable
        "Message accepted for delivery",  # Domino
        "SMTPmail Message accepted for delivery",
        "<mail@example.com> Saved",
        "2.0.0 <local@example.com> Saved",
        "2.0.0 <some@example.com> AAAAAA Saved",
        "Message Queued",
        "Message queued as spam",
        "mail ok queued as.",
        "OK ids=8a5475ccbbc611eda12250ebf67f93bd,8a5475ccbbc611eda12250ebf67f93be",
        "OK id=",
        "Ok 0123456789abcdef",
        "Ok: queued on mxback1j.yandex.example",
        "\u00e9",
        "Ok: queued as \u00e9",
        "Ok: queued as 4XyZ\u00e9",
        "Accepted [STATUS=new]",
    ],
)
def test_none_beats_a_guess(line: str) -> None:
    assert queue_id(Reply.of(250, line)) is None


@pytest.mark.timeout(2)
@pytest.mark.parametrize("start", [line for line, _ in QUEUE_IDS.values()] + ["", "2.0.0 "])
def test_looking_for_it_is_linear(start: str) -> None:  # R8
    for unit in ("a", "0", "-", "a-", ".", "<", ">", " ", "a ", "1.", "(", "=@", "2.0.0 "):
        queue_id(Reply.of(250, start + unit * 20_000))
        queue_id(Reply.of(250, start[: len(start) // 2] + unit * 20_000))


def test_a_receipt_knows_its_queue_id() -> None:
    assert Receipt(ENVELOPE, OK, (BOB, EVA, MAX)).queue_id == "4XyZ12"


def test_everybody_got_it() -> None:
    receipt = Receipt(ENVELOPE, OK, (BOB, EVA, MAX))
    assert receipt.refused == {}
    assert receipt.message_id is None
    assert {receipt.outcome(address) for address in ENVELOPE.recipients} == {Outcome.ACCEPTED}
    receipt.raise_for_refused()


def test_partial_success_is_a_value() -> None:  # T4
    receipt = Receipt(ENVELOPE, OK, (BOB,), {EVA: NO, MAX: LATER}, "<1@example.org>")
    assert receipt.outcome(BOB) is receipt.outcome(str(BOB)) is Outcome.ACCEPTED
    assert receipt.outcome(EVA) is receipt.outcome(MAX) is Outcome.REFUSED


def test_who_was_not_asked_for_has_no_outcome() -> None:
    with pytest.raises(KeyError):
        Receipt(ENVELOPE, OK, (BOB, EVA, MAX)).outcome(Address("joe@example.org"))


def test_a_refusal_can_be_made_an_error() -> None:  # T4
    receipt = Receipt(ENVELOPE, OK, (BOB,), {EVA: NO, MAX: LATER})
    with pytest.raises(RecipientsRefused) as caught:
        receipt.raise_for_refused()
    error = caught.value
    assert str(error) == "the message was accepted, but not for eva@example.org, max@example.org"
    assert error.refused == {EVA: NO, MAX: LATER}
    assert error.accepted == (BOB,)
    assert error.phase is Phase.RCPT
    assert error.reply == NO
    assert not error.temporary


def test_that_error_never_calls_for_the_same_message_again() -> None:  # T4
    receipt = Receipt(ENVELOPE, OK, (BOB,), {MAX: LATER})
    with pytest.raises(RecipientsRefused) as caught:
        receipt.raise_for_refused()
    assert not caught.value.retry_safe


def test_receipts_are_values() -> None:
    receipt = Receipt(ENVELOPE, OK, (BOB,), {EVA: NO}, "<1@example.org>")
    assert unpickled(receipt) == receipt


def test_the_result_of_one_of_many() -> None:
    receipt = Receipt(ENVELOPE, OK, ENVELOPE.recipients)
    good = Result(3, "the message", receipt)
    assert good.unwrap() is receipt
    assert good.outcome is Outcome.ACCEPTED
    error = RecipientsRefused("no", refused={BOB: NO})
    bad = Result(4, "another", error=error)
    assert bad.outcome is Outcome.REFUSED
    with pytest.raises(RecipientsRefused) as caught:
        bad.unwrap()
    assert caught.value is error
