"""Package tasks: `apply` and `undo` are mirror images; both are safe to repeat.

One call of the package manager installs all names of a task, one removes. No daemon starts on the
way: what runs is the service kind's. An undo removes exactly what the task brought and nothing else
needs now; the rest of the host (a package that came since, by another task or by hand) is left alone.

What these scripts call is defined for each package manager, in its own module:

    packages               all that is installed: name, version, `ii` or (mere configuration files) `rc`; sorted
    installed NAME         whether it is
    along                  names that came as dependencies of others
    mark_along, mark_wanted NAMES...    set that
    hold_services, free_services        keep daemons from being started by a package's scripts, and no longer
    broken, repair         whether an installation was interrupted, and what mends it
    configuration_files NAMES...
    bring_in NAMES...      install them, newer if there is; and $pins (NAME=VERSION...)
    bring NAME=VERSION...  the same for an undo: also from a cache
    only_these NAMES...    whether a removal would take nothing else along
    take_off, take_away, take_broken NAMES...   remove them: with configuration files left; whole; half installed
    sweep FILE             remove what a killed run left since that file was made
    afresh                 of the names in $image/back, which come back, those of whose scripts nothing is left
    purge_list             of the names in $image/may those that nothing else needs; the needed ones of $image/base
                           are told, and listed in $image/needed
"""

from __future__ import annotations

import base64
import gzip
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from hacore.contract import Action, Address, Change, Image, Output, Step, Work, quote
from hacore.model import digest

from .shell import COMMON, RECORDS
from .spec import PackageSpec, Wish, wishes
from .undo_shell import BACK

__all__ = ["Manager", "read_images"]

DEADLINE = 1800.0  # seconds; waiting for another run of the package manager is in it (600)

_CAPTURE = r"""
show() { printf '%s ' "$1"; gzip -n | base64 -w0; echo; }
packages >"$HACORE_WORK/now"
show packages <"$HACORE_WORK/now"
along | show auto
find /etc -xdev | sort | show paths
"""

_CONFIGURATION = r"""
for word in $deleted $(cat "$HACORE_HOME/$manager"/*/added 2>/dev/null); do configuration_files "$word"; done |
  sort -u | while IFS= read -r path; do
  if [ -e "$path" ]; then printf '%s\n' "${path#/}"; fi
done >"$HACORE_WORK/members"
if [ -s "$HACORE_WORK/members" ]; then
  tar --numeric-owner --xattrs '--xattrs-include=*' --acls --format=posix --pax-option=delete=atime,delete=ctime \
    -C / -cf - --verbatim-files-from -T "$HACORE_WORK/members" | show configuration
fi
"""

_APPLY = r"""
free_services
each_record settle
repair
open_record
hold_services
set --
for word in $present; do installed "$word" || set -- "$@" "$word"; done
set -- "$@" $newest
if [ $# -gt 0 ] || [ -n "$pins" ]; then bring_in "$@" || die "cannot install $* $pins"; fi
# what is wanted must not look as if it had only come along
set -- $present $newest $(words $pins | cut -d = -f 1)
[ $# -eq 0 ] || mark_wanted "$@"
free_services
set --
for word in $remove; do ! installed "$word" || set -- "$@" "$word"; done
[ $# -eq 0 ] || take_off "$@" || die "cannot remove $*"
settle "$record"
"""


@dataclass(frozen=True, slots=True)
class Manager:
    """What is done on a host: one package manager's words, and scripts made of them.

    `name` goes into images and names the folder of records; `family` is whose names it takes where
    the facts do not tell; `words` is its shell, `preparing` what downloads and refuses.
    """

    name: str
    family: str
    words: str
    preparing: str

    def prepare(self, work: Work[PackageSpec]) -> Sequence[Step]:
        """Download; refresh the lists if they lack something; refuse what cannot be done."""
        wanted = self._wanted(work)
        if isinstance(wanted, str):
            return [Step(f"printf '%s\\n' {quote(wanted)} >&2; exit 1", what="choosing packages")]
        if not wanted:
            return []
        script = _variables(wanted) + self._shell + self.preparing
        return [Step(script, what=f"downloading {_list(wanted)}", deadline=DEADLINE)]

    def capture(self, work: Work[PackageSpec]) -> Step:
        """Every package with version and mark, what lies in /etc, and the conffiles of what will be purged."""
        deleted = sorted({name for change in work.changes if _goes(change) for name in self._names(change, work)})
        script = self._shell + _CAPTURE + (f"deleted={quote(' '.join(deleted))}\n{_CONFIGURATION}" if deleted else "")
        addresses = [change.address for change in work.changes]
        return Step(script, what="listing packages", parse=lambda output: read_images(output, addresses, self.name))

    def apply(self, work: Work[PackageSpec]) -> Sequence[Step]:
        """Install, then remove; then what is deleted goes back to its origins."""
        wanted = self._wanted(work)
        steps = []
        if isinstance(wanted, Mapping) and wanted:
            script = _variables(wanted) + self._shell + RECORDS + _APPLY
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
            names = sorted({name for change in group for name in self._names(change, work)})
            family = self._family(work)
            governed = [w.name for w in wishes([(c.address, c.spec) for c in group], family).values() if w.governed]
            ours = {change.address for change in work.changes if _goes(change)}
            others = [(address, spec) for address, spec in work.wanted if address not in ours]
            kept = sorted({*wishes(others, family), *_claimed(work)}) if gone else []
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
            step = Step(
                script + self._shell + RECORDS + BACK, blobs, what=f"taking back {' '.join(names)}", deadline=DEADLINE
            )
            steps.append(replace(step, detached=True))
        return steps

    @property
    def _shell(self) -> str:
        return f"manager={self.name}\n{COMMON}{self.words}"

    def _family(self, work: Work[PackageSpec]) -> str:
        """The family that chose the names: an old run is taken back on the same host, facts or not."""
        return work.facts.host.family or self.family

    def _names(self, change: Change[PackageSpec], work: Work[PackageSpec]) -> tuple[str, ...]:
        return change.spec.of(self._family(work)) or ()

    def _wanted(self, work: Work[PackageSpec]) -> Mapping[str, Wish] | str:
        """What the changes want; or why that cannot be told."""
        changes = [change for change in work.changes if not _goes(change)]
        family = self._family(work)
        for change in changes:
            if change.spec.of(family) is None and isinstance(change.spec.names, dict):
                known = ", ".join(sorted(change.spec.names))
                return f"cannot choose packages for {change.address}: names are given for {known}, not for {family!r}"
        return wishes(((change.address, change.spec) for change in changes), family)


def read_images(output: Output, addresses: Iterable[Address], manager: str) -> Mapping[Address, Image]:
    """The one image that `capture` printed, for all changes."""
    blobs = {}
    for line in output.stdout.splitlines():
        name, _, content = line.partition(b" ")
        blobs[name.decode()] = gzip.decompress(base64.b64decode(content))
    # a configuration file may hold a secret
    image = Image({"manager": manager}, blobs, sensitive="configuration" in blobs)
    return dict.fromkeys(addresses, image)


def _goes(change: Change[PackageSpec]) -> bool:
    return change.action is Action.DELETE


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


def _claimed(work: Work[PackageSpec]) -> Iterable[str]:
    """Names that others want here still, those of other stacks too."""
    return (token.removeprefix("pkg:") for token in work.foreign if token.startswith("pkg:"))


def _list(wanted: Mapping[str, Wish]) -> str:
    return " ".join(sorted(wanted))
