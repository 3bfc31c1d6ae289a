"""The stack's folder: expressions and providers read files in it, and none outside."""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from .. import xdg
from ..address import Address
from ..contract import Source, Spec
from ..errors import ExpressionError
from ..expressions import NOTES, Expressions, NoSuchNameError, touches
from ..expressions import Path as Names
from ..model import Host
from ..secrets import strings_in

_SHA256 = re.compile(r"[0-9a-f]{64}\Z")
OWN = frozenset(("var", "host", "hosts", "groups", "each", "resource", "file", "env"))


SOURCE_LIMIT = 1 << 30
"""Bytes of the largest source that is sent to a host."""

WITHHELD = "the reason is not shown because a sensitive value is involved"


class Folder:
    """A folder that no path leaves, symbolic links included."""

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()
        self._real = root.resolve()
        self._texts: dict[str, str] = {}
        self._sources: dict[Path, Source] = {}

    def locate(self, path: str) -> Path:
        """The real path of a file in the folder; raises ExpressionError if it is outside."""
        if "\0" in path or not path:
            raise NoSuchNameError(f"cannot read {path!r}: not a path")
        real = (self._real / path).resolve()
        if path.startswith("/") or not real.is_relative_to(self._real):
            raise NoSuchNameError(f"cannot read {path!r}: it is outside of the stack's folder")
        return real

    def read(self, path: str) -> bytes:
        """A file's bytes; raises ExpressionError."""
        real = self.locate(path)
        try:
            return real.read_bytes()
        except FileNotFoundError:
            raise
        except OSError as error:
            raise NoSuchNameError(f"cannot read {path!r} in the stack's folder: {error.strerror}") from error

    def text(self, path: str) -> str:
        """A file's text, read once; raises ExpressionError."""
        if path not in self._texts:
            try:
                self._texts[path] = self.read(path).decode("utf-8")
            except UnicodeDecodeError as error:
                raise NoSuchNameError(f"cannot read {path!r}: not a UTF-8 text") from error
        return self._texts[path]

    def source(self, path: str, above: int) -> Source | None:
        """See contract.StackFiles; hashed once. Raises ExpressionError."""
        real = self.locate(path)
        if real not in self._sources:
            try:
                with real.open("rb") as file:
                    size = os.fstat(file.fileno()).st_size
                    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode) or size <= above:
                        return None
                    digest = hashlib.file_digest(file, "sha256").hexdigest()
            except FileNotFoundError:
                raise
            except OSError as error:
                raise NoSuchNameError(f"cannot read {path!r} in the stack's folder: {error.strerror}") from error
            self._sources[real] = Source(real.as_uri(), digest, size)
        found = self._sources[real]
        if found.size > SOURCE_LIMIT:
            raise NoSuchNameError(
                f"cannot use {path!r}: it has {found.size} bytes, and the largest source has {SOURCE_LIMIT} (1 GiB)"
            )
        return found if found.size > above else None

    def content(self, path: str) -> str:
        """The result of `file('…')`."""
        try:
            return self.text(path)
        except FileNotFoundError as error:
            raise missing(path) from error


def missing(path: str) -> ExpressionError:
    """The error for a file that does not exist."""
    return NoSuchNameError(f"cannot read {path!r}: no such file in the stack's folder")


def cache_folder(environ: Mapping[str, str]) -> Path:
    """The controller's folder for downloads: HACORE_CACHE, else the user's cache (`hacore.xdg`)."""
    return Path(environ["HACORE_CACHE"]) if environ.get("HACORE_CACHE") else xdg.cache_folder(environ)


class BodyFiles:
    """The stack's folder as the `resolve` of one instance sees it (contract.StackFiles).

    `rendered` collects sensitive texts, `path` is the last file that was read, `taken` are the files of
    which the bytes are part of the spec.
    """

    def __init__(
        self,
        address: Address,
        host: Host,
        folder: Folder,
        expressions: Expressions,
        scope: Mapping[str, Any],
        *,
        secret: frozenset[Names],
        tainted: frozenset[Names],
        fields: frozenset[str] = frozenset(),
        cache: Path,
        others: Callable[[str, str], Spec | None],
        members: Sequence[Host] = (),
        dynamic: Callable[[], bool],
    ) -> None:
        self._address = address
        self._host = host
        self._folder = folder
        self._expressions = expressions
        self._scope = scope
        self._secret = secret
        self._sensitive = bool(tainted)
        self._hot = {step for path in tainted for step in path}
        self.learned: set[str] = set()
        self._fields = fields
        self._cache = cache
        self._others = others
        self._members = tuple(members)
        self._dynamic = dynamic
        self.rendered: set[str] = set()
        self.path: str | None = None
        self.taken: dict[str, None] = {}

    @property
    def name(self) -> str:
        """The resource's name, with its key."""
        return str(Address("x", self._address.name, self._address.key)).removeprefix("x.")

    @property
    def folder(self) -> Path:
        """The folder, absolute."""
        return self._folder.root

    @property
    def host(self) -> Host:
        """The host of the instance."""
        return self._host

    @property
    def members(self) -> Sequence[Host]:
        """The hosts of the resource."""
        return self._members

    @property
    def sensitive(self) -> bool:
        """Whether the body itself uses a sensitive value."""
        return self._sensitive

    @property
    def sensitive_fields(self) -> frozenset[str]:
        """The dotted paths of the body with sensitive values."""
        return self._fields

    def resource(self, kind: str, name: str) -> Spec | None:
        """Another resource's resolved spec on this host."""
        return self._others(kind, name)

    def read(self, path: str) -> bytes:
        """A file's bytes; raises ExpressionError."""
        self.path = path
        try:
            data = self._folder.read(path)
        except FileNotFoundError as error:
            raise missing(path) from error
        self.taken[path] = None
        return data

    def source(self, path: str, above: int = 0) -> Source | None:
        """A file larger than `above` bytes, as a Source; raises ExpressionError."""
        self.path = path
        try:
            found = self._folder.source(path, above)
        except FileNotFoundError as error:
            raise missing(path) from error
        if found is not None:
            self.taken[path] = None
        return found

    def render(self, path: str, extra: Mapping[str, Any]) -> tuple[str, bool]:
        """A template's text, and whether it is sensitive; raises ExpressionError."""
        self.path = path
        taken = sorted(OWN & extra.keys())
        if taken:
            raise ExpressionError(f"cannot give {taken[0]!r} to a template: the name is reserved")
        try:
            template = self._expressions.template(path)
        except FileNotFoundError as error:
            raise missing(path) from error
        scope = {**self._scope, **extra}
        sensitive = (
            template.opaque
            or touches(template.paths, self._secret)
            or (self._sensitive and bool(template.roots & extra.keys()))
        )
        patterns = self._secret | {(name,) for name in extra if name in self._hot}
        noted: list[Any] = []
        scope[NOTES] = lambda paths, part: noted.append(part) if self._is_secret(paths, patterns) else None
        text = template.render(scope, withhold=f"cannot evaluate the template: {WITHHELD}" if sensitive else "")
        sensitive = sensitive or self._dynamic()
        if sensitive:
            self.rendered.add(text)
            self.learned.update(found for part in noted for found in strings_in(part))
        return text, sensitive

    def _is_secret(self, paths: Iterable[Names], patterns: Iterable[Names]) -> bool:
        """Whether an expression's result is a secret; a reference counts where one was to something sensitive."""
        return touches(paths, patterns) or (self._dynamic() and any(path[0] == "resource" for path in paths))

    def fetch(self, url: str, sha256: str) -> bytes | None:  # noqa: ARG002 - the hash names the bytes
        """The cached download of a URL; None when it is missing or does not match its hash."""
        if not _SHA256.match(sha256):
            return None
        try:
            data = (self._cache / "sources" / sha256).read_bytes()
        except OSError:
            return None
        return data if hashlib.sha256(data).hexdigest() == sha256 else None
