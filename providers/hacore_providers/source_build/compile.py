"""The build in scratch space: unpack, patch, configure, make, install into a stage. POSIX sh as text.

    $HACORE_HOME/build/NAME/tree    the unpacked source
    $HACORE_HOME/build/NAME/stage   the DESTDIR of `make install`
    $HACORE_HOME/build/NAME/built   the stamp of the complete stage
    $HACORE_HOME/build/NAME.log     the output of the build

Nothing else is changed. Each script may run again after a crash, also while a detached build of an
earlier connection is still running: it waits for that build.
"""

from __future__ import annotations

import base64

from hacore.contract import SAFE_PATH, Source, Step, quote
from hacore_providers.facts.build import HOME, TOOLCHAIN_SCRIPT
from hacore_providers.facts.stat import UNSAFE
from hacore_providers.source_build.spec import SourceBuildSpec, command_of

DEADLINE = 1800.0
"""Seconds for a build, and for the wait for an earlier build of the same name."""


def head(spec: SourceBuildSpec, stamp: str = "") -> str:
    """The variables and functions that all scripts of a build use; `stamp` for those that make or install it."""
    return f"""name={quote(spec.name)}
title={quote(spec.title)}
stamp={quote(stamp)}
binary={quote(spec.binary or "")}
home="{HOME}"
scratch=$home/build/$name; stage=$scratch/stage; log=$home/build/$name.log
record=$home/builds/$name.json; manifest=$home/builds/$name.manifest
tab=$(printf '\\t')
{SAFE_PATH}
safe_paths() {{ while IFS= read -r one; do safe_path "$one"; done; }}
# the folders of the paths on stdin; stricter than safe_path: temporary names in them could be guessed by others
safe_folders() {{
  sed 's,/[^/]*$,/.,' | LC_ALL=C sort -u | while IFS= read -r one; do
    safe_path "$one"
    [ -z "$__closed" ] || echo "$one" >>"$HACORE_WORK/closed"
    [ -n "$__open" ] || continue
    echo "cannot write in ${{one%.}}: other users can write there as well; {UNSAFE}" >&2
    exit 1
  done
}}
safe_path "$scratch" "$record"
is() {{ [ -r "$1" ] && [ "$(cat "$1")" = "$stamp" ]; }}
"""


_ALONE = r"""
mkdir -p "$home/build"
chmod 0700 "$home/build" # sources, and logs that quote what a build prints
exec 9>"$home/build/$name.lock"
flock -w 1800 9 || { echo "cannot build $title: an earlier build is still running after 30 min" >&2; exit 1; }
! is "$scratch/built" || exit 0
"""

_UNPACK = r"""
have=$(sha256sum <"$HACORE_WORK/source"); have=${have%% *}
[ "$have" = "$sha256" ] || { echo "cannot use $url: its SHA-256 is $have, not $sha256" >&2; exit 1; }
rm -rf -- "$scratch"
mkdir -p "$scratch/src"
tar -xf "$HACORE_WORK/source" -C "$scratch/src" --no-same-owner 9>&- || { echo "cannot unpack $url" >&2; exit 1; }
set -- "$scratch"/src/*
if [ $# -eq 1 ] && [ -d "$1" ]; then mv -- "$1" "$scratch/tree"; else mv -- "$scratch/src" "$scratch/tree"; fi
"""

_MODULE = r"""
add_module() { # file, SHA-256, URL, folder in the source
  have=$(sha256sum <"$1"); have=${have%% *}
  [ "$have" = "$2" ] || { echo "cannot use $3: its SHA-256 is $have, not $2" >&2; exit 1; }
  into=$scratch/tree/$4
  rmdir -- "$into" 2>/dev/null || : # archives have empty folders in place of git's submodules
  if [ -e "$into" ] || [ -L "$into" ]; then
    echo "cannot unpack $3: the source of $title has $4 already" >&2; exit 1
  fi
  rm -rf -- "$scratch/module"; mkdir -p "$scratch/module" "${into%/*}"
  tar -xf "$1" -C "$scratch/module" --no-same-owner 9>&- || { echo "cannot unpack $3" >&2; exit 1; }
  set -- "$scratch"/module/*
  if [ $# -eq 1 ] && [ -d "$1" ]; then mv -- "$1" "$into"; else mv -- "$scratch/module" "$into"; fi
  rm -rf -- "$scratch/module"
}
"""

_PATCH = r"""
command -v patch >/dev/null 2>&1 || {
  echo "cannot patch $title: the program patch is missing (install the package patch)" >&2; exit 1; }
apply_patch() { # blob, name
  patch --batch --forward -p1 -d "$scratch/tree" <"$1" >"$scratch/patch.log" 2>&1 && return 0
  cat "$scratch/patch.log" >&2
  echo "cannot apply patch $2 to $title" >&2; exit 1
}
"""

_RUN = r"""
is "$scratch/unpacked" || { echo "cannot build $title: its unpacked source is missing in $scratch" >&2; exit 1; }
cd "$scratch/tree"
rm -f -- "$log"; (umask 077; : >"$log")
run() { # command, shown as
  printf '+ %s\n' "${2:-$1}" >>"$log"
  rc=0; sh -ec "$1" >>"$log" 2>&1 </dev/null 9>&- || rc=$?
  [ "$rc" -ne 0 ] || return 0
  tail -n 40 "$log" >&2
  echo "cannot build $title: '${2:-$1}' failed with exit code $rc (full output in $log)" >&2; exit 1
}
"""

_STAGED = r"""
[ -n "$(find "$stage" ! -type d -print -quit)" ] || {
  echo "cannot install $title: nothing was installed below DESTDIR; does its Makefile honour DESTDIR?" >&2; exit 1; }
odd=$(find "$stage" \( -name '*[[:cntrl:]]*' -o -name '*\\*' \) -print -quit)
[ -z "$odd" ] || { echo "cannot install $title: backslash or control character in a file name: $odd" >&2; exit 1; }
if [ -n "$binary" ] && [ ! -f "$stage$binary" ]; then
  find "$stage" -type f -perm -100 -printf '/%P\n' | head -n 20 >&2
  echo "cannot install $title: $binary was not installed (the installed programs are listed above)" >&2; exit 1
fi
libraries=
if [ -n "$binary" ]; then
  libraries=$(ldd "$stage$binary" 2>/dev/null | awk '$2 == "=>" { print $1 }' | LC_ALL=C sort | tr '\n' ' ') || :
fi
printf '%s\n' "${libraries% }" >"$scratch/libraries"
rm -rf -- "$scratch/tree"
printf '%s\n' "$stamp" >"$scratch/built"
"""


def steps(spec: SourceBuildSpec, stamp: str) -> list[Step]:
    """Unpack, then build; the build is detached. `stamp` identifies the inputs on the host."""
    resolved = spec.resolved
    if resolved is None:
        raise ValueError("cannot build from a spec that is not resolved")
    script, blobs = (
        head(spec, stamp) + _ALONE + f"url={quote(spec.source)}\nsha256={quote(spec.sha256)}\n" + _UNPACK,
        {},
    )
    tarballs = {"source": Source(resolved.url, spec.sha256)}
    if spec.modules:
        script += _MODULE
    for index, (module, (url, _)) in enumerate(zip(spec.modules, resolved.modules, strict=True)):
        tarballs[f"module.{index}"] = Source(url, module.sha256)
        given = " ".join(map(quote, (module.sha256, module.source, module.into)))
        script += f'add_module "$HACORE_WORK"/module.{index} {given}\n'
    if resolved.patches:
        script += _PATCH
    for index, (name, _, content) in enumerate(resolved.patches):
        blobs[f"patch.{index}"] = base64.b64decode(content)
        script += f'apply_patch "$HACORE_WORK"/patch.{index} {quote(name)}\n'
    script += 'printf "%s\\n" "$stamp" >"$scratch/unpacked"\n'
    unpack = Step(
        script,
        blobs=blobs,
        sources=tarballs,
        what=f"unpacking {spec.title}",
        deadline=DEADLINE,
    )
    build = Step(build_script(spec, stamp), what=f"building {spec.title}", deadline=DEADLINE, detached=True)
    return [unpack, build]


def build_script(spec: SourceBuildSpec, stamp: str) -> str:
    """Configure, make and install into the stage."""
    lines = [head(spec, stamp), _ALONE, _RUN]
    lines += [f"export {name}={quote(value)}" for name, value in spec.environment.items()]
    lines.append(_configure(spec))
    lines += [f"run {quote(command)}" for command in spec.make] or ['run "make -j$(nproc)"']
    lines.append('rm -rf -- "$stage"; mkdir -m 0755 -- "$stage"; export DESTDIR="$stage"')
    lines += [f"run {quote(command_of(command))} {quote(command)}" for command in spec.install]
    lines += [TOOLCHAIN_SCRIPT, f'{{ toolchain {quote(spec.compiler)} || echo; }} >"$scratch/toolchain"', _STAGED]
    return "\n".join(lines)


def _configure(spec: SourceBuildSpec) -> str:
    if spec.configure is None:
        return "[ ! -e ./configure ] || run 'sh ./configure'"
    arguments = " ".join(quote(argument) for argument in spec.configure)
    missing = 'echo "cannot configure $title: its source has no ./configure (remove configure)" >&2; exit 1'
    script = f"sh ./configure {arguments}".rstrip()
    return f"[ -e ./configure ] || {{ {missing}; }}\nrun {quote(script)}"
