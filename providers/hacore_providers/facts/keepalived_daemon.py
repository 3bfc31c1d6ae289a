"""The keepalived that runs on a host: since when, and what its log has about states and priorities.

keepalived has no command that shows its state, and the dumps that it writes on a signal are files that others may
read and that change with its version. Its log has every change of state: `(VI_1) Entering MASTER STATE` since 2.0,
`VRRP_Instance(VI_1) Entering MASTER STATE` before. A log is rotated, so its oldest line counts, too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from hacore.contract import Ask, quote

LINES = 4000
"""Lines of the unit's log that are searched, from the newest one backwards."""

KEPT = 200
"""Lines about states and priorities that the host sends, and about refused adverts: those repeat every second."""

TICKS = 100
"""Clock ticks a second in /proc/PID/stat: USER_HZ, which is 100 on all architectures that Linux distributions have."""

REFUSED = (
    "invalid passwd",
    "interval mismatch",
    "wrong version",
    "expecting",
    "unexpected ip number count",
    "expected VIP",
    "Invalid TTL",
    "bad version",
)
"""Words of the lines in which keepalived (2.2.7) reports an advert that it does not accept."""

PID = r"""__pid() { # of the keepalived of the unit $1
  pid=
  [ "$HACORE_INIT" != systemd ] || pid=$(systemctl show -p MainPID --value -- "$1" 2>/dev/null)
  case $pid in ''|0)
    pid=
    for f in /run/keepalived.pid /var/run/keepalived.pid; do
      [ -r "$f" ] && read -r p <"$f" && read -r comm <"/proc/$p/comm" && [ "$comm" = keepalived ] || continue
      pid=$p; break
    done 2>/dev/null ;;
  esac
  printf '%s' "$pid"
}"""
"""Shell: the process of a unit by systemd, else by keepalived's pid file; prints nothing if it does not run."""

_CHANGES = (
    " STATE",
    "Changing effective priority",
    "VRRP_Script(",
    "Reload complete",
    "Reload finished",
    "Started keepalived",
    "Stopped keepalived",
)


@dataclass(frozen=True, slots=True)
class LogLine:
    """A line of the log. `at` is Unix time on the host."""

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class DaemonState:
    """The daemon of a unit. `age`: seconds since it started; None: it is not running.

    `log`: the lines about states and priorities, the oldest first. `log_from`: Unix time of the oldest line of any
    kind; None: the host has no log of it, or this user may not read it.
    """

    age: float | None
    log: tuple[LogLine, ...] = ()
    log_from: float | None = None


class DaemonFact:
    """The daemon of the unit that the argument names."""

    name = "keepalived.daemon"

    def command(self, asks: Sequence[Ask]) -> str:
        """The process by systemd, else by keepalived's pid file; the log by journalctl."""
        kept = " ".join(quote(_pattern(words)) for words in (_CHANGES, REFUSED))
        calls = "\n".join(f"__d {quote(ask.arg)}" for ask in asks)
        return f"""{PID}
__d() {{
  pid=$(__pid "$1")
  printf 'unit %s\\n' "$1"
  if [ -n "$pid" ] && stat=$(cat "/proc/$pid/stat" 2>/dev/null) && read -r up _ </proc/uptime; then
    printf 'up %s %s\\n' "$up" "${{stat##*) }}"
  fi
  command -v journalctl >/dev/null 2>&1 || return 0
  log=$(journalctl -q -u "$1" -n {LINES} -o short-unix --no-pager 2>/dev/null) || return 0
  printf '%s\\n' "$log" | sed -n -e '1s/^\\([0-9][0-9.]*\\) .*/from \\1/p'
  for words in {kept}; do
    printf '%s\\n' "$log" | sed -n -e "/$words/s/^\\([0-9][0-9.]*\\) [^ ]* [^ ]* /log \\1 /p" |
      tail -n {KEPT} | cut -c1-300
  done
}}
{calls}"""

    def parse(self, stdout: bytes) -> Mapping[str, DaemonState]:
        """Blocks of a line `unit NAME`, then `up UPTIME FIELDS`, `from TIME` and `log TIME TEXT`."""
        found: dict[str, DaemonState] = {}
        for block in re.split(r"(?m)^unit ", stdout.decode("utf-8", "replace"))[1:]:
            unit, *lines = block.splitlines()
            age, start = None, None
            log: list[LogLine] = []
            for line in lines:
                word, _, rest = line.partition(" ")
                first, _, text = rest.partition(" ")
                if word == "up":
                    age = _age(float(first), text.split())
                elif word == "from":
                    start = float(first)
                elif word == "log":
                    log.append(LogLine(float(first), text))
            found[unit] = DaemonState(age, tuple(sorted(log, key=lambda entry: entry.at)), start)
        return found


def _pattern(words: Iterable[str]) -> str:
    """A basic regular expression of sed for any of these words."""
    return "\\|".join(re.sub(r"([.\[\]*^$/])", r"\\\1", word) for word in words)


def _age(uptime: float, fields: Sequence[str]) -> float:
    """Seconds since a process started, by /proc/PID/stat from its third field on; see proc(5), `starttime`."""
    return max(0.0, uptime - int(fields[19]) / TICKS)


DAEMON = DaemonFact()
