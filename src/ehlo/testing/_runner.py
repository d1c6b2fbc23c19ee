"""A server on the loopback interface, in a thread of its own."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self
from urllib.parse import quote

from ehlo.errors import InvalidInput
from ehlo.policies import Tls, chosen
from ehlo.testing._options import Dialect, Offer, ServerOptions
from ehlo.testing._transport import Shared, Transport

if TYPE_CHECKING:
    import ssl
    from types import TracebackType

    from ehlo.testing._proxy import ProxyHeader
    from ehlo.testing._received import ReceivedCommand, ReceivedMessage

__all__ = ["Server"]

_HOST: Final = "127.0.0.1"
_BACKLOG: Final = 128
_PATIENCE: Final = 10.0
"""Seconds to wait for the server's own thread; only a hook that blocks can use them up."""
_SCHEMES: Final = {Tls.NONE: "", Tls.STARTTLS: "+starttls", Tls.IMPLICIT: "s"}
"""What follows the protocol in a URL."""


@dataclass(frozen=True, slots=True)
class _Running:
    """What there is of a server only while it runs."""

    loop: asyncio.AbstractEventLoop
    stop: asyncio.Event


class Server:
    """An SMTP server on the loopback interface, for the time of a `with` or `async with` block.

    It runs in one thread of its own, so clients of any kind can use it: blocking ones,
    ones in any event loop, other processes. Entering and leaving the block take about a
    millisecond and need no event loop. Leaving it ends all connections, the listener and the
    thread, and raises what went wrong in the server itself (an answers hook, for example).

    What was received can be read during the block and after it. It is there before the reply to
    it is sent.

    Args:
        options: How the server behaves; None for the defaults.
        tls: `implicit`, `starttls` or `none`; by default `starttls` if there is a context.
        ssl_context: A server-side context with a certificate; required for TLS.
        path: Where to make a unix socket; None for a TCP port that the system chooses, on
            127.0.0.1.

    Raises:
        InvalidInput: The TLS mode, the context and the options do not fit together.
    """

    def __init__(
        self,
        options: ServerOptions | None = None,
        *,
        tls: Tls | str | None = None,
        ssl_context: ssl.SSLContext | None = None,
        path: str | os.PathLike[str] | None = None,
    ) -> None:
        options = options or ServerOptions()
        self._tls = _tls_mode(tls, ssl_context, options)
        if self._tls is Tls.STARTTLS and options.starttls is Offer.OFF:
            options = replace(options, starttls=Offer.OFFERED)
        implicit = self._tls is Tls.IMPLICIT
        self._path = "" if path is None else os.fspath(path)
        self._shared = Shared(options=options, context=ssl_context, implicit=implicit)
        self._records = self._shared.records
        self._port = 0
        self._thread: threading.Thread | None = None
        self._ready: Future[_Running] = Future()

    # --- where it is

    @property
    def options(self) -> ServerOptions:
        """How the server behaves."""
        return self._shared.options

    @property
    def host(self) -> str:
        """The IP address that it listens on; empty for a unix socket."""
        return "" if self._path else _HOST

    @property
    def port(self) -> int:
        """The TCP port; 0 for a unix socket.

        Raises:
            RuntimeError: The server is not running yet.
        """
        if self._path:
            return 0
        self._running()
        return self._port

    @property
    def path(self) -> str:
        """The path of the unix socket; empty for TCP."""
        return self._path

    @property
    def url(self) -> str:
        """The URL that a client is given, such as `smtp://127.0.0.1:52525`.

        A server that speaks LMTP has `lmtp` in the place of `smtp`.

        Raises:
            RuntimeError: The server is not running yet.
        """
        protocol = "lmtp" if self.options.dialect is Dialect.LMTP else "smtp"
        if self._path:
            return f"{protocol}+unix://{quote(str(Path(self._path).absolute()))}"
        return f"{protocol}{_SCHEMES[self._tls]}://{self.host}:{self.port}"

    # --- what it has received

    @property
    def messages(self) -> tuple[ReceivedMessage, ...]:
        """The messages that were accepted so far."""
        return self._records.messages

    @property
    def commands(self) -> tuple[ReceivedCommand, ...]:
        """The commands that came in so far, over all connections."""
        return self._records.commands

    @property
    def discarded(self) -> bytes:
        """The octets that came in clear behind STARTTLS, and were not looked at."""
        return self._records.discarded

    @property
    def proxy_headers(self) -> tuple[ProxyHeader, ...]:
        """What proxies said about connections, in the order they did."""
        return self._records.proxy_headers

    @property
    def flights(self) -> int:
        """How many times a client began to speak after the server had, over all connections.

        These are the round trips, if the client writes a group of commands at once and the
        system does not cut it; `converse` counts them without a network in between.
        """
        return self._records.flights

    @property
    def connections(self) -> int:
        """How many connections were accepted so far."""
        return self._records.connections

    def wait_for_messages(
        self, count: int = 1, timeout: float = 5.0
    ) -> tuple[ReceivedMessage, ...]:
        """Block until messages have come.

        Args:
            count: How many in all, since the server was started.
            timeout: How many seconds to wait.

        Returns:
            All messages so far; `count` at least.

        Raises:
            TimeoutError: There were fewer.
            BaseException: Something went wrong in the server itself, and is raised here.
        """
        self._records.wait_for_messages(count, timeout)
        return self.messages

    def wait_for_commands(
        self, count: int = 1, timeout: float = 5.0
    ) -> tuple[ReceivedCommand, ...]:
        """Block until commands have come, answered or not.

        Args:
            count: How many in all, since the server was started.
            timeout: How many seconds to wait.

        Returns:
            All commands so far; `count` at least.

        Raises:
            TimeoutError: There were fewer.
            BaseException: Something went wrong in the server itself, and is raised here.
        """
        self._records.wait_for_commands(count, timeout)
        return self.commands

    def wait_until_idle(self, timeout: float = 5.0) -> None:
        """Block until no client is connected (and the server has noticed).

        Args:
            timeout: How many seconds to wait.

        Raises:
            TimeoutError: There still are connections.
            BaseException: Something went wrong in the server itself, and is raised here.
        """
        self._records.wait_until_idle(timeout)

    # --- its life

    def release(self, name: str) -> None:
        """Let all connections go on that wait for a name, now or later (see `Wait`).

        Args:
            name: The name.

        Raises:
            RuntimeError: The server is not running.
        """
        self._running().loop.call_soon_threadsafe(self._shared.release, name)

    def __enter__(self) -> Self:
        """Start the server.

        Returns:
            The server, which accepts connections now.

        Raises:
            RuntimeError: It was started before.
            OSError: The unix socket cannot be made.
        """
        if self._thread is not None:
            raise RuntimeError("a Server is started once")
        listener = self._listen()
        run = partial(self._run, listener)
        self._thread = threading.Thread(target=run, name="ehlo.testing.Server", daemon=True)
        self._thread.start()
        self._ready.result(_PATIENCE)
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop the server.

        Raises:
            BaseException: What went wrong in the server; a group if it was several things.
            RuntimeError: Its thread does not end, because an answers hook blocks.
        """
        running = self._running()
        running.loop.call_soon_threadsafe(running.stop.set)
        assert self._thread is not None  # noqa: S101 - it is running
        self._thread.join(_PATIENCE)
        if self._thread.is_alive():
            raise RuntimeError("the server's thread does not end: an answers hook blocks")
        failures = self._records.failures
        if exc is None or exc not in failures:
            _raise(failures)

    async def __aenter__(self) -> Self:
        """Start the server; see `__enter__`."""
        return self.__enter__()

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop the server; see `__exit__`."""
        self.__exit__(exc_type, exc, traceback)

    def _running(self) -> _Running:
        if not self._ready.done():
            raise RuntimeError("the server is not running: use it in a with block")
        return self._ready.result()

    def _listen(self) -> socket.socket:
        if not self._path:
            listener = socket.create_server((_HOST, 0), backlog=_BACKLOG)
            self._port = listener.getsockname()[1]
            return listener
        listener = socket.socket(socket.AF_UNIX)
        try:
            listener.bind(self._path)
        except OSError:
            listener.close()
            raise
        listener.listen(_BACKLOG)
        return listener

    # --- its thread

    def _run(self, listener: socket.socket) -> None:
        try:
            with listener, asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
                runner.run(self._serve(listener))
        except BaseException as exc:  # noqa: BLE001 - it would end with the thread, unseen
            self._records.fail(exc)
            with suppress(InvalidStateError):
                self._ready.set_exception(exc)
        if self._path:
            Path(self._path).unlink(missing_ok=True)

    async def _serve(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(self._unexpected)
        accepting: set[asyncio.Task[object]] = set()
        # asyncio's own listener is no help: closed while it accepts a connection, it loses the
        # connection's socket. Here, what was accepted is known, whenever that was.
        listener.settimeout(0.0)
        loop.add_reader(listener, self._accept, loop, listener, accepting)
        stop = asyncio.Event()
        self._ready.set_result(_Running(loop, stop))
        await stop.wait()
        loop.remove_reader(listener)
        self._shared.stopping = True
        await asyncio.gather(*accepting)
        while self._shared.open:
            connection = next(iter(self._shared.open))
            connection.abort()
            await connection.lost

    def _accept(
        self,
        loop: asyncio.AbstractEventLoop,
        listener: socket.socket,
        accepting: set[asyncio.Task[object]],
    ) -> None:
        with suppress(BlockingIOError, ConnectionAbortedError):  # the client is gone already
            sock, _ = listener.accept()
            connection = partial(Transport, self._shared)
            task = loop.create_task(loop.connect_accepted_socket(connection, sock))
            accepting.add(task)
            task.add_done_callback(accepting.discard)

    def _unexpected(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Keep what the event loop would only have written to a log."""
        self._records.fail(context.get("exception") or RuntimeError(context["message"]))


def _tls_mode(tls: Tls | str | None, context: ssl.SSLContext | None, options: ServerOptions) -> Tls:
    """Return the TLS mode that was asked for, if it can be had."""
    mode = chosen(Tls, tls or (Tls.NONE if context is None else Tls.STARTTLS))
    if mode not in _SCHEMES:
        right = ", ".join(repr(str(known)) for known in _SCHEMES)
        raise InvalidInput(f"the TLS mode of a server is one of {right}, not {str(mode)!r}")
    if mode is Tls.NONE and context is not None:
        raise InvalidInput("a server without TLS takes no ssl_context")
    needed = mode is not Tls.NONE or options.starttls is not Offer.OFF
    if needed and context is None:
        raise InvalidInput("TLS needs an ssl_context with the server's certificate")
    return mode


def _raise(failures: tuple[BaseException, ...]) -> None:
    """Raise what went wrong, if anything did."""
    if len(failures) > 1:
        raise BaseExceptionGroup("the server failed", failures)
    for failure in failures:
        raise failure
