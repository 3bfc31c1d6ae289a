"""A command as a crontab of its own (crontab(5), cron(8) on /etc/cron.d) and as a timer (systemd.timer(5))."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence


def unit_name(stack: str, env: str | None) -> str:
    """A name for files: cron passes over those with anything but letters, digits, - and _."""
    return "hacore-drift-" + re.sub(r"[^A-Za-z0-9_-]+", "-", f"{stack}-{env}" if env else stack)


def cron_text(name: str, words: Sequence[str], user: str) -> str:
    """The file for /etc/cron.d. `words` are the command, all its paths absolute."""
    line = shlex.join(words).replace("%", r"\%")  # cron makes a newline of a bare one
    return f"""\
# /etc/cron.d/{name}: looks for drift every quarter of an hour.
# It writes, and so mails, only when there is something to tell. HACORE_STATE, HACORE_KEY and
# HACORE_WEBHOOK may be set here, if nobody else can read the file.
SHELL=/bin/sh
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
*/15 * * * * {user} {line}
"""


def timer_text(name: str, words: Sequence[str], user: str) -> str:
    """A script that writes service and timer, and starts the timer: to be read, then piped to `sudo sh`."""
    line = " ".join(_systemd_word(word) for word in words)
    return f"""\
# Looks for drift every quarter of an hour. To install it: ... --print-timer | sudo sh
set -eu
cat >/etc/systemd/system/{name}.service <<'END'
[Unit]
Description=hacore drift, {name}
Wants=network-online.target
After=network-online.target

[Service]
Type=oneshot
User={user}
# HACORE_STATE, HACORE_KEY, HACORE_WEBHOOK, where they are needed; mode 0600
EnvironmentFile=-/etc/default/hacore
# drift (2) and "could not tell" (1) are failures of the unit: systemctl --failed, OnFailure=
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
