"""The whole life of the nginx + keepalived pair on two twins, step by step. `make demo` runs this.

Every step is a command that you can type yourself. The first step that fails ends the demo with exit code 1.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "scripts")]

from hacore.engine.sources import cache_folder  # noqa: E402
from hacore.lab import Lab, manifest  # noqa: E402

STACK = "nginx-keepalived"
URL = "http://192.168.1.200/"
HACORE = str(Path(sys.executable).with_name("hacore"))
BEGAN = time.monotonic()


def headline(text: str) -> None:
    print(f"\n\033[1m== [{time.monotonic() - BEGAN:4.0f}s] {text}\033[0m", flush=True)


def fail(text: str) -> None:
    raise SystemExit(f"demo: {text}")


def run(*argv: str, expect: int | None = 0, quiet: bool = False) -> subprocess.CompletedProcess[str]:
    shown = " ".join(["hacore" if argv[0] == HACORE else argv[0], *argv[1:]])
    print(f"$ {shown}", flush=True)
    done = subprocess.run(argv, check=False, text=True, capture_output=quiet, cwd=WORK)
    if expect is not None and done.returncode != expect:
        if quiet:
            print(done.stdout, done.stderr, sep="\n", file=sys.stderr)
        fail(f"exit code {done.returncode} instead of {expect}: {shown}")
    return done


def inside(*argv: str, expect: int | None = 0, quiet: bool = False) -> subprocess.CompletedProcess[str]:
    return run(HACORE, "lab", "exec", STACK, "--", *argv, expect=expect, quiet=quiet)


def get() -> tuple[dict[str, str], str]:
    """Headers (names in lower case) and body of what the VIP answers; empty while it does not."""
    done = inside("curl", "-fsS", "--max-time", "5", "-i", URL, expect=None, quiet=True)
    head, _, body = done.stdout.replace("\r\n", "\n").partition("\n\n")
    lines = [line.partition(":") for line in head.splitlines()[1:]]
    return {name.lower(): value.strip() for name, _, value in lines}, body.strip()


def edition() -> str:
    return get()[0].get("x-edition", "")


def wait_for(what: str, check: Callable[[], bool], seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while not check():
        if time.monotonic() > end:
            fail(f"timed out after {seconds:g}s: {what}")
        time.sleep(0.3)
    print(f"  {what}", flush=True)


def served_by(node: str) -> Callable[[], bool]:
    def check() -> bool:
        headers, body = get()
        return body == "hello from tomcat" and headers.get("x-served-by") == node

    return check


def ssh(host: str, command: str) -> None:
    inside("ssh", f"root@{host}", command)


def tarballs() -> None:
    """The stack downloads from upstream by default; if that is unreachable, Debian has the same bytes."""
    text = (ROOT / "stacks" / STACK / "stack.yaml").read_text()
    wanted = next(line for line in text.splitlines() if "nginx_sha256:" in line).split("default:")[1].strip(" }")
    if (cache_folder() / wanted).is_file():
        return
    try:
        urllib.request.urlopen("https://nginx.org/", timeout=5).close()
    except OSError:
        import debian_source

        print("nginx.org is unreachable: downloading the same tarball from Debian")
        debian_source.fetch("nginx")


def main() -> None:
    os.environ.setdefault("HACORE_VAR_vrrp_password", secrets.token_hex(4))
    stack = WORK / "stacks" / STACK
    conf = stack / "nginx.conf.j2"
    tarballs()

    headline("create two bare twins, and an application server behind them")
    run(HACORE, "lab", "down", STACK, expect=None, quiet=True)
    run(HACORE, "lab", "up", "--trusted-stack", STACK)
    lab = Lab.named(STACK)
    bare = {name: manifest.take(lab, name) for name in ("lb1", "lb2")}

    headline("plan and apply")
    inside(HACORE, "plan", STACK)
    inside(HACORE, "apply", "--auto-approve", STACK)

    headline("request the virtual address from a third machine")
    wait_for("lb1 serves the page of the application at the virtual address", served_by("lb1"))

    headline("stop keepalived on lb1: fail-over, and back")
    ssh("192.168.1.166", "systemctl stop keepalived")
    wait_for("lb2 serves the virtual address", served_by("lb2"))
    ssh("192.168.1.166", "systemctl start keepalived")
    wait_for("lb1 serves the virtual address again", served_by("lb1"))

    headline("plan again: no changes")
    empty = json.loads(inside(HACORE, "plan", "--json", STACK, quiet=True).stdout)
    if empty["changes"]:
        fail(f"the second plan is not empty: {empty['changes']}")
    print("  No changes.")

    headline("edit a file and stop a service by hand: drift reports both, apply repairs them")
    ssh("192.168.1.173", "echo '# by hand' >>/usr/local/nginx/conf/nginx.conf && systemctl stop nginx")
    inside(HACORE, "drift", STACK, expect=2)
    inside(HACORE, "apply", "--auto-approve", STACK)
    inside(HACORE, "drift", STACK)

    headline("apply a new nginx.conf, then roll it back: check the bytes and the served page")
    before = {name: manifest.take(lab, name) for name in bare}
    header = "add_header X-Served-By $hostname always;"
    conf.write_text(conf.read_text().replace(header, header + ' add_header X-Edition "second" always;', 1))
    inside(HACORE, "apply", "--auto-approve", STACK)
    wait_for("the new configuration is served", lambda: edition() == "second")
    inside(HACORE, "rollback", "--auto-approve", STACK)
    wait_for("the previous configuration is served again", lambda: edition() == "")
    for name in bare:
        changed = manifest.diff(before[name], manifest.take(lab, name))
        if changed:
            fail(f"{name} differs after the rollback: {changed[:10]}")
    print("  both hosts are restored byte for byte")

    headline("drill: the fail-over in numbers, each beside its budget")
    page = ROOT / "drill.html"
    code = inside(
        HACORE, "drill", "--auto-approve", "--baseline", "5s", "--html", str(page), STACK, expect=None
    ).returncode
    if code not in (0, 1):
        fail(f"the drill ended with {code}")
    print("  this machine was too busy for a measurement" if code else f"  the report: {page}")

    headline("destroy: the original state is restored")
    inside(HACORE, "destroy", "--auto-approve", STACK)
    for name in bare:
        changed = manifest.diff(bare[name], manifest.take(lab, name))
        if changed:
            fail(f"{name} differs from its original state: {changed[:20]}")
    print("  both hosts are in their original state, byte for byte")
    run(HACORE, "lab", "down", STACK)
    headline("done")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="hacore-demo-") as scratch:
        # a copy of the stack, because the demo edits it
        WORK = Path(scratch)
        shutil.copytree(ROOT / "stacks" / STACK, WORK / "stacks" / STACK)
        try:
            main()
        except BaseException:
            if os.environ.get("HACORE_DEMO_KEEP") != "1":
                subprocess.run([HACORE, "lab", "down", STACK], check=False, cwd=WORK, capture_output=True)
            raise
