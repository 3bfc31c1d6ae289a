"""What a member must have, and must not be doing, before a drill begins on its pair."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ...contract import quote
from ...errors import PlanError
from ..maintenance_site import MaintenanceSite
from .order import Rehearsed

LOCKS = ("/var/lib/dpkg/lock-frontend", "/var/lib/dpkg/lock", "/var/lib/rpm/.rpm.lock")
"""The files that dpkg and rpm lock while they change packages."""

# proc_locks(5): `1: POSIX ADVISORY WRITE PID MAJOR:MINOR:INODE ...`. Files of containers that share an image have the
# same inode number; their programs have another root, or no pid that is visible here.
WORKING = """
for file in $locks; do
  [ -e "$file" ] || continue
  inode=$(stat -c %i "$file")
  while read -r _ kind _ _ pid place _; do
    case $kind/$place in POSIX/*:"$inode") ;; *) continue ;; esac
    if [ "$pid" -gt 0 ] && [ "/proc/$pid/root" -ef / ]; then
      echo "packages are being changed there (process $pid has locked $file): try again afterwards" >&2; exit 1
    fi
  done </proc/locks
done
"""
"""Fails with the reason if one of `$locks` is locked. A program that is stopped in the middle of its work, or a daemon
that a package restarts, would be measured in place of the fail-over."""

_BOOT = """
case $(systemctl is-enabled -- "$unit" 2>/dev/null) in disabled|masked|masked-runtime)
  echo "$unit is not started at boot there, so a host that restarts would be missed: enable it first" >&2; exit 1 ;;
esac
"""

TWIN = "grep -qaz '^HACORE_TWIN=' /proc/1/environ"
"""The lab gives its twins this variable, and nothing else has it: a copy of a twin's disk on a real host neither."""


async def check_fit(site: MaintenanceSite, plan: Sequence[Rehearsed]) -> None:
    """Raises PlanError where a member is at work, or would be missed after a restart. Nothing is done then."""
    for host, unit in _members(site):
        done = await (await site.hosts.link(host)).shell(
            f"unit={quote(unit)} locks={quote(' '.join(LOCKS))}\n{WORKING}{_BOOT}"
        )
        if done.rc != 0:
            text = (done.stderr or done.stdout).decode("utf-8", "replace").strip()
            raise PlanError(f"cannot drill on {host}: {text}")
    for one in plan:
        if one.scenario == "crash" and (await (await site.hosts.link(one.host)).shell(TWIN)).rc != 0:
            raise PlanError(
                f"cannot drill crash on {one.host}: it is not a twin of a lab; on real hosts, partition stands for it"
            )
        if one.partition is not None:
            done = await (await site.hosts.link(one.host)).shell(one.partition.ready.script)
            if done.rc != 0:
                text = (done.stderr or done.stdout).decode("utf-8", "replace").strip()
                raise PlanError(f"cannot drill partition on {one.host}: {text}")


def _members(site: MaintenanceSite) -> Iterator[tuple[str, str]]:
    """Each member with the daemon that moves its addresses."""
    for host in sorted({m.host for address in site.look.addresses for m in address.members}):
        for address, view in site.views(host).items():
            parts = site.means.providers[address.kind].fail_over(view)
            if parts is not None:
                yield host, parts.unit
                break


__all__ = ["LOCKS", "TWIN", "WORKING", "check_fit"]
