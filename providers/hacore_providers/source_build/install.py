"""From the stage to the host, and its undo: capture, install, undo. POSIX sh as text.

A *manifest* lists the files that belong to a build: lines `TYPE<tab>MODE<tab>WHAT<tab>PATH`; TYPE is f, l or d,
WHAT the file's sha256, the link's target or `-`. It is written before the first file is installed, so that the
installed files are known after a crash; a *record* (JSON, one line) is written at the end.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from typing import Any

from hacore.contract import Image, Output
from hacore_providers.shell import foreign_paths
from hacore_providers.source_build.compile import head
from hacore_providers.source_build.spec import SourceBuildSpec, listing

_PATHS = ("absent", "had", "dir", "folder", "runtime")
"""Lists of an image: missing paths, existing paths, missing directories, the build's directories, run-time files."""


def _lines(values: Iterable[str]) -> bytes:
    return "".join(f"{value}\n" for value in sorted(values)).encode("utf-8", "surrogateescape")


_SETS = r"""
without() { LC_ALL=C sort -u | LC_ALL=C comm -23 - "$1"; } # lines of stdin that are not in a sorted file
owned() { [ ! -e "$1" ] || awk -F"$tab" '$1 != "d" { print $4 }' "$1"; }
made() { [ ! -e "$1" ] || awk -F"$tab" '$1 == "d" { print $4 }' "$1"; }
missing() { # the directories of stdin, and those above them, that do not exist
  while IFS= read -r one; do
    while [ -n "$one" ] && [ ! -e "$one" ]; do printf '%s\n' "$one"; one=${one%/*}; done
  done | LC_ALL=C sort -u
}
LC_ALL=C sort -u -o "$HACORE_WORK/foreign" "$HACORE_WORK/foreign"
"""

# --- capture ---------------------------------------------------------------------------------------

_CAPTURE = r"""
cd "$HACORE_WORK"
{ [ ! -d "$stage" ] || find "$stage" ! -type d -printf '/%P\n'; owned "$manifest"; } | without foreign >paths
safe_folders <paths
safe_paths <directories
while IFS= read -r path; do
  if [ -e "$path" ] || [ -L "$path" ]; then printf '%s\n' "$path" >>had; else printf 'absent %s\n' "$path"; fi
done <paths
{ [ ! -d "$stage" ] || find "$stage" -mindepth 1 -type d -printf '/%P\n'; cat directories; } | missing | sed 's/^/dir /'
for path in @RUNTIME@; do
  safe_path "$path"
  if [ -e "$path" ] || [ -L "$path" ]; then printf 'runtime %s\n' "$path"; fi
done
[ ! -e "$record" ] || sed 's/^/record /' "$record"
[ ! -e "$manifest" ] || printf 'manifest %s\n' "$(base64 <"$manifest" | tr -d '\n')"
touch had
made "$manifest" | without foreign | while IFS= read -r path; do
  if [ -d "$path" ] && [ ! -L "$path" ]; then printf '%s\n' "$path"; fi
done >folders
sed 's/^/had /' had
if [ -s closed ]; then echo 'content 0'; fi
[ ! -s had ] || xargs -d '\n' stat -c 'content %a' -- <had | sort -u
sed 's/^/folder /' folders
if [ -s had ] || [ -s folders ]; then
  cat folders had >all
  tar -czPf before.tgz --no-recursion --xattrs --verbatim-files-from -T all
  printf 'files %s\n' "$(base64 <before.tgz | tr -d '\n')"
fi
"""


def capture(spec: SourceBuildSpec) -> str:
    """Back up the files that the stage replaces; needs blobs `foreign` and `directories`."""
    return head(spec) + _SETS + _CAPTURE.replace("@RUNTIME@", " ".join(spec.runtime))


def directory_list(spec: SourceBuildSpec) -> bytes:
    """The directories to create first, one per line."""
    return _lines(directory.path.rstrip("/") for directory in spec.directories)


def read_image(output: Output, *, sensitive: bool) -> Image:
    """The before-image from the output of `capture`."""
    blobs = dict.fromkeys(_PATHS, b"")  # paths are bytes: not every name is text
    record: str | None = None
    modes: tuple[int, ...] = ()
    for line in output.stdout.split(b"\n"):
        key, _, value = line.partition(b" ")
        name = key.decode("utf-8", "replace")
        if name in _PATHS:
            blobs[name] += value + b"\n"
        elif name in ("files", "manifest"):
            blobs[name] = base64.b64decode(value)
        elif name == "content":
            modes += (int(value, 8),)
        elif name == "record":
            record = value.decode("utf-8", "replace")
    # the record can be read by its owner only: what it was built with may be secret
    return Image(data={"record": record}, blobs=blobs, sensitive=sensitive or record is not None, modes=modes)


# --- apply -----------------------------------------------------------------------------------------

_PLACE = r"""
place() { # from, to: copied beside and renamed, so that running programs and readers keep the old file
  if [ -d "$2" ] && [ ! -L "$2" ]; then echo "cannot install $2: it is a directory" >&2; exit 1; fi
  new=${2%/*}/.hacore.$name.new
  rm -f -- "$new"; cp -a -- "$1" "$new"; mv -fT -- "$new" "$2"
  [ ! -e /sys/fs/selinux/enforce ] || restorecon -F "$2"
}
refresh_libraries() { [ "$(id -u)" != 0 ] || ldconfig; }
make_dir() { # path, mode, owner: with the directories above it; recorded before it is created
  [ -n "$1" ] || return 0
  safe_path "$1"
  if [ ! -e "$1" ]; then
    make_dir "${1%/*}" 0755 :
    printf '%s\n' "$1" >>"$scratch/made"
    mkdir -- "$1"
  fi
  if grep -qxF -- "$1" "$scratch/made"; then chown -- "$3" "$1"; chmod "$2" -- "$1"; fi
}
sums() { # of the existing paths of stdin: TYPE<tab>WHAT<tab>PATH
  while IFS= read -r path; do
    if [ -L "$path" ]; then printf 'l\t%s\t%s\n' "$(readlink -- "$path")" "$path"
    elif [ -f "$path" ]; then printf '%s\n' "$path" >&3; fi
  done 3>"$scratch/files"
  [ ! -s "$scratch/files" ] || xargs -d '\n' sha256sum -- <"$scratch/files" | sed 's/^\([0-9a-f]*\)  /f\t\1\t/'
}
"""

_INSTALL = r"""
if ! is "$scratch/built"; then
  line=; [ ! -r "$record" ] || read -r line <"$record"
  now=; [ -z "$binary" ] || [ ! -f "$binary" ] || { now=$(sha256sum <"$binary"); now=${now%% *}; }
  case $line in "{\"stamp\": \"$stamp\","*"\"binary\": \"$now\""*) exit 0;; esac
  echo "cannot install $title: no finished build in $scratch" >&2; exit 1
fi
mkdir -p "${manifest%/*}"; chmod 0700 "${manifest%/*}"
touch "$scratch/made"
[ -e "$scratch/old" ] || { [ ! -e "$manifest" ] || cp "$manifest" "$scratch/old.new"
  touch "$scratch/old.new"; mv "$scratch/old.new" "$scratch/old"; }

# the files in the stage, without those of other resources
cd "$stage"
find . -type f -exec sha256sum {} + | sed 's/^\([0-9a-f]*\)  \./\1\t/' >"$scratch/sums"
find . \( -type f -printf 'f\t%m\t-\t/%P\n' \) -o \( -type l -printf 'l\t777\t%l\t/%P\n' \) >"$scratch/list"
awk -F"$tab" -v OFS="$tab" '
  FILENAME ~ /foreign$/ { foreign[$0]; next }
  FILENAME ~ /sums$/ { sum[$2] = $1; next }
  !($4 in foreign) { if ($1 == "f") $3 = sum[$4]; print }
' "$HACORE_WORK/foreign" "$scratch/sums" "$scratch/list" | LC_ALL=C sort -t "$tab" -k 4 >"$scratch/new"

# the action for each path: keep a file modified by hand, or a configuration file that existed before
{ owned "$scratch/new"; owned "$scratch/old"; } | without "$HACORE_WORK/foreign" | sums >"$scratch/now"
awk -F"$tab" -v OFS="$tab" -v binary="$binary" '
  FILENAME ~ /now$/ { now[$3] = $1 OFS $2; next }
  FILENAME ~ /old$/ { if ($1 != "d") old[$4] = $1 OFS $3; next }
  { new[$4]; is = $1 OFS $3; was = now[$4]
    if (was == is || was == "" || $4 == binary) act = "put"
    else if ($4 in old) act = (was == old[$4]) ? "put" : "changed"
    else act = ($4 ~ /^\/etc\// || $4 ~ /\.(conf|cfg|cnf|ini|ya?ml|toml)$/) ? "found" : "put"
    print act, $4 }
  END {
    for (path in old) if (!(path in new) && now[path] != "")
      print (now[path] == old[path]) ? "gone" : "stale", path
  }
' "$scratch/now" "$scratch/old" "$scratch/new" | LC_ALL=C sort >"$scratch/acts"

# the intent: without files found before; with the directories that builds have created so far
{ awk -F"$tab" 'FILENAME ~ /acts$/ { if ($1 == "found") found[$2]; next } !($4 in found)' "$scratch/acts" "$scratch/new"
  awk -F"$tab" '$1 == "d"' "$scratch/old"; } >"$manifest.new"
mv -fT -- "$manifest.new" "$manifest"

while IFS=$tab read -r path mode owner; do make_dir "$path" "$mode" "$owner"; done <"$HACORE_WORK/directories"
find "$stage" -mindepth 1 -type d -printf '/%P\t%m\n' | LC_ALL=C sort | while IFS=$tab read -r path mode; do
  if [ ! -e "$path" ]; then make_dir "$path" "$mode" :; fi
done
cut -f 2- "$scratch/acts" | safe_folders # including the folders created just now
while IFS=$tab read -r act path; do
  case $act in
    put) place "$stage$path" "$path" ;;
    changed) echo "kept $path: modified by hand" ;;
    found) echo "kept $path: it existed before" ;;
    gone) rm -f -- "$path" ;;
    stale) echo "kept $path: modified by hand" ;;
  esac
done <"$scratch/acts"
! grep -q '/lib[^/]*\.so' "$scratch/acts" || refresh_libraries

sed "s/^/d$tab-$tab-$tab/" "$scratch/made" | cat "$manifest" - | LC_ALL=C sort -u -t "$tab" -k 4 >"$manifest.new"
mv -fT -- "$manifest.new" "$manifest"
now=; [ -z "$binary" ] || { now=$(sha256sum <"$binary"); now=${now%% *}; }
{ printf '%s, "binary": "%s", "toolchain": "%s", ' "$(cat "$HACORE_WORK/record")" "$now" "$(cat "$scratch/toolchain")"
  printf '"libraries": "%s", "built": %s}\n' "$(cat "$scratch/libraries")" "$(date +%s)"; } >"$record.new"
chmod 0600 "$record.new" # what it was built with, and its libraries, are of no use to others
mv -fT -- "$record.new" "$record"
rm -rf -- "$scratch"
"""


def install(spec: SourceBuildSpec, foreign: Iterable[str], stamp: str) -> tuple[str, dict[str, bytes]]:
    """The script that installs the stage on the host, and its blobs; `stamp` is that of `compile.steps`."""
    rows = [f"{d.path.rstrip('/')}\t{d.mode}\t{d.owner}:{d.group}" for d in spec.directories]
    known = {"stamp": stamp, "sha256": spec.sha256}
    if not spec.sensitive:
        known["source"] = spec.source
        known["inputs"] = listing(spec)
    blobs = {
        "foreign": foreign_paths(foreign),
        "directories": "".join(f"{row}\n" for row in rows).encode(),
        "record": json.dumps(known).removesuffix("}").encode(),
    }
    return head(spec, stamp) + _SETS + _PLACE + _INSTALL, blobs


# --- undo ------------------------------------------------------------------------------------------

_UNDO = r"""
cd "$HACORE_WORK"
for one in had absent dir folder runtime manifest; do touch "$one"; LC_ALL=C sort -u -o "$one.sorted" "$one"; done
{ owned "$manifest"; owned manifest; } | without foreign >ours
{ cat ours; cat absent; } | without foreign | without had.sorted | while IFS= read -r path; do
  if [ ! -d "$path" ] || [ -L "$path" ]; then printf '%s\n' "$path"; fi
done >remove
{ cat ours; cat absent; cat had; } | sed "s,/[^/]*\$,/.hacore.$name.new," | LC_ALL=C sort -u >halves
cat remove halves had folder.sorted | safe_folders
{ cat dir; made "$manifest"; } | safe_paths
[ ! -s halves ] || xargs -d '\n' rm -f -- <halves
[ ! -s remove ] || xargs -d '\n' rm -f -- <remove
if [ -e files ]; then
  mkdir before
  tar -xpzf files -C before --xattrs
  while IFS= read -r path; do
    [ ! -e "$path" ] || continue
    mkdir -p -- "$path"; chown --reference="before$path" -- "$path"; chmod --reference="before$path" -- "$path"
  done <folder.sorted
  LC_ALL=C comm -12 ours had.sorted | while IFS= read -r path; do
    if [ ! -d "${path%/*}" ]; then mkdir -p -- "${path%/*}"; fi
    place "before$path" "$path"
  done
fi
if [ ! -e record ]; then
  for path in @RUNTIME@; do
    if { [ -e "$path" ] || [ -L "$path" ]; } && ! grep -qxF -- "$path" runtime && ! grep -qxF -- "$path" foreign; then
      safe_path "$path"
      rm -rf -- "$path"
    fi
  done
fi
made manifest | LC_ALL=C sort -u >kept
{ cat dir; made "$manifest"; } | without foreign | without kept | LC_ALL=C sort -r | while IFS= read -r path; do
  [ -d "$path" ] && [ ! -L "$path" ] || continue
  rmdir -- "$path" 2>/dev/null ||
    find "$path" -maxdepth 1 -mindepth 1 ! -type d -printf 'kept %p: not part of the build\n'
done
! cat remove had | grep -q '/lib[^/]*\.so' || refresh_libraries
if [ -e record ]; then
  mkdir -p "${record%/*}"; chmod 0700 "${record%/*}"
  cp manifest "$manifest.new"; mv -fT -- "$manifest.new" "$manifest"
  cp record "$record.new"; mv -fT -- "$record.new" "$record"
else
  rm -f -- "$record" "$record.new" "$manifest" "$manifest.new" "$home/build/$name.lock" "$log"
  rmdir --ignore-fail-on-non-empty -- "${record%/*}" 2>/dev/null || :
fi
rm -rf -- "$scratch"
rmdir --ignore-fail-on-non-empty -- "$home/build" 2>/dev/null || :
"""


def undo(spec: SourceBuildSpec, image: Image, foreign: Iterable[str]) -> tuple[str, dict[str, bytes]]:
    """The script that restores an image, and its blobs. An image without data: the build did not exist."""
    data: dict[str, Any] = image.data or {}
    blobs = {"foreign": foreign_paths(foreign), **dict.fromkeys(_PATHS, b""), **image.blobs}
    if data.get("record"):
        blobs["record"] = f"{data['record']}\n".encode()
    return head(spec) + _SETS + _PLACE + _UNDO.replace("@RUNTIME@", " ".join(spec.runtime)), blobs
