"""The `req` and `resp` that request hooks and loggers see, and the calls of both."""

from __future__ import annotations

import itertools
from datetime import timedelta
from typing import Any, Callable
from urllib.parse import urlsplit

from ferricorn.config import Config
from ferricorn.workers.base import Worker

Headers = list[tuple[str, str]]
Peer = tuple[str, int] | str


class Request:
    """A request, as it came."""

    def __init__(
        self, method: str, uri: str, version: tuple[int, int], headers: Headers, scheme: str, peer: Peer, number: int
    ) -> None:
        self.method = method
        self.uri = uri
        parts = urlsplit(uri if not uri.startswith("//") else "/." + uri)
        self.path = parts.path if not uri.startswith("//") else parts.path[2:]
        self.query = parts.query
        self.fragment = parts.fragment
        self.version = version
        self.headers = headers
        self.trailers: Headers = []
        self.body: Any = None
        self.scheme = scheme
        self.peer_addr = peer
        self.remote_addr = peer
        self.proxy_protocol_info: dict[str, Any] | None = None
        self.req_number = number

    def should_close(self) -> bool:
        """Return whether the client wants its connection closed."""
        for name, value in self.headers:
            if name == "CONNECTION":
                return value.lower().strip() == "close"
        return self.version <= (1, 0)


class Response:
    """What was answered."""

    def __init__(self, req: Request, status: str | None, headers: Headers, sent: int, failed: bool) -> None:
        self.req = req
        self.version = "ferricorn"
        self.status = status
        self.headers = headers
        self.sent = sent
        self.must_close = failed
        self.headers_sent = status is not None
        lengths = [value for name, value in headers if name.lower() == "content-length"]
        self.response_length = int(lengths[-1]) if lengths and lengths[-1].strip().isdigit() else None
        self.chunked = self.response_length is None and req.version > (1, 0) and self._may_have_body()

    @property
    def status_code(self) -> int | None:
        """The number at the beginning of the status."""
        return int(self.status.split(None, 1)[0]) if self.status else None

    def should_close(self) -> bool:
        """Return whether the connection ends with this response."""
        return self.must_close or self.req.should_close()

    def _may_have_body(self) -> bool:
        code = self.status_code
        return self.req.method != "HEAD" and code is not None and code >= 200 and code not in (204, 304)


class RequestHooks:
    """Calls `pre_request`, `post_request` and the access method of a logger in Python."""

    def __init__(self, cfg: Config, worker: Worker, defined: set[str], logs: bool) -> None:
        self._worker = worker
        self._log: Any = worker.log if logs else None
        self._pre: Callable[..., Any] | None = cfg.pre_request if "pre_request" in defined else None
        self._post: Callable[..., Any] | None = cfg.post_request if "post_request" in defined else None
        # Threads may begin requests at the same time, and this counts without a lock.
        self._numbers = itertools.count(1)

    @classmethod
    def of(cls, cfg: Config, worker: Worker, defined: set[str], logs: bool) -> RequestHooks | None:
        """Return hooks if anybody wants to see requests."""
        wanted = logs or "pre_request" in defined or "post_request" in defined
        return cls(cfg, worker, defined, logs) if wanted else None

    def begin(
        self, method: str, uri: str, version: tuple[int, int], headers: Headers, scheme: str, peer: Peer
    ) -> Request:
        """Return the request that the others are called with."""
        return Request(method, uri, version, headers, scheme, peer, next(self._numbers))

    def before(self, req: Request) -> Headers | None:
        """Call `pre_request`; return the headers if it has changed them."""
        if self._pre is None:
            self._worker.nr += 1
            return None
        before = list(req.headers)
        self._pre(self._worker, req)
        self._worker.nr += 1
        return list(req.headers) if req.headers != before else None

    def after(
        self,
        req: Request,
        environ: dict[str, Any] | None,
        status: str | None,
        headers: Headers | None,
        sent: int,
        elapsed: timedelta,
        failure: str | None,
    ) -> None:
        """Write the access line and call `post_request`, with what was answered.

        `failure` is the status with which the server has answered for an application that has failed.
        """
        resp = Response(req, status, list(headers or ()), sent, failure is not None) if environ is not None else None
        if self._log is not None:
            self._log_access(req, environ, resp, elapsed, failure)
        if self._post is not None and environ is not None:
            try:
                self._post(self._worker, req, environ, resp)
            except Exception:
                self._worker.log.exception("Exception in post_request hook")

    def _log_access(
        self,
        req: Request,
        environ: dict[str, Any] | None,
        resp: Response | None,
        elapsed: timedelta,
        failure: str | None,
    ) -> None:
        if failure is not None or resp is None or environ is None:
            # The client has been sent the server's own page, or the end of its connection.
            answered = Response(req, failure or "500 Internal Server Error", [], 0, True)
            environ = environ if environ is not None else _environ_of(req)
        else:
            answered = resp
        try:
            self._log.access(answered, req, environ, elapsed)
        except Exception:
            self._worker.log.exception("Exception in the logger's access method")


def _environ_of(req: Request) -> dict[str, Any]:
    """Return what access lines need of an environ where there is none."""
    return {
        "REQUEST_METHOD": req.method,
        "RAW_URI": req.uri,
        "PATH_INFO": req.path,
        "QUERY_STRING": req.query,
        "SERVER_PROTOCOL": f"HTTP/{req.version[0]}.{req.version[1]}",
        "REMOTE_ADDR": req.remote_addr[0] if isinstance(req.remote_addr, tuple) else req.remote_addr,
    }
