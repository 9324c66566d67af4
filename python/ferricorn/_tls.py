"""TLS as Python knows it: the `ssl_context` hook, and `gunicorn.socket` where a client speaks TLS.

The server's TLS is not OpenSSL's, so that a context can only be looked at: what the hook does to the one it gets from its
factory is remembered and taken over, and what cannot be taken over is refused. Its `sni_callback` is called in the server's handshakes.
"""

from __future__ import annotations

import os
import socket
import ssl
import weakref
from typing import Any, Callable, NoReturn, TypedDict

from ferricorn._loading import BadConfiguration


class Revised(TypedDict):
    """What a hook has made of the TLS that the settings ask for."""

    certificate: str
    key: str
    authorities: list[str]
    client_certificates: int
    ciphers: str | None
    oldest: int
    newest: int
    chooser: Context | None
    others: list[tuple[str, str]]


# Minor numbers of TLS 1.2 and 1.3, the versions that the server speaks.
_OLDEST, _NEWEST = 2, 3
_MINOR = {ssl.TLSVersion.TLSv1_2: 2, ssl.TLSVersion.TLSv1_3: 3}

# What asks for a check of revocations.
_REVOCATIONS = ssl.VerifyFlags.VERIFY_CRL_CHECK_LEAF | ssl.VerifyFlags.VERIFY_CRL_CHECK_CHAIN


class Context(ssl.SSLContext):
    """A context that remembers what it was given."""

    chain: tuple[str, str] | None = None
    cipher_list: str | None = None

    def __init__(self, protocol: int) -> None:
        self.authorities: list[str] = []

    def load_cert_chain(self, certfile: Any, keyfile: Any = None, password: Any = None) -> None:
        super().load_cert_chain(certfile, keyfile, password or _refuse_password)
        if password is not None and _is_encrypted(keyfile or certfile):
            _refuse("a key that is encrypted cannot be used: decrypt it (openssl pkey -in ... -out ...)")
        self.chain = (os.fsdecode(certfile), os.fsdecode(keyfile or certfile))

    def load_verify_locations(self, cafile: Any = None, capath: Any = None, cadata: Any = None) -> None:
        if capath is not None or cadata is not None:
            _refuse("authorities can be taken over from a file only, load_verify_locations(cafile=...)")
        super().load_verify_locations(cafile)
        self.authorities.append(os.fsdecode(cafile))

    def load_default_certs(self, purpose: ssl.Purpose = ssl.Purpose.SERVER_AUTH) -> None:
        _refuse("the system's authorities cannot be taken over: name their file, load_verify_locations(cafile=...)")

    def set_default_verify_paths(self) -> None:
        self.load_default_certs()

    def set_ciphers(self, cipherlist: str, /) -> None:
        super().set_ciphers(cipherlist)
        self.cipher_list = cipherlist

    def set_alpn_protocols(self, alpn_protocols: Any) -> None:
        _refuse("what clients can choose from is said by http_protocols, not by set_alpn_protocols()")

    def load_dh_params(self, path: Any, /) -> None:
        _refuse("load_dh_params() cannot be taken over: key exchange is by elliptic curves, without parameters of yours")

    def set_ecdh_curve(self, name: str, /) -> None:
        _refuse("set_ecdh_curve() cannot be taken over: X25519, P-256 and P-384 are there, and clients choose")


def revised(cfg: Any) -> Revised:
    """Call the hook, and say what has become of the context that it was given."""

    # Those that are made while clients greet are gone when that is done.
    contexts: weakref.WeakSet[Context] = weakref.WeakSet()

    def default_ssl_context_factory() -> Context:
        context = Context(ssl.PROTOCOL_TLS_SERVER)
        contexts.add(context)
        if cfg.ca_certs:
            context.load_verify_locations(cfg.ca_certs)
        context.load_cert_chain(cfg.certfile, cfg.keyfile)
        context.verify_mode = ssl.VerifyMode(cfg.cert_reqs)
        if cfg.ciphers:
            context.set_ciphers(cfg.ciphers)
        return context

    made = cfg.ssl_context(cfg, default_ssl_context_factory)
    if not isinstance(made, Context):
        _refuse(f"must return the context that default_ssl_context_factory() has made, not {made!r}")
    _refuse_what_is_not_here(made)
    if made.chain is None:
        _refuse("has made a context without a certificate")
    return {
        "certificate": made.chain[0],
        "key": made.chain[1],
        "authorities": made.authorities,
        "client_certificates": int(made.verify_mode),
        "ciphers": made.cipher_list,
        "oldest": max(_OLDEST, _minor(made.minimum_version), _OLDEST + bool(made.options & ssl.Options.OP_NO_TLSv1_2)),
        "newest": min(_minor(made.maximum_version), _NEWEST - bool(made.options & ssl.Options.OP_NO_TLSv1_3)),
        "chooser": made if made.sni_callback is not None else None,
        "others": [context.chain for context in contexts if context.chain is not None],
    }


class Greeting:
    """What `sni_callback` gets in the place of a socket: a client that has said whom it wants, and nothing else yet."""

    server_side = True

    def __init__(self, context: Context, server_hostname: str | None) -> None:
        self.context = context
        self.server_hostname = server_hostname


def chosen(context: Context, name: str | None) -> tuple[str, str] | None:
    """Return the certificate and key that `sni_callback` chooses for a client, or None if it turns the client away."""
    greeting = Greeting(context, name)
    # Whoever is asked has one; what it is shown is not ssl's own kind of socket.
    choose: Any = context.sni_callback
    if choose(greeting, name, context) is not None:
        return None
    made = greeting.context
    if not isinstance(made, Context):
        raise TypeError(f"sni_callback must choose a context that default_ssl_context_factory() has made, not {made!r}")
    if made.chain is None:
        raise ValueError("sni_callback has chosen a context without a certificate")
    return made.chain


def _refuse_what_is_not_here(context: Context) -> None:
    if context.verify_flags & _REVOCATIONS:
        _refuse("revocation lists (verify_flags) cannot be taken over")
    if getattr(context, "keylog_filename", None):
        _refuse("keylog_filename cannot be taken over: secrets of connections are not written down")
    if context.post_handshake_auth:
        _refuse("post_handshake_auth cannot be taken over: certificates of clients are asked for in the handshake")


def _minor(version: ssl.TLSVersion) -> int:
    if version == ssl.TLSVersion.MINIMUM_SUPPORTED:
        return _OLDEST
    if version == ssl.TLSVersion.MAXIMUM_SUPPORTED:
        return _NEWEST
    if version not in _MINOR:
        _refuse(f"{version.name} is not spoken, TLS 1.2 and 1.3 are")
    return _MINOR[version]


def _is_encrypted(keyfile: Any) -> bool:
    with open(keyfile, "rb") as file:
        return b"ENCRYPTED" in file.read()


def _refuse_password() -> NoReturn:
    _refuse("the key is encrypted, and nobody can type a password here: decrypt it (openssl pkey -in ... -out ...)")


def _refuse(problem: str) -> NoReturn:
    raise BadConfiguration(f"`ssl_context`: {problem}")


def _is_past_tls(name: str) -> Callable[..., Any]:
    def refuse(self: TlsSocket, *arguments: Any, **keywords: Any) -> NoReturn:
        raise OSError(f"{name}() would go past TLS, which is the server's")

    refuse.__name__ = name
    return refuse


class TlsSocket(socket.socket):
    """The socket of a client that speaks TLS: what was agreed on can be asked, nothing can be sent or received."""

    def __init__(
        self, fileno: int, version: str, cipher: str, bits: int, alpn: str | None, certificate: bytes | None
    ) -> None:
        super().__init__(fileno=fileno)
        self._version, self._cipher, self._bits, self._alpn, self._certificate = version, cipher, bits, alpn, certificate

    def version(self) -> str:
        """Return the version of TLS, as OpenSSL writes it."""
        return self._version

    def cipher(self) -> tuple[str, str, int]:
        """Return the cipher suite, the version that defines it, and how many secret bits it has."""
        return self._cipher, self._version, self._bits

    def selected_alpn_protocol(self) -> str | None:
        """Return the protocol that was chosen, if there was a choice."""
        return self._alpn

    def getpeercert(self, binary_form: bool = False) -> Any:
        """Return the certificate of the client, in DER or taken apart, or None if it has shown none."""
        if self._certificate is None or binary_form:
            return self._certificate
        return _taken_apart(self._certificate)


for _name in (
    "recv", "recv_into", "recvfrom", "recvfrom_into", "recvmsg", "recvmsg_into",
    "send", "sendall", "sendfile", "sendmsg", "sendto",
):  # fmt: skip
    setattr(TlsSocket, _name, _is_past_tls(_name))


def _taken_apart(certificate: bytes) -> Any:
    """Python takes certificates apart for its own tests, from a file: this is one without a name."""
    number = os.memfd_create("certificate")
    with open(number, "w", encoding="ascii") as file:
        file.write(ssl.DER_cert_to_PEM_cert(certificate))
        file.flush()
        return ssl._ssl._test_decode_cert(f"/proc/self/fd/{number}")  # type: ignore[attr-defined]
