"""The shell of the file kind: `replace` and `restore` are mirror images; both are safe to repeat.

A regular file is written to a temporary file in the same folder and renamed over the old one (rename(2)
is atomic), so a reader sees the old bytes or the new ones, never a part. The new file keeps the old one's
owner, mode, ACL, extended attributes and SELinux label where the spec does not set them.
"""

from __future__ import annotations

import posixpath

from hacore.contract import Image, Source, Step, quote

from .shell import TAR, guarded
from .spec import FileSpec

__all__ = ["remove", "replace", "restore"]

DEADLINE = 120.0
"""Seconds for a step of a small file."""

SLOWEST = 1 << 20
"""Bytes a second that writing a large file must reach, its check not included."""


# --- apply -----------------------------------------------------------------------------------------


def _chown(spec: FileSpec, name: str) -> str:
    if spec.owner is None and spec.group is None:
        return ":"
    who = f"{spec.owner or ''}{'' if spec.group is None else ':' + spec.group}"
    return f"chown -h -- {quote(who)} {name}"


def _own(spec: FileSpec, fallback: str) -> str:
    """A function `own FILE [MODE]`: chown, then chmod, because chown clears the suid bits.

    With fewer than five digits chmod(1) would keep a directory's sgid bit.
    """
    mode = quote(spec.bits) if spec.bits else f'"${{2:-{fallback}}}"'
    return f'own() {{ {_chown(spec, chr(34) + "$1" + chr(34))}; chmod -- 0{mode} "$1"; }}\n'


def replace(spec: FileSpec) -> Step:
    """Replace the current entry by the desired one."""
    scripts = {"file": _file, "directory": _directory, "link": _link, "absent": _absent}
    data, bulk = spec.data, spec.bulk
    sent = spec.kind == "file" and (data is not None or bulk is not None)
    return Step(
        guarded(spec.path, scripts[spec.kind](spec), spec.owner or "", "content" if sent else ""),
        blobs={} if data is None or spec.kind != "file" else {"content": data},
        sources={} if bulk is None else {"content": Source(bulk.url, bulk.sha256, bulk.size)},
        deadline=DEADLINE if bulk is None else DEADLINE + bulk.size / SLOWEST,
        what=f"removing {spec.path}" if spec.kind == "absent" else f"writing {spec.path}",
    )


_PARENT = """[ -d "$dir" ] ||
  die "cannot create $path: $dir does not exist; add a file resource with ensure: directory for it"
"""

_NEW = r"""
tmp=$(mktemp --suffix="$suffix" -- "$stem.XXXXXX")
exec 3>"$tmp"
mode=
if is_file; then
  # the open descriptor stays writable; the content is written after the permissions are set
  cp --attributes-only --preserve=all -- "$path" "$tmp"
  mode=$(stat -c %a -- "$path")
fi
own "$tmp" "$mode"
[ ! -e "$HACORE_WORK/content" ] || cat -- "$HACORE_WORK/content" >&3
exec 3>&-
own "$tmp" "$mode"
"""


def _file(spec: FileSpec) -> str:
    suffix = posixpath.splitext(spec.path)[1]
    same = "is_file" if not spec.has_content else 'is_file && cmp -s -- "$HACORE_WORK/content" "$path"'
    return (
        _own(spec, "0600" if spec.sensitive else "0644")
        + _PARENT
        + f'if {same}; then own "$path" "$(stat -c %a -- "$path")"; exit 0; fi\n'
        + f"suffix={quote(suffix)}\n"
        + _NEW
        + ("" if spec.check is None else _check(spec.check))
        + 'flush "$tmp"\nnew=1; ! is_file || new=\nswap "$tmp"; tmp=\n[ -z "$new" ] || label\n'
    )


def _check(command: str) -> str:
    """The user's check of the new file, before it replaces the old one: `validate` in the stack reference.

    Files that the check itself writes (nginx -t creates its log files) are not removed.
    """
    for form in ("'%s'", '"%s"', "%s"):
        command = command.replace(form, '"$1"')
    return f"""checked=0
sh -c {quote(command)} sh "$tmp" >"$HACORE_WORK/output" 2>&1 || checked=$?
if [ "$checked" -ne 0 ]; then
  printf 'cannot replace %s: its check failed with exit code %s' "$path" "$checked" >&2
  if [ -s "$HACORE_WORK/output" ]; then echo : >&2; else echo ' and printed nothing' >&2; fi
  export path tmp # the output names the new file by its temporary name
  tail -n 40 "$HACORE_WORK/output" | awk '{{
    line = ""
    while (at = index($0, ENVIRON["tmp"])) {{
      line = line substr($0, 1, at - 1) ENVIRON["path"]
      $0 = substr($0, at + length(ENVIRON["tmp"]))
    }}
    print line $0
  }}' >&2
  exit 1
fi
"""


def _directory(spec: FileSpec) -> str:
    return (
        _own(spec, "0755")
        + _PARENT
        + """if is_dir; then own "$path" "$(stat -c %a -- "$path")"; exit 0; fi
rm -f -- "$path"
(umask 077; mkdir -- "$path")
own "$path"
label
flush "$dir"
"""
    )


def _link(spec: FileSpec) -> str:
    # the x keeps a newline at the end of the target
    return f"""{_PARENT}target={quote(spec.link_to)}
if __known && [ -L "$path" ] && [ "$(readlink -n -- "$path"; echo x)" = "${{target}}x" ]; then
  {_chown(spec, '"$path"')}
  exit 0
fi
tmp="$stem.link"
ln -sT -- "$target" "$tmp"
{_chown(spec, '"$tmp"')}
swap "$tmp"; tmp=
label
"""


def _absent(_: FileSpec) -> str:
    return """if is_dir; then
  rmdir -- "$path" 2>/dev/null || die "cannot remove $path: the directory is not empty: $(inside)"
else rm -f -- "$path"
fi
"""


# --- undo --------------------------------------------------------------------------------------

_RESTORE = rf"""
# unchanged: keep it, with its hard links
! {TAR} -C "$dir" -df "$HACORE_WORK/entry.tar" >/dev/null 2>&1 || exit 0
"""

_RESTORE_ENTRY = rf"""
[ -d "$dir" ] || die "cannot restore $path: $dir does not exist"
tmp=$(mktemp -d -- "$stem.XXXXXX")
{TAR} -C "$tmp" -xpf "$HACORE_WORK/entry.tar"
[ -L "$tmp/$base" ] || flush "$tmp/$base"
swap "$tmp/$base"
"""

_RESTORE_DIRECTORY = rf"""
is_dir || {{ rm -f -- "$path"; (umask 077; mkdir -- "$path"); }}
{TAR} -C "$dir" -xpf "$HACORE_WORK/entry.tar"
"""


def restore(path: str, image: Image, owner: str | None = None) -> Step:
    """Replace the current entry by the one of the before-image. `owner`: the desired owner of the current one."""
    data = image.data or {}
    worker = data.get("worker")
    if data.get("kind", "absent") == "absent":
        return remove(path, owner, worker)
    body = _RESTORE + (_RESTORE_DIRECTORY if data["kind"] == "directory" else _RESTORE_ENTRY)
    script = guarded(path, body, str(data.get("uid", "")), "entry.tar", worker)
    return Step(script, blobs=dict(image.blobs), what=f"restoring {path}")


def remove(path: str, owner: str | None = None, worker: int | None = None) -> Step:
    """Remove the entry. A directory that is not empty is kept, and its content reported."""
    body = """if is_dir; then
  rmdir -- "$path" 2>/dev/null || printf '%s\\n' "kept $path: it is not empty: $(inside)" >&2
else rm -f -- "$path"
fi
"""
    return Step(guarded(path, body, owner or "", worker=worker), what=f"removing {path}")
