"""A Postgres that has TLS: its authority, its certificate, and certificates of clients, made anew for each run."""

from __future__ import annotations

from pathlib import Path

import trustme

from .services import PASSWORD, USER, Cluster, hand_over

# The server's certificate has this name and no other: 127.0.0.1 is the same place by another name.
NAME = "localhost"

# Who has to show a certificate, and who must come without TLS.
CERTIFIED = "certified"
PLAIN = "plain"

HBA = f"""
local all all trust
hostssl all {CERTIFIED} 127.0.0.1/32 cert
hostnossl all {PLAIN} 127.0.0.1/32 scram-sha-256
hostssl all {USER} 127.0.0.1/32 scram-sha-256
"""


class SecuredCluster(Cluster):
    """Takes nobody but `plain` without TLS; `certified` has to show a certificate of its name."""

    def __init__(self, **settings: str) -> None:
        files = {"ssl_cert_file": "../server.crt", "ssl_key_file": "../server.key", "ssl_ca_file": "../root.crt"}
        super().__init__(ssl="on", **files, **settings)
        self.authority = trustme.CA()
        self.root = self.directory / "root.crt"

    def start(self) -> None:
        """The first start makes the users, too."""
        fresh = not (self.directory / "data").exists()
        super().start()
        if fresh:
            self.superuser(f"CREATE ROLE {CERTIFIED} LOGIN; CREATE ROLE {PLAIN} LOGIN PASSWORD '{PASSWORD}'")

    def _make(self) -> None:
        super()._make()
        (self.directory / "data" / "pg_hba.conf").write_text(HBA, encoding="utf-8")
        self.authority.cert_pem.write_to_path(self.root)
        write(self.authority.issue_cert(NAME), self.directory / "server")
        hand_over(self.directory)

    def client(self, directory: Path, name: str, authority: trustme.CA | None = None) -> tuple[Path, Path]:
        """A client's certificate and its key."""
        issued = (authority or self.authority).issue_cert(f"{name}@clients.test", common_name=name)
        return write(issued, directory / name)


def write(issued: trustme.LeafCert, stem: Path) -> tuple[Path, Path]:
    """Two files; nobody else may read the key, or libpq and Postgres do not take it."""
    certificate, key = stem.with_suffix(".crt"), stem.with_suffix(".key")
    for number, pem in enumerate(issued.cert_chain_pems):
        pem.write_to_path(certificate, append=number > 0)
    key.touch(mode=0o600)
    issued.private_key_pem.write_to_path(key)
    return certificate, key
