"""The answer of an HTTP URL to the host that holds a virtual address."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from hacore.contract import Ask, quote

LIMIT = 64 * 1024
"""Bytes of a body that are checked."""


HOST = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?\Z")
"""The name that a question may ask for."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer: the status (0: no answer), the beginning of the body, where it redirects, why there is none."""

    status: int
    body: str = ""
    location: str = ""
    reason: str = ""


def question(url: str, address: str, timeout: float, host: str = "", *, insecure: bool = False) -> str:
    """The argument of HTTP: GET `url` within `timeout` seconds, asked only by the host that has `address`.

    `host` and `insecure`: as in `Check`.
    """
    return json.dumps([url, address, timeout, host, insecure])


class HttpFact:
    """GET requests by the holder of an address. Volatile: shown, never compared.

    A host that does not hold the address, or has neither curl nor wget, gives no answer. A URL may have a password
    in it, and the arguments of a process can be read by every user of a host: curl reads it from its stdin
    (curl(1), --config). wget cannot, so it is not asked for one that is secret.
    """

    name = "http"

    def deadline(self, asks: Sequence[Ask]) -> float:
        """The sum of the checks' timeouts; the client ends each request."""
        return 60.0 + sum(max(1.0, float(json.loads(ask.arg)[2])) for ask in asks)

    def command(self, asks: Sequence[Ask]) -> str:
        """One `ip` for all, then one client for each question that this host must ask."""
        lines = []
        for ask in asks:
            url, address, timeout, host, insecure = json.loads(ask.arg)
            seconds = max(1, round(timeout))
            # wget knows no SNI but that of the URL
            wget = "" if ask.secret or (host and url.startswith("https:")) else url
            words = (ask.arg, _config(url, host, insecure=insecure), address, str(seconds), wget)
            wgets = [*([f"--header=Host: {_at_port(url, host)}"] if host else [])]
            wgets += ["--no-check-certificate"] if insecure else []
            lines.append("__h " + " ".join(quote(word) for word in (*words, *wgets)))
        return f"""held=$(ip -o addr show 2>/dev/null) || exit 0
__h() {{
  case $held in *" $3/"*|*" $3 "*) ;; *) return 0 ;; esac
  arg=$1 config=$2 seconds=$4 url=$5; shift 5
  if command -v curl >/dev/null 2>&1; then
    got=$(printf '%s\\n' "$config" | curl -q -sS -g --noproxy '*' --max-time "$seconds" --stderr - \\
      -w '\\n%{{http_code}} %{{redirect_url}}' -K - 2>/dev/null | base64 | tr -d '\\n')
    printf 'curl %s %s\\n' "$got" "$arg"
  elif [ -n "$url" ] && command -v wget >/dev/null 2>&1; then
    got=$(wget -q -S -t 1 -T "$seconds" --no-proxy --max-redirect=0 "$@" -O - -- "$url" 2>&1 | base64 | tr -d '\\n')
    printf 'wget %s %s\\n' "$got" "$arg"
  fi
}}
{chr(10).join(lines)}"""

    def parse(self, stdout: bytes) -> Mapping[str, Answer]:
        """Lines `CLIENT BASE64 QUESTION`."""
        found: dict[str, Answer] = {}
        for line in stdout.decode("utf-8", "replace").splitlines():
            client, _, rest = line.partition(" ")
            encoded, _, arg = rest.partition(" ")
            if client in ("curl", "wget") and arg:
                text = base64.b64decode(encoded).decode("utf-8", "replace")
                found[arg] = _curl(text) if client == "curl" else _wget(text)
        return found


def _at_port(url: str, host: str) -> str:
    """Another host at the URL's own port, if it has one."""
    port = urlsplit(url).port
    return host if port is None else f"{host}:{port}"


def _config(url: str, host: str, *, insecure: bool) -> str:
    """A configuration of curl (curl(1), --config): for another `host` the URL of that, connected to the address.

    `\\` and `"` are escaped, a line end is not possible.
    """
    values = {"url": url}
    if host:
        parts = urlsplit(url)
        user, at, _ = parts.netloc.rpartition("@")
        own = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
        values["url"] = parts._replace(netloc=f"{user}{at}{_at_port(url, host)}").geturl()
        values["connect-to"] = f"::{own}:{parts.port or ''}"
    escapes = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r"})
    lines = [f'{name} = "{value.translate(escapes)}"' for name, value in values.items()]
    return "\n".join([*lines, "insecure"] if insecure else lines)


def _curl(text: str) -> Answer:
    body, _, words = text.rpartition("\n")
    status, _, location = words.partition(" ")
    number = int(status) if status.isdecimal() else 0
    if number:
        return Answer(number, body[:LIMIT], location)
    told = re.findall(r"(?m)^curl: \(\d+\) (.*)$", body)
    return Answer(0, reason=told[-1] if told else "")


def _wget(text: str) -> Answer:
    # -S prints the headers, indented, before the body
    statuses = re.findall(r"(?m)^\s*HTTP/\S+ (\d{3})", text)
    locations = re.findall(r"(?m)^\s+Location: (\S+)", text)
    body = re.sub(r"\A(?:\s+\S+.*\n)*", "", text)
    return Answer(int(statuses[-1]) if statuses else 0, body[:LIMIT], locations[-1] if locations else "")


HTTP = HttpFact()
