"""A limit on everything that a request takes, which the caller can rely on."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from threading import Lock, Thread
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    import socket

_T = TypeVar("_T")


class Limit:
    """The time that a request may take, and its end from outside."""

    def __init__(self, timeout_s: float) -> None:
        self._end = time.monotonic() + timeout_s
        self._lock = Lock()
        self._sockets: list[socket.socket] = []
        self._over = False

    def left_s(self) -> float:
        """Return the seconds left.

        Raises:
            TimeoutError: none is left, or nobody waits for the request any more.
        """
        left_s = self._end - time.monotonic()
        if left_s <= 0 or self._over:
            raise TimeoutError
        return left_s

    def connected(self, connection: socket.socket) -> None:
        """Note a connection, which `give_up` ends."""
        with self._lock:
            # A duplicate, because TLS takes the connection over and leaves this object without.
            self._sockets.append(connection.dup())
        self.left_s()

    def give_up(self) -> None:
        """End what still waits for a server."""
        import socket

        with self._lock:
            self._over = True
            for connection in self._sockets:
                with suppress(OSError), connection:
                    connection.shutdown(socket.SHUT_RDWR)
            self._sockets.clear()


def in_time(work: Callable[[Limit], _T], timeout_s: float) -> _T:
    """Return what `work` returns, or leave it to its thread when the time is over.

    Args:
        work: a request, which gets its limit.
        timeout_s: how many seconds the caller waits at most.

    Raises:
        TimeoutError: the time is over.
        BaseException: what `work` raises.
    """
    from queue import Empty, SimpleQueue

    limit = Limit(timeout_s)
    outcome: SimpleQueue[tuple[_T | None, BaseException | None]] = SimpleQueue()

    def run() -> None:
        try:
            outcome.put((work(limit), None))
        except BaseException as exc:
            outcome.put((None, exc))

    Thread(target=run, daemon=True, name="edge-http").start()
    try:
        value, error = outcome.get(timeout=timeout_s)
    except Empty:
        raise TimeoutError from None
    finally:
        limit.give_up()
    if error is not None:
        raise error
    return value  # type: ignore[return-value]
