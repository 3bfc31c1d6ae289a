"""A stack in a folder of its own, and hacore run on it from inside a lab, as a user would."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hacore.lab import Lab

HEAD = """\
stack: web
variables:
  vrrp_password: {type: string, sensitive: true}
connection: {user: root}
hosts:
  lb1: {address: 192.168.1.166, groups: [lb], vars: {interface: eth1, priority: 101}}
  lb2: {address: 192.168.1.173, groups: [lb], vars: {interface: eth2, priority: 100}}
resources:
"""

SITE = """\
server {
    listen 80 default_server;
    location / { add_header X-Served-By $hostname always; return 200 "first edition\\n"; }
}
"""

WEB = """\
  package:
    web: {names: [nginx, keepalived]}
  file:
    site:
      path: /etc/nginx/sites-available/default
      source: site.conf
      needs: [package.web]
    main:
      path: /etc/nginx/nginx.conf
      source: nginx.conf
      validate: nginx -t -q -c %s
      needs: [package.web, file.site]
  service:
    nginx: {running: true, enabled: true, reload_on: [file.site, file.main]}
    keepalived: {running: true, enabled: true, needs: [service.nginx]}
  vrrp_instance:
    VI_1:
      members: lb
      interface: "{{ host.vars.interface }}"
      priority: "{{ host.vars.priority }}"
      router_id: "{{ host.name }}"
      virtual_router_id: 66
      authentication: {type: PASS, password: "{{ var.vrrp_password }}"}
      addresses: [192.168.1.200]
      needs: [package.web]
  vip:
    front: {instance: VI_1, checks: [{http: "http://192.168.1.200/", status: 200}], needs: [service.keepalived]}
"""

NGINX = """\
user www-data;
pid /run/nginx.pid;
error_log /var/log/nginx/error.log;
events { worker_connections 512; }
http {
    access_log off;
    include /etc/nginx/sites-enabled/*;
}
"""


@dataclass
class Project:
    """A folder with `stacks/web`, run in a lab. `password` is given by the environment."""

    folder: Path
    lab: Lab
    password: str = "Zq7!vX2k"
    name: str = "web"

    def write(self, resources: str, *, head: str = HEAD, **files: str) -> None:
        """Replace the stack; `files`: more files of its folder, dots in names written as `__`."""
        stack = self.folder / "stacks" / self.name
        stack.mkdir(parents=True, exist_ok=True)
        (stack / "stack.yaml").write_text(head + resources)
        for name, text in files.items():
            (stack / name.replace("__", ".")).write_text(text)

    def web(self, *, site: str = SITE, main: str = NGINX, more: str = "") -> None:
        """The small pair: Debian's nginx and keepalived."""
        self.write(WEB + more, site__conf=site, nginx__conf=main)

    @property
    def state(self) -> Path:
        """The state's file."""
        return self.folder / "state" / f"{self.name}.db"

    def run(
        self, *args: str, env: dict[str, str] | None = None, timeout: float = 600
    ) -> subprocess.CompletedProcess[str]:
        """`hacore ARGS` in the lab's network; `timeout` in seconds."""
        return subprocess.run(
            self._command(args),
            check=False,
            capture_output=True,
            text=True,
            cwd=self.folder,
            env={**self._environment(), **(env or {})},
            timeout=timeout,
        )

    def start(self, *args: str) -> subprocess.Popen[bytes]:
        """As `run`, without waiting; what it prints is lost."""
        return subprocess.Popen(
            self._command(args),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=self.folder,
            env=self._environment(),
        )

    def _command(self, args: Sequence[str]) -> list[str]:
        command = self.lab.command([str(Path(sys.executable).with_name("hacore")), *args])
        # the lab gives twins a state of its own; here every project has one
        return [f"HACORE_STATE=sqlite:///{self.state}" if w.startswith("HACORE_STATE=") else w for w in command]

    def _environment(self) -> dict[str, str]:
        return {**os.environ, "HACORE_VAR_vrrp_password": self.password}

    def ok(self, *args: str, code: int = 0) -> str:
        """Run, expect an exit code, give stdout."""
        done = self.run(*args)
        assert done.returncode == code, f"hacore {' '.join(args)}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def apply(self, *more: str) -> str:
        """Apply without a question."""
        return self.ok("apply", "--auto-approve", *more)

    def plan(self) -> dict[str, Any]:
        """The plan as JSON."""
        data: dict[str, Any] = json.loads(self.ok("plan", "--json"))
        return data

    def actions(self) -> dict[str, str]:
        """Address to action of the plan."""
        return {c["address"]: c["action"] for c in self.plan()["changes"]}

    def ssh(self, host: str, script: str, *, check: bool = True) -> str:
        """Run sh on a twin, not through hacore."""
        done = self.lab.ssh(host, script)
        assert not check or done.returncode == 0, f"{host}: {script}: {done.stderr}"
        return str(done.stdout)

    def get(self, url: str) -> tuple[int, str, str]:
        """Status, body and node of an HTTP answer, asked from a third position in the network."""
        script = f"curl -sS -i --max-time 3 {url}"
        done = subprocess.run(
            self.lab.command(["sh", "-c", script]), check=False, capture_output=True, text=True, timeout=30
        )
        head, _, body = done.stdout.replace("\r\n", "\n").partition("\n\n")
        lines = head.splitlines() or ["HTTP/1.1 0"]
        node = [line.split(": ", 1)[1] for line in lines if line.lower().startswith("x-served-by: ")]
        return int(lines[0].split()[1]), body.strip(), node[-1] if node else ""


def eventually(check: Callable[[], bool], what: str, seconds: float = 60) -> None:
    """Wait until `check` holds; a failure after `seconds`."""
    deadline = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < deadline, f"not within {seconds} seconds: {what}"
        time.sleep(0.05)


def killed(process: subprocess.Popen[bytes]) -> None:
    """Kill a process and all below it at once: the lab's helpers stand between us and hacore."""
    for pid in _family(process.pid):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    process.wait(30)


def _family(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children")
    below = children.read_text().split() if children.exists() else []
    return [pid, *(p for child in below for p in _family(int(child)))]
