"""Undo of packages: from the installed packages to those of an image, for the names of one task and their dependencies.

Variables: `names` of the task, `governed` (those with a managed version), `holding` (those of which the task decides
the hold), `kept` (names of other resources), `mode` undo or delete, `blank` (the image is "none of these was
installed"), `key` (identifies the task). Files in `$HACORE_WORK`: the image (`packages`, `auto`, `paths`, `held` since
there are holds, perhaps `configuration`) and `foreign`.
"""

from __future__ import annotations

__all__ = ["UNDO"]

UNDO = r"""
image=$HACORE_WORK
: >"$image/crashed"; : >"$image/needed"
free_services
each_record settle
packages >"$image/now"
if [ -n "$blank" ]; then # all installed packages, without these names and what hacore installed
  words $names >"$image/mine"
  cat "$records"/*/added 2>/dev/null | sort -u - "$image/mine" >"$image/brought"
  awk -F '\t' 'FILENAME == ARGV[1] { ours[$1]; next } !($1 in ours)' "$image/brought" "$image/now" >"$image/packages"
fi
each_record look_back # before any change
words $kept >"$image/kept.names"
names <"$image/packages" >"$image/were"

# --- added packages: the names that were not installed, and their dependencies
find_added() {
  packages >"$image/now"
  names <"$image/now" | comm -13 "$image/were" - >"$image/new"
  if [ "$mode" = delete ]; then # packages of an earlier task may be without use now
    cat "$records"/*/added 2>/dev/null | sort -u - "$image/new" >"$image/more"
    names <"$image/now" | comm -12 - "$image/more" >"$image/new"
  fi
  comm -23 "$image/new" "$image/kept.names" >"$image/ours"
  words $names | comm -12 - "$image/ours" | comm -23 - "$image/were" >"$image/base"
  # an interrupted installation may not have marked the dependencies yet
  along | sort -u - "$image/crashed" >"$image/along"
  comm -12 "$image/ours" "$image/along" | sort -u - "$image/base" >"$image/may"
}
purge() { # a command, then names; restores the configuration files that existed before the package
  $keep_all -C / -cf "$image/etc.tar" etc 2>/dev/null || :
  $plain_tar -tf "$image/etc.tar" | sed 's,^,/,; s,/$,,' | sort >"$image/before.paths"
  purged=0
  "$@" || purged=$?
  # what another task of this run removes at the same time is not to be restored
  comm -12 "$image/before.paths" "$image/paths" | not_foreign | while IFS= read -r path; do
    [ -e "$path" ] || [ -L "$path" ] || printf '%s\n' "${path#/}"
  done >"$image/members"
  [ ! -s "$image/members" ] || { safe_members <"$image/members" &&
    $keep_all -C / -xpf "$image/etc.tar" --no-recursion --verbatim-files-from -T "$image/members"; } || purged=1
  return "$purged"
}
# --- holds that the stack decides: released first, because a held package cannot be removed or moved
for word in $holding; do ! installed "$word" || release_names "$word"; done
find_added
if broken; then
  # completing the installation first could hang or fail
  [ ! -s "$image/may" ] || purge take_broken $(cat "$image/may") || :
  repair
  find_added
fi
if [ -s "$image/may" ]; then
  purge_list >"$image/purge" || die "cannot find the dependencies of $names: $(tail -n 5 "$image/output")"
  if [ -s "$image/purge" ]; then
    purge take_away $(cat "$image/purge") || die "cannot purge $(tr '\n' ' ' <"$image/purge")"
    [ "$mode" = undo ] || { mkdir -p "$records"; cat "$image/purge" >>"$records/purged.$key"; }
  fi
  [ ! -s "$image/needed" ] || mark_along $(cat "$image/needed")
fi

# --- packages of which only configuration files existed before
awk -F '\t' '$3 == "rc" { print $1 }' "$image/packages" >"$image/mere"
there <"$image/now" | comm -12 - "$image/mere" >"$image/whole"
words $names | comm -12 - "$image/whole" | comm -23 - "$image/kept.names" >"$image/remove"
if [ -s "$image/remove" ]; then
  if only_these $(cat "$image/remove"); then take_off $(cat "$image/remove")
  else echo "kept $(tr '\n' ' ' <"$image/remove" | sed 's/ $//'): required by other packages" >&2; fi
fi
each_record forget

# --- removed packages, and changed versions
packages >"$image/now"
{
  words $names
  cat "$records"/*/removed 2>/dev/null || :
  # an undo of a delete restores what the delete purged
  [ "$mode" = delete ] || cat "$records/purged.$key" 2>/dev/null || :
} | sort -u >"$image/touched"
there <"$image/now" | comm -23 "$image/touched" - >"$image/lost"
cat "$records"/*/versions 2>/dev/null | sort -u >"$image/moves" || :
words $governed >"$image/governed"
awk -F '\t' '
  FILENAME == ARGV[1] { lost[$1]; next }
  FILENAME == ARGV[2] { governed[$1]; next }
  FILENAME == ARGV[3] { moved[$1, $2, $3]; next }
  FILENAME == ARGV[4] { now[$1] = $2; next }
  $3 != "ii" { next }
  $1 in lost { print $1 "=" $2; next }
  $1 in now && now[$1] != $2 && ($1 in governed || ($1, $2, now[$1]) in moved) { print $1 "=" $2 }
' "$image/lost" "$image/governed" "$image/moves" "$image/now" "$image/packages" >"$image/return"
if [ -n "$blank" ]; then : >"$image/return"; fi
if [ -s "$image/return" ]; then
  cut -d = -f 1 "$image/return" | sort -u >"$image/back"
  afresh=$(afresh)
  open_record
  hold_services
  bring $(cat "$image/return")
  if [ -e "$image/configuration" ]; then
    $plain_tar -tf "$image/configuration" | safe_members
    $keep_all -C / -xpf "$image/configuration"
  fi
  free_services
  settle "$record"
  if [ -z "$afresh" ] && [ -d "$record" ]; then # effects of scripts on the way are those of before
    while IFS=' ' read -r _ path; do put_back "$record/old" "$path"; done <"$record/edits"
    rm -rf -- "$record"
  fi
  each_record forget
  packages >"$image/now"
fi

# --- holds of before
for word in $holding; do
  if [ -z "$blank" ] && grep -qxF -- "$word" "$image/held" 2>/dev/null && installed "$word"; then hold_names "$word"; fi
done

# --- marks, of the names and of the restored packages
[ -z "$blank" ] || exit 0
cut -d = -f 1 "$image/return" | sort -u - "$image/touched" >"$image/marked"
there <"$image/now" | comm -12 - "$image/marked" >"$image/present"
there <"$image/packages" | comm -12 - "$image/present" >"$image/marked"
set -- $(comm -12 "$image/marked" "$image/auto")
[ $# -eq 0 ] || mark_along "$@"
set -- $(comm -23 "$image/marked" "$image/auto")
[ $# -eq 0 ] || mark_wanted "$@"
"""
