"""What messages are made of, for property tests: text of every script, nasty names, long lists.

`messages` draws each parameter of `ehlo.Message` from `PARAMETERS`; a new parameter is a new line
there, and a test that is about one of them passes its own strategy for it.
"""

from __future__ import annotations

from typing import Any, Final

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from ehlo import Address, Alternative, Attachment, Calendar, Group, Mailbox, Message

__all__ = [
    "ALTERNATIVES",
    "BODIES",
    "CALENDARS",
    "DISPLAY_NAMES",
    "FILENAMES",
    "FILES",
    "GROUPS",
    "INLINE",
    "MAILBOXES",
    "MAILBOX_LISTS",
    "PARAMETERS",
    "SUBJECTS",
    "TEXTS",
    "messages",
]

# --- characters -----------------------------------------------------------------------------------

_PLANE: Final = 0x10000
_PLANES: Final = st.one_of(
    *(
        st.characters(
            min_codepoint=plane * _PLANE,
            max_codepoint=plane * _PLANE + _PLANE - 1,
            exclude_categories=["Cc", "Cs", "Zl", "Zp"],
        )
        for plane in range(17)
    )
)
_CHARACTERS: Final = st.one_of(
    st.characters(codec="ascii", exclude_categories=["Cc"]),
    st.characters(codec="utf-8", exclude_categories=["Cc", "Zl", "Zp"]),
    _PLANES,
)
_SPECIALS: Final = st.sampled_from([*" ,;:.@\"'\\<>()[]=?_%*/!#$&+^`{|}~-"])
_SEQUENCES: Final = st.sampled_from(
    [
        "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466",  # a family, joined
        "\U0001f3f3\ufe0f\u200d\U0001f308",  # a flag, joined
        "\U0001f1e9\U0001f1ea\U0001f1fa\U0001f1e6",  # flags of two letters
        "\U0001f3f4\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f",  # and of tags
        "\U0001f44d\U0001f3ff",  # a skin tone
        "1\ufe0f\u20e3",  # a key cap
        "e\u0301\u0323\u0302",  # marks upon marks
        "Z\u0351\u036b\u0343\u036a\u0302\u036b\u033d\u034f\u0334\u0319\u0324",
        "\u05d3\u05d5\u05d3 \u05db\u05d4\u05df",  # from right to left
        "\u0645\u062d\u0645\u062f\u060c \u0639\u0644\u064a",
        "\u202eexe.fdp\u202c",  # turned around
        "\u0e01\u0e33\u0e25\u0e31\u0e07\u0e43\u0e08",
        "\u0928\u092e\u0938\u094d\u0924\u0947",
        "\u30ab\u3099\u30ac",
        "\ud55c\u1112\u1161\u11ab",
        "\ufeff",
        "\u00a0",
        "\u3000",
    ]
)
_LOOKALIKES: Final = st.sampled_from(
    [
        *("=?utf-8?q?a=2Cb?=", "=?utf-8?b?YQ==?=", "=?us-ascii?q??=", "=?", "?=", "=?x?"),
        *("utf-8''", "%41", "%", "=20", "=", "_", "''", '"', "\\", '\\"', "; filename=x"),
        *("   ", "word word ", " (comment) ", "<a@b.example>", "group: ;", "a@b, c@d"),
    ]
)
_LONG: Final = st.builds(
    lambda character, number: character * number,
    st.sampled_from(["x", "é", "字", "\U0001f600", "=", '"', " ", "x ", "é x "]),
    st.one_of(st.integers(0, 100), st.sampled_from([255, 900, 997, 998, 999])),
)

_PLAIN: Final = st.builds(  # what needs no encoding but for its ends
    "{}{}{}".format,
    st.sampled_from(["", " ", "  "]),
    st.sampled_from(["word", "some words", "a   b", "x" * 80, "word " * 30 + "word"]),
    st.sampled_from(["", " ", "  "]),
)
_MIXED: Final = st.lists(
    st.one_of(
        st.text(_CHARACTERS, max_size=12), _SPECIALS, _SEQUENCES, _LOOKALIKES, _LONG, st.just(" ")
    ),
    max_size=8,
).map("".join)
TEXTS: Final = st.one_of(_PLAIN, _MIXED)
"""Text of one line, as a header may have to say it."""

SUBJECTS: Final = TEXTS

# --- mailboxes ------------------------------------------------------------------------------------

_LOCAL_PARTS: Final = st.one_of(
    st.text("abcXYZ019!#$%&'*+/=?^_`{|}~-", min_size=1, max_size=64),
    st.lists(st.text("ab1-", min_size=1, max_size=8), min_size=2, max_size=5).map(".".join),
    st.sampled_from(['"a b, c"', r'"a \"b\" \\"', '"a@b"', '"<>"', '" "', '"=?utf-8?q?a?="']),
    st.just("=?utf-8?q?a?="),
)
_DOMAINS: Final = st.one_of(
    st.sampled_from(["b", "example.org", "[192.0.2.1]", "[IPv6:2001:db8::1]", "xn--bcher-kva.de"]),
    st.integers(1, 180).map(lambda number: f"{'d' * number}.example"),
)
ADDRESSES: Final = st.builds("{}@{}".format, _LOCAL_PARTS, _DOMAINS).map(Address)
DISPLAY_NAMES: Final = st.one_of(
    TEXTS,
    st.sampled_from(
        [
            *("Lovelace, Ada", 'Ada "Countess" Lovelace', "Ada (work)", "J. Doe", "Ada [1]"),
            *("ada@example.org", "O'Brien", "back\\slash", "<Ada>", "a;b", "group: a"),
            *("דוד כהן", "محمد، علي", "José (Pepé) Müller, Jr.", "=?utf-8?q?a?="),
        ]
    ),
)
MAILBOXES: Final = st.builds(Mailbox, ADDRESSES, st.one_of(st.just(""), DISPLAY_NAMES))


def _long_list(number: int, name: str) -> list[Mailbox]:
    return [Mailbox(Address(f"{one}@list.example"), name * (one % 3)) for one in range(number)]


# Python's reader of group names loses blanks, and adds some between encoded words.
_GROUP_NAMES: Final = DISPLAY_NAMES.map(lambda name: " ".join(name[:20].split())).filter(bool)
GROUPS: Final = st.builds(Group, _GROUP_NAMES, st.lists(MAILBOXES, max_size=3))
MAILBOX_LISTS: Final = st.one_of(
    st.lists(MAILBOXES, max_size=4),
    st.builds(_long_list, st.integers(20, 60), DISPLAY_NAMES.filter(lambda name: len(name) < 90)),
)

# --- contents -------------------------------------------------------------------------------------

_PLAIN_BODIES: Final = st.lists(  # what is sent as it is
    st.one_of(
        st.sampled_from(["--=_1_id", "--=_2_id--", "--=_1_idx", ".", "From ", "=", " ", "\t"]),
        st.sampled_from(["\r\n", "\n", "x" * 998, "=?utf-8?q?a?="]),
    ),
    max_size=8,
).map("".join)
_MIXED_BODIES: Final = st.lists(
    st.one_of(
        st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20),
        st.sampled_from(["\r\n", "\n", "\r", ".", "..", "--=_1_id", "--", "=20", " \n", "From "]),
        st.builds(  # lines that just fit, or just do not
            "\né{}{}".format,
            st.integers(66, 72).map(lambda number: "x" * number),
            st.sampled_from([" \n", "\t\n", "\n", "=\n", ""]),
        ),
        _SEQUENCES,
        _LONG,
    ),
    max_size=8,
).map("".join)
BODIES: Final = st.one_of(_PLAIN_BODIES, _MIXED_BODIES)
"""A text; never with a NUL."""

FILENAMES: Final = st.one_of(
    TEXTS,
    st.sampled_from(
        [
            *("report.pdf", 'a"b".txt', "back\\slash.txt", "100%.txt", "a%41.txt", "a;b=c.txt"),
            *("=?utf-8?q?a?=.txt", "dots...", "trailing ", " leading", "a'b'c.txt", "utf-8''a.txt"),
            *("CON", "NUL.txt", "../../etc/passwd", ".htaccess", "~", "a/b", "a:b", "a*b?", "-rf"),
            *("مرحبا.pdf", "\u202etxt.exe", "日本語のファイル名.docx", "👩‍👩‍👧.png", "e\u0301.txt"),
            *("x" * 255 + ".txt", "ä" * 200 + ".txt", "a b " * 60 + ".txt", "'" * 80, "%" * 80),
        ]
    ),
).filter(str.strip)
"""Names of files; none is blank, which an attachment refuses."""

FILES: Final = st.builds(
    lambda content, filename, content_type: Attachment(
        content, filename=filename, content_type=content_type
    ),
    st.one_of(
        st.binary(max_size=300), st.sampled_from([b"--=_1_id\r\n", b"\r\n.\r\n", b"\n", b"\r"])
    ),
    FILENAMES,
    st.sampled_from([None, "application/pdf", "text/csv; charset=utf-8", 'a/b; c="d;e"; f=g']),
)

INLINE: Final = st.lists(
    st.tuples(st.binary(max_size=60), st.none() | FILENAMES),
    max_size=3,
).map(
    lambda found: [
        Attachment(content, filename=name, content_type="image/png", content_id=f"{n}@a.example")
        for n, (content, name) in enumerate(found)
    ]
)
"""What HTML may show; without HTML there is none."""

ALTERNATIVES: Final = st.lists(
    st.builds(
        lambda text, kind: Alternative(text, content_type=kind),
        BODIES,
        st.sampled_from(["text/x-amp-html", "text/markdown; variant=GFM"]),
    ),
    max_size=2,
)
CALENDARS: Final = st.none() | st.builds(
    lambda text, filename: Calendar(
        f"BEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\nSUMMARY:{text}\r\nEND:VCALENDAR\r\n",
        filename=filename,
    ),
    TEXTS,
    st.none() | FILENAMES,
)

# --- messages -------------------------------------------------------------------------------------

_EXTRA_NAMES: Final = st.text("abcXYZ-019", max_size=60).map(lambda text: f"X-{text}")
HEADERS: Final = st.builds(
    lambda extra, known: extra + known,
    st.lists(st.tuples(_EXTRA_NAMES, TEXTS), max_size=3, unique_by=lambda field: field[0].lower()),
    st.lists(
        st.sampled_from(
            [
                ("List-Unsubscribe", "<mailto:a@b?subject=x>, <https://x.example/?a=?b,c>"),
                ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"),
                ("References", " ".join(f"<{number}.{'x' * 40}@y>" for number in range(30))),
                ("Auto-Submitted", "auto-generated"),
                ("Errors-To", "Lovelace Ada <ada@example.org>, ada@example.org"),
            ]
        ),
        max_size=3,
        unique=True,
    ),
)

PARAMETERS: Final[dict[str, SearchStrategy[Any]]] = {
    "to": MAILBOX_LISTS,
    "cc": MAILBOX_LISTS,
    "reply_to": st.lists(MAILBOXES, max_size=2),
    "sender": st.none() | MAILBOXES,
    "subject": SUBJECTS,
    "text": st.none() | BODIES,
    "html": st.none() | BODIES,
    "alternatives": ALTERNATIVES,
    "calendar": CALENDARS,
    "attachments": st.lists(FILES, max_size=3),
    "headers": HEADERS,
}
"""The parameters of a message that it can do without."""

_AUTHORS: Final = st.one_of(MAILBOXES.map(lambda one: [one]), st.lists(MAILBOXES, min_size=1))


def messages(**parameters: SearchStrategy[Any]) -> SearchStrategy[Message]:
    """Draw messages.

    Args:
        parameters: What to draw a parameter from instead of `PARAMETERS`.

    Returns:
        Messages; each parameter that is not named here may be left out.
    """
    required = {"from_": _AUTHORS, **parameters}
    optional = {name: it for name, it in PARAMETERS.items() if name not in required}
    return st.fixed_dictionaries(required, optional=optional).map(_message)


def _message(arguments: dict[str, Any]) -> Message:
    authors = arguments["from_"]
    if len(authors) > 1 and arguments.get("sender") is None:  # RFC 5322 section 3.6.2
        arguments = arguments | {"sender": authors[0]}
    return Message(**arguments)
