"""Spill files: moves and images that a run could not commit, for the run that resumes it.

When the state is lost during a run (disk full, lock broken, written by another process), hosts are changed
already and the state does not show it. The writer appends what it would have committed to a file beside the
state (0600, one JSON object a line, sensitive images encrypted as in the state), or to the user's own state
folder where that file cannot be written.
"""

from __future__ import annotations

import base64
import json
import os
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..address import Address
from ..disk import append_lines
from ..errors import StoreError
from ..model import JSON, Image
from ..xdg import state_folder
from . import columns
from .images import StoredBlob, StoredImage, decode
from .keys import Keyring
from .records import DropHost, DropRow, Move, PutHost, PutRow, PutRun, PutTask, SetLoaded, SetTask


@dataclass(frozen=True, slots=True)
class Spilled:
    """One commit that failed. `at` is Unix time in seconds, `serial` the last one that the writer saw."""

    at: float
    serial: int
    moves: tuple[Move, ...]
    images: Mapping[str, Image] = field(default_factory=dict)


def places(database: Path | None, lineage: str) -> tuple[Path, ...]:
    """The spill files of a state, the preferred one first."""
    own = state_folder(os.environ) / f"{lineage}.spill"
    return (own,) if database is None else (database.with_name(database.name + ".spill"), own)


def write(
    where: Sequence[Path], lineage: str, serial: int, moves: Iterable[Move], images: Mapping[str, StoredImage]
) -> Path:
    """Append a commit to the first file that can be written; on disk when this returns. Raises StoreError."""
    line = columns.dump(
        {
            "lineage": lineage,
            "serial": serial,
            "at": time.time(),
            "moves": [_move_to_json(move) for move in moves],
            "images": {token: _image_to_json(image) for token, image in images.items()},
        }
    )
    problems: list[str] = []
    for path in where:
        try:
            append_lines(path, [line])
        except OSError as error:
            problems.append(f"{path}: {error.strerror}")
        else:
            return path
    raise StoreError(f"cannot write a spill file for what the state did not record: {'; '.join(problems)}")


def read(where: Sequence[Path], lineage: str, keyring: Keyring) -> list[Spilled]:
    """The commits spilled for this state, in order, without lines that were cut off. Raises StoreError."""
    found: list[Spilled] = []
    for path in where:
        try:
            lines = path.read_text("ascii", "replace").splitlines()
        except FileNotFoundError:
            continue
        except OSError as error:
            raise StoreError(f"cannot read {path}: {error.strerror}") from error
        for number, line in enumerate(lines, 1):
            try:
                data = json.loads(line)
            except ValueError:
                continue
            try:
                if data["lineage"] == lineage:
                    moves = tuple(_move_from_json(move) for move in data["moves"])
                    images = {t: decode(_image_from_json(i), keyring, 0) for t, i in data["images"].items()}
                    found.append(Spilled(data["at"], data["serial"], moves, images))
            except (AttributeError, KeyError, TypeError, ValueError) as error:
                raise StoreError(
                    f"cannot read {path}:{number}: not what a run of hacore wrote there; restore the file, or move it "
                    "away to lose what the state did not record"
                ) from error
    return sorted(found, key=lambda each: each.at)


def forget(where: Sequence[Path]) -> None:
    """Delete the spill files; raises StoreError."""
    for path in where:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise StoreError(f"cannot delete {path}: {error.strerror}") from error


def _move_to_json(move: Move) -> dict[str, JSON]:
    name, body = _named(move)
    return {"move": name, **body}


def _named(move: Move) -> tuple[str, dict[str, JSON]]:
    """The name of a move in the file, and its fields."""
    match move:
        case PutRow(row, token):
            return "PutRow", {"row": columns.row_to_json(row), "origin_token": token}
        case DropRow(address):
            return "DropRow", {"address": str(address)}
        case PutHost(record):
            return "PutHost", {"record": columns.host_columns(record)}
        case DropHost(name):
            return "DropHost", {"name": name}
        case PutRun(run):
            return "PutRun", {"run": {"id": run.id, **columns.run_columns(run)}}
        case PutTask(task, tokens):
            values = columns.task_columns(task)
            return "PutTask", {"task": values, "images": dict(task.images), "image_tokens": dict(tokens)}
        case SetTask(number, name, changed, tokens):
            plain = {k: dict(v) if isinstance(v, Mapping) else v for k, v in changed.items()}
            return "SetTask", {"run": number, "id": name, "changed": plain, "image_tokens": dict(tokens)}
        case SetLoaded(address, loaded):
            return "SetLoaded", {"address": str(address), "loaded": dict(loaded)}


def _move_from_json(data: Mapping[str, Any]) -> Move:
    match data["move"]:
        case "PutRow":
            return PutRow(columns.row_from_json(data["row"]), data["origin_token"])
        case "DropRow":
            return DropRow(Address.parse(data["address"]))
        case "PutHost":
            return PutHost(columns.host_from_columns(data["record"]))
        case "DropHost":
            return DropHost(data["name"])
        case "PutRun":
            return PutRun(columns.run_from_columns(data["run"]))
        case "PutTask":
            return PutTask(columns.task_from_columns(data["task"], data["images"]), data["image_tokens"])
        case "SetTask":
            return SetTask(data["run"], data["id"], data["changed"], data["image_tokens"])
        case "SetLoaded":
            return SetLoaded(Address.parse(data["address"]), data["loaded"])
    raise StoreError(f"cannot read the spill file: the move {data['move']} is not known; update hacore")


def _image_to_json(image: StoredImage) -> dict[str, JSON]:
    blobs = {
        name: {"id": b.id, "size": b.size, "coding": b.coding, "body": base64.b64encode(b.body).decode()}
        for name, b in image.blobs.items()
    }
    return {
        "run": image.run,
        "sensitive": image.sensitive,
        "key_id": image.key_id,
        "data": image.data,
        "blobs": blobs,
    }


def _image_from_json(data: Mapping[str, Any]) -> StoredImage:
    blobs = {
        name: StoredBlob(b["id"], b["size"], b["coding"], base64.b64decode(b["body"]))
        for name, b in data["blobs"].items()
    }
    return StoredImage(data["run"], data["sensitive"], data["key_id"], data["data"], blobs)
