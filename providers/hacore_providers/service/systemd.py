"""The shell of a unit on a systemd host: capture, apply, undo and trigger, as POSIX sh.

`apply` and `undo` are mirror images:

    write the definition          stop, if it did not run
    unmask                        restore or remove the definition
    enable or disable             restore every link and mask
    start or stop                 start, if it ran
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from typing import Any

from hacore.contract import SAFE_PATH, Image, Output, quote
from hacore_providers.service.unit_file import path_of, short_name
from hacore_providers.shell import PUT_FILE, private

SHORTEST = 150
"""Seconds that a start, stop, reload or restart may take at least, whatever the unit's own limit is."""

LONGEST = 3600
"""Seconds that it may take at most: a unit may have no limit of its own (`infinity`)."""

SECONDS = 2.0 * LONGEST + 120
"""The deadline of a step: an undo may stop and start."""

# systemd ends what exceeds TimeoutStartSec= or TimeoutStopSec=, systemd.service(5): ending it earlier would take a
# unit that is slow for one that fails. The wait is somewhat longer, so that systemd's result is the one reported.
_WAIT = r"""
seconds() { # a time span as systemctl prints it, "1min 30s", in seconds; nothing for infinity or days
  total=0
  for word in $1; do
    number=${word%%[!0-9]*}
    case $word in
      [0-9]*us | [0-9]*ms) number=1 ;;
      [0-9]*min) number=$((number * 60)) ;;
      [0-9]*.*s) number=$((number + 1)) ;;
      [0-9]*s) ;;
      [0-9]*h) number=$((number * 3600)) ;;
      *) return 0 ;;
    esac
    total=$((total + number))
  done
  echo "$total"
}
await() { # command of systemctl, sentence: runs it for as long as the unit itself allows, and some seconds
  starts=$(show TimeoutStartUSec); stops=$(show TimeoutStopUSec)
  to_start=$(seconds "${starts:=1min 30s}"); to_stop=$(seconds "${stops:=1min 30s}")
  : "${to_start:=$longest}" "${to_stop:=$longest}"
  case $1 in
    stop) own=$stops within=$((2 * to_stop)) ;; # once after SIGTERM, once after SIGKILL
    try-restart) own="$stops to stop and $starts to start" within=$((2 * to_stop + to_start)) ;;
    *) own=$starts within=$to_start ;;
  esac
  within=$((within + 30))
  [ "$within" -ge "$shortest" ] || within=$shortest
  if [ "$within" -gt "$longest" ]; then within=$longest own="$own, hacore waits $longest s at most"; fi
  rc=0; timeout "$within" systemctl "$1" -- "$unit" || rc=$?
  [ "$rc" -ne 124 ] || fail "$2: it has been $(show ActiveState) for $within s, its own limit is $own"
  [ "$rc" -eq 0 ] || fail "$2"
}
"""

COMMON = (
    SAFE_PATH
    + PUT_FILE
    + r"""
[ -d /run/systemd/system ] || { echo "cannot manage $unit: this host does not run systemd" >&2; exit 1; }
show() { systemctl show -p "$1" -- "$unit" 2>/dev/null | cut -d= -f2-; }
ran() { case $(show ActiveState) in active|reloading|refreshing) return 0;; esac; return 1; }
new=${definition%/*}/.hacore.$unit.new
begin=$(date +%s) # later lines of the journal belong to this step
runs() { case $(show ActiveState) in inactive|failed) return 1;; esac; return 0; }
fail() {
  journalctl --no-pager -q -n 20 -o cat --since "@$begin" -u "$unit" >&2 2>/dev/null || :
  systemctl status --no-pager -n 0 -- "$unit" >&2 2>/dev/null || :
  echo "$1: the unit is $(show ActiveState) ($(show SubState)), result $(show Result)" >&2
  exit 1
}
"""
    + f"shortest={SHORTEST} longest={LONGEST}"
    + _WAIT
)
"""Shell functions for $unit. `fail` ends with the sentence for the user."""

# A unit that is restarted again and again is active at most moments: only its count of restarts shows it.
_STEADY = r"""
steady() { # sentence: the unit stays up for a second, or the step fails
  count=$(show NRestarts); n=0
  while [ "$n" -lt 5 ]; do
    sleep 0.2; n=$((n + 1))
    case $(show ActiveState) in
      active|refreshing) ;;
      reloading) [ "${slow:=0}" -ge 150 ] || { slow=$((slow + 1)); n=$((n - 1)); } ;;
      *) fail "$1" ;;
    esac
    [ "$(show NRestarts)" = "$count" ] || fail "$1, it ends and systemd restarts it"
  done
}
"""

# Every link that enables or aliases the unit or a unit of its Also=; for an init script the links of the runlevels.
_LINKS = r"""
plain() { printf '%s\n' "$1" | sed 's/\\/\\\\/g'; } # a name as a pattern that matches only itself
links() {
  set --
  for one in $names; do
    glob=$(plain "$one")
    set -- "$@" -o -name "$glob" -o -lname "*/$glob" -o -lname "*/init.d/${glob%.service}"
  done
  set -- -type l ! -path "$(plain "$definition")" \( -false "$@" \)
  find /etc/systemd/system /etc/rc[0-6S].d "$@" -printf '%p\t%l\n' 2>/dev/null | LC_ALL=C sort || :
}
"""


def head(unit: str, names: Iterable[str] = ()) -> str:
    """The variables that every script uses: $unit, $definition (its path) and $names (all its names)."""
    every = " ".join(dict.fromkeys((unit, *names)))
    return f"unit={quote(unit)}\ndefinition={quote(path_of(unit))}\nnames={quote(every)}\n{COMMON}"


# --- capture ---------------------------------------------------------------------------------------

_CAPTURE = r"""
safe_path "$definition"
changeable "$definition"
id=$(show Id); fragment=$(show FragmentPath)
names="$names $(show Names)"
[ ! -f "$fragment" ] || names="$names $(sed -n 's/^Also=//p' "$fragment" | tr '\n' ' ')"
printf '%s\n' "load $(show LoadState)" "active $(show ActiveState)" "state $(show UnitFileState)" "names $names"
links | sed 's/^/link /'
if [ -L "$definition" ]; then printf 'mask %s\n' "$(readlink -- "$definition")"
elif [ -f "$definition" ]; then
  printf 'mode %s\nbytes %s\n' "$(stat -c '%a %u:%g' -- "$definition")" "$(base64 <"$definition" | tr -d '\n')"
fi
"""


def capture(unit: str, names: Iterable[str]) -> str:
    """The current state of the unit: state, links, definition. Read-only."""
    return head(unit, names) + _LINKS + _CAPTURE


def read_image(output: Output, *, sensitive: bool) -> Image:
    """The before-image from the output of `capture`."""
    fields: dict[str, str] = {}
    links = b""
    for line in output.stdout.split(b"\n"):
        key, _, value = line.partition(b" ")
        if key == b"link":
            links += value + b"\n"
        else:
            fields[key.decode("utf-8", "replace")] = value.decode("utf-8", "replace")
    data: dict[str, Any] = {
        "load": fields.get("load", ""),
        "active": fields.get("active", ""),
        "state": fields.get("state", ""),
        "names": sorted(set(fields.get("names", "").split())),
        "mask": fields.get("mask"),
        "mode": fields.get("mode"),
    }
    blobs = {"links": links}
    if data["mode"] is not None:
        blobs["definition"] = base64.b64decode(fields.get("bytes", ""))
    return Image(data=data, blobs=blobs, sensitive=sensitive or private(data["mode"]))


# --- apply -----------------------------------------------------------------------------------------

_WRITE = r"""
safe_path "$definition"
if [ -L "$definition" ] || ! cmp -s "$HACORE_WORK/definition" "$definition" \
  || [ "$(stat -c %a:%u:%g -- "$definition")" != "$mode:0:0" ]; then
  put_file "$HACORE_WORK/definition" "$new" 0:0 "$mode" "$definition"
fi
systemctl daemon-reload
"""

_FOUND = r"""
if [ "$(show NeedDaemonReload)" = yes ]; then systemctl daemon-reload; fi
if [ "$(show LoadState)" = not-found ]; then
  systemctl daemon-reload
  if [ "$(show LoadState)" = not-found ]; then
    echo "cannot find $unit: nothing on this host provides it" \
      "(add a definition, or name its package in needs)" >&2
    exit 1
  fi
fi
case $(show LoadState) in bad-setting|error)
  systemctl status --no-pager -n 5 -- "$unit" >&2 || :
  echo "cannot load $unit: systemd rejects its definition" >&2; exit 1
esac
"""

_UNMASK = r"""
if [ "$(show LoadState)" = masked ]; then
  systemctl --quiet unmask -- "$unit"
  systemctl --quiet --runtime unmask -- "$unit"
fi
"""

_ENABLE = r"""
case $(show UnitFileState) in enabled|static|indirect|alias|transient) ;; *)
  systemctl --quiet enable -- "$(show Id)" || { echo "cannot enable $unit" >&2; exit 1; }
esac
"""

_DISABLE = r"""
id=$(show Id)
if [ "$id" != "$unit" ] && [ -L "$definition" ] && [ "$(show UnitFileState)" = enabled ]; then
  echo "cannot disable $unit: it is an alias of $id, which must be disabled instead; name $id" >&2; exit 1
fi
case $(show UnitFileState) in disabled|static|indirect|alias|transient|masked) ;; *)
  systemctl --quiet disable -- "$(show Id)" || { echo "cannot disable $unit" >&2; exit 1; }
esac
"""

_START = r"""
if ! ran; then
  systemctl reset-failed -- "$unit" 2>/dev/null || :
  await start "cannot start $unit"
  steady "cannot keep $unit running"
fi
"""

_STOP = r"""
if runs; then await stop "cannot stop $unit"; fi
systemctl reset-failed -- "$unit" 2>/dev/null || :
"""


def prepare_unit(unit: str, *, define: bool, enabled: bool | None, running: bool | None, secret: bool = False) -> str:
    """Definition, mask and links: everything that neither starts nor stops the unit.

    `secret`: only root may read the definition.
    """
    mode = f"mode={600 if secret else 644}\n"
    parts = [head(unit), mode + _WRITE if define else "", _FOUND]
    parts += [_UNMASK] if enabled or running else []
    parts += [] if enabled is None else [_ENABLE if enabled else _DISABLE]
    return "".join(parts)


def run_unit(unit: str, *, running: bool) -> str:
    """Start it and check that it stays up, or stop it."""
    return head(unit) + _STEADY + (_START if running else _STOP)


# --- undo ------------------------------------------------------------------------------------------

_UNDO_WRITE = r"""
if [ -f "$HACORE_WORK/before" ]; then
  put_file "$HACORE_WORK/before" "$new" "${mode#* }" "${mode% *}" "$definition"
elif [ -n "$mask" ]; then ln -sfnT -- "$mask" "$definition"
else rm -f -- "$definition" "$new"; fi
"""

_UNDO_MASK = r"""
if [ -n "$mask" ] && [ ! -e "$definition" ]; then ln -sfnT -- "$mask" "$definition"; fi
"""

_UNDO_LINKS = r"""
tab=$(printf '\t')
links | while IFS=$tab read -r path target; do
  grep -qxF -- "$path$tab$target" "$HACORE_WORK/links" && continue
  safe_path "$path"; rm -f -- "$path"
  case ${path%/*} in *.wants|*.requires|*.upholds) rmdir --ignore-fail-on-non-empty -- "${path%/*}";; esac
done
while IFS=$tab read -r path target; do
  [ "$(readlink -- "$path" || :)" != "$target" ] || continue
  safe_path "$path"; mkdir -p -- "${path%/*}"; ln -sfnT -- "$target" "$path"
done <"$HACORE_WORK/links"
"""


def undo(
    unit: str, image: Image, *, define: bool, enabled: bool | None, running: bool | None
) -> tuple[str, dict[str, bytes]]:
    """The script that restores an image, and its blobs. An image without data: the unit did not exist."""
    data: Mapping[str, Any] = image.data or {}
    ran = data.get("active") in ("active", "reloading", "refreshing")
    began = data.get("active") == "activating"  # perhaps again and again: start it, do not wait
    touches_run = running is not None or define
    mode, mask = data.get("mode"), data.get("mask")
    blobs = {"links": image.blobs.get("links", b"")}
    if mode is not None:
        blobs["before"] = image.blobs.get("definition", b"")
    values = f"mode={quote(mode or '')}\nmask={quote(mask or '')}\n"
    parts = [head(unit, data.get("names") or ()), 'safe_path "$definition"\n', _STEADY, _LINKS, values]
    parts += [_STOP] if touches_run and not (ran or began) else []
    parts += [_UNDO_WRITE] if define else [_UNDO_MASK]
    parts += [_UNDO_LINKS] if define or enabled is not None else []
    if data.get("state") == "masked-runtime":
        parts.append('systemctl --quiet --runtime mask -- "$unit"\n')
    parts.append("systemctl daemon-reload\n")
    if touches_run and ran:
        parts.append(_START)
    elif touches_run and began:
        parts.append('systemctl start --no-block -- "$unit"\n')
    elif touches_run:
        parts.append('systemctl reset-failed -- "$unit" 2>/dev/null || :\n')
    return "".join(parts), blobs


# --- triggers --------------------------------------------------------------------------------------

_TRIGGER = r"""
ran || { echo "$unit is not running: no $op needed"; exit 0; }
if [ "$(show NeedDaemonReload)" = yes ]; then systemctl daemon-reload; fi
if [ "$op" = restart ] && [ -n "$unless_young" ]; then
  since=$(date -d "$(show ActiveEnterTimestamp)" +%s 2>/dev/null || echo 0)
  if [ "$since" -gt "$(stat -c %Y -- "$definition")" ]; then
    echo "$unit was started after its definition was written: no restart needed"
    exit 0
  fi
fi
if [ "$op" = reload ] && [ "$(show CanReload)" = no ]; then
  echo "$unit cannot reload: restarting it instead"
  op=restart
fi
if [ "$op" = reload ]; then
  await reload "cannot reload $unit"
else
  systemctl reset-failed -- "$unit" 2>/dev/null || :
  await try-restart "cannot restart $unit"
fi
steady "cannot keep $unit running after its $op"
"""


def trigger(unit: str, op: str, *, unless_young: bool = False) -> str:
    """Reload or restart a running unit; no effect on a stopped one.

    `unless_young`: no restart if the unit was started after its definition was written.
    """
    young = "1" if unless_young else ""
    return f"op={quote(op)}\nunless_young={young}\n" + head(unit) + _STEADY + _TRIGGER


def describe(op: str, unit: str) -> str:
    """A step's text while it runs: "restarting nginx"."""
    stem = {"stop": "stopp", "restart": "restart", "reload": "reload", "start": "start"}.get(op, op)
    return f"{stem}ing {short_name(unit)}"
