"""A TCP proxy of a test's own that stops forwarding on demand: a network that swallows everything and says nothing."""

from __future__ import annotations

import select
import socket
import threading
from contextlib import suppress
from types import TracebackType

from .services import DATABASE, PASSWORD, USER


class Stalling:
    """Listens on the loopback and forwards to `upstream`; `stall()` keeps connections open and their bytes back."""

    def __init__(self, upstream: tuple[str, int]) -> None:
        self._upstream = upstream
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.host, self.port = "127.0.0.1", int(self._listener.getsockname()[1])
        self._waker, self._wakeup = socket.socketpair()
        # Both ends of each connection, with the one across.
        self._across: dict[socket.socket, socket.socket] = {}
        self._stalled = self._ended = self._refuses = False
        self.accepted = 0
        self._thread = threading.Thread(target=self._forward, daemon=True)

    def __enter__(self) -> Stalling:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._ended = True
        self._wake()
        self._thread.join()
        for end in (*self._across, self._listener, self._waker, self._wakeup):
            end.close()

    def url(self) -> str:
        """The database behind the proxy."""
        return f"postgresql://{USER}:{PASSWORD}@{self.host}:{self.port}/{DATABASE}"

    def stall(self) -> None:
        """From now on nothing passes in either direction, and nobody is told; new connections are accepted all the same."""
        self._stalled = True
        self._wake()

    def refuse(self) -> None:
        """From now on new connections are ended at once."""
        self._refuses = True

    def go_on(self) -> None:
        """What was held back passes, and new connections are served."""
        self._stalled = self._refuses = False
        self._wake()

    def connections(self) -> int:
        """How many are open."""
        return len(self._across) // 2

    def _wake(self) -> None:
        self._waker.send(b"x")

    def _forward(self) -> None:
        while not self._ended:
            watched = [self._wakeup, self._listener, *([] if self._stalled else self._across)]
            for end in select.select(watched, [], [])[0]:
                if end is self._wakeup:
                    self._wakeup.recv(64)
                elif end is self._listener:
                    self._accept()
                elif end in self._across:
                    self._pass_on(end, self._across[end])

    def _accept(self) -> None:
        client = self._listener.accept()[0]
        self.accepted += 1
        if self._refuses:
            client.close()
            return
        try:
            server = socket.create_connection(self._upstream)
        except OSError:
            client.close()
            return
        self._across |= {client: server, server: client}

    def _pass_on(self, end: socket.socket, other: socket.socket) -> None:
        with suppress(OSError):
            data = end.recv(65536)
            if data:
                other.sendall(data)
                return
        for gone in (end, other):
            del self._across[gone]
            gone.close()
