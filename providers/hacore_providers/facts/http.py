"""The answer of an HTTP URL to the host that holds a virtual address."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hacore.contract import Ask, quote

LIMIT = 64 * 1024
"""Bytes of a body that are checked."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer: the status (0: no answer), and the beginning of the body."""

    status: int
    body: str = ""


def question(url: str, address: str, timeout: float) -> str:
    """The argument of HTTP: GET `url` within `timeout` seconds, asked only by the host that has `address`."""
    return json.dumps([url, address, timeout])


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
            url, address, timeout = json.loads(ask.arg)
            seconds = max(1, round(timeout))
            wget = "" if ask.secret else url
            lines.append(f"__h {quote(ask.arg)} {quote(_config(url))} {quote(address)} {seconds} {quote(wget)}")
        return f"""held=$(ip -o addr show 2>/dev/null) || exit 0
__h() {{
  case $held in *" $3/"*|*" $3 "*) ;; *) return 0 ;; esac
  if command -v curl >/dev/null 2>&1; then
    got=$(printf '%s\\n' "$2" |
      curl -q -sS -g --noproxy '*' --max-time "$4" -w '\\n%{{http_code}}' -K - 2>/dev/null | base64 | tr -d '\\n')
    printf 'curl %s %s\\n' "$got" "$1"
  elif [ -n "$5" ] && command -v wget >/dev/null 2>&1; then
    got=$(wget -q -S -t 1 -T "$4" --no-proxy -O - -- "$5" 2>&1 | base64 | tr -d '\\n')
    printf 'wget %s %s\\n' "$got" "$1"
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


def _config(url: str) -> str:
    """The line of a configuration of curl that gives the URL: `\\` and `"` are escaped, a line end is not possible."""
    escaped = url.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\r", "\\r")
    return f'url = "{escaped}"'


def _curl(text: str) -> Answer:
    body, _, status = text.rpartition("\n")
    return Answer(int(status) if status.isdecimal() else 0, body[:LIMIT])


def _wget(text: str) -> Answer:
    # -S prints the headers, indented, before the body
    statuses = re.findall(r"(?m)^\s*HTTP/\S+ (\d{3})", text)
    body = re.sub(r"\A(?:\s+\S+.*\n)*", "", text)
    return Answer(int(statuses[-1]) if statuses else 0, body[:LIMIT])


HTTP = HttpFact()
