"""`ferricorn._tls`: what a hook does to the context it is given, and what a client's socket tells."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path
from typing import Any, Callable

import pytest

from ferricorn._hosting import Host
from ferricorn._loading import BadConfiguration
from ferricorn._tls import TlsSocket, chosen

# A certificate that vouches for itself, for nobody but these tests, and its key.
CERTIFICATE = """\
-----BEGIN CERTIFICATE-----
MIIBdTCCARugAwIBAgIULvthWnZvI36oBhIbQevudA0MQnEwCgYIKoZIzj0EAwIw
DzENMAsGA1UEAwwEdGVzdDAgFw0yNjExMjQyMDU1NTFaGA8yMTI2MTAzMTIwNTU1
MVowDzENMAsGA1UEAwwEdGVzdDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABEmt
c4kFOWFQw6yXKByu0k+6oN02hgUcGcaSfm1jARQNM8nUGIB3+JOS2uEPOXuNtn1W
deaBBWa7y7FP+9YpqBejUzBRMB0GA1UdDgQWBBSHMCk4a+5CLylX2L/ltDEm1TAI
cDAfBgNVHSMEGDAWgBSHMCk4a+5CLylX2L/ltDEm1TAIcDAPBgNVHRMBAf8EBTAD
AQH/MAoGCCqGSM49BAMCA0gAMEUCIFl7/DjDxiCUyquJNbj5xFCRk/KunDlHfnPe
KOXJgDhJAiEAs84MyDBfhP7IRBZrygOj/UKJSM8yvtP/m7um0bS/17I=
-----END CERTIFICATE-----
"""
KEY = """\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg52DB/BN45Khwf9ZQ
c7pfcsrafzxPhdF4/WfirPaXiq+hRANCAARJrXOJBTlhUMOslygcrtJPuqDdNoYF
HBnGkn5tYwEUDTPJ1BiAd/iTktrhDzl7jbZ9VnXmgQVmu8uxT/vWKagX
-----END PRIVATE KEY-----
"""

Hook = Callable[[Any, Callable[[], Any]], Any]


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "cert.pem").write_text(CERTIFICATE)
    (tmp_path / "key.pem").write_text(KEY)
    (tmp_path / "both.pem").write_text(KEY + CERTIFICATE)
    return tmp_path


def revised(files: Path, hook: Hook, **more: Any) -> Any:
    values = {"certfile": str(files / "cert.pem"), "keyfile": str(files / "key.pem"), "ssl_context": hook, **more}
    return Host(values).revised_tls()


def test_without_a_hook_nothing_is_revised(files: Path) -> None:
    """OpenSSL need not even be there."""
    assert Host({"certfile": str(files / "cert.pem")}).revised_tls() is None


def test_the_default_context_is_what_the_settings_say(files: Path) -> None:
    """A hook that does nothing changes nothing."""
    authority = str(files / "cert.pem")
    said = revised(files, lambda conf, factory: factory(), ca_certs=authority, cert_reqs=2, ciphers="ECDHE+AESGCM")
    assert said == {
        "certificate": str(files / "cert.pem"),
        "key": str(files / "key.pem"),
        "authorities": [authority],
        "client_certificates": 2,
        "ciphers": "ECDHE+AESGCM",
        "oldest": 2,
        "newest": 3,
        "chooser": None,
        "others": [(str(files / "cert.pem"), str(files / "key.pem"))],
    }


def test_changes_are_taken_over(files: Path) -> None:
    """Certificates, authorities, versions, ciphers, and what is asked of clients."""

    def change(conf: Any, factory: Callable[[], Any]) -> Any:
        context = factory()
        context.load_cert_chain(str(files / "both.pem"))
        context.load_verify_locations(cafile=files / "both.pem")
        context.verify_mode = ssl.CERT_OPTIONAL
        context.set_ciphers("ECDHE-ECDSA-AES128-GCM-SHA256")
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        return context

    said = revised(files, change)
    assert (said["certificate"], said["key"]) == (str(files / "both.pem"), str(files / "both.pem"))
    assert (said["authorities"], said["client_certificates"]) == ([str(files / "both.pem")], 1)
    assert (said["ciphers"], said["oldest"], said["newest"]) == ("ECDHE-ECDSA-AES128-GCM-SHA256", 2, 2)


def test_options_can_leave_versions_out(files: Path) -> None:
    """The older way to say it."""

    def change(conf: Any, factory: Callable[[], Any]) -> Any:
        context = factory()
        context.options |= ssl.OP_NO_TLSv1_2
        return context

    said = revised(files, change)
    assert (said["oldest"], said["newest"]) == (3, 3)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda context: setattr(context, "verify_flags", ssl.VERIFY_CRL_CHECK_LEAF), "revocation lists"),
        (lambda context: setattr(context, "post_handshake_auth", True), "post_handshake_auth cannot be taken over"),
        (lambda context: setattr(context, "maximum_version", ssl.TLSVersion.TLSv1_1), "TLSv1_1 is not spoken"),
        (lambda context: context.load_verify_locations(cadata="x"), "from a file only"),
        (lambda context: context.load_default_certs(), "the system's authorities"),
        (lambda context: context.set_alpn_protocols(["h2"]), "said by http_protocols"),
        (lambda context: context.set_ecdh_curve("prime256v1"), "set_ecdh_curve() cannot be taken over"),
    ],
)
def test_what_cannot_be_taken_over_is_refused(files: Path, change: Callable[[Any], Any], words: str) -> None:
    """In one sentence that names the hook."""

    def hook(conf: Any, factory: Callable[[], Any]) -> Any:
        context = factory()
        change(context)
        return context

    with pytest.raises(BadConfiguration, match="^`ssl_context`: ") as caught:
        revised(files, hook)
    assert words in str(caught.value)


def test_certificates_are_chosen_by_name(files: Path) -> None:
    """Among contexts that are there before, or made for a client; a client can be turned away, too."""
    contexts: dict[str | None, Any] = {}

    def choose(client: Any, name: str | None, context: ssl.SSLContext) -> int | None:
        assert client.context is context and client.server_hostname == name
        if name == "unknown":
            return ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
        client.context = contexts.get(name, context)
        return None

    def hook(conf: Any, factory: Callable[[], Any]) -> Any:
        contexts.update(other=factory(), foreign=ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))
        contexts["other"].load_cert_chain(files / "both.pem")
        context = factory()
        context.sni_callback = choose
        return context

    said = revised(files, hook)
    both, single = str(files / "both.pem"), (str(files / "cert.pem"), str(files / "key.pem"))
    assert sorted(said["others"]) == [(both, both), single]
    assert [chosen(said["chooser"], name) for name in ("other", "x", None)] == [(both, both), single, single]
    assert chosen(said["chooser"], "unknown") is None
    with pytest.raises(TypeError, match="must choose a context that default_ssl_context_factory"):
        chosen(said["chooser"], "foreign")


def test_another_context_is_refused(files: Path) -> None:
    """What is in it cannot be read."""
    with pytest.raises(BadConfiguration, match="must return the context that default_ssl_context_factory"):
        revised(files, lambda conf, factory: ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))


def test_the_socket_tells_and_does_nothing() -> None:
    """Nothing may go past TLS."""
    ours, theirs = socket.socketpair()
    with theirs:
        der = ssl.PEM_cert_to_DER_cert(CERTIFICATE)
        client = TlsSocket(ours.detach(), "TLSv1.3", "TLS_AES_128_GCM_SHA256", 128, "h2", der)
        with client:
            assert (client.version(), client.selected_alpn_protocol()) == ("TLSv1.3", "h2")
            assert client.cipher() == ("TLS_AES_128_GCM_SHA256", "TLSv1.3", 128)
            assert client.getpeercert(binary_form=True) == der
            assert client.getpeercert()["subject"] == ((("commonName", "test"),),)
            for act in (lambda: client.send(b"x"), lambda: client.sendall(b"x"), lambda: client.recv(1)):
                with pytest.raises(OSError, match="would go past TLS"):
                    act()
    anonymous, theirs = socket.socketpair()
    with theirs, TlsSocket(anonymous.detach(), "TLSv1.2", "x", 256, None, None) as client:
        assert (client.getpeercert(), client.selected_alpn_protocol()) == (None, None)
