"""The shell of `vrrp_instance`: back up, test and replace keepalived.conf, reload, drain.

Exit codes of `keepalived -t`, measured with Debian's 2.2.7 and again by tests/providers/vrrp_instance:

    rc 0    fine; also: no such file, an empty file, a script without execute permission, a notify
            script or a unicast source that does not exist, an address outside the interface's
            network, a track_file in a folder that does not exist
    rc 5    mistakes with which keepalived would run, by guessing: unknown keywords, ranges, braces,
            an interface or script that does not exist, names that do not resolve, instances that clash
    rc 6    scripts without enable_script_security
    rc 143  keepalived kills itself by SIGTERM if a script has a user other than root (acassen/keepalived
            issue 2587, fixed in 2.2.8); it prints its findings until then, so only without output
            the result counts as unknown
    rc 1    the option -t is unknown (before 2.0.7)

A reload of a file with rc 5 for its interface ends the daemon, which leaves its addresses on
the interface: so everything but rc 0 fails before the file is replaced.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Mapping
from typing import Any

from hacore.contract import SAFE_PATH, Address, Image, Output, Step, quote

from . import maintenance
from .spec import VrrpInstanceSpec

MODE = "0600"
"""The mode of keepalived.conf, which may contain a password."""

_CAPTURE = r"""
config=@config@
safe_path "$config"
changeable "$config"
dir=${config%/*}; missing=
while [ -n "$dir" ] && [ ! -d "$dir" ]; do missing="$dir $missing"; dir=${dir%/*}; done
echo "missing $missing"
if ! __known; then echo absent
elif [ -L "$config" ]; then echo link; readlink -n -- "$config" | base64 -w 0
elif [ -f "$config" ]; then stat -c 'file %a %u %g' -- "$config"; base64 -w 0 <"$config"
elif [ -e "$config" ]; then echo "cannot manage $config: it is neither a file nor a link" >&2; exit 1
else echo absent; fi
"""


def capture(config: str, addresses: Iterable[Address]) -> Step:
    """Back up keepalived.conf, once for all of its instances."""
    wanted = tuple(addresses)

    def parse(output: Output) -> Mapping[Address, Image]:
        image = read_image(config, output)
        return dict.fromkeys(wanted, image)

    return Step(SAFE_PATH + _filled(_CAPTURE, {"config": quote(config)}), what=f"backing up {config}", parse=parse)


def read_image(config: str, output: Output) -> Image:
    """The before-image from the output of `capture`."""
    missing, _, rest = output.text.partition("\n")
    kind, _, content = rest.partition("\n")
    word, *numbers = kind.split()
    data: dict[str, Any] = {"config": config, "type": word, "missing": missing.split()[1:]}
    if word == "file":
        data |= dict(zip(("mode", "uid", "gid"), numbers, strict=True))
    if word == "absent":
        return Image(data, modes=())
    return Image(data, {"content": base64.b64decode(content)}, sensitive=True)


_TIDY = r"""
tidy() { # a step that was killed leaves its temporary file, with the password in it
  stem=$dir/.hacore-${config##*/}
  for left in "$stem".?????? "$dir"/.hacore.??????; do
    case $left in *.new) ;; *) rm -f -- "$left" ;; esac
  done
}
"""
"""Removes temporary files of killed steps, also those of versions before 0.1.0; `.new` is another kind's."""

_INSTALL = r"""
shown() { # what keepalived -t printed, with the name of the file in place of the temporary one; sed would read names
  while IFS= read -r line || [ -n "$line" ]; do
    before=
    while case $line in *"$temp"*) ;; *) false ;; esac; do
      before=$before${line%%"$temp"*}$config line=${line#*"$temp"}
    done
    printf '%s\n' "$before$line"
  done
}
where() { # the lines that keepalived names, and what in the stack made them
  for number in $(printf '%s\n' "$found" | sed -n 's/.*[( ]Line \([0-9][0-9]*\)).*/\1/p' | sort -un | head -n 5); do
    text=$(sed -n "${number}p" "$temp" | sed -e 's/auth_pass.*/auth_pass (hidden)/' -e 's/^[[:space:]]*//')
    field=$(sed -n "${number}p" "$HACORE_WORK/origins")
    [ -z "$text" ] || printf 'line %s is: %s%s\n' "$number" "$text" "${field:+ (from $field)}"
  done
}
config=@config@ binary=@binary@
dir=${config%/*}
safe_path "$config"
tidy
if [ ! -x "$binary" ]; then
  echo "cannot test $config: $binary does not exist; install keepalived first (a package or a source_build)" >&2; exit 1
fi
for script in@scripts@; do
  if [ ! -x "$script" ]; then
    echo "cannot use $config: its script $script does not exist or is not executable" >&2; exit 1
  fi
done
[ -d "$dir" ] || { mkdir -p "$dir"; safe_path "$config"; }
# keepalived drops a tracker in a folder that is missing
[ -d "$HACORE_HOME/drain" ] || mkdir -p "$HACORE_HOME/drain"
safe_path "$HACORE_HOME/drain/x"
temp=$(mktemp "$stem.XXXXXX")
trap 'rm -f "$temp"' EXIT
cat "$HACORE_WORK/keepalived.conf" >"$temp"
chmod @mode@ "$temp"
[ "$(id -u)" != 0 ] || chown 0:0 "$temp"
rc=0
timeout 30 "$binary" -t -f "$temp" >"$HACORE_WORK/output" 2>&1 || rc=$?
found=$(shown <"$HACORE_WORK/output" | sed 's/auth_pass.*/auth_pass (hidden)/' |
  grep -v -e '^Terminated$' -e ' is deprecated, please use ' -e '^[[:space:]]*$' || :)
case $rc in
0) ;;
143)
  if [ -n "$found" ]; then
    printf '%s\n' "$found" >&2; where >&2; echo "cannot use $config: keepalived -t reports errors" >&2; exit 1
  fi
  echo "keepalived -t did not finish (a bug before 2.2.8 with scripts of a user other than root): not tested" ;;
*)
  if printf '%s\n' "$found" | grep -q -e 'invalid option' -e 'unrecognized option'; then
    echo "keepalived has no option -t (before 2.0.7): $config was not tested"
  else
    printf '%s\n' "$found" >&2; where >&2
    echo "cannot use $config: keepalived -t failed with exit code $rc" >&2; exit 1
  fi ;;
esac
[ ! -e /sys/fs/selinux/enforce ] || ! command -v restorecon >/dev/null || restorecon "$temp" || :
sync "$temp" 2>/dev/null || sync
mv -fT "$temp" "$config"
"""


def install(spec: VrrpInstanceSpec, text: str, scripts: Iterable[str], origins: Iterable[str] = ()) -> Step:
    """Test the new file in the folder of the old one, then replace the old one.

    `origins`: for each line of the text what in the stack made it, for the message of a failed test.
    """
    values = {
        "config": quote(spec.config),
        "binary": quote(spec.binary),
        "mode": MODE,
        "scripts": "".join(f" {quote(s)}" for s in scripts),
    }
    return Step(
        SAFE_PATH + _TIDY + _filled(_INSTALL, values),
        blobs={"keepalived.conf": text.encode(), "origins": "".join(f"{line}\n" for line in origins).encode()},
        what=f"testing and replacing {spec.config}",
    )


def _filled(script: str, values: Mapping[str, str]) -> str:
    """The script with each `@name@` replaced, in one pass: values are not searched again."""
    return re.sub(r"@([a-z]+)@", lambda match: values[match[1]], script)


_RESTORE = r"""
config=@config@
dir=${config%/*}
safe_owner "$config" @uid@
tidy
case @type@ in
absent) rm -f "$config" ;;
link)
  target=$(cat "$HACORE_WORK/content"; echo .)
  temp=$(mktemp -u "$stem.XXXXXX")
  ln -s "${target%.}" "$temp"
  mv -fT "$temp" "$config" ;;
file)
  [ -d "$dir" ] || { mkdir -p "$dir"; safe_path "$config"; }
  temp=$(mktemp "$stem.XXXXXX")
  trap 'rm -f "$temp"' EXIT
  cat "$HACORE_WORK/content" >"$temp"
  [ "$(id -u)" != 0 ] || chown @owner@ "$temp"
  chmod @mode@ "$temp"
  [ ! -e /sys/fs/selinux/enforce ] || ! command -v restorecon >/dev/null || restorecon "$temp" || :
  sync "$temp" 2>/dev/null || sync
  mv -fT "$temp" "$config" ;;
esac
for made in@missing@; do rmdir "$made" 2>/dev/null || :; done
"""


def restore(image: Image) -> Step:
    """Restore a before-image: the mirror of `install`."""
    data = image.data
    values = {
        "missing": "".join(f" {quote(d)}" for d in reversed(data["missing"])),
        "config": quote(data["config"]),
        "type": data["type"],
        "uid": str(data.get("uid", 0)),
        "owner": f"{data.get('uid', 0)}:{data.get('gid', 0)}",
        "mode": data.get("mode", "644"),
    }
    return Step(
        SAFE_PATH + _TIDY + _filled(_RESTORE, values), blobs=dict(image.blobs), what=f"restoring {data['config']}"
    )


def forget_drains(specs: Iterable[VrrpInstanceSpec]) -> Step:
    """Remove the drain files of deleted instances, with the drains of operators."""
    gone = list(specs)
    files = " ".join(quote(spec.drain_file) for spec in gone)
    orders = "".join(maintenance.forget(spec) for spec in gone)
    return Step(f"{SAFE_PATH}safe_path {files}\nrm -f {files}\n{orders}", what="removing drain files")


_RELOAD = r"""
unit=@service@ config=@config@
[ -f "$config" ] || exit 0
if [ ! -d /run/systemd/system ]; then
  pid=$(cat /run/keepalived.pid 2>/dev/null || cat /var/run/keepalived.pid 2>/dev/null || :)
  [ -n "$pid" ] && kill -0 "$pid" 2>/dev/null || exit 0
  kill -HUP "$pid"
  sleep 1
  kill -0 "$pid" 2>/dev/null || { echo "cannot reload $unit: keepalived ended while reading $config" >&2; exit 1; }
  exit 0
fi
systemctl is-active --quiet "$unit" || exit 0
since=$(journalctl -q -u "$unit" -n 0 --show-cursor 2>/dev/null | sed -n 's/^-- cursor: //p' || :)
systemctl reload "$unit" || { journalctl -q -u "$unit" -n 15 -o cat --no-pager >&2 || :; exit 1; }
n=0
while [ "$n" -lt 20 ]; do
  if ! systemctl is-active --quiet "$unit"; then
    journalctl -q -u "$unit" -n 15 -o cat --no-pager 2>/dev/null | sed 's/auth_pass.*/auth_pass (hidden)/' >&2 || :
    echo "cannot reload $unit: keepalived ended while reading $config" >&2; exit 1
  fi
  [ -n "$since" ] || { sleep 1; break; }
  ! journalctl -q -u "$unit" --after-cursor="$since" -o cat --no-pager 2>/dev/null | grep -q 'Reload complete' || break
  n=$((n + 1)); sleep 0.1
done
systemctl is-active --quiet "$unit"
"""


def reload(spec: VrrpInstanceSpec) -> Step:
    """Reload a running keepalived, and wait at most 2 s for its log line (which exists since 2.1).

    SIGHUP keeps the addresses. No effect if keepalived is not running.
    """
    values = {"service": quote(spec.service), "config": quote(spec.config)}
    return Step(_filled(_RELOAD, values), what=f"reloading {spec.service}", disrupts="reload")


_RESTART = r"""
unit=@service@
if [ -d /run/systemd/system ]; then
  systemctl restart "$unit" || { journalctl -q -u "$unit" -n 15 -o cat --no-pager >&2 || :; exit 1; }
  systemctl is-active --quiet "$unit"
else
  "/etc/init.d/$unit" restart
fi
"""


def restart(spec: VrrpInstanceSpec) -> Step:
    """Restart keepalived, which adds the addresses that it lost once it is MASTER again; a reload does not."""
    return Step(
        _filled(_RESTART, {"service": quote(spec.service)}), what=f"restarting {spec.service}", disrupts="restart"
    )


def drain(spec: VrrpInstanceSpec, on: bool) -> Step:
    """Write the drain file in place: keepalived watches the file itself and does not see a rename."""
    file = quote(spec.drain_file)
    # the shell would write to the target of a link
    refusal = quote(f"cannot write {spec.drain_file}: it is a link")
    safe = f"{SAFE_PATH}safe_path {file}\n[ ! -L {file} ] || {{ echo {refusal} >&2; exit 1; }}\n"
    if on:
        return Step(f"{safe}echo 1 >{file}", what=f"draining {spec.name}")
    return Step(f"{safe}[ ! -e {file} ] || echo 0 >{file}", what=f"undraining {spec.name}")


def made_by_hacore(image: Image, header: str) -> bool:
    """Whether a before-image is a file that hacore itself wrote, for an instance that was deleted since."""
    return image.blobs.get("content", b"").startswith(header.encode())


def first_words(commands: Iterable[str]) -> tuple[str, ...]:
    """The programs of the command lines, each once, in order."""
    return tuple(dict.fromkeys(re.split(r"\s", command.strip(), maxsplit=1)[0] for command in commands))
