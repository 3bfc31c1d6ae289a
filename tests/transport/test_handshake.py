"""Logins as pure values: the options of each, and the next step after each way to fail."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import asyncssh
import pytest

from hacore.model import Connection, Host
from hacore.transport.handshake import ALL_TYPES, KNOWN_TYPES, Failure, Outcome, login_options
from hacore.transport.keys import Offer
from hacore.transport.settings import Target, resolve

REJECTED = asyncssh.HostKeyNotVerifiable("Host key is not trusted")
REVOKED = asyncssh.HostKeyNotVerifiable("Host key is revoked")
NO_COMMON = asyncssh.KeyExchangeFailed("No matching host key algorithm found")
LOST = asyncssh.ConnectionLost("Connection lost")
DENIED = asyncssh.PermissionDenied("Permission denied")


def target(**connection: Any) -> Target:
    settings = {"user": "ops", "port": 2222, **connection}
    host = Host(name="lb1", address="192.0.2.1", connection=Connection.model_validate(settings))
    return resolve(host, ())


@pytest.mark.parametrize(
    ("error", "seen", "trusted", "types", "outcome"),
    [
        # a known host that has no key of a known type, or presents a certificate that is not valid
        (NO_COMMON, "version", True, KNOWN_TYPES, Outcome.OTHER_TYPES),
        (REJECTED, "version", True, KNOWN_TYPES, Outcome.OTHER_TYPES),
        # ... only once, and only for hosts that are known
        (NO_COMMON, "version", True, ALL_TYPES, Outcome.FAILED),
        (REJECTED, "version", True, ["ssh-ed25519"], Outcome.UNTRUSTED),
        (NO_COMMON, "version", False, KNOWN_TYPES, Outcome.FAILED),
        (REJECTED, "version", False, KNOWN_TYPES, Outcome.UNTRUSTED),
        # ... and never past a revoked key
        (REVOKED, "version", True, KNOWN_TYPES, Outcome.UNTRUSTED),
        # a host that presented its key
        (REJECTED, "key", True, KNOWN_TYPES, Outcome.UNTRUSTED),
        (DENIED, "key", True, KNOWN_TYPES, Outcome.FAILED),
        (LOST, "key", True, KNOWN_TYPES, Outcome.FAILED),
        # a busy sshd closes the connection before its version
        (LOST, "nothing", True, KNOWN_TYPES, Outcome.BUSY),
        (ConnectionResetError(), "nothing", False, KNOWN_TYPES, Outcome.BUSY),
        (BrokenPipeError(), "nothing", False, KNOWN_TYPES, Outcome.BUSY),
        (LOST, "version", False, KNOWN_TYPES, Outcome.FAILED),
        # what never works is not tried again
        (asyncssh.ProtocolError("Bad version"), "nothing", True, KNOWN_TYPES, Outcome.FAILED),
        (OSError("no route"), "nothing", True, KNOWN_TYPES, Outcome.FAILED),
        (ValueError("bad key"), "nothing", True, KNOWN_TYPES, Outcome.FAILED),
    ],
)
def test_the_next_step_after_a_failed_handshake(
    error: Exception, seen: str, trusted: bool, types: Any, outcome: Outcome
) -> None:
    failure = Failure(error, greeted=seen != "nothing", in_key_exchange=seen == "version")

    assert failure.outcome(types, trusted=trusted) is outcome


def test_the_types_to_ask_for_next() -> None:
    keys = [asyncssh.generate_private_key("ssh-ed25519"), asyncssh.generate_private_key("ecdsa-sha2-nistp256")]

    assert Failure(NO_COMMON, True, True).other_types(keys) == ALL_TYPES
    assert Failure(REJECTED, True, True).other_types(keys) == ["ssh-ed25519", "ecdsa-sha2-nistp256"]
    rsa = asyncssh.generate_private_key("ssh-rsa", key_size=2048)
    assert {"rsa-sha2-256", "rsa-sha2-512"} <= set(Failure(REJECTED, True, True).other_types([rsa]))
    assert "ssh-rsa" not in Failure(REJECTED, True, True).other_types([rsa])


def test_a_login_offers_keys_and_forwards_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSH_AUTH_SOCK", "/run/agent")
    key = asyncssh.generate_private_key("ssh-ed25519")
    options = login_options(target(), Offer((key,), "key"), KNOWN_TYPES, 7.5)

    assert {name: value for name, value in options.items() if value} == {
        "username": "ops",
        "kex_algs": "-*-sha1",
        "mac_algs": "-hmac-sha1*",
        "server_host_key_algs": "-ssh-rsa,ssh-rsa-cert-v01@openssh.com",
        "client_keys": [key],
        "keepalive_interval": 15.0,
        "login_timeout": 7.5,
    }
    for name in ("agent_forwarding", "x11_forwarding", "password_auth", "kbdint_auth", "host_based_auth", "gss_kex"):
        assert options[name] is False, name
    assert options["agent_path"] == ""
    assert "known_hosts" not in options  # `None` would trust every host: connect gives it, always
    assert login_options(target(), Offer((), "nothing"), KNOWN_TYPES, 7.5)["client_keys"] is None


def test_the_files_of_ssh_config_are_read_again_when_connecting(tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text("Host *\n  Compression yes\n")
    chosen = resolve(Host(name="lb1", address="192.0.2.1"), (str(config),))

    assert login_options(chosen, Offer((), ""), ALL_TYPES, 1.0)["config"] == [str(config)]
