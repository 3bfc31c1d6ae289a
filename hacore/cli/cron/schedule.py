"""`hacore drift --print-cron` and `--print-timer`: the command, independent of this shell."""

from __future__ import annotations

import os
import re
import shlex
import sys
from collections.abc import Sequence
from getpass import getuser
from pathlib import Path

from ...endpoint import check_user
from ...errors import UsageError
from ...urls import url_secrets
from ..stack_args import StackArgs

WITHIN = 60.0
"""Seconds for a scheduled check, unless --timeout is given."""


def scheduled(args: StackArgs, form: str, timeout: float | None, *, since_last: bool, metrics: Path | None) -> str:
    """The text of a crontab or a timer.

    Raises UsageError when it would contain a secret, or a character that ends a line of it or cannot be seen.
    """
    from ...load.find import absolute_state

    if url_secrets(args.state or ""):
        raise UsageError("cannot print a schedule with a password in --state: set HACORE_STATE there instead")
    words = [*program(), "drift"]
    if args.state is None or args.stack is not None:
        words.append(str(args.file().absolute()))
    words += ["--env", args.env] if args.env else []
    words += ["--state", absolute_state(args.state, Path.cwd())] if args.state else []
    words += ["--quiet", "--timeout", f"{timeout or WITHIN:g}"]
    words += ["--since-last"] if since_last else []
    words += ["--metrics", str(metrics.absolute())] if metrics else []
    text = {"cron": cron_text, "timer": timer_text}[form]
    return text(unit_name(stack_name(args), args.env), _checked(words), _user())


def _checked(words: list[str]) -> list[str]:
    """A line end in a word would begin another line of the crontab, or end the text that `sudo sh` reads."""
    for word in words:
        if not word.isprintable():
            raise UsageError(
                f"cannot print a schedule: {word!r} has a control character or an invisible one; rename the file or "
                "folder"
            )
    return words


def _user() -> str:
    name = getuser()  # by LOGNAME and USER first
    try:
        return check_user(name)
    except ValueError as error:
        raise UsageError(f"cannot print a schedule: {error}; correct LOGNAME or USER") from None


def program() -> list[str]:
    """The command of this installation, with an absolute path."""
    called = Path(sys.argv[0]).absolute()
    if called.name == "hacore" and os.access(called, os.X_OK):
        return [str(called)]
    return [sys.executable, "-P", "-m", "hacore.cli"]


def stack_name(args: StackArgs) -> str:
    """The name of the stack in its file, or of the state when no stack is given."""
    from ..stack_args import lab_name

    if args.state is not None and args.stack is None:
        return Path(args.state.partition("?")[0].rpartition("/")[2]).stem
    return lab_name(args)


def unit_name(stack: str, env: str | None) -> str:
    """A file name: cron ignores files with other characters than letters, digits, - and _."""
    return "hacore-drift-" + re.sub(r"[^A-Za-z0-9_-]+", "-", f"{stack}-{env}" if env else stack)


def cron_text(name: str, words: Sequence[str], user: str) -> str:
    """The file for /etc/cron.d. `words` are the command, all its paths absolute."""
    line = shlex.join(words).replace("%", r"\%")  # cron replaces an unescaped one with a newline
    return f"""\
# /etc/cron.d/{name}: checks for drift every 15 minutes.
# There is output, and so mail, only when there is drift. HACORE_STATE, HACORE_KEY and HACORE_WEBHOOK
# can be set here, if only root can read the file.
SHELL=/bin/sh
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
*/15 * * * * {user} {line}
"""


def timer_text(name: str, words: Sequence[str], user: str) -> str:
    """A script that writes service and timer, and starts the timer: to be read first, then piped to `sudo sh`."""
    line = " ".join(_systemd_word(word) for word in words)
    return f"""\
# Checks for drift every 15 minutes. To install: ... --print-timer | sudo sh
set -eu
cat >/etc/systemd/system/{name}.service <<'END'
[Unit]
Description=hacore drift, {name}
Wants=network-online.target
After=network-online.target

[Service]
Type=oneshot
User={user}
# HACORE_STATE, HACORE_KEY, HACORE_WEBHOOK, if needed; mode 0600
EnvironmentFile=-/etc/default/hacore
# drift (2) and hosts that were not checked (1) are failures of the unit: systemctl --failed, OnFailure=
ExecStart={line}
END
cat >/etc/systemd/system/{name}.timer <<'END'
[Unit]
Description=hacore drift, {name}

[Timer]
OnCalendar=*:0/15
RandomizedDelaySec=60

[Install]
WantedBy=timers.target
END
systemctl daemon-reload
systemctl enable --now {name}.timer
"""


def _systemd_word(word: str) -> str:
    """A word of ExecStart: quoted, with $ and % doubled. See systemd.service(5), "COMMAND LINES"."""
    text = word.replace("\\", "\\\\").replace('"', '\\"').replace("$", "$$").replace("%", "%%")
    return text if re.fullmatch(r"[\w@%+=:,./-]+", text) else f'"{text}"'
