"""Uploads: large content of steps is sent beside the script of a job, not in it.

A shell reads a here-document of many megabytes slowly and into memory, and so would the controller that writes it.
So content is sent first, in one exec of its own, as bytes on stdin:

    $HACORE_HOME/uploads/ID/   0700, on disk: /run is memory
        token     the host lock under which it was sent
        SHA256    0600; it has this name once it arrived whole and its hash was verified
        new.*     half an upload

A job names its uploads in its file `uploads`, and removes them at its end. What is left after a restart of the host
or a killed controller is removed by the next run that locks the host.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ..contract import Source, Step, quote
from ..transport import Content, Limits, Payload
from ..urls import file_of
from .folders import FOLDERS
from .lock import HELD
from .watchdog import GRACE, watched

EMBEDDED = 256 << 10
"""Bytes of content that the script of a job may have in it, all together."""

SMALL = 4 << 10
"""Bytes of content that is in the script in any case: one message or list of a kind."""

SLOWEST = 64 << 10
"""Bytes a second that an upload must reach; slower than that counts as a connection that hangs."""

FOLDER = "$HACORE_HOME/uploads"


@dataclass(frozen=True, slots=True)
class Upload:
    """Contents by SHA-256, hex, for one batch of steps. `id` names the folder on the host."""

    id: str
    contents: Mapping[str, Content]

    @property
    def size(self) -> int:
        """Bytes of all contents."""
        return self.payload.size

    @property
    def payload(self) -> Payload:
        """What follows `upload_script` on stdin."""
        return Payload(tuple(self.contents.values()))

    @property
    def seconds(self) -> float:
        """The time that it may take."""
        return 120.0 + self.size / SLOWEST

    @property
    def limits(self) -> Limits:
        """The controller's limits for it."""
        return Limits(self.seconds + GRACE, stdout=1 << 16, stderr=1 << 16)


def detach(batch: Sequence[Sequence[Step]], id: str) -> tuple[list[tuple[Step, ...]], Upload | None]:
    """The steps without large content, and that content: a step then names it in `sources`, by its SHA-256.

    A source must be a file of the controller (`file:` URL) with its size.
    """
    whole = sum(len(blob) for steps in batch for step in steps for blob in step.blobs.values())
    most = SMALL if whole > EMBEDDED else EMBEDDED
    contents: dict[str, Content] = {}
    light = [tuple([_detached(step, most, contents) for step in steps]) for steps in batch]
    return light, Upload(id, contents) if contents else None


def _detached(step: Step, most: int, contents: dict[str, Content]) -> Step:
    sources = dict(step.sources)
    for source in sources.values():
        contents[source.sha256] = Content(source.size, file_of(source.url))
    small: dict[str, bytes] = {}
    for name, blob in step.blobs.items():
        if len(blob) <= most:
            small[name] = blob
            continue
        digest = hashlib.sha256(blob).hexdigest()
        contents[digest] = Content.of(blob)
        sources[name] = Source("", digest, len(blob))
    return replace(step, blobs=small, sources=sources) if sources else step


_RECEIVE = r"""
__receive() { # SHA256 SIZE: one content from stdin, whole or not at all
  __new=$(mktemp "$__dir/new.XXXXXXXX") || exit 1
  head -c "$2" >"$__new" || exit 1
  __sum=$(sha256sum <"$__new") || exit 1
  [ "${__sum%% *}" = "$1" ] || {
    echo "the content that arrived has the SHA-256 ${__sum%% *}, not $1: it was changed or cut off" >&2; exit 1; }
  __fence
  mv -fT -- "$__new" "$__dir/$1" || exit 1
}
"""


def upload_script(upload: Upload, prelude: str, token: str, nonce: str) -> str:
    """Receives the contents from stdin under the host's lock `token`: exits with 75 when another run has it.

    The lock is checked before anything is written, and before each content gets its name.
    """
    receive = "".join(f"__receive {digest} {content.size:d}\n" for digest, content in upload.contents.items())
    body = f"""{prelude}
__token={quote(token)}
{HELD}
{FOLDERS}
{_RECEIVE}
__fence() {{ __held || {{ printf '\\n@%s fenced %s\\n' {nonce} "$__why"; exit 75; }}; }}
__fence
__dir={FOLDER}/{upload.id}
__folder "$HACORE_HOME" 0755 && __folder "{FOLDER}" 0700 && mkdir -p -m 0700 -- "$__dir" || exit 1
printf '%s\\n' "$__token" >"$__dir/token" || exit 1
{receive}"""
    return watched(body, upload.seconds)


SWEEP = rf"""
__sweep() {{ # removes uploads that no job needs; $1: only those sent under this token
  for __one in "{FOLDER}"/*/; do
    [ -d "$__one" ] || continue
    __name=${{__one%/}}; __name=${{__name##*/}}
    [ $# -eq 0 ] || [ "$(cat "$__one/token" 2>/dev/null)" = "$1" ] || continue
    grep -qsxF -- "$__name" "$HACORE_RUN"/jobs/*/uploads || rm -rf -- "$__one"
  done
  rmdir -- "{FOLDER}" 2>/dev/null || :
}}
"""
"""For the holder of the host's lock, after `__tidy`."""


__all__ = ["EMBEDDED", "FOLDER", "SWEEP", "Upload", "detach", "upload_script"]
