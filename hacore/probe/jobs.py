"""Jobs: steps continue to run on a host when its connection is lost.

A batch of steps becomes a *job*: a folder with a script, begun at most once, in a session of its own
(setsid(1)). The holder of the host's lock can begin it, wait for it and read its output, over
this connection or the next one.

    $HACORE_RUN/jobs/KEY/   0700
        script   the script; deleted, with the blobs in it, once it has been read
        lock     locked, flock(2), by the process that runs it
        begun    it was begun; without `rc` and with the lock free it was killed
        token    the host lock under which it was begun or resumed
        what     a description for people
        uploads  the name of the folder with its large content (upload.py), if it has any
        scratch  exists when it works in scratch space: a new run need not wait for it
        out err  its output
        rc       its result: 0, 1 (a step failed), 75 (fenced)

The script needs only a POSIX shell, setsid and flock of util-linux, and timeout and mktemp of coreutils.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from ..contract import quote
from .folders import FOLDERS
from .lock import HELD

NOT_THERE = 66  # EX_NOINPUT
"""The exit code for a job that does not exist."""

_RUN = r"""
exec 8>"$1/lock" || exit 6
flock -n 8 || exit 3
[ ! -e "$1/rc" ] || exit 5
[ ! -e "$1/begun" ] || exit 4
touch "$1/begun" || exit 6
__script=$(cat "$1/script"); rm -f "$1/script"
( eval "$__script" ) >"$1/out" 2>"$1/err"
__rc=$?
if read -r __one 2>/dev/null <"$1/uploads"; then rm -rf -- "$HACORE_HOME/uploads/$__one"; fi
echo "$__rc" >"$1/rc.new" && mv "$1/rc.new" "$1/rc"
"""
"""In a session of its own: 0 it ran, 3 another process runs it, 4 it was killed, 5 it has ended, 6 it cannot begin.

Steps inherit the lock's descriptor, so a step of which the shell was killed still counts as running.
"""

_FOLLOW = r"""
__begun() { # prints the steps that another process began in $1 since the last call
  __n=$(grep -ac "^@$__nonce out " "$1/out" 2>/dev/null)
  [ "$__n" = "${__seen-0}" ] || { __seen=$__n; echo; grep -a "^@$__nonce out " "$1/out"; }
}
__go() { # $1: a job's folder; begins the job unless it was begun, and waits for its end
  while :; do
    __rc=0; setsid sh -c "$__run" sh "$1" 3>&1 >/dev/null </dev/null || __rc=$?
    # killed: look again; by SIGPIPE, 141: the connection that it printed to is lost
    case $__rc in 141) break;; 3) __begun "$1";; 12[89]|1[3-9]?) ;; *) break;; esac
    [ -d "$1" ] || break
    sleep 0.2
  done
  [ -e "$1/rc" ]
}
"""

_TAKE = r"""
if [ -d "$__job" ] && [ "$(cat "$__job/token")" != "$__token" ]; then
  # begun by a former holder of the lock, which is dead: a good result is used, otherwise it is repeated
  __go "$__job" && [ "$(cat "$__job/rc")" = 0 ] || rm -rf "$__job"
  [ ! -d "$__job" ] || printf '%s\n' "$__token" >"$__job/token"
fi
"""

_END = r"""
if __go "$__job" && __end=$(cat "$__job/rc"); then
  cat "$__job/out" && cat "$__job/err" >&2 && exit "$__end"
fi
__fence # a new holder of the lock may have deleted the job
[ ! -e "$__job/err" ] || cat "$__job/err" >&2
[ "$__rc" = 4 ] || { echo "the job cannot begin, or its result cannot be written: is $HACORE_RUN full?" >&2; exit 1; }
echo "it was killed on the host" >&2
exit 137
"""


@dataclass(frozen=True, slots=True)
class Job:
    """A job by its key. `body` is its script, `what` describes it to people; for `scratch` see `key_of`.

    `uploads` is the id of the upload that it needs.
    """

    key: str
    body: str
    what: str = ""
    scratch: bool = False
    uploads: str = ""

    @property
    def nonce(self) -> str:
        """The mark of the frames in its output: known only to those who know the key."""
        return nonce_of(self.key)


def nonce_of(key: str) -> str:
    """The nonce of the job `key`."""
    return hashlib.sha256(f"frames of {key}".encode()).hexdigest()[:16]


def key_of(scope: str, body: str) -> str:
    """The key of a job that a later controller may find again: the same work in the same run.

    `scope` names the run and is not a secret; the state's lineage in it separates stacks.
    """
    return hashlib.sha256(f"{scope}\n{body}".encode("utf-8", "surrogateescape")).hexdigest()[:32]


def start_script(job: Job, prelude: str, token: str, taken: Iterable[str] = ()) -> str:
    """Begin a job under the host's lock `token`, wait for its end, print its output.

    A job that was begun already is waited for, not begun again. `taken`: keys of ended jobs with their
    output received; they are deleted. A script that was cut off in transit does nothing: it is one compound command,
    which a shell reads to its end before it runs any of it.
    """
    forget = "".join(f'rm -rf "$__jobs"/{quote(key)}\n' for key in taken)
    return _script(job.key, job.nonce, prelude, token, f"{forget}{_TAKE}{_lay(job)}{_END}")


def _lay(job: Job) -> str:
    """Create a job's folder unless it exists: whole or not at all."""
    mark = f"J{job.nonce}"
    lines = [
        'if [ ! -d "$__job" ]; then\n',
        '__new=$(mktemp -d "$__jobs/new.XXXXXXXX") || exit 1\n',
        f"cat >\"$__new/script\" <<'{mark}' || exit 1\n{job.body}\n{mark}\n",
        'printf \'%s\\n\' "$__token" >"$__new/token" || exit 1\n',
        f"printf '%s\\n' {quote(job.what)} >\"$__new/what\" || exit 1\n",
        '>"$__new/scratch" || exit 1\n' if job.scratch else "",
        f'echo {quote(job.uploads)} >"$__new/uploads" || exit 1\n' if job.uploads else "",
        'mv -T -- "$__new" "$__job" 2>/dev/null || rm -rf "$__new"\n',  # another connection of this run was faster
        "fi\n",
    ]
    return "".join(lines)


def attach_script(key: str, prelude: str, token: str) -> str:
    """Wait for a job that this run may have begun, and print its output; NOT_THERE when it was not begun."""
    return _script(key, nonce_of(key), prelude, token, f'[ -d "$__job" ] || exit {NOT_THERE}\n{_END}')


def _script(key: str, nonce: str, prelude: str, token: str, rest: str) -> str:
    return f"""{prelude}
{{
__token={quote(token)}
{HELD}
__fence() {{ __held || {{ printf '\\n@%s fenced %s\\n' {nonce} "$__why"; exit 75; }}; }}
__fence
__nonce={nonce} __jobs=$HACORE_RUN/jobs __job=$HACORE_RUN/jobs/{key}
{FOLDERS}
__run_folder && mkdir -p -m 0700 "$__jobs" || exit 1
__run={quote(_RUN)}
{_FOLLOW}
{rest}
}}
"""


WAIT = r"""
__runs() { [ -e "$1/begun" ] && [ ! -e "$1/rc" ] && ! flock -n "$1/lock" true; }
__busy() { # prints the description of a job that is still running, except those in scratch space
  for __one in "$HACORE_RUN"/jobs/*/; do
    [ -e "$__one/scratch" ] || ! __runs "$__one" || { cat "$__one/what"; return 0; }
  done
  return 1
}
__tidy() { # deletes jobs that no run needs; $1: a token of which all jobs are over
  for __one in "$HACORE_RUN"/jobs/*/; do
    [ -d "$__one" ] && ! __runs "$__one" || continue
    [ "$(cat "$__one/token" 2>/dev/null)" != "$1" ] && [ -e "$__one/scratch" ] &&
      [ -z "$(find "$__one" -maxdepth 0 -mtime +7)" ] || rm -rf "$__one"
  done
  # private folders of killed steps, with the files of their resources: a job that still runs may use one
  for __one in "$HACORE_RUN"/jobs/*/; do ! __runs "$__one" || return 0; done
  rm -rf "$HACORE_RUN"/step.????????
}
"""
"""For the holder of the host's lock: waiting for former jobs, and deleting them."""
