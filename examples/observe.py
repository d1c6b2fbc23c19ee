"""Watch a client: metrics for Prometheus, spans for OpenTelemetry, whichever of them is installed.

Run it with a server's URL: `python observe.py smtp://localhost:2525`. Without either package it
says on the terminal what they would have been told.
"""

from __future__ import annotations

import importlib
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import ehlo
from ehlo.pool import ClientEvent, Discarded, Failed, Opened, OpeningFailed, Retrying, Sent

if TYPE_CHECKING:
    from opentelemetry.trace import TracerProvider
    from prometheus_client import CollectorRegistry

Hook = Callable[[ClientEvent], None]


def prometheus_hook(registry: CollectorRegistry | None = None) -> Hook:
    """Count messages, connections and seconds.

    Args:
        registry: Where the metrics are registered; None for the usual one, of the process.

    Returns:
        A hook for `on_event`.

    Raises:
        ImportError: There is no `prometheus_client`.
    """
    package: Any = importlib.import_module("prometheus_client")
    where = package.REGISTRY if registry is None else registry
    counter = partial(package.Counter, registry=where)
    histogram = partial(package.Histogram, registry=where)
    messages = counter("smtp_messages", "Messages, by what became of them", ["outcome"])
    retries = counter("smtp_retries", "Attempts that were repeated")
    seconds = histogram("smtp_send_seconds", "From the call of send to the receipt")
    opened = histogram("smtp_open_seconds", "To connect, encrypt and authenticate")
    refused = counter("smtp_connections_refused", "Connections that could not be had")
    closed = counter("smtp_connections_closed", "Connections, by their ends", ["why"])

    def hook(event: ClientEvent) -> None:
        match event:
            case Sent():
                messages.labels("accepted").inc()
                seconds.observe(event.seconds)
            case Failed():
                messages.labels(str(event.error.outcome)).inc()
            case Retrying():
                retries.inc()
            case Opened():
                opened.observe(event.seconds)
            case OpeningFailed():
                refused.inc()
            case Discarded():
                closed.labels(str(event.why)).inc()
            case _:
                pass

    return hook


def opentelemetry_hook(provider: TracerProvider | None = None) -> Hook:
    """Make a span of each message and of each connection that is opened.

    An event comes when a thing is done, and knows how long that took: so a span begins in the past.

    Args:
        provider: What makes tracers; None for the usual one, of the process.

    Returns:
        A hook for `on_event`.

    Raises:
        ImportError: There is no `opentelemetry`.
    """
    trace: Any = importlib.import_module("opentelemetry.trace")
    tracer = trace.get_tracer("ehlo", tracer_provider=provider)

    def hook(event: ClientEvent) -> None:
        if not isinstance(event, Sent | Failed | Opened | OpeningFailed):
            return
        name = "smtp.send" if isinstance(event, Sent | Failed) else "smtp.open"
        end = time.time_ns()
        span = tracer.start_span(name, start_time=end - int(event.seconds * 1e9))
        span.set_attribute("smtp.connection", event.connection)
        if isinstance(event, Failed | OpeningFailed):
            span.set_attribute("error.type", type(event.error).__name__)
        if isinstance(event, Sent):
            span.set_attribute("smtp.reply_code", event.receipt.reply.code)
            span.set_attribute("smtp.attempts", len(event.receipt.failed_attempts) + 1)
        span.end(end_time=end)

    return hook


def printing_hook() -> Hook:
    """Say what happens.

    Returns:
        A hook for `on_event`.
    """
    return lambda event: print(f"connection {event.connection}: {type(event).__name__}")


def hooks() -> list[Hook]:
    """Return a hook for each package that is installed.

    Returns:
        The hooks; one that prints, if there is neither.
    """
    found: list[Hook] = []
    for make in (prometheus_hook, opentelemetry_hook):
        try:
            found.append(make())
        except ImportError as error:
            print(f"not installed: {error.name}")
    return found or [printing_hook()]


def main(url: str, watching: list[Hook] | None = None) -> None:
    """Send three mails, and have them watched."""
    if watching is None:
        watching = hooks()

    def on_event(event: ClientEvent) -> None:
        for hook in watching:
            hook(event)

    with ehlo.blocking.Client(url, on_event=on_event) as client:
        for number in range(3):
            message = ehlo.Message(
                from_="ada@example.org",
                to=[f"reader{number}@example.com"],
                subject="Notes",
                text="Plain words.\n",
            )
            client.send(message)
        print(client.stats())


if __name__ == "__main__":
    main(sys.argv[1])
