"""TLS to a state's server: verified, unless the user has decided otherwise (postgresql.org, "SSL Support").

libpq's own default, sslmode=prefer, verifies nothing and falls back to plain text: somebody in the middle reads the
password and the state.
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

__all__ = ["HINT", "password_warning", "tls_options"]

HINT = (
    "hacore requires TLS with a certificate that the system trusts for a server on another machine; for another "
    "certificate set ?sslrootcert=FILE&sslmode=verify-full in the URL, else ?sslmode= to what the network allows"
)
_DECIDED = ("sslmode", "sslrootcert", "sslnegotiation", "requiressl", "service")
_DECIDED_OUTSIDE = ("PGSSLMODE", "PGSSLROOTCERT", "PGREQUIRESSL", "PGSSLNEGOTIATION", "PGSERVICE", "PGSERVICEFILE")


def tls_options(
    host: str | None,
    query: Mapping[str, object],
    environ: Mapping[str, str] = os.environ,
    home: Path | None = None,
) -> dict[str, str]:
    """Parameters of libpq in addition to those of the URL; none for a socket, this machine, or a decision of the user.

    `host`: of the URL; `query`: its parameters. A decision is a parameter of TLS or a service in the URL, one of
    libpq's variables, or a file ~/.postgresql/root.crt.
    """
    named = _of_url(host, query) or environ.get("PGHOSTADDR") or environ.get("PGHOST", "")
    if not named or all(_near(part) for part in named.split(",")):
        return {}
    if any(key in query for key in _DECIDED) or any(environ.get(key) for key in _DECIDED_OUTSIDE):
        return {}
    try:
        if ((home or Path.home()) / ".postgresql" / "root.crt").exists():
            return {}
    except RuntimeError:  # no home
        pass
    return {"sslmode": "verify-full", "sslrootcert": "system"}


def _of_url(host: str | None, query: Mapping[str, object]) -> str:
    """What a URL names: a host, several with commas, or the folder of a socket; empty if it leaves that to libpq."""
    return str(query.get("hostaddr") or query.get("host") or host or "")


def _near(host: str) -> bool:
    """A socket's folder, or an address of this machine."""
    if not host or host.startswith(("/", "@")) or host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def password_warning(url: str, environ: Mapping[str, str] = os.environ) -> str:
    """The warning about PGPASSWORD for a server that a stack names itself; empty if the user has named the server.

    A stack may be a stranger's: a server that it names can ask for the password in clear text.
    HACORE_STATE_SERVERS: the hosts that may have it, separated by commas, each with or without its port.
    No warning either where the server never learns it: a verified certificate and SCRAM alone (RFC 5802, section 9).
    """
    if not environ.get("PGPASSWORD") or not url.startswith("postgresql"):
        return ""
    try:
        parts = urlsplit(url)
        query = dict(parse_qsl(parts.query))
        host = _of_url(parts.hostname, query) or environ.get("PGHOST", "")
        port = parts.port or query.get("port") or 5432
    except ValueError:  # no URL: the error of opening the state
        return ""
    if not host or host.startswith(("/", "@")) or _proven_by_scram(parts.hostname, query, environ):
        return ""
    servers = [f"{one}:{port}" for one in host.split(",")]
    named = {word.strip() for word in environ.get("HACORE_STATE_SERVERS", "").split(",")}
    strange = [server for server in servers if not {server, server.rpartition(":")[0]} & named]
    if not strange:
        return ""
    hosts = ",".join(server.rpartition(":")[0] for server in strange)
    return (
        f"PGPASSWORD is offered to {', '.join(strange)}, which the stack names; a later release will refuse it: set "
        f"HACORE_STATE_SERVERS={hosts} if that is your server, or give the state by HACORE_STATE, or add "
        "?sslmode=verify-full&sslrootcert=system&require_auth=scram-sha-256 to its URL: SCRAM sends no password"
    )


def _proven_by_scram(host: str | None, query: Mapping[str, str], environ: Mapping[str, str]) -> bool:
    """TLS verifies the server by what the system trusts, and libpq refuses any login but SCRAM (libpq's require_auth).

    A root certificate that the stack names proves nothing: it may be the stranger's own.
    """
    tls = tls_options(host, query, environ) | dict(query)
    verified = (tls.get("sslmode"), tls.get("sslrootcert")) == ("verify-full", "system")
    return verified and query.get("require_auth") == "scram-sha-256"
