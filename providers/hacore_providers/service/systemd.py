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

from hacore.contract import Image, Output, quote
from hacore_providers.service.unit_file import short_name
from hacore_providers.service.unit_shell import LINKS, LONGEST, STEADY, head

SECONDS = 2.0 * LONGEST + 120
"""The deadline of a step: an undo may stop and start."""

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
  printf 'content %s\n' "$(content_mode "$definition")"
fi
"""


def capture(unit: str, names: Iterable[str]) -> str:
    """The current state of the unit: state, links, definition. Read-only."""
    return head(unit, names) + LINKS + _CAPTURE


def read_image(output: Output, *, sensitive: bool) -> Image:
    """The before-image from the output of `capture`."""
    fields: dict[str, str] = {}
    links = b""
    modes: tuple[int, ...] = ()
    for line in output.stdout.split(b"\n"):
        key, _, value = line.partition(b" ")
        if key == b"link":
            links += value + b"\n"
        elif key == b"content":
            modes += (int(value, 8),)
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
    return Image(data=data, blobs=blobs, sensitive=sensitive, modes=modes)


# --- apply -----------------------------------------------------------------------------------------

_WRITE = r"""
safe_path "$definition"
rm -f -- "$new" # of a step that was killed
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
  await start "cannot start $unit" systemctl start -- "$unit"
  steady "cannot keep $unit running"
fi
"""

_STOP = r"""
if runs; then await stop "cannot stop $unit" systemctl stop -- "$unit"; fi
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
    return head(unit) + STEADY + (_START if running else _STOP)


# --- undo ------------------------------------------------------------------------------------------

_UNDO_WRITE = r"""
rm -f -- "$new" # of a step that was killed
if [ -f "$HACORE_WORK/before" ]; then
  put_file "$HACORE_WORK/before" "$new" "${mode#* }" "${mode% *}" "$definition"
elif [ -n "$mask" ]; then ln -sfnT -- "$mask" "$definition"
else rm -f -- "$definition"; fi
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
    parts = [head(unit, data.get("names") or ()), 'safe_path "$definition"\n', STEADY, LINKS, values]
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
  await reload "cannot reload $unit" systemctl reload -- "$unit"
else
  systemctl reset-failed -- "$unit" 2>/dev/null || :
  await try-restart "cannot restart $unit" systemctl try-restart -- "$unit"
fi
steady "cannot keep $unit running after its $op"
"""


def trigger(unit: str, op: str, *, unless_young: bool = False) -> str:
    """Reload or restart a running unit; no effect on a stopped one.

    `unless_young`: no restart if the unit was started after its definition was written.
    """
    young = "1" if unless_young else ""
    return f"op={quote(op)}\nunless_young={young}\n" + head(unit) + STEADY + _TRIGGER


def describe(op: str, unit: str) -> str:
    """A step's text while it runs: "restarting nginx"."""
    stem = {"stop": "stopp", "restart": "restart", "reload": "reload", "start": "start"}.get(op, op)
    return f"{stem}ing {short_name(unit)}"
