"""Packages by apt and dpkg: `apply` and `undo` are mirror images; both are safe to repeat.

One apt-get call installs all names of a task, one removes. No daemon starts on the way: what runs
is the service kind's. An undo purges exactly what the task brought and nothing else needs now; the
rest of the host (a package that came since, by another task or by hand) is left alone.
"""

from __future__ import annotations

import base64
import gzip
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from hacore.contract import Action, Address, Change, Image, Output, Step, Work, quote
from hacore.model import digest

from .package_apt_back import BACK
from .package_apt_shell import APT, RECORDS
from .package_spec import PackageSpec, Wish, wishes

__all__ = ["Apt"]

# ruff: noqa: S608  # shell, not SQL
DEADLINE = 1800.0  # seconds; waiting for another apt is in it (600)

_PREPARE = (
    APT
    + r"""
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
)

_CAPTURE = (
    APT
    + r"""
show() { printf '%s ' "$1"; gzip -n | base64 -w0; echo; }
packages >"$HACORE_WORK/now"
show packages <"$HACORE_WORK/now"
apt-mark showauto | sort | show auto
find /etc -xdev | sort | show paths
"""
)

_CONFIGURATION = r"""
for word in $deleted $(cat "$HACORE_HOME"/apt/*/added 2>/dev/null); do
  dpkg-query -W -f '${Conffiles}\n' -- "$word" 2>/dev/null
done | awk 'NF > 1 { print substr($1, 2) }' | sort -u | while IFS= read -r path; do
  if [ -e "/$path" ]; then printf '%s\n' "$path"; fi
done >"$HACORE_WORK/members"
if [ -s "$HACORE_WORK/members" ]; then
  tar --numeric-owner --xattrs '--xattrs-include=*' --acls --format=posix --pax-option=delete=atime,delete=ctime \
    -C / -cf - --verbatim-files-from -T "$HACORE_WORK/members" | show configuration
fi
"""

_APPLY = (
    APT
    + RECORDS
    + r"""
free_services
each_record settle
repair
open_record
hold_services
set --
for word in $present; do installed "$word" || set -- "$@" "$word"; done
set -- "$@" $newest
if [ $# -gt 0 ] || [ -n "$pins" ]; then
  if [ -n "$pins" ]; then call=apt_forced; else call=apt; fi
  $call install --no-install-recommends --no-remove "$@" $pins || die "cannot install $* $pins"
fi
# what is wanted must not look as if it had only come along
set -- $present $newest $(words $pins | cut -d = -f 1)
[ $# -eq 0 ] || quietly apt-mark manual "$@"
free_services
set --
for word in $remove; do ! installed "$word" || set -- "$@" "$word"; done
[ $# -eq 0 ] || apt remove "$@" || die "cannot remove $*"
settle "$record"
"""
)


class Apt:
    """The package manager of Debian's family; see package.Manager."""

    def prepare(self, work: Work[PackageSpec]) -> Sequence[Step]:
        """Download into apt's cache; refresh the lists if they lack something."""
        wanted = _wanted(work)
        if isinstance(wanted, str):
            return [Step(f"printf '%s\\n' {quote(wanted)} >&2; exit 1", what="choosing packages")]
        if not wanted:
            return []
        script = _variables(wanted) + _PREPARE
        return [Step(script, what=f"downloading {_list(wanted)}", deadline=DEADLINE)]

    def capture(self, work: Work[PackageSpec]) -> Step:
        """Every package with version and mark, what lies in /etc, and the conffiles of what will be purged."""
        deleted = sorted({name for change in work.changes if _goes(change) for name in _names(change, work)})
        script = _CAPTURE + (f"deleted={quote(' '.join(deleted))}\n{_CONFIGURATION}" if deleted else "")
        addresses = [change.address for change in work.changes]
        return Step(script, what="listing packages", parse=lambda output: read_images(output, addresses))

    def apply(self, work: Work[PackageSpec]) -> Sequence[Step]:
        """Install, then remove; then what is deleted goes back to its origins."""
        wanted = _wanted(work)
        steps = []
        if isinstance(wanted, Mapping) and wanted:
            script = _variables(wanted) + _APPLY
            steps.append(
                Step(script, blobs=_foreign(work), what=f"installing {_list(wanted)}", deadline=DEADLINE, detached=True)
            )
        return [*steps, *self._back(work, [change for change in work.changes if _goes(change)], gone=True)]

    def undo(self, work: Work[PackageSpec]) -> Sequence[Step]:
        """Purge what came, install what went, as the image has it."""
        return self._back(work, work.changes, gone=False)

    def delete(self, work: Work[PackageSpec]) -> Sequence[Step]:
        """The same, back to the origins; what others want, and what is needed by them, stays."""
        return self._back(work, work.changes, gone=True)

    def _back(self, work: Work[PackageSpec], changes: Sequence[Change[PackageSpec]], *, gone: bool) -> list[Step]:
        """A step for each image, the youngest first: what came last goes first."""
        groups: list[tuple[Image, list[Change[PackageSpec]]]] = []
        for change in changes:
            image = work.images.get(change.address)
            if image is None:
                continue
            known = next((group for kept, group in groups if kept == image), None)
            if known is None:
                groups.append((image, [change]))
            else:
                known.append(change)
        steps = []
        for image, group in sorted(groups, key=lambda entry: -entry[0].run):
            names = sorted({name for change in group for name in _names(change, work)})
            family = _family(work)
            governed = [w.name for w in wishes([(c.address, c.spec) for c in group], family).values() if w.governed]
            ours = {change.address for change in work.changes if _goes(change)}
            others = [(address, spec) for address, spec in work.wanted if address not in ours]
            kept = sorted(set(wishes(others, family))) if gone else []
            variables = {
                "names": " ".join(names),
                "governed": " ".join(governed),
                "kept": " ".join(kept),
                "mode": "delete" if gone else "undo",
                # on_delete: remove: as if none of these had ever been there
                "blank": "1" if image.data is None else "",
                "key": digest(names),
            }
            script = "".join(f"{name}={quote(value)}\n" for name, value in variables.items())
            blobs = {"packages": b"", "auto": b"", "paths": b"", **image.blobs, **_foreign(work)}
            step = Step(script + APT + RECORDS + BACK, blobs, what=f"taking back {' '.join(names)}", deadline=DEADLINE)
            steps.append(replace(step, detached=True))
        return steps


def read_images(output: Output, addresses: Iterable[Address]) -> Mapping[Address, Image]:
    """The one image that `capture` printed, for all changes."""
    blobs = {}
    for line in output.stdout.splitlines():
        name, _, content = line.partition(b" ")
        blobs[name.decode()] = gzip.decompress(base64.b64decode(content))
    # a configuration file may hold a secret
    image = Image({"manager": "apt"}, blobs, sensitive="configuration" in blobs)
    return dict.fromkeys(addresses, image)


def _family(work: Work[PackageSpec]) -> str:
    """The family that chose the names: an old run is taken back on the same host, facts or not."""
    return work.facts.host.family or "debian"


def _goes(change: Change[PackageSpec]) -> bool:
    return change.action is Action.DELETE


def _names(change: Change[PackageSpec], work: Work[PackageSpec]) -> tuple[str, ...]:
    return change.spec.of(_family(work)) or ()


def _wanted(work: Work[PackageSpec]) -> Mapping[str, Wish] | str:
    """What the changes want; or why that cannot be told."""
    changes = [change for change in work.changes if not _goes(change)]
    family = _family(work)
    for change in changes:
        if change.spec.of(family) is None and isinstance(change.spec.names, dict):
            known = ", ".join(sorted(change.spec.names))
            return f"cannot choose packages for {change.address}: names are given for {known}, not for {family!r}"
    return wishes(((change.address, change.spec) for change in changes), family)


def _variables(wanted: Mapping[str, Wish]) -> str:
    """Shell variables; the names hold no blank, quote or pattern (see package_spec)."""

    def of(want: str) -> str:
        return " ".join(sorted(wish.name for wish in wanted.values() if wish.want == want))

    pins = [f"{w.name}={w.want}" for w in wanted.values() if w.want not in ("installed", "latest", "absent")]
    values = {
        "present": of("installed"),
        "newest": of("latest"),
        "pins": " ".join(sorted(pins)),
        "remove": of("absent"),
        "names": f"{of('installed')} {of('latest')}".strip(),
    }
    return "".join(f"{name}={quote(value)}\n" for name, value in values.items())


def _foreign(work: Work[PackageSpec]) -> Mapping[str, bytes]:
    paths = sorted(token.removeprefix("path:") for token in work.foreign if token.startswith("path:"))
    return {"foreign": "".join(f"{path}\n" for path in paths).encode()}


def _list(wanted: Mapping[str, Wish]) -> str:
    return " ".join(sorted(wanted))
