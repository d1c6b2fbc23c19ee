"""A report that shows local variables can show a value that was refused while it was made.

Before Python 3.12 such a report fails where a `repr` does, and the error is lost with it.
"""

from __future__ import annotations

import traceback
from typing import Any

import pytest

from ehlo import (
    Address,
    Anonymous,
    Attachment,
    DeliverBy,
    Endpoint,
    Envelope,
    External,
    MailOptions,
    Message,
    OAuth2,
    Password,
    RcptOptions,
    Recipient,
    Timeouts,
    commands,
    dkim,
    sasl,
)
from ehlo.testing import InTurn, ServerOptions

REFUSED: list[tuple[Any, tuple[Any, ...], dict[str, Any]]] = [
    (Address, (5,), {}),
    (Address, ("bad",), {}),
    (Envelope, ("bad", "a@b"), {}),
    (Envelope, ("a@b", ["bad"]), {}),
    (Envelope, ("a@b", 5), {}),
    (Envelope, ("a@b", "a@b"), {"options": 5}),
    (Recipient, ("a@b",), {"notify": "?"}),
    (RcptOptions, (), {"notify": "?"}),
    (MailOptions, (), {"ret": "?"}),
    (DeliverBy, ("soon", "R"), {}),
    (DeliverBy, (60, "?"), {}),
    (Attachment, (5,), {"filename": "a"}),
    (Attachment, (b"",), {"filename": "a\n"}),
    (Attachment, (b"",), {"filename": "a", "content_type": "?"}),
    (Message, (), {"from_": "bad"}),
    (Message, (), {"from_": "a@b", "subject": "a\n"}),
    (Endpoint, (), {"host": "mx", "port": 0}),
    (Endpoint, (), {"host": "mx", "port": 25, "tls": "?"}),
    (Endpoint, (), {"host": "mx", "port": 25, "password": 5}),
    (Timeouts, (), {"mail": -1}),
    (Password, ("a\n", "b"), {}),
    (OAuth2, ("a", "b c"), {}),
    (Anonymous, ("a\n",), {}),
    (External, ("a\0",), {}),
    *[(kind, ("a", 5), {}) for kind in (sasl.Plain, sasl.Login, sasl.CramMd5, sasl.Scram)],
    *[(kind, ("a", 5), {}) for kind in (sasl.ScramPlus, sasl.OAuthBearer, sasl.XOAuth2)],
    (sasl.Scram, ("a", "b", "?"), {}),
    (commands.Bdat, (-1,), {"last": True}),
    (commands.Raw, ("a\n",), {}),
    (commands.Xclient, ({"a b": "c"},), {}),
    (dkim.Signer, (), {"domain": "?", "selector": "a", "private_key": "b"}),
    (dkim.Signer, (), {"domain": "a.b", "selector": "a", "private_key": "b"}),
    (dkim.Signer, (), {"domain": "a.b", "selector": "a", "private_key": 5}),
    (InTurn, (), {}),
    (ServerOptions, (), {"capabilities": "?"}),
    (ServerOptions, (), {"mechanisms": ("?",)}),
]


@pytest.mark.parametrize(("kind", "arguments", "named"), REFUSED)
def test_what_is_refused_can_be_shown(
    kind: Any, arguments: tuple[Any, ...], named: dict[str, Any]
) -> None:
    with pytest.raises((ValueError, TypeError)) as caught:
        kind(*arguments, **named)
    report = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    shown = [text for frame in report.stack for text in (frame.locals or {}).values()]
    assert shown
    assert not [text for text in shown if "repr() failed" in text]
