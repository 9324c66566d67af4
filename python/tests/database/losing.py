"""A wire of a test's own on which packets are lost on demand: both ends go on as if nothing were, and hear nothing.

Two network namespaces and a pair of virtual Ethernet devices. To lose packets is to have each end send them to an address that
the other end's card does not have, so nothing needs a firewall.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from types import TracebackType

import pytest

CLONE_NEWNET = 0x40000000

NEAR, FAR = "10.213.0.1", "10.213.0.2"
# Locally administered, and nobody's.
NOWHERE = "02:00:00:00:00:99"


class Losing:
    """`inside("near")` and `inside("far")` are where the calling thread, and what it starts, is at either end."""

    def __init__(self) -> None:
        self._kept = ExitStack()
        self._namespaces: dict[str, int] = {}

    def __enter__(self) -> Losing:
        """Skips the test where such a wire cannot be had."""
        if os.geteuid() != 0:
            pytest.skip("only root has network namespaces to lose packets in")
        if shutil.which("ip") is None:
            pytest.skip("there is no `ip` (iproute2) to make a wire with")
        try:
            self._make()
        except BaseException:
            self._kept.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._kept.close()

    def _make(self) -> None:
        home = self._keep(namespace())
        for name in ("near", "far"):
            try:
                call("unshare", CLONE_NEWNET)
            except OSError as problem:
                pytest.skip(f"no network namespace can be made: {problem}")
            try:
                self._namespaces[name] = self._keep(namespace())
            finally:
                call("setns", home, CLONE_NEWNET)
        with self.inside("near"):
            far = self._namespaces["far"]
            made = ip(f"link add wire type veth peer name wire netns /proc/self/fd/{far}", far)
            if made.returncode != 0:
                pytest.skip(f"this kernel has no virtual Ethernet: {made.stderr.strip()}")
        for name, address in (("near", NEAR), ("far", FAR)):
            with self.inside(name):
                for words in ("link set lo up", f"address add {address}/30 dev wire", "link set wire up"):
                    ip(words).check_returncode()

    def _keep(self, descriptor: int) -> int:
        self._kept.callback(os.close, descriptor)
        return descriptor

    @contextmanager
    def inside(self, end: str) -> Iterator[None]:
        """This thread, and processes that it starts, are at this end."""
        before = namespace()
        try:
            call("setns", self._namespaces[end], CLONE_NEWNET)
            yield
        finally:
            call("setns", before, CLONE_NEWNET)
            os.close(before)

    def lose(self) -> None:
        """From now on nothing arrives in either direction."""
        for end, other in (("near", FAR), ("far", NEAR)):
            with self.inside(end):
                ip(f"neighbour replace {other} lladdr {NOWHERE} dev wire nud permanent").check_returncode()

    def go_on(self) -> None:
        """From now on everything does; what was lost stays lost."""
        for end, other in (("near", FAR), ("far", NEAR)):
            with self.inside(end):
                ip(f"neighbour delete {other} dev wire").check_returncode()


def namespace() -> int:
    """The calling thread's."""
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


def ip(words: str, *descriptors: int) -> subprocess.CompletedProcess[str]:
    """Runs it where the calling thread is."""
    return subprocess.run(["ip", *words.split()], pass_fds=descriptors, capture_output=True, text=True)


def call(name: str, *arguments: int) -> None:
    """A function of libc's that fails with -1."""
    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, name)(*arguments) != 0:
        raise OSError(ctypes.get_errno(), f"{name}: {os.strerror(ctypes.get_errno())}")
