"""The file kind: a file, a directory or a symbolic link on a host, or its absence."""

from __future__ import annotations

import base64
import posixpath
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

from hacore.contract import (
    NO_RULES,
    Action,
    Ask,
    Attrs,
    Change,
    Claim,
    Desired,
    Effect,
    Found,
    Host,
    Lifecycle,
    Mistake,
    Observed,
    Provider,
    Spec,
    StackFiles,
    Step,
    View,
    Work,
    account_claims,
)
from hacore_providers.file import backup
from hacore_providers.file import steps as file_steps

from ..facts.paths import PATHS, unsafe_path
from ..facts.stat import LIMIT, STAT, Stat
from ..facts.tools import TOOLS, strange_tools
from .discover import DISCOVER
from .spec import BULK, SECRET, Bulk, FileSpec, mistakes

__all__ = ["PROVIDER", "FileProvider"]

_VERBS = {"file": "write", "directory": "create", "link": "link"}


class FileProvider(Provider[FileSpec]):
    """Content, mode and owner of one path; FileSpec has the fields."""

    api = 2
    kind: ClassVar[str] = "file"
    spec: ClassVar[type[Spec]] = FileSpec
    discover = DISCOVER
    plain = ("path",)
    arguments: ClassVar[Mapping[str, str]] = {"validate": "let the program read it from a file"}
    confidential: ClassVar[Mapping[str, tuple[str, ...]]] = {"sensitive": ("content", "content_base64", "link_to")}

    # -- at load
    def resolve(self, spec: FileSpec, files: StackFiles) -> FileSpec:
        """Source and template become content, which is sensitive if any part of it is."""
        changes: dict[str, Any] = {"source": None, "template": None, "vars": {}, "content_sha256": ""}
        sensitive = spec.sensitive or files.sensitive
        if spec.source is not None and (large := files.source(spec.source, BULK)) is not None:
            changes["bulk"] = Bulk(url=large.url, sha256=large.sha256, size=large.size)
        elif spec.source is not None:
            data = files.read(spec.source)
            text = _text(data)
            changes["content"] = text
            changes["content_base64"] = base64.b64encode(data).decode() if text is None else None
        elif spec.template is not None:
            changes["content"], secret = files.render(spec.template, spec.vars)
            sensitive = sensitive or secret
        return spec.model_copy(update={**changes, "sensitive": sensitive})

    def validate(
        self, members: Mapping[str, FileSpec], hosts: Mapping[str, Host], lifecycle: Lifecycle = NO_RULES
    ) -> Iterable[tuple[str, Mistake]]:
        """Mistakes in the values, for each host."""
        return [(host, mistake) for host, spec in members.items() for mistake in mistakes(spec)]

    def claims(self, spec: FileSpec) -> Sequence[Claim]:
        """Owns the path; uses the folders above it, its accounts, a link's target and the program of its check."""
        used = []
        folder = posixpath.dirname(spec.path)
        while folder not in ("", "/"):
            used.append(folder)
            folder = posixpath.dirname(folder)
        program = (spec.check or "").split(maxsplit=1)
        used += [path for path in (spec.link_to, *program[:1]) if path and path.startswith("/") and path != "/"]
        return [
            Claim(f"path:{spec.path}"),
            *(Claim(f"path:{path}", "use") for path in dict.fromkeys(used)),
            *account_claims(spec.owner, spec.group),
        ]

    def recorded(self, spec: FileSpec) -> FileSpec:
        """Without content and check. The hash is kept, unless the content is secret: a hash can be guessed."""
        kept = spec.wanted_sha256 and (SECRET if spec.sensitive else spec.wanted_sha256)
        dropped = {"content": None, "content_base64": None, "bulk": None, "check": None}
        return spec.model_copy(update={**dropped, "content_sha256": kept})

    # -- at plan
    def contents(self, spec: FileSpec) -> Mapping[str, bytes]:
        """The desired content."""
        return {} if spec.data is None else {spec.path: spec.data}

    def facts(self, spec: FileSpec) -> Sequence[Ask]:
        """The entry, and who can redirect its path.

        The host sends the content if it is governed, differs, is not secret and not too large.
        """
        wanted = spec.wanted_sha256
        silent = spec.sensitive or not wanted
        stat = Ask(STAT, spec.path, "" if silent else wanted, secret=silent)
        return [stat, Ask(PATHS, spec.path, spec.owner or ""), Ask(TOOLS, "")]

    def observe(self, view: View[FileSpec]) -> Observed | None:
        """The current state of the path, as far as the spec governs it."""
        spec, stat = view.spec, view.facts.get(STAT, view.spec.path)
        if stat is None:  # the connection's user has no permission to read there
            return Observed({"ensure": "unreadable"})
        if stat.kind == "absent":
            return None
        attrs: dict[str, Any] = {"ensure": stat.kind}
        if spec.bits is not None and stat.kind != "link":
            attrs["mode"] = f"{stat.mode:04o}"
        if spec.owner is not None:
            attrs["owner"] = str(stat.uid) if spec.owner.isdecimal() else stat.owner
        if spec.group is not None:
            attrs["group"] = str(stat.gid) if spec.group.isdecimal() else stat.group
        if stat.kind == "link":
            attrs["target"] = stat.target
        texts = {}
        if stat.kind == "file" and spec.wanted_sha256:
            attrs["content"] = f"sha256:{stat.sha256}" if stat.sha256 else "unreadable"
            text = None if stat.content is None or spec.sensitive else _text(stat.content)
            if text is not None:
                texts["content"] = text
        return Observed(attrs, _info(stat), texts)

    def desire(self, view: View[FileSpec]) -> Desired:
        """The fields of the spec, and no others."""
        spec = view.spec
        if spec.kind == "absent":
            return Desired(None)
        attrs: dict[str, Any] = {"ensure": spec.kind}
        if spec.wanted_sha256:
            attrs["content"] = f"sha256:{spec.wanted_sha256}"
        given = {"mode": spec.bits, "owner": spec.owner, "group": spec.group, "target": spec.link_to}
        attrs.update((name, value) for name, value in given.items() if value is not None)
        texts = {}
        data = spec.data
        if data is not None and len(data) <= LIMIT and not spec.sensitive:
            text = _text(data)
            if text is not None:
                texts["content"] = text
        return Desired(
            attrs,
            texts,
            sensitive=frozenset({"content", "target"} & set(attrs)) if spec.sensitive else frozenset(),
            replace_on=frozenset({"ensure"}),
            effect=f"{_VERBS[spec.kind]} {spec.path}",
        )

    def delete_effect(self, view: View[FileSpec], found: Found) -> Effect:
        """Remove or restore the path."""
        spec = view.spec
        if why := _too_large(view):
            return Effect(why)
        if not view.removed(found):
            return Effect(f"restore the original {spec.path}")
        if spec.kind == "absent":
            return Effect()
        return Effect(f"remove {spec.path}{' if it is empty' if spec.kind == 'directory' else ''}")

    def examine(self, view: View[FileSpec]) -> Iterable[Mistake]:
        """What makes a change impossible, or costs hard links: a file too large to back up, a path others redirect."""
        yield from strange_tools(view.facts, view.host.name if view.host is not None else "the host")
        observed, wanted = self.observe(view), self.desire(view).attrs
        if (None if observed is None else observed.attrs) == wanted:
            return
        if large := _too_large(view):
            yield Mistake("", large)
        found = view.facts.get(STAT, view.spec.path)
        if found is not None and found.kind == "file" and found.names > 1 and observed is not None:
            replaced = [key for key in ("ensure", "content") if observed.attrs.get(key) != (wanted or {}).get(key)]
            if replaced:
                yield Mistake(
                    "",
                    f"{view.spec.path} has {found.names} names (hard links): the others keep the current content, "
                    "and a rollback does not link them again",
                    warning=True,
                )
        if mistake := unsafe_path(view.facts, view.spec.path, view.spec.owner):
            yield mistake

    def invalidates(self, change: Change[FileSpec]) -> Sequence[str]:
        """The users of the path."""
        return [f"path:{change.spec.path}"]

    # -- at apply
    def capture(self, work: Work[FileSpec]) -> Step | None:
        """The entry at the path, with its metadata."""
        return backup.capture(work.changes)

    def apply(self, work: Work[FileSpec]) -> Sequence[Step]:
        """Write the desired entry."""
        steps: list[Step] = []
        for change in work.changes:
            if change.action is Action.DELETE and change.spec.kind != "absent":
                steps += self._restore(work, change)
            else:
                steps.append(file_steps.replace(change.spec))
        return steps

    def undo(self, work: Work[FileSpec]) -> Sequence[Step]:
        """Restore the previous entry."""
        return [step for change in work.changes for step in self._restore(work, change)]

    def delete(self, work: Work[FileSpec]) -> Sequence[Step]:
        """Restore the origins; `ensure: absent` without an origin removes the path."""
        steps: list[Step] = []
        for change in work.changes:
            if change.address not in work.images and change.spec.kind == "absent":
                steps.append(file_steps.replace(change.spec))
            else:
                steps += self._restore(work, change)
        return steps

    def _restore(self, work: Work[FileSpec], change: Change[FileSpec]) -> Sequence[Step]:
        image = work.images.get(change.address)
        return [] if image is None else [file_steps.restore(change.spec.path, image, change.spec.owner)]


def _too_large(view: View[FileSpec]) -> str:
    """Why the current file cannot be backed up: its size and the limit; empty if it can."""
    found = view.facts.get(STAT, view.spec.path)
    if found is None or found.kind != "file" or found.size <= backup.LARGEST:
        return ""
    return backup.too_large(view.spec.path, found.size)


def _info(stat: Stat) -> Attrs:
    info: dict[str, Any] = {"mtime": stat.mtime}
    if stat.kind == "file":
        info["size"] = stat.size
    if stat.label:
        info["selinux"] = stat.label
    return info


def _text(data: bytes) -> str | None:
    """The bytes as text; None if they are not UTF-8 text."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return None
    return None if "\0" in text else text


PROVIDER = FileProvider()
