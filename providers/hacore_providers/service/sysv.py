"""The shell of a service on a host with init scripts: capture, apply, undo and trigger, as POSIX sh.

The counterpart of systemd.py, with the same functions. `apply` and `undo` are mirror images:

    write the script              stop, if it did not run
    enable or disable             restore every link
    start or stop                 restore or remove the script
                                  start, if it ran

Links are made by update-rc.d(8), or by chkconfig(8) where that does not exist. Scripts run by service(8), in a clean
environment, so that a daemon inherits nothing from hacore.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from typing import Any

from hacore.contract import SAFE_PATH, Image, Output, quote
from hacore_providers.facts.sysv import STATUS
from hacore_providers.service.unit_file import SCRIPTS, short_name
from hacore_providers.shell import PUT_FILE

SECONDS = 150.0
"""The deadline of a step: init scripts have no limit of their own."""

COMMON = (
    SAFE_PATH
    + PUT_FILE
    + STATUS
    + r"""
definition=@scripts@/$name
new=@scripts@/.hacore.$name.new
ran() { [ -f "$definition" ] && status_of "$name"; }
act() { # action: the output is kept in a file; a daemon cannot hold the step's output and locks open
  if command -v service >/dev/null 2>&1; then service "$name" "$1"; else (cd / && "$definition" "$1"); fi \
    >"$HACORE_WORK/output" 2>&1 </dev/null 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&-
}
fail() {
  tail -n 20 "$HACORE_WORK/output" >&2 2>/dev/null || :
  rc=0; status_of "$name" || rc=$?
  echo "$1: the status of its script is $rc" >&2
  exit 1
}
found() {
  [ -f "$definition" ] || {
    echo "cannot find $name: nothing on this host provides $definition" \
      "(add a definition, or name its package in needs)" >&2
    exit 1
  }
}
""".replace("@scripts@", SCRIPTS)
)
"""Shell functions for $name. `fail` ends with the sentence for the user."""

_STEADY = r"""
steady() { # sentence: the service stays up for a second, or the step fails
  n=0
  while [ "$n" -lt 5 ]; do
    sleep 0.2; n=$((n + 1))
    ran || fail "$1"
  done
}
start() {
  ran || { act start || fail "cannot start $name"; steady "cannot keep $name running"; }
}
stop() { # scripts may return before the process has ended
  [ -f "$definition" ] || return 0
  ran || return 0
  act stop || fail "cannot stop $name"
  n=0
  while ran; do
    [ "$n" -lt 300 ] || fail "cannot stop $name"
    sleep 0.1; n=$((n + 1))
  done
}
"""

# The numbers of links depend on the headers of all scripts: enabling one may renumber others. All are backed up.
_LINKS = r"""
links() { find /etc/rc[0-6S].d/ -type l -printf '%p\t%l\n' 2>/dev/null | sort; }
orders() { for file in /etc/init.d/.depend.*; do [ ! -f "$file" ] || printf '%s\n' "${file##*/}"; done; }
"""


def head(unit: str) -> str:
    """The variable that every script uses, and its functions."""
    refusal = "cannot manage $name: this host runs systemd, not init scripts"
    return (
        f'name={quote(short_name(unit))}\n[ ! -d /run/systemd/system ] || {{ echo "{refusal}" >&2; exit 1; }}\n{COMMON}'
    )


# --- capture ---------------------------------------------------------------------------------------

_CAPTURE = r"""
safe_path "$definition"
changeable "$definition"
rc=3
if [ -f "$definition" ]; then rc=0; status_of "$name" || rc=$?; fi
echo "status $rc"
links | sed 's/^/link /'
orders | while read -r file; do
  printf 'order %s %s\n' "$file" "$(base64 <"/etc/init.d/$file" | tr -d '\n')"
  printf 'content %s\n' "$(stat -c %a "/etc/init.d/$file")"
done
if [ -L "$definition" ]; then printf 'target %s\n' "$(readlink -- "$definition")"
elif [ -f "$definition" ]; then
  printf 'mode %s\nbytes %s\n' "$(stat -c '%a %u:%g' -- "$definition")" "$(base64 <"$definition" | tr -d '\n')"
  printf 'content %s\n' "$(content_mode "$definition")"
fi
"""


def capture(unit: str, names: Iterable[str]) -> str:  # noqa: ARG001 - a script has one name
    """The current state of the service: status, links, script. Read-only."""
    return head(unit) + _LINKS + _CAPTURE


def read_image(output: Output, *, sensitive: bool) -> Image:
    """The before-image from the output of `capture`."""
    fields: dict[str, str] = {}
    blobs = {"links": b""}
    modes: tuple[int, ...] = ()
    for line in output.stdout.split(b"\n"):
        key, _, value = line.partition(b" ")
        if key == b"link":
            blobs["links"] += value + b"\n"
        elif key == b"content":
            modes += (int(value, 8),)
        elif key == b"order":
            name, _, content = value.decode().partition(" ")
            blobs[name.removeprefix(".")] = base64.b64decode(content)
        else:
            fields[key.decode("utf-8", "replace")] = value.decode("utf-8", "replace")
    data: dict[str, Any] = {
        "init": "sysv",
        "status": int(fields.get("status", "3")),
        "target": fields.get("target"),
        "mode": fields.get("mode"),
    }
    if data["mode"] is not None:
        blobs["definition"] = base64.b64decode(fields.get("bytes", ""))
    return Image(data=data, blobs=blobs, sensitive=sensitive, modes=modes)


# --- apply -----------------------------------------------------------------------------------------

_WRITE = r"""
safe_path "$definition"
rm -f -- "$new" # of a step that was killed
if [ -L "$definition" ] || ! cmp -s "$HACORE_WORK/definition" "$definition" \
  || [ "$(stat -c %a:%u:%g -- "$definition")" != "$mode:0:0" ]; then
  put_file "$HACORE_WORK/definition" "$new" 0:0 "$mode" "$definition"
fi
"""

_ENABLE = r"""
if ! starts "$name"; then
  if command -v update-rc.d >/dev/null 2>&1; then
    { update-rc.d "$name" defaults && update-rc.d "$name" enable; } >"$HACORE_WORK/output" 2>&1
  else { chkconfig --add "$name" && chkconfig "$name" on; } >"$HACORE_WORK/output" 2>&1; fi || :
  starts "$name" || { cat "$HACORE_WORK/output" >&2; echo "cannot enable $name" >&2; exit 1; }
fi
"""

_DISABLE = r"""
if starts "$name"; then
  if command -v update-rc.d >/dev/null 2>&1; then update-rc.d "$name" disable >"$HACORE_WORK/output" 2>&1
  else chkconfig "$name" off >"$HACORE_WORK/output" 2>&1; fi || :
  ! starts "$name" || { cat "$HACORE_WORK/output" >&2; echo "cannot disable $name" >&2; exit 1; }
fi
"""


def prepare_unit(
    unit: str,
    *,
    define: bool,
    enabled: bool | None,
    running: bool | None,  # noqa: ARG001
    secret: bool = False,
) -> str:
    """Script and links: everything that neither starts nor stops the service.

    `secret`: only root may read the script.
    """
    mode = f"mode={700 if secret else 755}\n"
    parts = [head(unit), mode + _WRITE if define else "", "found\n"]
    parts += [] if enabled is None else [_ENABLE if enabled else _DISABLE]
    return "".join(parts)


def run_unit(unit: str, *, running: bool) -> str:
    """Start it and check that it stays up, or stop it."""
    return head(unit) + _STEADY + ("start\n" if running else "stop\n")


# --- undo ------------------------------------------------------------------------------------------

_UNDO_WRITE = r"""
rm -f -- "$new" # of a step that was killed
if [ -f "$HACORE_WORK/before" ]; then
  put_file "$HACORE_WORK/before" "$new" "${mode#* }" "${mode% *}" "$definition"
elif [ -n "$target" ]; then ln -sfnT -- "$target" "$definition"
else rm -f -- "$definition"; fi
"""

# Restore this service's links, and with them the numbers of the others and the computed order, unless another script
# was added or removed since: then insserv has computed the order for that one too, and is right.
_UNDO_LINKS = r"""
tab=$(printf '\t')
safe_path "$definition" $(find /etc/rc[0-6S].d -maxdepth 0 2>/dev/null | sed 's,$,/x,')
bare() { sed 's,^\(/etc/rc.\.d/\)/*\([SK]\)[0-9][0-9],\1\2,' | cut -f 1 | sort; }
mine() { grep -E "^/etc/rc[0-6S]\.d/+[SK][0-9][0-9]$pattern$tab" || :; }
others() { grep -vE "^/etc/rc[0-6S]\.d/+[SK][0-9][0-9]$pattern$tab" || :; }
pattern=$(printf '%s\n' "$name" | sed 's/[][\\.*^$+?(){}|]/\\&/g')
afresh=
links >"$HACORE_WORK/now"
mine <"$HACORE_WORK/now" | while IFS=$tab read -r path target; do
  grep -qxF -- "$path$tab$target" "$HACORE_WORK/links" || rm -f -- "$path"
done
mine <"$HACORE_WORK/links" | while IFS=$tab read -r path target; do
  [ "$(readlink -- "$path" || :)" = "$target" ] || ln -sfnT -- "$target" "$path"
done
if [ "$(others <"$HACORE_WORK/now" | bare)" = "$(others <"$HACORE_WORK/links" | bare)" ]; then
  others <"$HACORE_WORK/now" | while IFS=$tab read -r path target; do
    grep -qxF -- "$path$tab$target" "$HACORE_WORK/links" || rm -f -- "$path"
  done
  others <"$HACORE_WORK/links" | while IFS=$tab read -r path target; do
    [ "$(readlink -- "$path" || :)" = "$target" ] || ln -sfnT -- "$target" "$path"
  done
  orders | while read -r file; do
    if [ ! -f "$HACORE_WORK/${file#.}" ]; then rm -f -- "/etc/init.d/$file"
    elif ! cmp -s "$HACORE_WORK/${file#.}" "/etc/init.d/$file"; then
      cat "$HACORE_WORK/${file#.}" >"/etc/init.d/$file"
    fi
  done
elif [ -z "$(mine <"$HACORE_WORK/links")" ]; then afresh=1; fi
"""

# As long as its script exists, insserv orders the others around it.
_UNDO_ORDER = r"""
if [ -n "$afresh" ] && command -v update-rc.d >/dev/null 2>&1; then
  update-rc.d -f "$name" remove >"$HACORE_WORK/output" 2>&1 || :
fi
"""


def undo(
    unit: str, image: Image, *, define: bool, enabled: bool | None, running: bool | None
) -> tuple[str, dict[str, bytes]]:
    """The script that restores an image, and its blobs. An image without data: the service did not exist."""
    data: Mapping[str, Any] = image.data or {}
    ran = data.get("status") == 0
    touches_run = running is not None or define
    mode, target = data.get("mode"), data.get("target")
    blobs = {name: content for name, content in image.blobs.items() if name != "definition"}
    blobs.setdefault("links", b"")
    if mode is not None:
        blobs["before"] = image.blobs.get("definition", b"")
    parts = [
        head(unit),
        'safe_path "$definition"\n',
        _STEADY,
        _LINKS,
        f"mode={quote(mode or '')}\ntarget={quote(target or '')}\n",
    ]
    parts += ["stop\n"] if touches_run and not ran else []
    parts += [_UNDO_LINKS] if define or enabled is not None else []
    parts += [_UNDO_WRITE] if define else []
    parts += [_UNDO_ORDER] if define or enabled is not None else []
    parts += ["start\n"] if touches_run and ran else []
    return "".join(parts), blobs


# --- triggers --------------------------------------------------------------------------------------

_TRIGGER = r"""
ran || { echo "$name is not running: no $op needed"; exit 0; }
if [ "$op" = restart ] && [ -n "$unless_young" ]; then
  pid=$(pid_of "$name")
  if [ -n "$pid" ] && [ "$(stat -c %Y "/proc/$pid")" -gt "$(stat -c %Y -- "$definition")" ]; then
    echo "$name was started after its definition was written: no restart needed"
    exit 0
  fi
fi
if [ "$op" = reload ] && ! knows "$definition" reload; then
  echo "$name cannot reload: restarting it instead"
  op=restart
fi
old=$(pid_of "$name")
act "$op" || fail "cannot $op $name"
if [ "$op" = restart ]; then # a script that starts too early after its stop finds the old process still running
  n=0
  while [ -n "$old" ] && [ -d "/proc/$old" ] && [ "$n" -lt 50 ]; do sleep 0.1; n=$((n + 1)); done
  until ran || [ "$n" -ge 70 ]; do sleep 0.1; n=$((n + 1)); done
  start
fi
steady "cannot keep $name running after its $op"
"""


def trigger(unit: str, op: str, *, unless_young: bool = False) -> str:
    """Reload or restart a running service; no effect on a stopped one. `unless_young` as for systemd."""
    young = "1" if unless_young else ""
    return f"op={quote(op)}\nunless_young={young}\n" + head(unit) + _STEADY + _TRIGGER
