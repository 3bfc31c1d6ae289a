"""Services without systemd: scripts in /etc/init.d, links in /etc/rc?.d (LSB Core, System Initialization).

Not all scripts follow the LSB, so their answers are checked:

- a script without `status` prints its usage, with any exit code: the process decides;
- the script of a removed package begins with `[ -x DAEMON ] || exit 0`: for a 0 without output the process decides.
"""

from __future__ import annotations

from collections.abc import Iterable

from hacore.contract import quote

__all__ = ["STATUS", "units"]

STATUS = r"""
knows() { # script, action: whether one of its cases or comparisons handles the action
  head -n 1 "$1" | grep -q init-d-script ||
    grep -v '^[[:blank:]]*#' "$1" | grep -Eq "(^|[|([:blank:]\"'])$2[\"']?[[:blank:]]*[|)]|=[[:blank:]]*[\"']?$2\>"
}
pid_of() { # the first process of a service, by its pid file
  files=$(sed -n -e 's/^# *pidfile: *\([^ ]*\).*/\1/p' \
    -e "s/^ *PID_\{0,1\}FILE=[\"']\{0,1\}\([^\"' ]*\).*/\1/Ip" "/etc/init.d/$1" 2>/dev/null)
  for file in $files "/run/$1.pid" "/run/$1/$1.pid" "/var/run/$1.pid"; do
    case $file in *[!A-Za-z0-9/._-]*) continue ;; esac
    [ -s "$file" ] || continue
    read -r pid _ <"$file" || :
    case $pid in '' | *[!0-9]*) continue ;; esac
    if [ -d "/proc/$pid" ]; then echo "$pid"; return; fi
  done
}
status_of() { # name: 0 running, 1 and 2 dead, 3 stopped, 4 unknown to its script
  rc=0
  if knows "/etc/init.d/$1" status; then
    answer=$(timeout 20 "/etc/init.d/$1" status 2>&1 </dev/null) || rc=$?
    [ "$rc" -ne 0 ] || [ -z "$answer" ] || return 0
  fi
  case $rc in
    0) [ -n "$(pid_of "$1")" ] || return 3 ;;
    1 | 2 | 3) return "$rc" ;;
    5 | 6) return 3 ;;
    *) return 4 ;;
  esac
}
starts() { # whether a runlevel starts it
  for link in /etc/rc[2345S].d/S[0-9][0-9]"$1"; do [ ! -L "$link" ] || return 0; done
  return 1
}
"""
"""Read-only shell functions."""


def units(names: Iterable[str]) -> str:
    """A snippet that prints for each unit (full names) the same as systemctl(1): blocks of `Key=value` lines."""
    known = " ".join(quote(name) for name in names)
    return (
        STATUS
        + rf"""
for unit in {known}; do
  name=${{unit%.service}} load=loaded sub=
  if [ ! -f "/etc/init.d/$name" ]; then load=not-found active=inactive state=
  else
    rc=0
    status_of "$name" || rc=$?
    case $rc in 0) active=active ;; 1 | 2) active=failed ;; 3) active=inactive ;; *) active=unknown ;; esac
    sub="status $rc"
    if starts "$name"; then state=enabled; else state=disabled; fi
  fi
  printf '%s\n' "Id=$unit" "Names=$unit" "LoadState=$load" "ActiveState=$active" "SubState=$sub" \
    "UnitFileState=$state" "FragmentPath=/etc/init.d/$name" ''
done"""
    )
