"""The shell functions that the steps of all package managers share: lists, calls, and records.

A record is a folder below `$HACORE_HOME/$manager`: the effects of an installation that the package manager
itself does not undo. Package scripts create files (nginx: /var/www/html), rewrite registries (ucf, passwd) and
remove files; a removal does not undo that. While packages change, the record has the previous state; `settle`
reduces it to the differences, and `forget` undoes them when the last of the added packages is removed. Files
that were modified since are kept.

manager.py lists the functions that each package manager's own module defines.
"""

from __future__ import annotations

from hacore.contract import SAFE_PATH

__all__ = ["COMMON", "RECORDS"]

COMMON = (
    SAFE_PATH
    + r"""
nl='
'
die() { printf '%s\n' "$*" >&2; exit 1; }
quietly() { # shows the output of a program only if it fails
  if ! "$@" >"$HACORE_WORK/output" 2>&1 </dev/null; then
    tail -n 40 "$HACORE_WORK/output" >&2
    return 1
  fi
}
names() { cut -f 1 | sort -u; }
there() { awk -F '\t' '$3 == "ii" { print $1 }' | sort -u; }
words() { printf '%s\n' "$@" | sed '/^$/d' | sort -u; } # arguments as a sorted list
trap free_services EXIT
trap 'exit 129' HUP; trap 'exit 130' INT; trap 'exit 143' TERM
"""
)

RECORDS = r"""
records=$HACORE_HOME/$manager
record=
keep_all='tar --numeric-owner --xattrs --xattrs-include=* --acls'
plain_tar='tar --quoting-style=literal'
each_record() { # calls a function with each record's folder
  for folder in "$records"/*/; do
    if [ -d "$folder" ]; then "$1" "${folder%/}"; fi
  done
}
paths() { # where maintainer scripts create files, without the folders of running services and package managers
  find /etc /var -xdev -maxdepth 5 \( -path /var/log -o -path /var/cache -o -path /var/tmp -o -path /var/spool \
    -o -path /var/lib/apt -o -path /var/lib/dpkg -o -path /var/lib/rpm -o -path /var/lib/dnf \
    -o -path /var/lib/systemd -o -path /var/lib/hacore -o -path /etc/ld.so.cache -o -path /etc/resolv.conf \
    -o -path /etc/mtab -o -path /etc/adjtime \) -prune \
    -o -print | sort
}
not_foreign() { # without the paths of other resources and all below them
  awk 'FILENAME == ARGV[1] { owned[$0]; next }
    { for (p = $0; p != ""; sub(/\/[^\/]*$/, "", p)) if (p in owned) next; print }' "$HACORE_WORK/foreign" -
}
sign() { # a signature that changes with the file
  if [ -L "$1" ]; then printf 'link:%s' "$(readlink -- "$1" | sha256sum | cut -c 1-64)"
  elif [ -d "$1" ]; then printf directory
  elif [ -f "$1" ]; then sha256sum <"$1" | cut -c 1-64
  elif [ -e "$1" ]; then printf other
  else printf gone
  fi
}
signed() { while IFS= read -r path; do printf '%s %s\n' "$(sign "$path")" "$path"; done; }
open_record() {
  umask 077
  mkdir -p "$records"
  record=$(mktemp -d "$records/XXXXXXXX")
  : >"$record/open"
  umask 022
  packages >"$record/before"
  paths >"$record/paths"
  set -- etc
  [ ! -d /var/lib/ucf ] || set -- etc var/lib/ucf
  $keep_all -C / -cf "$record/before.tar" "$@" 2>/dev/null || :
  printf '%s\n' "$@" >"$record/open"
}
settle() {
  record=$1
  [ -e "$record/open" ] || return 0
  [ -s "$record/open" ] || { rm -rf -- "$record"; return 0; } # interrupted before any change
  packages >"$record/after"
  names <"$record/before" >"$HACORE_WORK/were"
  names <"$record/after" | comm -13 "$HACORE_WORK/were" - >"$record/added"
  cat "$record/added" >>"$HACORE_WORK/crashed"
  there <"$record/after" >"$HACORE_WORK/are"
  there <"$record/before" | comm -23 - "$HACORE_WORK/are" >"$record/removed"
  awk -F '\t' -v OFS='\t' 'FILENAME == ARGV[1] { was[$1] = $2; next }
    ($1 in was) && was[$1] != $2 { print $1, was[$1], $2 }' "$record/before" "$record/after" >"$record/versions"
  # files of other accounts were created by others in the meantime; files of new accounts belong to the packages
  tar -xOf "$record/before.tar" etc/passwd 2>/dev/null | cut -d : -f 3 | grep -vx 0 >"$HACORE_WORK/uids" || :
  paths | comm -13 "$record/paths" - | not_foreign | grep -v '^/var/lib/ucf/' | while IFS= read -r path; do
    stat -c %u -- "$path" 2>/dev/null | grep -qxFf "$HACORE_WORK/uids" || printf '%s\n' "$path"
  done | signed >"$record/made"
  {
    $plain_tar -C / -df "$record/before.tar" 2>/dev/null |
      sed -n 's/: \(Contents\|Size\|Mode\|Uid\|Gid\|Symlink\|File type\) differs\{0,1\}$//p'
    $plain_tar -tf "$record/before.tar" | while IFS= read -r path; do
      [ -e "/$path" ] || [ -L "/$path" ] || printf '%s\n' "$path"
    done
  } | sed 's,^,/,; s,/$,,' | sort -u | not_foreign >"$HACORE_WORK/edited" || :
  grep -q '^/var/lib/ucf' "$HACORE_WORK/edited" && echo /var/lib/ucf >"$record/ucf" || :
  grep -vx -e /etc/ld.so.cache -e /etc/resolv.conf -e /etc/mtab -e /etc/adjtime -e '/var/lib/ucf.*' \
    "$HACORE_WORK/edited" | signed >"$record/edits" || :
  sed 's,^[^ ]* /,,' "$record/edits" >"$HACORE_WORK/members"
  mkdir -p "$record/old"
  [ ! -s "$HACORE_WORK/members" ] || $keep_all -C "$record/old" -xpf "$record/before.tar" --no-recursion \
    --verbatim-files-from -T "$HACORE_WORK/members"
  [ ! -e "$record/ucf" ] || $keep_all -C "$record/old" -xpf "$record/before.tar" var/lib/ucf
  sweep "$record/open"
  rm -f -- "$record/open" "$record/before" "$record/after" "$record/before.tar" "$record/paths"
  for list in added removed versions made edits ucf; do [ ! -s "$record/$list" ] || return 0; done
  rm -rf -- "$record"
}
look_back() { # before packages are removed: the record's files that were not modified since
  for list in made edits; do
    while IFS=' ' read -r was path; do
      [ "$(sign "$path")" != "$was" ] || printf '%s\n' "$path"
    done <"$1/$list" >"$HACORE_WORK/$list.${1##*/}"
  done
}
forget() { # after packages were removed; a record of this same step has no list from look_back
  [ -e "$HACORE_WORK/edits.${1##*/}" ] || return 0
  packages >"$HACORE_WORK/now"
  names <"$HACORE_WORK/now" | comm -12 - "$1/added" >"$HACORE_WORK/left"
  there <"$HACORE_WORK/now" | comm -13 - "$1/removed" >>"$HACORE_WORK/left"
  awk -F '\t' 'FILENAME == ARGV[1] { now[$1] = $2; next } now[$1] == $3 { print $1 }' \
    "$HACORE_WORK/now" "$1/versions" >>"$HACORE_WORK/left"
  [ ! -s "$HACORE_WORK/left" ] || return 0
  sort -r "$HACORE_WORK/made.${1##*/}" | while IFS= read -r path; do
    take_out "$path"
  done
  not_foreign <"$HACORE_WORK/edits.${1##*/}" | while IFS= read -r path; do put_back "$1/old" "$path"; done
  if [ -e "$1/ucf" ]; then old_registry "$1/old/var/lib/ucf"; fi
  cat "$1/added" >>"$HACORE_WORK/forgotten"
  rm -rf -- "$1"
}
take_out() ( # PATH: by its folder, entered first: folders of other accounts could be redirected
  folder=${1%/*}; folder=${folder:-/} name=./${1##*/}
  cd -P -- "$folder" 2>/dev/null && [ "$(pwd -P)" = "$folder" ] || exit 0
  if [ -d "$name" ] && [ ! -L "$name" ]; then rmdir -- "$name" 2>/dev/null || :; else rm -f -- "$name"; fi
)
safe_members() { # fails the step if another user can redirect one of the paths on stdin (without the first slash)
  while IFS= read -r path; do safe_path "/$path"; done
}
put_back() { # folder of old entries, path
  if [ "$(sign "$1$2")" = "$(sign "$2")" ] && [ "$(stat -c '%a %u %g' -- "$1$2")" = "$(stat -c '%a %u %g' -- "$2")" ]
  then return 0; fi
  safe_owner "$2" "$(stat -c %u -- "$1$2")"
  if [ -d "$1$2" ] && [ ! -L "$1$2" ]; then
    __known || mkdir -m 0700 -- "$2"
    $keep_all -C "$1" --no-recursion -cf - ".$2" | $keep_all -C / -xpf -
  else
    room=${2%/*}/.hacore-old # private: in /var/tmp another user could put a link at a name that can be guessed
    rm -rf -- "$room".*
    room=$(mktemp -d -- "$room.XXXXXXXX")
    cp -aT -- "$1$2" "$room/entry"
    mv -fT -- "$room/entry" "$2"
    rmdir -- "$room"
  fi
}
old_registry() { # ucf(1) numbers its backups: with the same registry as before, the old backups are right
  cmp -s "$1/hashfile" /var/lib/ucf/hashfile && cmp -s "$1/registry" /var/lib/ucf/registry || return 0
  for path in /var/lib/ucf/hashfile.[0-9]* /var/lib/ucf/registry.[0-9]*; do
    [ -e "$1/${path##*/}" ] || rm -f -- "$path"
  done
  for path in "$1"/*.[0-9]*; do
    [ ! -e "$path" ] || put_back "${1%/var/lib/ucf}" "/var/lib/ucf/${path##*/}"
  done
}
"""
