"""Health: questions that the controller asks around a run.

A check that passed before the run must pass again after it; one that failed before is a warning and
undoes nothing: the fault is not this run's.
"""

from __future__ import annotations

import asyncio
import base64
import ssl
import time
from collections.abc import Iterable, Mapping
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from urllib.parse import unquote, urlsplit

from ..address import Address
from ..contract import Check
from ..journal import RunningTask
from .context import Context
from .forward import POLL
from .steps import Failed


class _Named(HTTPSConnection):
    """A connection to an address that asks for a name (SNI), and verifies the certificate of that name."""

    def __init__(self, host: str, port: int | None, *, timeout: float, context: ssl.SSLContext, name: str) -> None:
        super().__init__(host, port, timeout=timeout)
        self._tls, self._name = context, name

    def connect(self) -> None:
        """As that of HTTPSConnection, with the other name."""
        HTTPConnection.connect(self)
        self.sock = self._tls.wrap_socket(self.sock, server_hostname=self._name)


def ask(check: Check) -> str:
    """Ask once; an empty string when it passes, else the reason, which is never empty. A proxy is not used."""
    try:
        connection, target, headers = _request(check)
        try:
            connection.request("GET", target, headers=headers)
            answer = connection.getresponse()
            status, body, location = answer.status, answer.read(65536), answer.getheader("Location", "")
        finally:
            connection.close()
    except ssl.SSLCertVerificationError as error:
        return f"certificate not accepted: {error.verify_message}"
    except (OSError, ValueError) as error:
        return str(error) or f"no answer ({type(error).__name__})"
    except HTTPException as error:
        return f"no valid HTTP answer ({type(error).__name__})"
    if status != check.status:
        return f"status {status}{f' to {location}' if location else ''}, not {check.status}"
    if check.body and check.body.encode() not in body:
        return f"the answer does not contain {check.body!r}"
    return ""


def _request(check: Check) -> tuple[HTTPConnection, str, dict[str, str]]:
    """The connection, the target and the headers of a check."""
    parts = urlsplit(check.http)
    host, port = parts.hostname or "", parts.port
    headers = {"User-Agent": "hacore", "Host": _authority(check.host or host, port)}
    if parts.username is not None:
        words = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        headers["Authorization"] = "Basic " + base64.b64encode(words.encode()).decode()
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if parts.scheme != "https":
        return HTTPConnection(host, port, timeout=check.timeout), target, headers
    context = ssl.create_default_context()
    if check.insecure:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    name = check.host or host
    return _Named(host, port, timeout=check.timeout, context=context, name=name), target, headers


def _authority(host: str, port: int | None) -> str:
    literal = f"[{host}]" if ":" in host else host
    return literal if port is None else f"{literal}:{port}"


async def ask_all(checks: Mapping[Address, Iterable[Check]]) -> dict[Address, list[tuple[Check, str]]]:
    """Ask all checks at once, each in a thread."""
    flat = [(address, check) for address, items in checks.items() for check in items]
    answers = await asyncio.gather(*[asyncio.to_thread(ask, check) for _, check in flat])
    found: dict[Address, list[tuple[Check, str]]] = {}
    for (address, check), answer in zip(flat, answers, strict=True):
        found.setdefault(address, []).append((check, answer))
    return found


async def recheck(live: RunningTask, ctx: Context) -> Failed | None:
    """After a task over all hosts: what passed before the run passes again, within the kind's patience."""
    for planned in live.task.changes:
        checks = ctx.checks.get(planned.address, ())
        patience = ctx.providers[planned.kind].patience(planned.change.spec)
        until = time.monotonic() + patience
        while checks:
            answers = (await ask_all({planned.address: checks}))[planned.address]
            bad = [(check, why) for check, why in answers if why]
            if not bad:
                break
            if time.monotonic() >= until:
                words = "; ".join(f"{check.http}: {why}" for check, why in bad)
                return Failed(f"{planned.address}: a check that passed before fails now: {words}")
            await asyncio.sleep(POLL)
    return None
