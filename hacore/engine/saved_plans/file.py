"""The file of a saved plan: a line with its format and checksum, then the plan as JSON.

Both lines are JSON, so that any tool can read the file. It is written whole or not at all, mode 0600.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from ... import __version__
from ...disk import replace_file
from ...errors import PlanError, UsageError

FORMAT = 1
"""Raised whenever an older file could be misread."""
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


def write_plan(path: Path, content: dict[str, Any]) -> str:
    """Write a plan file; gives the plan's id. Raises PlanError."""
    check_place(path)
    body = json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass") + b"\n"
    checksum = hashlib.sha256(body).hexdigest()
    head = json.dumps({_MARK: {"format": FORMAT, "hacore": __version__, "sha256": checksum}}, separators=(",", ":"))
    try:
        replace_file(path, head.encode() + b"\n" + body)
    except OSError as error:
        raise PlanError(f"cannot save the plan to {path}: {error.strerror}") from error
    return checksum


def read_plan(path: Path) -> tuple[str, dict[str, Any]]:
    """The id and the content of a plan file. Raises PlanError with what to do."""
    try:
        head, _, body = path.read_bytes().partition(b"\n")
    except OSError as error:
        raise PlanError(f"cannot read the plan {path}: {error.strerror}") from error
    about = _about(head)
    if about is None:
        raise PlanError(
            f"cannot read {path}: not a saved plan of hacore, or its beginning is damaged; "
            "make one with `hacore plan --out FILE`"
        )
    if about.get("format") != FORMAT:
        raise PlanError(
            f"cannot read the plan {path}: hacore {about.get('hacore', '?')} wrote it in format {about.get('format')}, "
            f"and this is hacore {__version__}, which reads format {FORMAT}; use the hacore that wrote it, "
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
    return checksum, content


def _about(head: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(head)
        about = found[_MARK]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return about if isinstance(about, dict) else None


__all__ = ["FORMAT", "check_place", "is_plan_file", "names_plan", "read_plan", "write_plan"]
