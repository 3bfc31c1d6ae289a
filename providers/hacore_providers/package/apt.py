"""Packages by apt and dpkg: the shell functions that manager.py lists."""

from __future__ import annotations

__all__ = ["APT", "PREPARE"]

APT = r"""
export DEBIAN_FRONTEND=noninteractive DEBIAN_PRIORITY=critical UCF_FORCE_CONFFOLD=1
export NEEDRESTART_MODE=l NEEDRESTART_SUSPEND=1 APT_LISTCHANGES_FRONTEND=none APT_LISTBUGS_FRONTEND=none
apt() { # waits for another apt or dpkg; keeps modified configuration files
  quietly apt-get -q -y -o DPkg::Lock::Timeout=600 -o Dpkg::Use-Pty=0 -o APT::Get::AutomaticRemove=false \
    -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold "$@"
}
apt_forced() { # apt-get(8) drops the hold of what it changes so: it is the administrator's, and stays
  holds=$(apt-mark showhold 2>/dev/null || :) forced=0
  apt --allow-downgrades --allow-change-held-packages "$@" || forced=$?
  for held in $holds; do ! installed "$held" || quietly apt-mark hold "$held" || :; done
  return "$forced"
}
firmly() { # of the pins of resources that do not change, those that the host has now: no dependency may move them
  for word in $firm; do
    ! installed "${word%%=*}" ||
      [ "$(dpkg-query -W -f '${Version}' -- "${word%%=*}" 2>/dev/null)" != "${word#*=}" ] || printf '%s\n' "$word"
  done
}
removals() { # the names that a call of apt-get would remove, one per line
  apt-get -s -q -o APT::AutoRemove::RecommendsImportant=false -o APT::AutoRemove::SuggestsImportant=false \
    "$@" >"$HACORE_WORK/simulated" 2>"$HACORE_WORK/output" </dev/null || return 1
  awk '$1 == "Remv" || $1 == "Purg" { print $2 }' "$HACORE_WORK/simulated" | sort -u
}
packages() { # name, version, and ii (installed, also in part) or rc (only configuration files left)
  dpkg-query -W -f '${Package}\t${Architecture}\t${Version}\t${db:Status-Abbrev}\n' |
    awk -F '\t' -v OFS='\t' -v native="$(dpkg --print-architecture)" '{
      if ($2 != native && $2 != "all") $1 = $1 ":" $2
      state = substr($4, 2, 1)
      if (state != "n") print $1, $3, (state == "c" ? "rc" : "ii")
    }' | sort
}
status() { dpkg-query -W -f '${db:Status-Abbrev}' -- "$1" 2>/dev/null | cut -c 2; }
installed() { case $(status "$1") in i | t | W) return 0 ;; esac; return 1; }

# invoke-rc.d and deb-systemd-invoke ask this program before they start a service (invoke-rc.d(8)): 101 forbids it.
policy=/usr/sbin/policy-rc.d
mark='hacore: nothing starts while it installs'
hold_services() {
  free_services
  if [ -e "$policy" ] || [ -L "$policy" ]; then mv -fT -- "$policy" "$policy.hacore"; fi
  printf '#!/bin/sh\n# %s\nexit 101\n' "$mark" >"$policy"
  chmod 0755 "$policy"
}
free_services() { # also after an interrupted run
  if [ -f "$policy" ] && grep -qF "$mark" "$policy"; then rm -f -- "$policy"; fi
  if [ -e "$policy.hacore" ] || [ -L "$policy.hacore" ]; then
    if [ -e "$policy" ]; then rm -f -- "$policy.hacore"; else mv -fT -- "$policy.hacore" "$policy"; fi
  fi
}
broken() { # dpkg was interrupted, or a package is only half installed
  [ -n "$(ls -A /var/lib/dpkg/updates)" ] || dpkg-query -W -f '${db:Status-Abbrev}\n' | grep -q -e '^.[UFH]' -e '^..R'
}
unlocked() { # waits for dpkg's lock: unlike apt, dpkg does not wait itself
  tries=0
  until quietly "$@" 2>"$HACORE_WORK/refusal"; do
    tries=$((tries + 1))
    if [ "$tries" -gt 120 ] || ! grep -q 'frontend lock' "$HACORE_WORK/refusal"; then
      cat "$HACORE_WORK/refusal" >&2
      return 1
    fi
    sleep 5
  done
}
repair() { # apt refuses to work after an interrupted dpkg
  broken || return 0
  hold_services
  unlocked dpkg --configure -a --force-confdef --force-confold || :
  free_services
}

# --- the functions that all package managers have: see manager.py
along() { apt-mark showauto | sort; }
mark_along() { quietly apt-mark auto "$@"; }
mark_wanted() { quietly apt-mark manual "$@"; }
held_names() { apt-mark showhold | sort; }
hold_names() { quietly apt-mark hold "$@"; }
release_names() { quietly apt-mark unhold "$@"; }
configuration_files() { dpkg-query -W -f '${Conffiles}\n' -- "$@" 2>/dev/null | awk 'NF > 1 { print $1 }'; }
bring_in() { # names; and $pins
  if [ -n "$pins" ]; then call=apt_forced; else call=apt; fi
  $call install --no-install-recommends --no-remove "$@" $pins $(firmly)
}
take_off() { apt remove "$@"; }
take_away() { apt purge "$@"; }
take_broken() { # dpkg itself removes half-installed packages, and refuses those that another package needs
  unlocked dpkg --purge "$@"
}
sweep() { :; }
afresh() { names <"$image/now" | comm -23 "$image/back" -; }
only_these() { [ "$(removals remove "$@")" = "$(words "$@")" ]; } # whether no other package is removed with them
purge_list() { # names that may be removed and that no other package needs
  set -- $(cat "$image/base")
  while [ $# -gt 0 ]; do
    removals purge "$@" >"$image/gone" || return 1
    comm -23 "$image/gone" "$image/may" >"$image/strangers"
    [ -s "$image/strangers" ] || break
    keep=
    for word do
      removals purge "$word" >"$image/gone" || return 1
      if [ -n "$(comm -12 "$image/gone" "$image/strangers")" ]; then
        echo "kept $word: required by $(comm -12 "$image/gone" "$image/strangers" | tr '\n' ' ' | sed 's/ $//')" >&2
        printf '%s\n' "$word" >>"$image/needed"
      else keep="$keep $word"; fi
    done
    [ "$keep" != " $*" ] || return 1
    set -- $keep
  done
  if [ $# -gt 0 ]; then removals purge --auto-remove "$@" >"$image/gone" || return 1
  else removals autoremove --purge >"$image/gone" || return 1; fi
  comm -12 "$image/gone" "$image/may"
}
archived() { # the package file of NAME=VERSION in apt's cache, if any; a colon is %3a there (apt-get(8))
  name=${1%%=*}
  for file in "/var/cache/apt/archives/${name%%:*}_$(printf %s "${1#*=}" | sed 's/:/%3a/g')_"*.deb; do
    [ ! -e "$file" ] || printf '%s\n' "$file"
  done | head -n 1
}
bring() { # NAME=VERSION...: from a repository, or from apt's cache
  apt_forced install --no-install-recommends --no-remove "$@" 2>"$image/refusal" && return 0
  files= lacking=
  for word do
    file=$(archived "$word")
    [ -n "$file" ] || lacking="$lacking${lacking:+, }${word%%=*} ${word#*=}"
    files="$files $file"
  done
  if [ -z "$lacking" ]; then
    apt_forced install --no-install-recommends --no-remove $files || die "cannot restore $*"
    return 0
  fi
  cat "$image/refusal" >&2
  echo "cannot restore $lacking: no repository of this host has this version now" >&2
  [ "$mode" = delete ] || exit 1
}
"""

PREPARE = r"""
missing() { # names without a version to install, and pins with a version that no list has
  apt-cache policy -- $names >"$HACORE_WORK/policy" 2>/dev/null || :
  for word in $names; do
    awk -v want="$word" '
      /^[^ ].*:$/ { name = substr($0, 1, length($0) - 1) }
      name == want && $1 == "Candidate:" && $2 != "(none)" { found = 1 }
      END { exit !found }' "$HACORE_WORK/policy" || printf '%s\n' "$word"
  done
  for word in $pins; do
    name=${word%%=*} version=${word#*=}
    apt-cache madison -- "$name" 2>/dev/null | awk -F ' *[|] *' -v want="$version" '
      $2 == want { found = 1 } END { exit !found }' ||
      [ "$(dpkg-query -W -f '${Version}' -- "$name" 2>/dev/null)" = "$version" ] || printf '%s\n' "$word"
  done
}
refresh() { # waits for the lock of the lists: apt itself does not
  tries=0
  until apt update 2>"$HACORE_WORK/refusal"; do
    tries=$((tries + 1))
    if [ "$tries" -gt 60 ] || ! grep -q 'lists/lock' "$HACORE_WORK/refusal"; then return 1; fi
    sleep 5
  done
}
lists=$(find /var/lib/apt/lists -maxdepth 1 -name '*_Packages*' 2>/dev/null | head -n 1)
lack=$(missing)
if [ -n "$lack" ] || [ -z "$lists" ]; then
  refresh || { cat "$HACORE_WORK/refusal" >&2; echo "cannot refresh the package lists" >&2; }
  lack=$(missing)
fi
if [ -n "$lack" ]; then
  for word in $lack; do
    case $word in
      *=*) echo "cannot install ${word%%=*}: no repository of this host has version ${word#*=}" >&2 ;;
      *) echo "cannot install $word: no repository of this host has a package of this name;" \
        "for a virtual package, name a package that provides it" >&2 ;;
    esac
  done
  exit 1
fi
set --
for word in $present; do installed "$word" || set -- "$@" "$word"; done
set -- "$@" $newest $pins
if [ $# -gt 0 ]; then
  set -- "$@" $(firmly)
  apt_forced install --no-install-recommends --no-remove --download-only "$@" ||
    { refresh && apt_forced install --no-install-recommends --no-remove --download-only "$@"; } ||
    die "cannot download $*"
fi
# keep the package file of a version that is replaced, if it can still be downloaded: an undo may need it
for word in $newest $pins; do
  version=$(dpkg-query -W -f '${Version}' -- "${word%%=*}" 2>/dev/null) && [ -n "$version" ] || continue
  (cd /var/cache/apt/archives && apt-get -qq download "${word%%=*}=$version" >/dev/null 2>&1 </dev/null) || :
done
set --
for word in $remove; do ! installed "$word" || set -- "$@" "$word"; done
if [ $# -gt 0 ]; then
  others=$(removals remove "$@" | { grep -vxF "$(words "$@")" || :; } | tr '\n' ' ')
  [ -z "$others" ] || die "cannot remove $*: required by ${others% }; remove these as well, or keep all"
fi
"""
