"""The same service on init systems: as a unit of systemd, and as a script of sysvinit."""

from __future__ import annotations

from dataclasses import dataclass

from tests.providers.play import Player

_UNIT = """[Unit]
Description=A daemon for tests
[Service]
ExecStart=/usr/bin/perl -e '$$SIG{HUP} = sub { open(F, ">/run/probe.hup") }; sleep @seconds@ while 1'
ExecReload=/bin/kill -HUP $MAINPID
[Install]
WantedBy=multi-user.target
"""

_SCRIPT = """#!/bin/sh
### BEGIN INIT INFO
# Provides: probe
# Required-Start: $remote_fs
# Required-Stop: $remote_fs
# Default-Start: 2 3 4 5
# Default-Stop: 0 1 6
# Short-Description: A daemon for tests
### END INIT INFO
pidfile=/run/probe.pid
alive() { [ -s $pidfile ] && kill -0 "$(cat $pidfile)" 2>/dev/null; }
case $1 in
start)
  start-stop-daemon --start --background --make-pidfile --pidfile $pidfile --exec /usr/bin/perl -- \\
    -e '$SIG{HUP} = sub { open(F, ">/run/probe.hup") }; sleep @seconds@ while 1' ;;
stop) start-stop-daemon --stop --retry 5 --remove-pidfile --pidfile $pidfile ;;
restart) "$0" stop; "$0" start ;;
reload) kill -HUP "$(cat $pidfile)" ;;
status) if alive; then echo 'probe runs'; else echo 'probe does not run'; exit 3; fi ;;
*) echo "usage: $0 start|stop|restart|reload|status" >&2; exit 2 ;;
esac
"""


@dataclass(frozen=True)
class Init:
    """A twin, and how things are called there."""

    name: str
    host: Player

    def definition(self, seconds: int = 100) -> str:
        """Text for a daemon that sleeps so long at a time."""
        text = _UNIT if self.name == "systemd" else _SCRIPT
        return text.replace("@seconds@", str(seconds))

    @property
    def dying(self) -> str:
        """Text for a daemon that says its last words and goes."""
        if self.name == "systemd":
            start = "/bin/sh -c 'echo no such luck; sleep 0.3; exit 7'"
            return f"[Service]\nExecStart={start}\nRestart=always\nRestartSec=50ms\n"
        return "#!/bin/sh\ncase $1 in start) echo no such luck ;; status) echo gone; exit 1 ;; esac\n"

    def package(self) -> None:
        """Lay the definition where a package would."""
        path, mode = (
            ("/lib/systemd/system/probe.service", "644") if self.name == "systemd" else ("/etc/init.d/probe", "755")
        )
        self.host.sh(f"cat >{path} <<'E'\n{self.definition()}E\nchmod {mode} {path}")
        if self.name == "systemd":
            self.host.sh("systemctl daemon-reload")

    def unpack(self) -> None:
        """Take that away."""
        if self.name == "systemd":
            self.host.sh("rm /lib/systemd/system/probe.service; systemctl daemon-reload; systemctl reset-failed")
        else:
            self.host.sh("rm /etc/init.d/probe; update-rc.d probe remove")

    def by_hand(self, action: str) -> None:
        """`start`, `stop`, `enable` or `disable`, as an administrator does."""
        if self.name == "systemd":
            self.host.sh(f"systemctl {action} probe")
        elif action in ("start", "stop"):
            self.host.sh(f"service probe {action} >/dev/null 2>&1 </dev/null")
        else:
            self.host.sh(f"update-rc.d probe defaults; update-rc.d probe {action}")

    def pid(self) -> str:
        """The daemon's process; empty if it does not run."""
        return self.host.sh("pgrep -f 'perl.*probe[.]hup' || :").strip()
