"""A state on another machine is reached by verified TLS, unless the user has decided otherwise."""

from __future__ import annotations

import socket
import threading
from collections.abc import Mapping
from pathlib import Path

import pytest
import sqlalchemy as sa

from hacore.errors import StoreError
from hacore.store.database import open_server
from hacore.store.server_tls import password_warning, tls_options

VERIFIED = {"sslmode": "verify-full", "sslrootcert": "system"}
TRUSTED = "sslmode=verify-full&sslrootcert=system"


@pytest.mark.parametrize(
    ("url", "environ", "options"),
    [
        ("postgresql://ops@db.example.com/web", {}, VERIFIED),
        ("postgresql://ops@192.0.2.7:5433/web", {}, VERIFIED),
        ("postgresql://ops@/web?host=db.example.com", {}, VERIFIED),
        ("postgresql://ops@/web", {"PGHOST": "db.example.com"}, VERIFIED),
        ("postgresql://ops@localhost,db.example.com/web", {}, VERIFIED),
        ("postgresql://ops@/web", {"PGHOSTADDR": "192.0.2.7"}, VERIFIED),
        ("postgresql://ops@/web", {"PGHOSTADDR": "192.0.2.7", "PGHOST": "localhost"}, VERIFIED),
        ("postgresql://ops@localhost/web?hostaddr=192.0.2.7", {}, VERIFIED),
        ("postgresql://ops@/web?host=localhost&hostaddr=192.0.2.7", {}, VERIFIED),
        ("postgresql://ops@db.example.com/web?hostaddr=127.0.0.1", {}, {}),
        ("postgresql://ops@localhost/web", {"PGHOST": "db.example.com"}, {}),
        ("postgresql://ops@/web?host=@abstract", {}, {}),
        ("postgresql://ops@/web", {"PGHOST": "/run/postgresql,localhost"}, {}),
        ("postgresql://ops@db.example.com/web?sslnegotiation=direct", {}, {}),
        ("postgresql://ops@db.example.com/web", {"PGSERVICE": "team"}, {}),
        ("postgresql://ops@localhost/web", {}, {}),
        ("postgresql://ops@127.0.0.1/web", {}, {}),
        ("postgresql://ops@[::1]/web", {}, {}),
        ("postgresql://ops@/web", {}, {}),
        ("postgresql://ops@/web?host=/run/postgresql", {}, {}),
        ("postgresql://ops@db.example.com/web?sslmode=prefer", {}, {}),
        ("postgresql://ops@db.example.com/web?sslrootcert=/etc/ca.pem", {}, {}),
        ("postgresql://ops@db.example.com/web?service=team", {}, {}),
        ("postgresql://ops@db.example.com/web", {"PGSSLMODE": "require"}, {}),
        ("postgresql://ops@db.example.com/web", {"PGSSLROOTCERT": "/etc/ca.pem"}, {}),
        ("postgresql://ops@db.example.com/web", {"PGSSLMODE": ""}, VERIFIED),
    ],
)
def test_what_is_added(url: str, environ: Mapping[str, str], options: dict[str, str], tmp_path: Path) -> None:
    parsed = sa.make_url(url)
    assert tls_options(parsed.host, parsed.query, environ, tmp_path) == options


def test_a_root_certificate_of_the_user_is_a_decision(tmp_path: Path) -> None:
    (tmp_path / ".postgresql").mkdir()
    (tmp_path / ".postgresql" / "root.crt").write_text("x")
    assert tls_options("db.example.com", {}, {}, tmp_path) == {}


class Listener:
    """A server that has no TLS, and would like to have the password in clear."""

    def __init__(self) -> None:
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.heard = b""
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self) -> None:
        self.socket.settimeout(30)
        with self.socket:
            connection, _ = self.socket.accept()
        with connection:
            connection.settimeout(10)
            self.heard += connection.recv(1000)
            connection.sendall(b"N")  # no TLS (postgresql.org, "SSL Session Encryption")
            while part := connection.recv(1000):
                self.heard += part
                connection.sendall(b"R\0\0\0\x08\0\0\0\x03")  # AuthenticationCleartextPassword


def test_a_server_without_tls_gets_no_password_and_the_error_names_both_parameters(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PGPASSWORD", "team-db-p4ss")
    for name in ("PGSSLMODE", "PGSSLROOTCERT", "PGSERVICE", "PGSERVICEFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("hacore.store.server_tls._near", lambda _: False)
    listener = Listener()
    with pytest.raises(StoreError, match="does not support SSL") as caught:
        open_server("web", f"postgresql://ci@127.0.0.1:{listener.port}/web")
    assert "?sslrootcert=FILE&sslmode=verify-full" in str(caught.value)
    listener.thread.join(30)
    assert b"team-db-p4ss" not in listener.heard
    assert b"ci" not in listener.heard


@pytest.mark.parametrize(
    ("url", "servers", "named"),
    [
        ("postgresql://ci@127.0.0.1:15439/web", "", "127.0.0.1:15439"),
        ("postgresql://ci@db.example.com/web", "", "db.example.com:5432"),
        ("postgresql+psycopg://ci@db.example.com/web", "", "db.example.com:5432"),
        ("postgresql://ci@/web?host=db.example.com&port=5433", "", "db.example.com:5433"),
        ("postgresql://ci@db.example.com/web", "other, db.example.com", ""),
        ("postgresql://ci@db.example.com/web", "db.example.com:5432", ""),
        ("postgresql://ci@db.example.com/web", "db.example.com:5433", "db.example.com:5432"),
        ("postgresql://ci@/web?host=/run/postgresql", "", ""),
        ("postgresql://ci@/web", "", ""),
        # SCRAM alone, to a server that the system's certificates prove: it never gets the password
        ("postgresql://ci@db.example.com/web?require_auth=scram-sha-256", "", ""),
        (f"postgresql://ci@127.0.0.1/web?{TRUSTED}&require_auth=scram-sha-256", "", ""),
        (f"postgresql://ci@db.example.com/web?{TRUSTED}", "", "db.example.com:5432"),
        (f"postgresql://ci@db.example.com/web?{TRUSTED}&require_auth=password", "", "db.example.com:5432"),
        ("postgresql://ci@127.0.0.1/web?require_auth=scram-sha-256", "", "127.0.0.1:5432"),
        ("postgresql://ci@db.example.com/web?sslmode=require&require_auth=scram-sha-256", "", "db.example.com:5432"),
        (
            "postgresql://ci@db.example.com/web?sslmode=verify-full&sslrootcert=own.pem&require_auth=scram-sha-256",
            "",
            "db.example.com:5432",
        ),
        ("sqlite:///web.db", "", ""),
        # not read by SQLAlchemy either: opening it is the error
        ("postgresql://ci@db-1:5432,db-2:5433/web", "", ""),
        ("postgresql://ci@[db/web", "", ""),
    ],
)
def test_a_password_for_a_server_that_the_stack_names_is_warned_of(url: str, servers: str, named: str) -> None:
    environ = {"PGPASSWORD": "team-db-p4ss", "HACORE_STATE_SERVERS": servers}
    found = password_warning(url, environ)
    assert (f"PGPASSWORD is offered to {named}, which the stack names" in found) if named else found == ""
    assert "team-db-p4ss" not in found
    assert password_warning(url, {}) == ""
