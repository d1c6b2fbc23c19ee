"""Newsletters and mailing lists."""

from __future__ import annotations

from typing import Final

from ehlo import Alternative, Attachment, MailingList, Message
from gallery.basics import ADA, BOB, WHEN
from gallery.images import chart, logo

__all__ = [
    "amp_for_email",
    "html_only",
    "mailing_list_post",
    "markdown_alternative",
    "newsletter_with_inline_images",
    "one_click_newsletter",
]

_NEWSLETTER: Final = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>The Cogwheel, November</title>
</head>
<body style="margin:0;background:#eef1f5;font-family:Helvetica,Arial,sans-serif;color:#26323f">
<table role="presentation" width="100%" cellpadding="0" cellspacing="0"><tr><td align="center"
 style="padding:28px 12px">
<table role="presentation" width="600" cellpadding="0" cellspacing="0"
 style="background:#ffffff;border:1px solid #d9dfe7;border-radius:10px">
<tr><td style="padding:26px 40px 22px;border-bottom:1px solid #e6eaf0">
<table role="presentation" width="100%" cellpadding="0" cellspacing="0"><tr>
<td width="62"><img src="{logo}" width="48" height="48" alt="Cogwheel"
 style="display:block"></td>
<td style="font-size:22px;font-weight:bold;letter-spacing:-0.3px">The Cogwheel</td>
<td align="right" style="font-size:13px;color:#7a8797">No. 11 · November 2026</td>
</tr></table>
</td></tr>
<tr><td style="padding:34px 40px 6px">
<h1 style="margin:0 0 14px;font-size:29px;line-height:1.25;letter-spacing:-0.5px">A year of mail,
 and nothing lost</h1>
<p style="margin:0 0 22px;font-size:16px;line-height:1.6">Dear Zoë, in October the engine delivered
 <b>1.2&nbsp;million</b> messages – more than ever before. Here is how the year went, and what we
 learned when the post office in Łódź caught fire.</p>
<img src="{chart}" width="520" height="160" alt="Messages by month: from 0.4 to 1.2 million"
 style="display:block;width:520px;height:160px">
<table role="presentation" width="520" cellpadding="0" cellspacing="0"
 style="table-layout:fixed;font-size:11px;color:#7a8797;margin:6px 0 14px"><tr align="center">
{months}
</tr></table>
<p style="margin:0 0 28px;font-size:13px;color:#7a8797">Messages delivered in each month, from
 November to October.</p>
<table role="presentation" cellpadding="0" cellspacing="0"><tr>
<td style="background:#1d4e89;border-radius:6px"><a href="https://cogwheel.example.org/11"
 style="display:inline-block;padding:14px 28px;font-size:16px;font-weight:bold;color:#ffffff;
 text-decoration:none">Read the whole story&nbsp;→</a></td></tr></table>
</td></tr>
<tr><td style="padding:28px 40px 30px">
<table role="presentation" width="100%" cellpadding="0" cellspacing="0"><tr valign="top">
<td width="50%" style="padding-right:16px;border-top:3px solid #1d4e89">
<h2 style="margin:14px 0 6px;font-size:17px">Meet us in Tōkyō</h2>
<p style="margin:0;font-size:14px;line-height:1.55;color:#4b5866">The spring meeting is on
 3&nbsp;April. Tickets cost ¥4,500; students come in free.</p></td>
<td width="50%" style="padding-left:16px;border-top:3px solid #1d4e89">
<h2 style="margin:14px 0 6px;font-size:17px">A letter from Aarhus</h2>
<p style="margin:0;font-size:14px;line-height:1.55;color:#4b5866">Søren has rebuilt a difference
 engine out of 1,853 bricks. It even carries.</p></td>
</tr></table>
</td></tr>
</table>
<p style="margin:20px 0 0;font-size:12px;line-height:1.6;color:#7a8797">You get this because you
 asked for it at cogwheel.example.org.<br><a href="https://cogwheel.example.org/u/8f2c"
 style="color:#7a8797">Unsubscribe</a> · Cogwheel Society, 1 Mill Lane, London</p>
</td></tr></table>
</body>
</html>
"""
_MONTHS: Final = (
    "Nov",
    "Dec",
    "Jan",
    "Feb",
    "Mar",
    "Apr",
    "May",
    "Jun",
    "Jul",
    "Aug",
    "Sep",
    "Oct",
)
_MILLIONS: Final = (40, 46, 43, 55, 61, 58, 72, 69, 84, 88, 97, 121)  # hundredths


def newsletter_with_inline_images() -> Message:
    """A newsletter whose HTML shows two images that travel with it; one click ends it."""
    wheel = Attachment(
        logo(), filename="logo.png", content_type="image/png", content_id="logo@example.org"
    )
    year = Attachment(
        chart(_MILLIONS),
        filename="year.png",
        content_type="image/png",
        content_id="year.11@example.org",
    )
    months = "\n".join(f"<td>{month}</td>" for month in _MONTHS)
    return Message(
        from_="The Cogwheel <news@example.org>",
        to="Zoë Żak <zoe@example.com>",
        subject="A year of mail, and nothing lost – The Cogwheel, No. 11",
        text=(
            "Dear Zoë,\n\nin October the engine delivered 1.2 million messages – more than ever\n"
            "before. The whole story: https://cogwheel.example.org/11\n"
        ),
        html=_NEWSLETTER.format(logo=wheel.url, chart=year.url, months=months),
        inline=[wheel, year],
        mailing_list=MailingList(
            id="cogwheel.example.org",
            name="The Cogwheel",
            one_click_unsubscribe="https://cogwheel.example.org/u/8f2c",
            unsubscribe="mailto:leave+8f2c@example.org",
        ),
        date=WHEN,
        message_id="cogwheel.11.8f2c@example.org",
    )


def one_click_newsletter() -> Message:
    """A newsletter in plain text, of a list whose name is not ASCII."""
    return Message(
        from_="Kulturbüro Köln <news@kultur.example.org>",
        to="abo@example.com",
        subject="Diese Woche: Jazz, Töpfern, Lesungen",
        text="Dienstag: Jazz im Stadtgarten\nMittwoch: Töpfern für Anfänger\n",
        mailing_list=MailingList(
            id="woche.kultur.example.org",
            name="Kulturbüro: die Woche",
            one_click_unsubscribe="https://kultur.example.org/u?abo=4711&liste=woche",
            unsubscribe="mailto:abmelden@kultur.example.org?subject=4711",
            post="NO",
            archive="https://kultur.example.org/archiv",
        ),
        date=WHEN,
        message_id="woche.47.4711@kultur.example.org",
    )


def mailing_list_post() -> Message:
    """A post that a list passes on: the author stays, the list is the sender."""
    return Message(
        from_=ADA,
        sender="engine-bounces@lists.example.org",
        to="Engine hackers <engine@lists.example.org>",
        reply_to="engine@lists.example.org",
        subject="[engine] Carry mechanism jams at 10^21",
        text="It jams when all columns are nines.\n\n-- \nAda\n",
        mailing_list=MailingList(
            id="engine.lists.example.org",
            name="Engine hackers",
            help="mailto:engine-request@lists.example.org?subject=help",
            unsubscribe=[
                "https://lists.example.org/engine/leave",
                "mailto:engine-leave@lists.example.org",
            ],
            subscribe="mailto:engine-join@lists.example.org",
            post="mailto:engine@lists.example.org",
            owner="mailto:engine-owner@lists.example.org",
            archive="https://lists.example.org/engine/",
        ),
        headers={"Precedence": "list", "X-BeenThere": "engine@lists.example.org"},
        date=WHEN,
        message_id="carry.1843@example.org",
    )


def amp_for_email() -> Message:
    """A message with AMP between the text and the HTML; the order is what readers go by."""
    return Message(
        from_="Polls <polls@example.org>",
        to=BOB,
        subject="Where shall we eat?",
        text="Vote: https://polls.example.org/7\n",
        alternatives=[
            Alternative(
                "<!doctype html>\n<html ⚡4email data-css-strict>\n<head><meta charset=utf-8>\n"
                "<style amp4email-boilerplate>body{visibility:hidden}</style>\n"
                '<script async src="https://cdn.ampproject.org/v0.js"></script></head>\n'
                "<body>Pizza or sushi?</body></html>\n",
                content_type="text/x-amp-html",
            )
        ],
        html='<p><a href="https://polls.example.org/7">Vote</a></p>\n',
        date=WHEN,
        message_id="poll.7@example.org",
    )


def markdown_alternative() -> Message:
    """Notes in Markdown, and as HTML that was made of them."""
    return Message(
        from_=ADA,
        to=BOB,
        subject="Notes, in Markdown",
        text="Notes\n\n1. read\n2. write\n",
        alternatives=[
            Alternative(
                "# Notes\n\n1. *read*\n2. **write**\n", content_type="text/markdown; variant=GFM"
            )
        ],
        html="<h1>Notes</h1><ol><li><em>read</em></li><li><strong>write</strong></li></ol>\n",
        date=WHEN,
        message_id="notes@example.org",
    )


def html_only() -> Message:
    """HTML alone, on a single line, as templates make it."""
    rows = "".join(f"<tr><td>{number}</td><td>{number**2} €</td></tr>" for number in range(80))
    return Message(
        from_=ADA,
        to=BOB,
        subject="Prices",
        html=f"<!DOCTYPE html><table>{rows}</table>\n",
        date=WHEN,
        message_id="prices@example.org",
    )
