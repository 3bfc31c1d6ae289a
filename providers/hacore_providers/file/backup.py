"""Before-images of the file kind: the current entry is read before it is changed.

An image is a tar archive of the one entry: it has owner, mode, ACL, extended attributes and SELinux label, and tar
exists on a minimal host.
"""

from __future__ import annotations

import base64
import posixpath
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

from hacore.contract import SAFE_PATH, Action, Address, Change, Image, Output, Step, quote

from .shell import AS_OWNER, PAX, TAR, as_account, names
from .spec import FileSpec

__all__ = ["LARGEST", "capture", "read_images", "too_large"]

LARGEST = 64 * 1024 * 1024
"""Bytes of the largest file with a before-image; a larger file is neither replaced nor removed."""

HEADERS = 1 << 20
"""Bytes that an archive may have beside the content: names, attributes, padding."""


def too_large(path: str, size: int | str) -> str:
    """Why a file cannot be changed."""
    return (
        f"cannot back up {path}: it has {size} bytes, and the largest file that can be restored has {LARGEST} "
        f"({LARGEST >> 20} MiB); move it to another path on the host first"
    )


_KEEP = f"""
die() {{ printf '%s\\n' "$*" >&2; exit 1; }}
keep() {{ # number, path, folder, base name, desired kind (empty for a delete)
  path=$2
  safe_path "$path"
  changeable "$path"
  case $5 in
    '' | absent) ;;
    *) [ -d "$3" ] || die "cannot create $2: $3 does not exist; add a file resource with ensure: directory for it" ;;
  esac
  if ! __known; then echo "$1 absent"; return 0
  elif [ -L "$2" ]; then kind=link
  elif [ ! -e "$2" ]; then echo "$1 absent"; return 0
  elif [ -d "$2" ]; then
    kind=directory
    case $5 in
      '' | directory) ;;
      *)
        within=$(ls -A -- "$2" | head -n 5 | tr '\\n' ' ')
        [ -z "$within" ] || die "cannot replace $2: the directory is not empty: $within"
        ;;
    esac
  elif [ -f "$2" ]; then
    kind=file
    size=$(stat -c %s -- "$2")
    [ "$size" -le {LARGEST} ] || die "{too_large("$2", "$size")}"
  else die "cannot replace $2: it is a device, a socket or a pipe"
  fi
  {TAR} {PAX} -C "$3" -cf "$HACORE_WORK/entry.tar" -- "./$4"
  printf '%s %s %s ' "$1" "$kind" "$(stat -c '%a %u %g %s' -- "$2" | tr ' ' ,),$(content_mode "$2")"
  gzip -n <"$HACORE_WORK/entry.tar" | base64 -w0
  echo
}}
"""


_OWN = """! others_entry "$path" "$(id -u)" "$(id -un)" || die "cannot replace $path: $__why"
"""

_AS_OWNER = """if owners "$path" {owner}; then
  as_owner "$__worker" /dev/null {script}
  printf '{number}:%s ' "$__worker"
  head -n 1 "$HACORE_WORK/printed" | cut -d ' ' -f 2-
else
  {call}
fi
"""


def capture(changes: Sequence[Change[FileSpec]]) -> Step:
    """Back up the entry of each path; fails, before any change, if an entry cannot be replaced or restored."""
    calls = []
    for number, change in enumerate(changes):
        spec = change.spec
        folder, base = posixpath.split(spec.path)
        deleted = change.action is Action.DELETE and spec.kind != "absent"
        words = (number, spec.path, folder, base, "" if deleted else spec.kind)
        call = "keep " + " ".join(quote(word) for word in words)
        if spec.owner is not None:
            script = as_account(spec.path, f"{_KEEP}{_OWN}{call}")
            fields = {"owner": quote(spec.owner), "script": quote(script), "number": number, "call": call}
            call = names(spec.path) + _AS_OWNER.format(**fields)
        calls.append(call)
    addresses = [change.address for change in changes]
    secret = [change.spec.sensitive for change in changes]
    return Step(
        SAFE_PATH + AS_OWNER + _KEEP + "\n".join(calls),
        what="backing up files",
        parse=lambda output: read_images(output, addresses, secret),
    )


def read_images(output: Output, addresses: Sequence[Address], secret: Sequence[bool]) -> Mapping[Address, Image]:
    """The images from the output of `capture`, a line for each change."""
    images: dict[Address, Image] = {}
    for line in output.stdout.splitlines():
        number, kind, *rest = line.split(b" ")
        place, _, uid = number.partition(b":")
        address = addresses[int(place)]
        worker: dict[str, Any] = {"worker": int(uid)} if uid else {}
        if kind == b"absent":
            images[address] = Image(data={"kind": "absent", **worker}, modes=())
            continue
        fields = rest[0].split(b",")
        mode, owner, group, size, shown = (int(part, 8 if at in (0, 4) else 10) for at, part in enumerate(fields))
        images[address] = Image(
            data={"kind": kind.decode(), "mode": f"{mode:04o}", "uid": owner, "gid": group, "size": size, **worker},
            blobs={"entry.tar": _unzipped(base64.b64decode(rest[1]))},
            sensitive=secret[int(place)],
            modes=(shown,),
        )
    return images


def _unzipped(data: bytes) -> bytes:
    """The archive, up to the size that it can have: a host may send anything."""
    reader = zlib.decompressobj(zlib.MAX_WBITS | 16)
    content = reader.decompress(data, LARGEST + HEADERS)
    if not reader.eof:
        raise ValueError(f"its archive has more than {LARGEST + HEADERS} bytes, or is cut off")
    return content
