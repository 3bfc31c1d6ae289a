"""The file of a saved plan: a line with its format, checksum and MAC, then the plan as JSON.

Both lines are JSON, so that any tool can read the file. It is written whole or not at all, mode 0600.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ... import __version__
from ...disk import replace_file
from ...errors import PlanError, UsageError
from ...store.keys import Key

FORMAT = 2
"""Raised whenever an older file could be misread. Format 1 has no MAC: it can be shown, not applied."""
_MARK = "hacore_plan"
_BEGINNING = b'{"hacore_plan":'


def is_plan_file(path: Path) -> bool:
    """Whether a file is marked as a saved plan, of any format."""
    try:
        with path.open("rb") as file:
            return file.read(len(_BEGINNING)) == _BEGINNING
    except OSError:
        return False


def names_plan(text: str | None) -> Path | None:
    """The saved plan that a command's argument means, None when it means a stack.

    A file is a plan if it is marked as one, or if its name cannot be a stack's: a damaged plan is to be
    reported as a damaged plan.
    """
    if text is None:
        return None
    path = Path(text)
    if not path.is_file() or (path.suffix in (".yaml", ".yml") and not is_plan_file(path)):
        return None
    return path


def check_place(path: Path) -> None:
    """Raise UsageError where a plan cannot be saved; called before hosts are probed."""
    if path.is_dir():
        raise UsageError(f"cannot save the plan to {path}: it is a folder")
    if not path.absolute().parent.is_dir():
        raise UsageError(f"cannot save the plan to {path}: there is no folder {path.absolute().parent}")
    if path.exists() and (not path.is_file() or (path.stat().st_size and not is_plan_file(path))):
        raise UsageError(f"cannot save the plan to {path}: it exists and is not a saved plan; choose another name")


@dataclass(frozen=True, slots=True)
class PlanFile:
    """A plan's file, read once, so that the content that is verified is the one that is applied.

    `id`: the SHA-256 of the body. `key`: the id of the key that made `mac`; empty if none did. `authenticated`: the
    bytes that the MAC covers, the head without the MAC and the body.
    """

    path: Path
    raw: bytes = field(repr=False)
    format: int
    version: str
    id: str
    key: str = ""
    mac: str = ""

    @property
    def body(self) -> bytes:
        """The plan as JSON."""
        return self.raw.partition(b"\n")[2]

    @property
    def authenticated(self) -> bytes:
        """The head without its MAC, and the body."""
        return _head(self.format, self.version, self.id, self.key) + b"\n" + self.body


def _head(format: int, version: str, checksum: str, key: str, **mac: str) -> bytes:
    about = {"format": format, "hacore": version, "sha256": checksum, "key": key, **mac}
    return json.dumps({_MARK: about}, separators=(",", ":")).encode()


def write_plan(path: Path, content: dict[str, Any], key: Key | None = None) -> str:
    """Write a plan file, authenticated with the state's key if there is one; gives the plan's id. Raises PlanError."""
    check_place(path)
    body = json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass") + b"\n"
    checksum = hashlib.sha256(body).hexdigest()
    name = key.id if key is not None else ""
    plain = _head(FORMAT, __version__, checksum, name)
    mac = key.plan_mac(plain + b"\n" + body) if key is not None else ""
    try:
        replace_file(path, _head(FORMAT, __version__, checksum, name, mac=mac) + b"\n" + body)
    except OSError as error:
        raise PlanError(f"cannot save the plan to {path}: {error.strerror}") from error
    return checksum


def read_plan(path: Path) -> tuple[PlanFile, dict[str, Any]]:
    """A plan's file and its content. Raises PlanError with what to do."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise PlanError(f"cannot read the plan {path}: {error.strerror}") from error
    head, _, body = raw.partition(b"\n")
    about = _about(head)
    if about is None:
        raise PlanError(
            f"cannot read {path}: not a saved plan of hacore, or its beginning is damaged; "
            "make one with `hacore plan --out FILE`"
        )
    if about.get("format") not in (1, FORMAT):
        raise PlanError(
            f"cannot read the plan {path}: hacore {about.get('hacore', '?')} wrote it in format {about.get('format')}, "
            f"and this is hacore {__version__}, which reads formats 1 and {FORMAT}; use the hacore that wrote it, "
            "or make a new plan with `hacore plan --out FILE`"
        )
    checksum = hashlib.sha256(body).hexdigest()
    if checksum != about.get("sha256"):
        raise PlanError(
            f"cannot read the plan {path}: the file is damaged (its checksum does not match); "
            "copy it again, or make a new plan with `hacore plan --out FILE`"
        )
    content = json.loads(body)
    if not isinstance(content, dict):
        raise PlanError(f"cannot read the plan {path}: the file contains no plan")
    key, mac = str(about.get("key", "")), str(about.get("mac", ""))
    return PlanFile(path, raw, int(about["format"]), str(about.get("hacore", "?")), checksum, key, mac), content


def _about(head: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(head)
        about = found[_MARK]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return about if isinstance(about, dict) else None


__all__ = ["FORMAT", "PlanFile", "check_place", "is_plan_file", "names_plan", "read_plan", "write_plan"]
