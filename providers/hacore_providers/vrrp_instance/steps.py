"""The shell of `vrrp_instance`: keep, test and replace keepalived.conf, reload, drain.

What `keepalived -t` of Debian's 2.2.7 says, measured; the test in tests/providers/vrrp_instance
measures it again:

    rc 0    fine; also: no such file, an empty file, a script without execute permission, a notify
            script or a unicast source that does not exist, an address outside the interface's
            network, a track_file in a folder that does not exist
    rc 5    there are mistakes that it would run with, guessing: unknown keywords, ranges, braces,
            an interface or script that does not exist, names that do not resolve, instances that clash
    rc 6    scripts without enable_script_security
    rc 143  it ends itself by SIGTERM when a script runs as another user than root (acassen/keepalived
            issue 2587, mended in 2.2.8); it says what it found until then, so only silence before
            that is taken as "could not tell"
    rc 1    the option -t itself is not known (before 2.0.7)

Reloading a file that it calls rc 5 for its interface ends the daemon, which leaves its addresses on
the interface: so anything but rc 0 is refused before the file is put in place.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Mapping
from typing import Any

from hacore.contract import SAFE_PATH, Address, Image, Output, Step, quote

from .spec import VrrpInstanceSpec

MODE = "0600"
"""Of keepalived.conf: there may be a password in it."""

_CAPTURE = r"""
config=@config@
safe_path "$config"
dir=${config%/*}; missing=
while [ -n "$dir" ] && [ ! -d "$dir" ]; do missing="$dir $missing"; dir=${dir%/*}; done
echo "missing $missing"
if [ -L "$config" ]; then echo link; readlink -n -- "$config" | base64 -w 0
elif [ -f "$config" ]; then stat -c 'file %a %u %g' -- "$config"; base64 -w 0 <"$config"
elif [ -e "$config" ]; then echo "cannot manage $config: it is neither a file nor a link" >&2; exit 1
else echo absent; fi
"""


def capture(config: str, addresses: Iterable[Address]) -> Step:
    """Read keepalived.conf, for all of its instances at once."""
    wanted = tuple(addresses)

    def parse(output: Output) -> Mapping[Address, Image]:
        image = read_image(config, output)
        return dict.fromkeys(wanted, image)

    return Step(SAFE_PATH + _filled(_CAPTURE, {"config": quote(config)}), what=f"reading {config}", parse=parse)


def read_image(config: str, output: Output) -> Image:
    """The before-image from what the capture printed."""
    missing, _, rest = output.text.partition("\n")
    kind, _, content = rest.partition("\n")
    word, *numbers = kind.split()
    data: dict[str, Any] = {"config": config, "type": word, "missing": missing.split()[1:]}
    if word == "file":
        data |= dict(zip(("mode", "uid", "gid"), numbers, strict=True))
    if word == "absent":
        return Image(data)
    return Image(data, {"content": base64.b64decode(content)}, sensitive=True)


_INSTALL = r"""
config=@config@ binary=@binary@
dir=${config%/*}
safe_path "$config"
if [ ! -x "$binary" ]; then
  echo "cannot test $config: there is no $binary; install keepalived first (a package or a source_build)" >&2; exit 1
fi
for script in@scripts@; do
  if [ ! -x "$script" ]; then
    echo "cannot use $config: it runs $script, which is not there or not executable" >&2; exit 1
  fi
done
[ -d "$dir" ] || { mkdir -p "$dir"; safe_path "$config"; }
temp=$(mktemp "$dir/.hacore.XXXXXX")
trap 'rm -f "$temp"' EXIT
cat "$HACORE_WORK/keepalived.conf" >"$temp"
chmod @mode@ "$temp"
[ "$(id -u)" != 0 ] || chown 0:0 "$temp"
rc=0
timeout 30 "$binary" -t -f "$temp" >"$HACORE_WORK/said" 2>&1 || rc=$?
sed -i -e "s|$temp|$config|g" -e 's/auth_pass.*/auth_pass (hidden)/' "$HACORE_WORK/said"
told=$(grep -v -e '^Terminated$' -e ' is deprecated, please use ' -e '^[[:space:]]*$' "$HACORE_WORK/said" || :)
case $rc in
0) ;;
143)
  if [ -n "$told" ]; then
    printf '%s\n' "$told" >&2; echo "cannot use $config: keepalived -t finds mistakes in it" >&2; exit 1
  fi
  echo "keepalived -t could not finish (before 2.2.8 it cannot with scripts of another user than root)" ;;
*)
  if printf '%s\n' "$told" | grep -q -e 'invalid option' -e 'unrecognized option'; then
    echo "this keepalived has no -t: $config is not tested"
  else
    printf '%s\n' "$told" >&2; echo "cannot use $config: keepalived -t ends with $rc" >&2; exit 1
  fi ;;
esac
[ ! -e /sys/fs/selinux/enforce ] || ! command -v restorecon >/dev/null || restorecon "$temp" || :
sync "$temp" 2>/dev/null || sync
mv -fT "$temp" "$config"
"""


def install(spec: VrrpInstanceSpec, text: str, scripts: Iterable[str]) -> Step:
    """Test the new file beside the old one, then put it in its place."""
    values = {
        "config": quote(spec.config),
        "binary": quote(spec.binary),
        "mode": MODE,
        "scripts": "".join(f" {quote(s)}" for s in scripts),
    }
    return Step(
        SAFE_PATH + _filled(_INSTALL, values),
        blobs={"keepalived.conf": text.encode()},
        what=f"testing and replacing {spec.config}",
    )


def _filled(script: str, values: Mapping[str, str]) -> str:
    """The script with each `@name@` replaced, all at once: a value is never looked into."""
    return re.sub(r"@([a-z]+)@", lambda match: values[match[1]], script)


_RESTORE = r"""
config=@config@
dir=${config%/*}
safe_path "$config"
case @type@ in
absent) rm -f "$config" ;;
link)
  target=$(cat "$HACORE_WORK/content"; echo .)
  temp=$(mktemp -u "$dir/.hacore.XXXXXX")
  ln -s "${target%.}" "$temp"
  mv -fT "$temp" "$config" ;;
file)
  [ -d "$dir" ] || { mkdir -p "$dir"; safe_path "$config"; }
  temp=$(mktemp "$dir/.hacore.XXXXXX")
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
    """Bring a before-image back: the mirror of `install`."""
    data = image.data
    values = {
        "missing": "".join(f" {quote(d)}" for d in reversed(data["missing"])),
        "config": quote(data["config"]),
        "type": data["type"],
        "owner": f"{data.get('uid', 0)}:{data.get('gid', 0)}",
        "mode": data.get("mode", "644"),
    }
    return Step(SAFE_PATH + _filled(_RESTORE, values), blobs=dict(image.blobs), what=f"restoring {data['config']}")


def forget_drains(specs: Iterable[VrrpInstanceSpec]) -> Step:
    """Remove the drain files of instances that are gone."""
    files = " ".join(quote(spec.drain_file) for spec in specs)
    return Step(f"{SAFE_PATH}safe_path {files}\nrm -f {files}", what="removing drain files")


_RELOAD = r"""
unit=@service@ config=@config@
[ -f "$config" ] || exit 0
if [ ! -d /run/systemd/system ]; then
  pid=$(cat /run/keepalived.pid 2>/dev/null || cat /var/run/keepalived.pid 2>/dev/null || :)
  [ -n "$pid" ] && kill -0 "$pid" 2>/dev/null || exit 0
  kill -HUP "$pid"
  sleep 1
  kill -0 "$pid" 2>/dev/null || { echo "cannot reload $unit: it ended when it read $config" >&2; exit 1; }
  exit 0
fi
systemctl is-active --quiet "$unit" || exit 0
since=$(journalctl -q -u "$unit" -n 0 --show-cursor 2>/dev/null | sed -n 's/^-- cursor: //p' || :)
systemctl reload "$unit" || { journalctl -q -u "$unit" -n 15 -o cat --no-pager >&2 || :; exit 1; }
n=0
while [ "$n" -lt 20 ]; do
  if ! systemctl is-active --quiet "$unit"; then
    journalctl -q -u "$unit" -n 15 -o cat --no-pager 2>/dev/null | sed 's/auth_pass.*/auth_pass (hidden)/' >&2 || :
    echo "cannot reload $unit: it ended when it read $config" >&2; exit 1
  fi
  [ -n "$since" ] || { sleep 1; break; }
  ! journalctl -q -u "$unit" --after-cursor="$since" -o cat --no-pager 2>/dev/null | grep -q 'Reload complete' || break
  n=$((n + 1)); sleep 0.1
done
systemctl is-active --quiet "$unit"
"""


def reload(spec: VrrpInstanceSpec) -> Step:
    """Make a running keepalived read its file again, and wait until it says so (it does from 2.1 on), at most 2 s.

    SIGHUP keeps the addresses where they are. Nothing happens when it is not running.
    """
    values = {"service": quote(spec.service), "config": quote(spec.config)}
    return Step(_filled(_RELOAD, values), what=f"reloading {spec.service}", disrupts="reload")


def drain(spec: VrrpInstanceSpec, on: bool) -> Step:
    """Write the drain file in place: keepalived watches the file itself and would not see a rename."""
    file = quote(spec.drain_file)
    # the shell would write to where a link leads
    refusal = quote(f"cannot write {spec.drain_file}: it is a link")
    safe = f"{SAFE_PATH}safe_path {file}\n[ ! -L {file} ] || {{ echo {refusal} >&2; exit 1; }}\n"
    if on:
        return Step(f"{safe}echo 1 >{file}", what=f"draining {spec.name}")
    return Step(f"{safe}[ ! -e {file} ] || echo 0 >{file}", what=f"undraining {spec.name}")


def made_by_hacore(image: Image, header: str) -> bool:
    """Whether a before-image is a file that hacore itself wrote, for an instance that has gone since."""
    return image.blobs.get("content", b"").startswith(header.encode())


def first_words(commands: Iterable[str]) -> tuple[str, ...]:
    """The programs of command lines, each once, in order."""
    return tuple(dict.fromkeys(re.split(r"\s", command.strip(), maxsplit=1)[0] for command in commands))
