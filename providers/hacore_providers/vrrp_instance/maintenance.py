"""An operator's drain of a member, by its second drain tracker.

    $HACORE_HOME/drain/        made before keepalived.conf names it
        NAME                   0, or 1 while drained; 2 makes a weight of -253 a FAULT: `--hard`
        NAME.json              the order: by whom, since when, until when, why
        NAME.undrain           with an end: the script that undrains, run by hacore-undrain-NAME.timer

keepalived.conf(5): the value of a track file times its weight is added to the priority; -254 or less is a FAULT.
Both trackers of a member add up, and the priority does not fall below 1.

The record is written first and deleted last: a drained host is never without one.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Mapping, Sequence

from hacore.contract import SAFE_PATH, Drained, Facts, Maintenance, Step, View, quote

from ..facts.addresses import ADDRESSES, plain
from ..facts.keepalived import CONFIG, DRAIN, drained_text
from ..facts.keepalived_daemon import DAEMON
from .members import drain_state, holds_here, longest_start, master_down
from .spec import MAINTENANCE, VrrpInstanceSpec

PATIENCE = 30.0
"""Seconds for a drain to take effect, at least."""


def maintenance(view: View[VrrpInstanceSpec], order: Drained, units: Sequence[str]) -> Maintenance | None:
    """How this member is drained; None without a peer."""
    if view.host is None or len(view.members) < 2:
        return None
    spec = view.spec
    others = [other for host, (other, _) in view.members.items() if host != view.address.host]
    return Maintenance(
        name=spec.name,
        drain=drain(spec, order, units),
        undrain=undrain(spec),
        drained=lambda now: _is_drained(spec, now.facts, order),
        back=lambda now: _is_back(spec, now.facts),
        patience=max(PATIENCE, 4 * master_down(spec) + longest_start(spec)),
        cost=_cost(spec, others, hard=order.hard),
        returns=_returns(spec, others),
        refusal=_refusal(spec, view.facts, order),
    )


def _is_drained(spec: VrrpInstanceSpec, facts: Facts, order: Drained) -> bool:
    """Whether it holds none of its addresses, and keepalived logged the lower priority, or FAULT."""
    here, daemon = facts.get(ADDRESSES, ""), facts.get(DAEMON, spec.service)
    if here is None or any(holds_here(here, spec, plain(vip.address)) for vip in spec.vips):
        return False
    if daemon is None or not daemon.log or daemon.age is None:
        return True  # without a log, or a daemon, there is nothing more to see
    return drain_state(spec, daemon, facts.host.time) == ("FAULT" if _is_fault(spec, hard=order.hard) else "lowered")


def _is_back(spec: VrrpInstanceSpec, facts: Facts) -> bool:
    daemon = facts.get(DAEMON, spec.service)
    if facts.get(DRAIN, spec.maintenance_file):
        return False
    if daemon is None or not daemon.log or daemon.age is None:
        return True
    return drain_state(spec, daemon, facts.host.time) == ""


def _is_fault(spec: VrrpInstanceSpec, *, hard: bool) -> bool:
    return hard or not spec.drain_weight


def _cost(spec: VrrpInstanceSpec, others: Sequence[VrrpInstanceSpec], *, hard: bool) -> str:
    """What the move costs. Leaving by FAULT sends priority 0: the taker waits its skew time (RFC 5798, 6.1)."""
    if not _is_fault(spec, hard=hard):
        return ""
    taker = max(other.priority for other in others)
    skew = (256 - min(taker, 254)) / 256 * (spec.advert_interval if spec.version == 3 else 1.0)
    return f"new connections fail for about {skew:.1f} s, until the next member takes over"


def _returns(spec: VrrpInstanceSpec, others: Sequence[VrrpInstanceSpec]) -> str:
    best = max(other.priority for other in others)
    if spec.nopreempt or spec.priority <= best:
        return ""
    return f"its priority is higher ({spec.priority}, not {best}) and it preempts"


def _refusal(spec: VrrpInstanceSpec, facts: Facts, order: Drained) -> str:
    file = facts.get(CONFIG, spec.config)
    if file is None or spec.maintenance_file not in file.drains:
        return f"{spec.config} has no drain tracker for {spec.name} yet: `hacore apply` first"
    if order.until is not None and facts.host.init != "systemd":
        return "an end needs systemd, which is not running there: leave --for out, and use `hacore undrain`"
    return ""


def timer_name(spec: VrrpInstanceSpec) -> str:
    """The name of the unit that undrains, without its suffix."""
    plain_name = re.fullmatch(r"[A-Za-z0-9_.-]{1,64}", spec.name)
    return f"hacore-undrain-{spec.name if plain_name else hashlib.sha256(spec.name.encode()).hexdigest()[:16]}"


_FILES = r"""
file=@file@ timer=@timer@ units=/etc/systemd/system
safe_path "$file" "$file.json" "$file.undrain"
[ ! -L "$file" ] || { echo "cannot write $file: it is a link" >&2; exit 1; }
"""

_DRAIN = (
    _FILES
    + r"""
[ -d "${file%/*}" ] || { echo "cannot drain: ${file%/*} does not exist; run \`hacore apply\` first" >&2; exit 1; }
put() { cat "$HACORE_WORK/$1" >"$2.new"; chmod "$3" "$2.new"; mv -fT "$2.new" "$2"; }
put order "$file.json" 0644
if [ -e "$HACORE_WORK/undrain" ]; then
  safe_path "$units/$timer.timer"
  put undrain "$file.undrain" 0700
  put timer "$units/$timer.timer" 0644
  put service "$units/$timer.service" 0644
  systemctl daemon-reload
  systemctl enable --quiet "$timer.timer"
  systemctl restart "$timer.timer"
elif [ -e "$units/$timer.timer" ]; then
  systemctl disable --quiet --now "$timer.timer" || :
  rm -f "$units/$timer.timer" "$units/$timer.service" "$file.undrain"
  systemctl daemon-reload
fi
sync
echo @value@ >"$file" # in place: keepalived watches the file itself
"""
)

_UNDRAIN = (
    _FILES
    + r"""
[ ! -e "$file" ] || echo 0 >"$file"
if [ -e "$units/$timer.timer" ]; then
  systemctl disable --quiet --now "$timer.timer" || :
  rm -f "$units/$timer.timer" "$units/$timer.service"
  systemctl daemon-reload
fi
rm -f "$file.json" "$file.undrain"
"""
)

_BY_ITSELF = r"""#!/bin/sh
# by hacore: the end of a drain with --for. It waits for what must run here.
set -u
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
not_yet() { echo "$name stays drained: $1"; exit 0; } # the timer tries again
name=@name@ file=@file@ timer=@timer@
for unit in@units@; do systemctl is-active --quiet "$unit" || not_yet "$unit is not active"; done
@checks@
echo 0 >"$file"
rm -f "$file.json" "$file.undrain" "/etc/systemd/system/$timer.timer" "/etc/systemd/system/$timer.service" \
  "/etc/systemd/system/timers.target.wants/$timer.timer"
echo "$name is undrained"
systemctl daemon-reload
systemctl stop --no-block "$timer.timer"
"""


def drain(spec: VrrpInstanceSpec, order: Drained, units: Sequence[str] = ()) -> Step:
    """Write the record, the timer if the order has an end, and last the value."""
    blobs = {"order": drained_text(order).encode()}
    if order.until is not None:
        blobs |= {
            "undrain": _by_itself(spec, units).encode(),
            "timer": _timer(spec, order.until).encode(),
            "service": _service(spec).encode(),
        }
    values = _values(spec) | {"value": "2" if order.hard and spec.drain_weight else "1"}
    return Step(SAFE_PATH + _filled(_DRAIN, values), blobs=blobs, what=f"draining {spec.name}")


def undrain(spec: VrrpInstanceSpec) -> Step:
    """The mirror of `drain`; nothing to do is fine."""
    return Step(SAFE_PATH + _filled(_UNDRAIN, _values(spec)), what=f"undraining {spec.name}")


def forget(spec: VrrpInstanceSpec) -> str:
    """Shell text that removes all of an operator's drain of a deleted instance; it needs SAFE_PATH."""
    return _filled(_UNDRAIN + 'rm -f "$file"\n', _values(spec))


def _values(spec: VrrpInstanceSpec) -> dict[str, str]:
    return {"file": quote(spec.maintenance_file), "timer": quote(timer_name(spec))}


def _filled(script: str, values: Mapping[str, str]) -> str:
    return re.sub(r"@([a-z]+)@", lambda match: values[match[1]], script)


def _by_itself(spec: VrrpInstanceSpec, units: Sequence[str]) -> str:
    checks = (
        f"timeout {script.timeout or 10:g} sh -c {quote(script.script)} >/dev/null 2>&1 </dev/null ||"
        f" not_yet {quote(f'the check {name} fails')}"
        for name, script in sorted(spec.track_scripts.items())
    )
    wanted = dict.fromkeys((spec.service, *units))
    return _filled(
        _BY_ITSELF,
        _values(spec)
        | {
            "name": quote(spec.name),
            "units": "".join(f" {quote(unit)}" for unit in wanted),
            "checks": "\n".join(checks) or ":",
        },
    )


def _timer(spec: VrrpInstanceSpec, until: float) -> str:
    """systemd.timer(5). Persistent: an end that came while the host was off counts when it is up."""
    at = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(until))
    return (
        f"# by hacore\n[Unit]\nDescription=Undrain after `hacore drain --for`\n\n"
        f"[Timer]\nOnCalendar={at}\nOnUnitInactiveSec=30s\nPersistent=true\nAccuracySec=1s\n"
        f"Unit={timer_name(spec)}.service\n\n[Install]\nWantedBy=timers.target\n"
    )


def _service(spec: VrrpInstanceSpec) -> str:
    path = spec.maintenance_file.replace("%", "%%")
    return (
        f"# by hacore\n[Unit]\nDescription=Undrain after `hacore drain --for`\n\n"
        f'[Service]\nType=oneshot\nExecStart="{path}.undrain"\n'
    )


__all__ = ["MAINTENANCE", "drain", "forget", "maintenance", "timer_name", "undrain"]
