"""The native shop (examples/autoshop-native) as a server, and a client that is used as Flask's test client is."""

from __future__ import annotations

import http.client
import json as jsons
import os
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

REPOSITORY = Path(__file__).parents[3]
PROGRAM = REPOSITORY / "target/debug/autoshop-native"
PATIENCE = 30.0


class NativeAnswer:
    """What Flask's test client calls a response."""

    def __init__(self, response: http.client.HTTPResponse, body: bytes) -> None:
        self.status_code, self.headers = response.status, response.headers
        self.text = body.decode()

    @property
    def json(self) -> Any:
        """The body, parsed."""
        return jsons.loads(self.text)


class NativeClient:
    """Keeps cookies, and follows no redirects."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.cookies: SimpleCookie = SimpleCookie()

    def _ask(
        self,
        method: str,
        target: str,
        *,
        json: Any = None,
        data: bytes | str | None = None,
        content_type: str | None = None,
        headers: Mapping[str, str] | None = None,
        query_string: Mapping[str, Any] | None = None,
    ) -> NativeAnswer:
        sent = dict(headers or {})
        if json is not None:
            data, content_type = jsons.dumps(json), "application/json"
        if content_type:
            sent["Content-Type"] = content_type
        cookies = "; ".join(f"{name}={morsel.value}" for name, morsel in self.cookies.items() if morsel.value)
        if cookies:
            sent["Cookie"] = cookies
        if query_string:
            target = f"{target}?{urlencode(query_string)}"
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            connection.request(method, target, body=data, headers=sent)
            response = connection.getresponse()
            answer = NativeAnswer(response, response.read())
        finally:
            connection.close()
        for cookie in response.headers.get_all("Set-Cookie", []):
            self.cookies.load(cookie)
        return answer

    def get(self, target: str, **options: Any) -> NativeAnswer:
        return self._ask("GET", target, **options)

    def post(self, target: str, **options: Any) -> NativeAnswer:
        return self._ask("POST", target, **options)

    def put(self, target: str, **options: Any) -> NativeAnswer:
        return self._ask("PUT", target, **options)

    def patch(self, target: str, **options: Any) -> NativeAnswer:
        return self._ask("PATCH", target, **options)

    def delete(self, target: str, **options: Any) -> NativeAnswer:
        return self._ask("DELETE", target, **options)

    def options(self, target: str, **options: Any) -> NativeAnswer:
        return self._ask("OPTIONS", target, **options)


class NativeShop:
    """A running server."""

    def __init__(self, port: int) -> None:
        self.port = port

    def test_client(self) -> NativeClient:
        """Somebody with no cookies yet."""
        return NativeClient(self.port)


@contextmanager
def native_shop(environment: Mapping[str, str]) -> Iterator[NativeShop]:
    """Builds it, starts it with two workers, and stops it."""
    subprocess.run(["cargo", "build", "--quiet", "--locked", "--package", "autoshop-native"], cwd=REPOSITORY, check=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    with tempfile.TemporaryDirectory(prefix="autoshop-native-") as folder:
        log = Path(folder, "error.log")
        command = [PROGRAM, "--bind", f"127.0.0.1:{port}", "--workers", "2", "--error-logfile", log, "--capture-output"]
        server = subprocess.Popen(command, cwd=folder, env={**os.environ, **environment})
        try:
            _wait(server, port, log)
            yield NativeShop(port)
        finally:
            server.terminate()
            try:
                assert server.wait(PATIENCE) == 0
            finally:
                server.kill()


def _wait(server: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while True:
        assert server.poll() is None, f"the native shop has ended:\n{log.read_text() if log.exists() else ''}"
        assert time.monotonic() < deadline, "waited in vain for the native shop"
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
