"""What a run could not record any more: moves and images in a file, for whoever resumes it.

When the state is lost in the middle of a run (disk full, lock broken, foreign serial), hosts have
changed already and the state does not know. The writer appends what it would have committed to a
file beside the state (0600, one JSON object a line, sensitive images encrypted as in the state); the
folder of the user's own state serves where that cannot be written.
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
from ..errors import StoreError
from ..model import JSON, Image
from ..xdg import state_folder
from . import columns
from .images import StoredBlob, StoredImage, decode
from .keys import Keyring
from .records import DropHost, DropRow, Move, PutHost, PutRow, PutRun, PutTask, SetLoaded, SetTask


@dataclass(frozen=True, slots=True)
class Spilled:
    """One commit that did not happen. `at` is Unix time in seconds, `serial` what the writer had last seen."""

    at: float
    serial: int
    moves: tuple[Move, ...]
    images: Mapping[str, Image] = field(default_factory=dict)


def places(database: Path | None, lineage: str) -> tuple[Path, ...]:
    """Where spilled moves may lie, the best place first."""
    own = state_folder(os.environ) / f"{lineage}.spill"
    return (own,) if database is None else (database.with_name(database.name + ".spill"), own)


def write(
    where: Sequence[Path], lineage: str, serial: int, moves: Iterable[Move], images: Mapping[str, StoredImage]
) -> Path:
    """Append a commit to the first file that takes it; on disk when this returns. Raises StoreError."""
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
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            with os.fdopen(descriptor, "a", encoding="ascii") as out:
                out.write(f"\n{line}\n")  # a line that was cut off before stays a line of its own
                out.flush()
                os.fsync(descriptor)
        except OSError as error:
            problems.append(f"{path}: {error.strerror}")
        else:
            return path
    raise StoreError(f"cannot keep what the state did not take: {'; '.join(problems)}")


def read(where: Sequence[Path], lineage: str, keyring: Keyring) -> list[Spilled]:
    """What was spilled for this state, in order; a line that was cut off is left out. Raises StoreError."""
    found: list[Spilled] = []
    for path in where:
        try:
            lines = path.read_text("ascii", "replace").splitlines()
        except FileNotFoundError:
            continue
        except OSError as error:
            raise StoreError(f"cannot read {path}: {error.strerror}") from error
        for line in filter(None, lines):
            try:
                data = json.loads(line)
            except ValueError:
                continue
            if data["lineage"] == lineage:
                moves = tuple(_move_from_json(move) for move in data["moves"])
                images = {t: decode(_image_from_json(i), keyring, 0) for t, i in data["images"].items()}
                found.append(Spilled(data["at"], data["serial"], moves, images))
    return sorted(found, key=lambda each: each.at)


def forget(where: Sequence[Path]) -> None:
    """Delete what was spilled; raises StoreError."""
    for path in where:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise StoreError(f"cannot delete {path}: {error.strerror}") from error


def _move_to_json(move: Move) -> dict[str, JSON]:
    name, body = _named(move)
    return {"move": name, **body}


def _named(move: Move) -> tuple[str, dict[str, JSON]]:
    """What a move is called in the file, and what it holds."""
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
    raise StoreError(f"cannot read what was kept of a lost run: {data['move']} is not known")


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
