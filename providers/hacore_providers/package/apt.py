"""Packages by apt and dpkg: the words of package_tasks in its shell."""

from __future__ import annotations

__all__ = ["APT", "PREPARE"]

APT = r"""
export DEBIAN_FRONTEND=noninteractive DEBIAN_PRIORITY=critical UCF_FORCE_CONFFOLD=1
export NEEDRESTART_MODE=l NEEDRESTART_SUSPEND=1 APT_LISTCHANGES_FRONTEND=none APT_LISTBUGS_FRONTEND=none
apt() { # another apt or dpkg is waited for; configuration files that were changed stay as they are
  quietly apt-get -q -y -o DPkg::Lock::Timeout=600 -o Dpkg::Use-Pty=0 -o APT::Get::AutomaticRemove=false \
    -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold "$@"
}
apt_forced() { apt --allow-downgrades --allow-change-held-packages "$@"; }
goes() { # what a call of apt-get would remove, a name a line
  apt-get -s -q -o APT::AutoRemove::RecommendsImportant=false -o APT::AutoRemove::SuggestsImportant=false \
    "$@" >"$HACORE_WORK/simulated" 2>"$HACORE_WORK/said" </dev/null || return 1
  awk '$1 == "Remv" || $1 == "Purg" { print $2 }' "$HACORE_WORK/simulated" | sort -u
}
packages() { # name, version, and ii for what is there in whole or part, rc for mere configuration files
  dpkg-query -W -f '${Package}\t${Architecture}\t${Version}\t${db:Status-Abbrev}\n' |
    awk -F '\t' -v OFS='\t' -v native="$(dpkg --print-architecture)" '{
      if ($2 != native && $2 != "all") $1 = $1 ":" $2
      state = substr($4, 2, 1)
      if (state != "n") print $1, $3, (state == "c" ? "rc" : "ii")
    }' | sort
}
status() { dpkg-query -W -f '${db:Status-Abbrev}' -- "$1" 2>/dev/null | cut -c 2; }
installed() { case $(status "$1") in i | t | W) return 0 ;; esac; return 1; }

# invoke-rc.d and deb-systemd-invoke ask this program before they start anything (invoke-rc.d(8)): 101 is no.
policy=/usr/sbin/policy-rc.d
mark='hacore: nothing starts while it installs'
hold_services() {
  free_services
  if [ -e "$policy" ] || [ -L "$policy" ]; then mv -fT -- "$policy" "$policy.hacore"; fi
  printf '#!/bin/sh\n# %s\nexit 101\n' "$mark" >"$policy"
  chmod 0755 "$policy"
}
free_services() { # also what a killed run left
  if [ -f "$policy" ] && grep -qF "$mark" "$policy"; then rm -f -- "$policy"; fi
  if [ -e "$policy.hacore" ] || [ -L "$policy.hacore" ]; then
    if [ -e "$policy" ]; then rm -f -- "$policy.hacore"; else mv -fT -- "$policy.hacore" "$policy"; fi
  fi
}
broken() { # dpkg was interrupted, or a package is only half there
  [ -n "$(ls -A /var/lib/dpkg/updates)" ] || dpkg-query -W -f '${db:Status-Abbrev}\n' | grep -q -e '^.[UFH]' -e '^..R'
}
unlocked() { # dpkg does not wait for its lock, as apt does
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
repair() { # apt refuses to work behind an interrupted dpkg
  broken || return 0
  hold_services
  unlocked dpkg --configure -a --force-confdef --force-confold || :
  free_services
}

# --- the words that all package managers have: see package_tasks
along() { apt-mark showauto | sort; }
mark_along() { quietly apt-mark auto "$@"; }
mark_wanted() { quietly apt-mark manual "$@"; }
configuration_files() { dpkg-query -W -f '${Conffiles}\n' -- "$@" 2>/dev/null | awk 'NF > 1 { print $1 }'; }
bring_in() { # names; and $pins
  if [ -n "$pins" ]; then call=apt_forced; else call=apt; fi
  $call install --no-install-recommends --no-remove "$@" $pins
}
take_off() { apt remove "$@"; }
take_away() { apt purge "$@"; }
take_broken() { # dpkg itself takes what is half there, and refuses what something else needs
  unlocked dpkg --purge "$@"
}
sweep() { :; }
afresh() { names <"$image/now" | comm -23 "$image/back" -; }
only_these() { [ "$(goes remove "$@")" = "$(words "$@")" ]; } # whether nothing else goes with them
purge_list() { # names that may go and that nothing else needs
  set -- $(cat "$image/base")
  while [ $# -gt 0 ]; do
    goes purge "$@" >"$image/gone" || return 1
    comm -23 "$image/gone" "$image/may" >"$image/strangers"
    [ -s "$image/strangers" ] || break
    keep=
    for word do
      goes purge "$word" >"$image/gone" || return 1
      if [ -n "$(comm -12 "$image/gone" "$image/strangers")" ]; then
        echo "kept $word: $(comm -12 "$image/gone" "$image/strangers" | tr '\n' ' ')needs it" >&2
        printf '%s\n' "$word" >>"$image/needed"
      else keep="$keep $word"; fi
    done
    [ "$keep" != " $*" ] || return 1
    set -- $keep
  done
  if [ $# -gt 0 ]; then goes purge --auto-remove "$@" >"$image/gone" || return 1
  else goes autoremove --purge >"$image/gone" || return 1; fi
  comm -12 "$image/gone" "$image/may"
}
archived() { # the package file of NAME=VERSION, if apt's cache still has it; a colon is %3a there (apt-get(8))
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
  echo "cannot restore $lacking: no repository of this host has it any longer" >&2
  [ "$mode" = delete ] || exit 1
}
"""

PREPARE = r"""
missing() { # names that have no version to install, and pins whose version no list has
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
refresh() { # the lock of the lists is not waited for by apt itself
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
      *=*) echo "cannot install ${word%%=*}: no repository of this host has version ${word#*=} of it" >&2 ;;
      *) echo "cannot install $word: no repository of this host has a package of this name;" \
        "of a virtual package, name one that provides it" >&2 ;;
    esac
  done
  exit 1
fi
set --
for word in $present; do installed "$word" || set -- "$@" "$word"; done
set -- "$@" $newest $pins
if [ $# -gt 0 ]; then
  apt_forced install --no-install-recommends --no-remove --download-only "$@" ||
    { refresh && apt_forced install --no-install-recommends --no-remove --download-only "$@"; } ||
    die "cannot download $*"
fi
# what changes its version is kept, as long as it can still be had: an undo may need it
for word in $newest $pins; do
  version=$(dpkg-query -W -f '${Version}' -- "${word%%=*}" 2>/dev/null) && [ -n "$version" ] || continue
  (cd /var/cache/apt/archives && apt-get -qq download "${word%%=*}=$version" >/dev/null 2>&1 </dev/null) || :
done
set --
for word in $remove; do ! installed "$word" || set -- "$@" "$word"; done
if [ $# -gt 0 ]; then
  others=$(goes remove "$@" | { grep -vxF "$(words "$@")" || :; } | tr '\n' ' ')
  [ -z "$others" ] || die "cannot remove $*: ${others% } would go with it; name that too, or keep both"
fi
"""
