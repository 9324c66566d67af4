"""TLS to the database, with libpq's meaning of `sslmode`: psycopg2 is asked the same."""

from __future__ import annotations

import importlib
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from .secured import CERTIFIED, NAME, PLAIN, SecuredCluster
from .serving import Serving
from .services import DATABASE, PASSWORD, USER, Bouncer, Cluster
from .test_faults import eventually, running

db = pytest.importorskip("ferricorn.db")

ENCRYPTED = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"


@pytest.fixture(scope="module")
def secured() -> Iterator[SecuredCluster]:
    """Nobody stops it."""
    with SecuredCluster() as secured:
        yield secured


@pytest.fixture(autouse=True)
def empty_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Files of the user's own in ~/.postgresql are not this test's."""
    home = tmp_path / "home"
    (home / ".postgresql").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    return home


@pytest.fixture(params=["psycopg2", "ferricorn.db"])
def module(request: pytest.FixtureRequest) -> Any:
    """Both drivers."""
    return importlib.import_module(request.param)


def ask(module: Any, cluster: Cluster, statement: str = ENCRYPTED, **said: Any) -> Any:
    """One value of a connection of its own."""
    said = {"user": USER, "password": PASSWORD, "dbname": DATABASE, "host": NAME, "port": cluster.port, **said}
    connection = module.connect(**said)
    try:
        cursor = connection.cursor()
        cursor.execute(statement)
        return cursor.fetchone()[0]
    finally:
        connection.close()


def refused(module: Any, cluster: Cluster, words: str, **said: Any) -> None:
    """The error is one line that says where, and what to do; psycopg2 has its own words."""
    with pytest.raises(module.OperationalError) as caught:
        ask(module, cluster, **said)
    message = str(caught.value)
    if module is db:
        assert words in message and str(cluster.port) in message and "\n" not in message, message
    assert PASSWORD not in message


# Who the server is


@pytest.mark.parametrize("mode", ["allow", "prefer", "require", "verify-ca", "verify-full"])
def test_modes_that_encrypt(module: Any, secured: SecuredCluster, mode: str) -> None:
    assert ask(module, secured, sslmode=mode, sslrootcert=secured.root) is True


def test_server_that_wants_tls_from_a_client_that_does_not(module: Any, secured: SecuredCluster) -> None:
    refused(module, secured, "no encryption", sslmode="disable")


@pytest.mark.parametrize("mode", ["require", "verify-ca", "verify-full"])
def test_authority_that_does_not_vouch(module: Any, secured: SecuredCluster, tmp_path: Path, mode: str) -> None:
    trustme.CA().cert_pem.write_to_path(tmp_path / "other.crt")
    refused(module, secured, str(tmp_path / "other.crt"), sslmode=mode, sslrootcert=tmp_path / "other.crt")


def test_name_that_is_not_the_servers(module: Any, secured: SecuredCluster) -> None:
    said = {"host": secured.host, "sslrootcert": secured.root}
    assert ask(module, secured, sslmode="verify-ca", **said) is True
    refused(module, secured, "certificate", sslmode="verify-full", **said)


def test_address_of_a_named_server(module: Any, secured: SecuredCluster) -> None:
    """`hostaddr` says where, `host` says who."""
    said = {"sslmode": "verify-full", "sslrootcert": secured.root, "hostaddr": secured.host}
    assert ask(module, secured, **said) is True
    refused(module, secured, "certificate", **{**said, "host": "other.test"})


def test_nobody_to_ask(module: Any, secured: SecuredCluster) -> None:
    assert ask(module, secured, sslmode="require") is True
    for mode in ("verify-ca", "verify-full"):
        refused(module, secured, "root.crt", sslmode=mode)


def test_usual_place_of_the_authorities(module: Any, secured: SecuredCluster, empty_home: Path) -> None:
    usual = empty_home / ".postgresql" / "root.crt"
    usual.write_bytes(secured.root.read_bytes())
    assert ask(module, secured, sslmode="verify-full", application_name="usual") is True
    trustme.CA().cert_pem.write_to_path(usual)
    refused(module, secured, str(usual), sslmode="require", application_name="usual")


def test_preferred_tls_with_authorities_that_do_not_vouch(
    module: Any, secured: SecuredCluster, empty_home: Path, tmp_path: Path
) -> None:
    """libpq asks them, and goes on without TLS; we go on with it. With `require` both go no further."""
    usual = empty_home / ".postgresql" / "root.crt"
    trustme.CA().cert_pem.write_to_path(usual)
    named = tmp_path / "named.crt"
    trustme.CA().cert_pem.write_to_path(named)
    for said in ({"application_name": "preferred"}, {"sslrootcert": named}):
        if module is db:
            assert ask(module, secured, sslmode="prefer", **said) is True
        else:
            with pytest.raises(module.OperationalError, match="certificate verify failed(?s:.)*no encryption"):
                ask(module, secured, sslmode="prefer", **said)
        refused(module, secured, str(said.get("sslrootcert", usual)), sslmode="require", **said)


@pytest.mark.parametrize("content", [None, "nothing of this kind"], ids=["absent", "nonsense"])
def test_file_of_authorities_that_is_none(
    module: Any, secured: SecuredCluster, tmp_path: Path, content: str | None
) -> None:
    file = tmp_path / "authorities"
    if content is not None:
        file.write_text(content, encoding="utf-8")
    refused(module, secured, str(file), sslmode="verify-full", sslrootcert=file)


def test_variables(module: Any, secured: SecuredCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGSSLMODE", "verify-full")
    monkeypatch.setenv("PGSSLROOTCERT", str(secured.root))
    assert ask(module, secured, application_name="variables") is True
    refused(module, secured, "certificate", host=secured.host, application_name="variables")


# Servers without TLS


@pytest.mark.parametrize("mode", ["require", "verify-ca", "verify-full"])
def test_server_without_tls(module: Any, cluster: Cluster, secured: SecuredCluster, mode: str) -> None:
    refused(module, cluster, "server does not support SSL", sslmode=mode, sslrootcert=secured.root)


@pytest.mark.parametrize("mode", ["disable", "allow", "prefer"])
def test_server_without_tls_that_need_not_have_it(module: Any, cluster: Cluster, mode: str) -> None:
    assert ask(module, cluster, sslmode=mode) is False


def test_server_that_takes_this_user_without_tls_only(module: Any, secured: SecuredCluster) -> None:
    assert ask(module, secured, user=PLAIN, sslmode="prefer") is False
    refused(module, secured, "no pg_hba.conf entry", user=PLAIN, sslmode="require")


# Who we are


def test_certificate_of_ours(module: Any, secured: SecuredCluster, tmp_path: Path) -> None:
    certificate, key = secured.client(tmp_path, CERTIFIED)
    said = {"user": CERTIFIED, "password": None, "sslmode": "verify-full", "sslrootcert": secured.root}
    assert ask(module, secured, "SELECT current_user", sslcert=certificate, sslkey=key, **said) == CERTIFIED
    refused(module, secured, "client certificate", **said)
    other, key_of_other = secured.client(tmp_path, "somebody-else")
    refused(module, secured, CERTIFIED, sslcert=other, sslkey=key_of_other, **said)
    refused(module, secured, str(certificate), sslcert=certificate, sslkey=key_of_other, **said)
    refused(module, secured, str(tmp_path / "absent"), sslcert=certificate, sslkey=tmp_path / "absent", **said)
    refused(module, secured, str(tmp_path / "absent"), sslcert=tmp_path / "absent", sslkey=key, **said)


def test_certificate_of_ours_that_the_server_does_not_trust(
    module: Any, secured: SecuredCluster, tmp_path: Path
) -> None:
    certificate, key = secured.client(tmp_path, CERTIFIED, trustme.CA())
    refused(module, secured, str(certificate), user=CERTIFIED, sslmode="require", sslcert=certificate, sslkey=key)


def test_usual_place_of_our_certificate(module: Any, secured: SecuredCluster, empty_home: Path, tmp_path: Path) -> None:
    for file, suffix in zip(secured.client(tmp_path, CERTIFIED), ("crt", "key"), strict=True):
        file.rename(empty_home / ".postgresql" / f"postgresql.{suffix}")
    said = {"user": CERTIFIED, "password": None, "sslmode": "require"}
    assert ask(module, secured, "SELECT current_user", **said) == CERTIFIED


# Passwords


def test_password_is_bound_to_the_channel(module: Any, secured: SecuredCluster) -> None:
    assert ask(module, secured, sslmode="require", channel_binding="require") is True
    assert ask(module, secured, sslmode="require", channel_binding="disable") is True
    refused(module, secured, "password authentication failed", sslmode="require", password="wrong")


def test_channel_that_has_nothing_to_bind_to(module: Any, cluster: Cluster) -> None:
    refused(module, cluster, "channel binding", sslmode="disable", channel_binding="require")


# What else goes over it


def test_request_to_cancel(module: Any, secured: SecuredCluster) -> None:
    said = {"user": USER, "password": PASSWORD, "dbname": DATABASE, "host": NAME, "port": secured.port}
    connection = module.connect(**said, sslmode="verify-full", sslrootcert=str(secured.root))
    cursor = connection.cursor()
    mark = f"of {module.__name__}"
    failure: list[BaseException] = []

    def run() -> None:
        try:
            cursor.execute(f"SELECT pg_sleep(60), '{mark}'")
        except module.Error as error:
            failure.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    eventually("the statement runs", lambda: running(secured, mark))
    connection.cancel()
    thread.join(20)
    assert failure[0].pgcode == "57014"  # type: ignore[attr-defined]
    connection.close()


def test_pgbouncer_with_tls_on_both_sides(module: Any, secured: SecuredCluster) -> None:
    files = {f"client_tls_{what}_file": f"{secured.directory}/server.{end}" for what, end in [("cert", "crt"), ("key", "key")]}
    with Bouncer(secured, client_tls_sslmode="require", server_tls_sslmode="require", **files) as bouncer:
        said = {"sslmode": "verify-full", "sslrootcert": secured.root}
        for _ in range(3):
            assert ask(module, bouncer, **said) is True
        refused(module, bouncer, "SSL required", sslmode="disable")


def test_settings_of_a_server(secured: SecuredCluster) -> None:
    serving = Serving("", "-c", "ferricorn.toml", "--request-timeout", "0.5")
    keys = {
        "host": NAME, "port": secured.port, "user": USER, "password": PASSWORD, "database": DATABASE,
        "sslmode": "verify-full", "sslrootcert": secured.root,
    }  # fmt: skip
    lines = [f'{name} = "{value}"' for name, value in keys.items()]
    (serving.directory / "ferricorn.toml").write_text("\n".join(["[db]", *lines]), encoding="utf-8")
    with serving as server:
        assert server.get("/pid")[0] == 200
        assert server.get("/sleep?over-tls")[0] == 504
        eventually("the request to cancel has come", lambda: not running(secured, "over-tls"))
        assert not server.lines("could not be cancelled")
