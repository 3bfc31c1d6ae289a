"""The steps of packages: `apply` and `undo` are mirror images; both are safe to repeat.

One call of the package manager installs all names of a task, one call removes. No daemon is started: that is
for the service kind. An undo removes exactly the packages that the task added and that no other package needs
now; all others (added since by another task or by hand) are kept.

Each package manager's module defines the functions that these scripts call:

    packages               all installed packages: name, version, `ii` or `rc` (only configuration files); sorted
    installed NAME         whether it is installed
    along                  names that were installed as dependencies
    mark_along, mark_wanted NAMES...    mark them as dependencies, or as requested
    held_names; hold_names, release_names NAMES...   the administrator's and the stack's holds
    hold_services, free_services        forbid package scripts to start daemons, and allow it again
    broken, repair         whether an installation was interrupted; repair it
    configuration_files NAMES...
    bring_in NAMES...      install or upgrade them; and $pins (NAME=VERSION...); never move $firm, the pins of others
    bring NAME=VERSION...  the same for an undo: also from a cache
    only_these NAMES...    whether a removal would remove no other package
    take_off, take_away, take_broken NAMES...   remove them: without configuration files; with them; half installed
    sweep FILE             remove the temporary files of an interrupted run that are newer than FILE
    afresh                 of the names in $image/back, which are restored, those with no effects of scripts left
    purge_list             of the names in $image/may those that no other package needs; the needed ones of
                           $image/base are reported, and listed in $image/needed
"""

from __future__ import annotations

import base64
import gzip
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from hacore.contract import Action, Address, Change, Image, Output, Step, Work, quote
from hacore.model import digest

from ..shell import failing_step, foreign_paths
from .shell import COMMON, RECORDS
from .spec import PackageSpec, Wish, holds, wishes
from .undo_shell import UNDO

__all__ = ["Manager", "read_images"]

DEADLINE = 1800.0  # seconds; waiting for another run of the package manager is in it (600)

_CAPTURE = r"""
show() { printf '%s ' "$1"; gzip -n | base64 -w0; echo; }
packages >"$HACORE_WORK/now"
show packages <"$HACORE_WORK/now"
along | show auto
held_names | show held
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
# the desired packages must not be marked as dependencies
set -- $present $newest $(words $pins | cut -d = -f 1)
[ $# -eq 0 ] || mark_wanted "$@"
free_services
[ -z "$hold" ] || hold_names $hold
[ -z "$release" ] || release_names $release
set --
for word in $remove; do ! installed "$word" || set -- "$@" "$word"; done
[ $# -eq 0 ] || take_off "$@" || die "cannot remove $*"
settle "$record"
"""


@dataclass(frozen=True, slots=True)
class Manager:
    """The steps of one package manager.

    `name` is recorded in images and names the folder of records; `family` chooses the names if the facts
    do not have the host's; `words` are its shell functions, `preparing` downloads and checks.
    """

    name: str
    family: str
    words: str
    preparing: str

    def prepare(self, work: Work[PackageSpec]) -> Sequence[Step]:
        """Download; refresh the package lists if a name is missing; fail if the change is not possible."""
        wanted = self._wanted(work)
        if isinstance(wanted, str):
            return [failing_step(wanted, "choosing packages")]
        if not wanted:
            return []
        script = _variables(wanted, self._firm(work, wanted)) + self._shell + self.preparing
        return [Step(script, what=f"downloading {_list(wanted)}", deadline=DEADLINE)]

    def capture(self, work: Work[PackageSpec]) -> Step:
        """Every package with version and mark, the paths in /etc, and the conffiles of packages to be purged."""
        deleted = sorted({name for change in work.changes if _deleted(change) for name in self._names(change, work)})
        script = self._shell + _CAPTURE + (f"deleted={quote(' '.join(deleted))}\n{_CONFIGURATION}" if deleted else "")
        addresses = [change.address for change in work.changes]
        return Step(script, what="listing packages", parse=lambda output: read_images(output, addresses, self.name))

    def apply(self, work: Work[PackageSpec]) -> Sequence[Step]:
        """Install, then remove; then restore the origins of deletes."""
        wanted = self._wanted(work)
        steps = []
        if isinstance(wanted, Mapping) and wanted:
            script = _variables(wanted, self._firm(work, wanted)) + self._holds(work) + self._shell + RECORDS + _APPLY
            steps.append(
                Step(
                    script,
                    blobs={"foreign": foreign_paths(work.foreign)},
                    what=f"installing {_list(wanted)}",
                    deadline=DEADLINE,
                    detached=True,
                )
            )
        return [*steps, *self._restore(work, [change for change in work.changes if _deleted(change)], delete=True)]

    def undo(self, work: Work[PackageSpec]) -> Sequence[Step]:
        """Purge the added packages, install the removed ones, by the image."""
        return self._restore(work, work.changes, delete=False)

    def delete(self, work: Work[PackageSpec]) -> Sequence[Step]:
        """The same by the origins; packages of other resources, and their dependencies, are kept."""
        return self._restore(work, work.changes, delete=True)

    def _restore(self, work: Work[PackageSpec], changes: Sequence[Change[PackageSpec]], *, delete: bool) -> list[Step]:
        """A step for each image, the latest first."""
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
            ours = {change.address for change in work.changes if _deleted(change)}
            others = [(address, spec) for address, spec in work.wanted if address not in ours]
            kept = sorted({*wishes(others, family), *_claimed(work)}) if delete else []
            variables = {
                "names": " ".join(names),
                "governed": " ".join(governed),
                "holding": " ".join(sorted(holds([(c.address, c.spec) for c in group], family))),
                "kept": " ".join(kept),
                "mode": "delete" if delete else "undo",
                # on_delete: remove: as if none of these had been installed before
                "blank": "1" if image.data is None else "",
                "key": digest(names),
            }
            script = "".join(f"{name}={quote(value)}\n" for name, value in variables.items())
            blobs = {"packages": b"", "auto": b"", "paths": b"", **image.blobs, "foreign": foreign_paths(work.foreign)}
            step = Step(
                script + self._shell + RECORDS + UNDO, blobs, what=f"restoring {' '.join(names)}", deadline=DEADLINE
            )
            steps.append(replace(step, detached=True))
        return steps

    @property
    def _shell(self) -> str:
        return f"manager={self.name}\n{COMMON}{self.words}"

    def _family(self, work: Work[PackageSpec]) -> str:
        """The family of the names, also without facts: an undo runs on the host of its run."""
        return work.facts.host.family or self.family

    def _names(self, change: Change[PackageSpec], work: Work[PackageSpec]) -> tuple[str, ...]:
        return change.spec.of(self._family(work)) or ()

    def _wanted(self, work: Work[PackageSpec]) -> Mapping[str, Wish] | str:
        """The desired state of each name; or the reason why it is not known."""
        changes = [change for change in work.changes if not _deleted(change)]
        family = self._family(work)
        for change in changes:
            if change.spec.of(family) is None and isinstance(change.spec.names, dict):
                known = ", ".join(sorted(change.spec.names))
                return f"cannot choose packages for {change.address}: names has {known}, but not {family!r}"
        return wishes(((change.address, change.spec) for change in changes), family)

    def _holds(self, work: Work[PackageSpec]) -> str:
        """Shell variables: the names that this task holds, and those of which it ends the hold."""
        changes = [(change.address, change.spec) for change in work.changes if not _deleted(change)]
        decided = holds(changes, self._family(work))
        return "".join(
            f"{variable}={quote(' '.join(sorted(name for name, held in decided.items() if held is wanted)))}\n"
            for variable, wanted in (("hold", True), ("release", False))
        )

    def _firm(self, work: Work[PackageSpec], wanted: Mapping[str, Wish]) -> list[str]:
        """The versions of packages that do not change in this task: a dependency of others must not move them."""
        others = wishes(work.wanted, self._family(work)).values()
        free = {wish.name for wish in wanted.values() if wish.want != "installed"}
        return sorted(f"{wish.name}={wish.want}" for wish in others if wish.pinned and wish.name not in free)


def read_images(output: Output, addresses: Iterable[Address], manager: str) -> Mapping[Address, Image]:
    """The one image from the output of `capture`, for all changes."""
    blobs = {}
    for line in output.stdout.splitlines():
        name, _, content = line.partition(b" ")
        blobs[name.decode()] = gzip.decompress(base64.b64decode(content))
    # a configuration file may contain a secret
    image = Image({"manager": manager}, blobs, modes=(0,) if "configuration" in blobs else ())
    return dict.fromkeys(addresses, image)


def _deleted(change: Change[PackageSpec]) -> bool:
    return change.action is Action.DELETE


def _variables(wanted: Mapping[str, Wish], firm: Iterable[str]) -> str:
    """Shell variables; names contain no blank, quote or pattern (see spec.py)."""

    def of(want: str) -> str:
        return " ".join(sorted(wish.name for wish in wanted.values() if wish.want == want))

    pins = [f"{wish.name}={wish.want}" for wish in wanted.values() if wish.pinned]
    values = {
        "present": of("installed"),
        "newest": of("latest"),
        "pins": " ".join(sorted(pins)),
        "remove": of("absent"),
        "names": f"{of('installed')} {of('latest')}".strip(),
        "firm": " ".join(firm),
    }
    return "".join(f"{name}={quote(value)}\n" for name, value in values.items())


def _claimed(work: Work[PackageSpec]) -> Iterable[str]:
    """Names that other resources claim on this host, those of other stacks included."""
    return (token.removeprefix("pkg:") for token in work.foreign if token.startswith("pkg:"))


def _list(wanted: Mapping[str, Wish]) -> str:
    return " ".join(sorted(wanted))
