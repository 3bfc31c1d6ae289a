"""Agents of other tools that write files of the host by the clock: what is changed beside them they put back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hacore.contract import Ask

_UNITS = ("puppet*", "pxp-agent*", "chef-client*", "cinc-client*", "ansible-pull*", "salt-minion*", "cfengine3*")
_CALLS = "ansible-pull|puppet (agent|apply)|chef-client|cinc-client|salt-call|cf-agent"
_CRON = "/etc/crontab /etc/cron.d /etc/cron.hourly /etc/cron.daily /var/spool/cron"


class AgentsFact:
    """The answer for "" is the agents that run or start at boot: `puppet.service`, or the crontab that calls one."""

    name = "agents"

    def command(self, asks: Sequence[Ask]) -> str:
        """Two calls of systemctl(1) where it is, and one of grep."""
        units = " ".join(f"'{unit}'" for unit in _UNITS)
        return f"""
if command -v systemctl >/dev/null 2>&1; then
  {{ systemctl list-units --plain --no-legend --state=active {units}
     systemctl list-unit-files --plain --no-legend --state=enabled {units}; }} 2>/dev/null |
    while read -r unit _; do case $unit in *.service | *.timer) printf 'unit %s\\n' "$unit" ;; esac; done | sort -u
fi
grep -rlsE '^[^#]*(^|[ /])({_CALLS})( |$)' {_CRON} 2>/dev/null |
  while IFS= read -r file; do printf 'cron %s\\n' "$file"; done
echo end"""

    def parse(self, stdout: bytes) -> Mapping[str, tuple[str, ...]]:
        """Lines `unit NAME` and `cron PATH`, then `end`."""
        lines = stdout.decode("utf-8", "replace").splitlines()
        words = [line.partition(" ") for line in lines]
        return {"": tuple(rest for kind, _, rest in words if kind in ("unit", "cron"))} if "end" in lines else {}


AGENTS = AgentsFact()
