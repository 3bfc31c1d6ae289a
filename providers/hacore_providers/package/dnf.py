"""Packages by dnf and rpm: the shell functions that manager.py lists.

Measured with dnf 4.14 and rpm 4.18, and relied on:

    dnf exits 200 if another dnf holds its lock (with exit_on_lock); rpm waits for its own lock
    dnf install NAME upgrades an installed package, dnf install NAME-VERSION also downgrades, package files included
    systemctl only enables and disables while SYSTEMD_OFFLINE=1 is set (systemd 236 and later)
    a package with a failing %post is installed all the same, and dnf exits 0: the failure is not visible
    rpm -e keeps edited configuration files as *.rpmsave
"""

from __future__ import annotations

__all__ = ["DNF", "PREPARE"]

DNF = r"""
program=dnf; command -v dnf >/dev/null 2>&1 || program=yum
native=$(uname -m)
dnf() { # its output is in $HACORE_WORK/output; waits ten minutes for another dnf that holds the lock
  tries=0
  while :; do
    rc=0
    command "$program" -y --setopt=exit_on_lock=True --setopt=install_weak_deps=False \
      --setopt=clean_requirements_on_remove=False "$@" >"$HACORE_WORK/output" 2>&1 </dev/null || rc=$?
    [ "$rc" -ne 0 ] || return 0
    tries=$((tries + 1))
    if [ "$rc" -ne 200 ] || [ "$tries" -gt 300 ]; then
      grep -v -e '^$' -e '^Last metadata expiration check' "$HACORE_WORK/output" | tail -n 40 >&2
      return 1
    fi
    sleep 2
  done
}
packages() { # name (name.arch for a foreign architecture), version, ii
  rpm -qa --qf '%{NAME}\t%{ARCH}\t%|EPOCH?{%{EPOCH}:}|%{VERSION}-%{RELEASE}\n' |
    awk -F '\t' -v OFS='\t' -v native="$native" '$1 != "gpg-pubkey" {
      if ($2 != native && $2 != "noarch") $1 = $1 "." $2
      sub(/^0:/, "", $3)
      print $1, $3, "ii"
    }' | sort
}
installed() { rpm -q -- "$1" >/dev/null 2>&1; }
version() { packages | awk -F '\t' -v name="$1" '$1 == name { found = $2 } END { print found }'; }

# dnf accepts partial versions (1.2, 1.2-3, 4:1.2, 4:1.2-3): parts that are not given are not compared.
alike='
function epoch(x) { return index(x, ":") ? substr(x, 1, index(x, ":") - 1) : "" }
function release(x) { return index(x, "-") ? substr(x, index(x, "-") + 1) : "" }
function bare(x) {
  if (index(x, ":")) x = substr(x, index(x, ":") + 1)
  return index(x, "-") ? substr(x, 1, index(x, "-") - 1) : x
}
function alike(want, have) {
  if (bare(want) != bare(have)) return 0
  if (release(want) != "" && release(want) != release(have)) return 0
  return epoch(want) == "" || epoch(want) + 0 == epoch(have) + 0
}'
spec() { # NAME=VERSION in the form of dnf
  case $1 in
    *.i[3-6]86=*) name=${1%%=*}; printf '%s-%s.%s\n' "${name%.*}" "${1#*=}" "${name##*.}" ;;
    *) printf '%s-%s\n' "${1%%=*}" "${1#*=}" ;;
  esac
}
specs() { for word do spec "$word"; done; }
firmly() { # of the pins of resources that do not change, those that the host has now: no dependency may move them
  for word in $firm; do
    ! installed "${word%%=*}" || ! awk -v want="${word#*=}" -v have="$(version "${word%%=*}")" \
      "$alike"' BEGIN { exit !alike(want, have) }' || spec "$word"
  done
}

# Package scripts cannot start or stop services by systemctl, but enable them. Afterwards systemd loads new units.
hold_services() { export SYSTEMD_OFFLINE=1; }
free_services() {
  [ -n "${SYSTEMD_OFFLINE-}" ] || return 0
  unset SYSTEMD_OFFLINE
  [ ! -d /run/systemd/system ] || systemctl daemon-reload
}
broken() { return 1; } # rpm does not record a script that did not end
repair() { # after an interrupted run: scripts may not have run; of two versions the newer one is right
  rpm -qa --qf '%{INSTALLTIME} %{NAME}.%{ARCH} %{NEVRA}\n' | sort -k 2,2 -k 1,1n |
    awk '$2 == last { print older } { last = $2; older = $3 }' | while read -r older; do
    rpm -q --provides -- "$older" | grep -q '^installonlypkg(' || quietly rpm -e --nodeps -- "$older"
  done
  set --
  for word in $(sort -u "$HACORE_WORK/crashed" 2>/dev/null); do ! installed "$word" || set -- "$@" "$word"; done
  [ $# -gt 0 ] || return 0
  dnf reinstall "$@" 2>/dev/null || :
  mark_along "$@" # dnf did not record the reason of their installation
}
along() { # by dnf's reasons. If they are not known, only what hacore installed counts as requested
  packages | names >"$HACORE_WORK/every"
  if command "$program" -q -C --disablerepo='*' repoquery --userinstalled --qf 'is %{name} %{arch}\n' \
    >"$HACORE_WORK/output" 2>/dev/null </dev/null; then
    awk -v native="$native" '$1 == "is" { print ($3 == native || $3 == "noarch" ? $2 : $2 "." $3) }' \
      "$HACORE_WORK/output" | sort -u | comm -23 "$HACORE_WORK/every" -
  else cat "$HACORE_WORK/every"; fi
}
mark_along() { dnf mark remove "$@"; }
held_names() { :; } # versionlock is a plugin
hold_names() { die "cannot hold $*: this host has dnf"; }
release_names() { :; }
brought=' '
mark_wanted() {
  for word do
    shift
    case $brought in *" $word "*) ;; *) set -- "$@" "$word" ;; esac
  done
  [ $# -eq 0 ] || dnf mark install "$@"
}
configuration_files() { rpm -qc -- "$@" 2>/dev/null | grep '^/' || :; }
needers() { # names of the packages that depend on these
  rpm -e --test --allmatches -- "$@" >/dev/null 2>"$HACORE_WORK/tested" </dev/null && return 0
  sed -n -e 's/^.* is needed by (installed) \([^ ]*\)$/\1/' -e 't epoch' -e d -e ': epoch' \
    -e 's/-[0-9]*:\([^-]*-[^-]*\)$/-\1/p' -e t -e p "$HACORE_WORK/tested" | sort -u >"$HACORE_WORK/needers"
  [ -s "$HACORE_WORK/needers" ] || { cat "$HACORE_WORK/tested" >&2; return 1; }
  while read -r word; do rpm -q --qf '%{NAME} %{ARCH}\n' -- "$word"; done <"$HACORE_WORK/needers" |
    awk -v native="$native" '{ print ($2 == native || $2 == "noarch" ? $1 : $1 "." $2) }' | sort -u
}
removals() { # the packages that must be removed with these, these included
  words "$@" >"$HACORE_WORK/removals"
  while :; do
    needers $(cat "$HACORE_WORK/removals") >"$HACORE_WORK/more" || return 1
    [ -s "$HACORE_WORK/more" ] || break
    sort -u "$HACORE_WORK/more" "$HACORE_WORK/removals" >"$HACORE_WORK/together"
    mv "$HACORE_WORK/together" "$HACORE_WORK/removals"
  done
  cat "$HACORE_WORK/removals"
}
sweep() { find /var/tmp -maxdepth 1 -name 'rpm-tmp.??????' -user root -newer "$1" -delete; } # of an interrupted rpm
afresh() { # only `forget` reverts what scripts did
  cat "$records/purged.$key" "$HACORE_WORK/forgotten" 2>/dev/null | sort -u | comm -12 - "$image/back"
}
only_these() { [ "$(removals "$@")" = "$(words "$@")" ]; }
bring_in() { # dnf marks the names that it is given, and that were not installed, as requested
  for word in "$@" $(words $pins | cut -d = -f 1); do installed "$word" || brought="$brought$word "; done
  dnf install "$@" $(specs $pins) $(firmly)
}
take_off() { dnf remove "$@"; }
take_away() { # completely: without the configuration files that rpm would keep
  configuration_files "$@" | while IFS= read -r path; do
    [ -e "$path.rpmsave" ] || printf '%s\n' "$path.rpmsave"
  done >"$HACORE_WORK/saved"
  dnf remove "$@" || return 1
  while IFS= read -r path; do take_out "$path"; done <"$HACORE_WORK/saved"
}
take_broken() { take_away "$@"; }
purge_list() {
  cp "$image/may" "$image/going"
  while [ -s "$image/going" ]; do
    needers $(cat "$image/going") >"$image/strangers" || return 1
    [ -s "$image/strangers" ] || break
    : >"$image/staying"
    while read -r word; do
      needers "$word" >"$image/users" </dev/null || return 1
      others=$(comm -23 "$image/users" "$image/going")
      [ -n "$others" ] || continue
      printf '%s\n' "$word" >>"$image/staying"
      ! grep -qxF -- "$word" "$image/base" || {
        echo "kept $word: required by $(words $others | tr '\n' ' ' | sed 's/ $//')" >&2
        printf '%s\n' "$word" >>"$image/needed"
      }
    done <"$image/going"
    if [ ! -s "$image/staying" ]; then # several packages provide the same requirement: one is enough
      sed -n 's/^[[:space:]]*\([^ ]*\).* is needed by (installed) .*/\1/p' "$HACORE_WORK/tested" |
        while read -r word; do rpm -q --whatprovides --qf '%{NAME}\n' -- "$word" || :; done |
        sort -u | comm -12 - "$image/going" | head -n 1 >"$image/staying"
      [ -s "$image/staying" ] || return 1
    fi
    comm -23 "$image/going" "$image/staying" >"$image/rest"
    mv "$image/rest" "$image/going"
  done
  cat "$image/going"
}
kept=$HACORE_HOME/rpms
archived() { # the package file of NAME=VERSION that `prepare` kept, if any
  for file in "$kept/${1%%=*}"/*.rpm; do
    [ ! -e "$file" ] || [ "$(rpm -qp --qf '%|EPOCH?{%{EPOCH}:}|%{VERSION}-%{RELEASE}' "$file" 2>/dev/null |
      sed 's/^0://')" != "${1#*=}" ] || printf '%s\n' "$file"
  done | head -n 1
}
bring() { # NAME=VERSION...: from a repository, or from the kept package files
  dnf install $(specs "$@") 2>"$image/refusal" && return 0
  files= lacking=
  for word do
    file=$(archived "$word")
    [ -n "$file" ] || lacking="$lacking${lacking:+, }${word%%=*} ${word#*=}"
    files="$files $file"
  done
  if [ -z "$lacking" ]; then
    dnf install $files || die "cannot restore $*"
    return 0
  fi
  cat "$image/refusal" >&2
  echo "cannot restore $lacking: no repository of this host has this version now" >&2
  [ "$mode" = delete ] || exit 1
}
"""

PREPARE = r"""
offers() { # name, architecture and version of these in the repositories
  dnf "$@" >/dev/null || return 1
  awk '$1 == "is" { print $2, $3, $4 }' "$HACORE_WORK/output"
}
missing() { # names and pins that no repository has
  set --
  for word in $names; do installed "$word" || set -- "$@" "$word"; done
  for word in $pins; do
    awk -v want="${word#*=}" -v have="$(version "${word%%=*}")" "$alike"' BEGIN { exit !alike(want, have) }' ||
      set -- "$@" "$word"
  done
  : >"$HACORE_WORK/lack"
  [ $# -gt 0 ] || return 0
  offers $refresh repoquery --qf 'is %{name} %{arch} %{evr}\n' $(words "$@" | cut -d = -f 1) \
    >"$HACORE_WORK/offers" || die "cannot read the package lists of this host's repositories"
  for word do offered "$word" || printf '%s\n' "$word" >>"$HACORE_WORK/lack"; done
}
offered() { # whether NAME or NAME=VERSION is among $HACORE_WORK/offers
  awk -v name="${1%%=*}" -v want="${1#"${1%%=*}"}" "$alike"'
    $1 == name || $1 "." $2 == name { if (want == "" || alike(substr(want, 2), $3)) found = 1 }
    END { exit !found }' "$HACORE_WORK/offers"
}
unhidden() { # whether the repositories have it with an option that shows more
  offers -C repoquery "$2" --qf 'is %{name} %{arch} %{evr}\n' "${1%%=*}" 2>/dev/null >"$HACORE_WORK/offers" &&
    offered "$1"
}
hidden_by() { # why this host does not offer what its repositories have; empty if they do not have it
  if unhidden "$1" --disableexcludes=all; then
    echo 'it is excluded by `exclude` or `excludepkgs` in /etc/dnf/dnf.conf or in the file of its repository'
  elif unhidden "$1" --disableplugin=versionlock; then
    echo "it is locked to another version: see dnf versionlock list"
  elif unhidden "$1" --disable-modular-filtering; then
    stream=$(command "$program" -q -C module provides "${1%%=*}" 2>/dev/null </dev/null |
      sed -n 's/^Module *: *\([^:]*:[^:]*\):.*/\1/p' | sort -u | tail -n 1)
    echo "it is in a module stream that is not enabled${stream:+: dnf module enable $stream}"
  fi
}
refresh=
missing
if [ -s "$HACORE_WORK/lack" ]; then refresh=--refresh; missing; fi
if [ -s "$HACORE_WORK/lack" ]; then
  while read -r word; do
    why=$(hidden_by "$word" </dev/null)
    if [ -n "$why" ]; then
      echo "cannot install $word: $why" >&2
      continue
    fi
    case $word in
      *=*) echo "cannot install ${word%%=*}: no repository of this host has version ${word#*=}" >&2 ;;
      *) echo "cannot install $word: no repository of this host has a package of this name;" \
        "for a virtual package, name a package that provides it" >&2 ;;
    esac
  done <"$HACORE_WORK/lack"
  exit 1
fi
# keep the package file of what is removed or replaced, if it can still be downloaded: an undo may need it
for word in $newest $(words $pins | cut -d = -f 1) $remove; do
  installed "$word" || continue
  have=$(version "$word")
  [ -z "$(archived "$word=$have")" ] || continue
  rm -rf -- "$kept/$word.new"; mkdir -p "$kept/$word.new"
  if dnf reinstall --downloadonly --downloaddir="$kept/$word.new" "$(spec "$word=$have")" 2>/dev/null; then
    rm -rf -- "$kept/$word"; mv -- "$kept/$word.new" "$kept/$word"
  else rm -rf -- "$kept/$word.new"; fi
done
set --
for word in $present; do installed "$word" || set -- "$@" "$word"; done
set -- "$@" $newest
if [ $# -gt 0 ] || [ -n "$pins" ]; then
  dnf install --downloadonly "$@" $(specs $pins) $(firmly) || die "cannot download $* $pins"
fi
set --
for word in $remove; do ! installed "$word" || set -- "$@" "$word"; done
if [ $# -gt 0 ]; then
  others=$(removals "$@" | { grep -vxF "$(words "$@")" || :; } | tr '\n' ' ')
  [ -z "$others" ] || die "cannot remove $*: required by ${others% }; remove these as well, or keep all"
fi
"""
