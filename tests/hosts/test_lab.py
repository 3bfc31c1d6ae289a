from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from hacore.errors import LabError
from hacore.lab import Bystander, Lab, LabSpec, Twin, manifest
from hacore.lab.image import cache

pytestmark = pytest.mark.twins

ONE = Twin("one", "10.20.30.40", "ens3")
SIDE = Bystander("side", "10.20.30.9", 8080, 503, "not today")


def traces() -> dict[str, set[str]]:
    """Everything a lab could leave on this machine."""

    def lines(*argv: str) -> set[str]:
        if shutil.which(argv[0]) is None:  # then nobody made any with it
            return set()
        return set(subprocess.run(argv, capture_output=True, text=True, check=False).stdout.splitlines())

    return {
        "namespaces": {p.name for p in Path("/run/netns").glob("*")},
        "links": {link["ifname"] for link in json.loads(lines("ip", "-j", "link").pop())},
        "mounts": {line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()},
        "tables": lines("nft", "list", "tables"),
        "rules": lines("iptables", "-S") | lines("iptables", "-t", "nat", "-S"),
        "processes": {f"{pid} {args}" for pid, args in _processes() if "nspawn" in args or "bystander" in args},
        "cgroups": {str(p) for p in Path("/sys/fs/cgroup").glob("*/hacore*")},
        "forwarding": {Path("/proc/sys/net/ipv4/ip_forward").read_text()},
        "files": {str(p) for p in (*Path("/var/lib/hacore").glob("*/*"), *Path("/run/systemd/nspawn").glob("*/*"))},
    }


def _processes() -> list[tuple[str, str]]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found.append((path.parent.name, path.read_bytes().replace(b"\0", b" ").decode(errors="replace")))
        except OSError:
            continue
    return found


def remains(before: dict[str, set[str]], lab: Lab) -> list[str]:
    """What `lab` left: all that is new, but for what other labs of this machine do meanwhile."""
    others = Lab.list_labs() or any(not n.startswith(lab.names.namespace) for n in traces()["namespaces"])
    new = [f"{kind}: {item}" for kind, items in traces().items() for item in items - before[kind]]
    return [n for n in new if not others or lab.names.digest in n or lab.spec.stack in n]


def ssh(lab: Lab, address: str, script: str) -> subprocess.CompletedProcess[str]:
    """Plain ssh, as a user would: no options but the strictest."""
    argv = lab.command(["ssh", "-o", "StrictHostKeyChecking=yes", "-o", "BatchMode=yes", f"root@{address}", script])
    return subprocess.run(argv, capture_output=True, text=True, check=False, timeout=120)


def test_twins_bear_their_true_names_and_addresses(pair: Lab) -> None:
    for name, address, interface in (("lb1", "192.168.1.166", "eth1"), ("lb2", "192.168.1.173", "eth2")):
        done = ssh(pair, address, f"hostname; ip -o -4 address show dev {interface}; systemctl is-system-running")
        assert done.returncode == 0, done.stderr
        assert done.stdout.split()[0] == name
        assert f"{address}/24" in done.stdout
        assert done.stdout.split()[-1] == "running"


def test_the_images_of_twins_are_for_root_alone(pair: Lab) -> None:
    """apt's settings of this machine are in them, and may have the password of a proxy."""
    images = (cache() / "images").stat()
    assert (images.st_uid, oct(images.st_mode & 0o777)) == (0, "0o700")


def test_a_twin_is_bare(pair: Lab) -> None:
    done = ssh(pair, "192.168.1.166", "command -v gcc nginx keepalived curl; ls /usr/local/bin /usr/local/sbin")
    assert done.stdout.split() == ["/usr/local/bin:", "/usr/local/sbin:"]


def test_twins_have_identities_of_their_own(pair: Lab) -> None:
    ask = "cat /etc/machine-id /etc/ssh/ssh_host_*.pub"
    one, two = (set(ssh(pair, a, ask).stdout.splitlines()) for a in ("192.168.1.166", "192.168.1.173"))
    assert len(one) == len(two) == 2
    assert not one & two


def test_a_bystander_answers_the_lab_and_the_twins(pair: Lab) -> None:
    argv = pair.command([sys.executable, "-c", _FETCH, "http://192.168.1.9:8080/any"])
    assert subprocess.run(argv, capture_output=True, text=True, check=True).stdout == "200 hello from tomcat\n tomcat\n"
    web = r"""bash -c 'exec 3<>/dev/tcp/192.168.1.9/8080; printf "GET / HTTP/1.0\r\n\r\n" >&3; cat <&3'"""
    assert "hello from tomcat" in ssh(pair, "192.168.1.173", web).stdout


_FETCH = """
import sys, urllib.request
with urllib.request.urlopen(sys.argv[1], timeout=5) as answer:
    print(answer.status, answer.read().decode(), answer.headers["X-Served-By"])
"""


def test_twins_install_packages(pair: Lab) -> None:
    assert ssh(pair, "192.168.1.166", "apt-get install -y hello >&2 && hello").stdout == "Hello, world!\n"


def test_a_package_that_is_not_preloaded_comes_from_the_network(pair: Lab) -> None:
    done = ssh(
        pair, "192.168.1.173", "apt-get update >&2 && apt-get install -y --no-install-recommends sl >&2; echo $?"
    )
    assert done.stdout == "0\n", done.stderr


def test_an_address_that_was_added_later_stays(pair: Lab) -> None:
    ssh(pair, "192.168.1.166", "ip address add 192.168.1.200/32 dev eth1")
    assert ssh(pair, "192.168.1.200", "hostname").returncode != 0, "its key is not known by that address"
    done = ssh(pair, "192.168.1.166", "systemctl daemon-reload; sleep 1; ip -o -4 address show dev eth1")
    assert "192.168.1.200/32" in done.stdout
    ssh(pair, "192.168.1.166", "ip address del 192.168.1.200/32 dev eth1")


def test_exec_hands_over_the_exit_code_and_the_environment(pair: Lab) -> None:
    assert pair.exec(["sh", "-c", "exit 7"]) == 7
    assert pair.exec(["sh", "-c", "kill -9 $$"]) == 137
    assert pair.exec(["sh", "-c", 'test "$HACORE_STATE" = "$1"', "sh", pair.state_url]) == 0
    assert pair.exec(["sh", "-c", 'test "$A" = b'], env={"A": "b"}) == 0
    assert Path("/etc/ssh").stat().st_ino != (pair.root / "etc-ssh").stat().st_ino


_CHANGES = """
date > /etc/new; chmod 0600 /etc/hosts; ln -sfn /nowhere /etc/mtab; chown 1:1 /etc/hostname
systemctl disable --now systemd-tmpfiles-clean.timer; systemctl mask systemd-tmpfiles-clean.timer
apt-mark auto procps; echo noise > /var/log/noise; apt-get install -y --no-install-recommends tree
"""


def test_a_manifest_sees_every_kind_of_change_and_nothing_else(pair: Lab) -> None:
    before = manifest.take(pair, "lb2")
    began = time.monotonic()
    again = manifest.take(pair, "lb2")
    assert manifest.diff(before, again) == []
    assert time.monotonic() - began < 30
    ssh(pair, "192.168.1.173", _CHANGES)
    lines = manifest.diff(before, manifest.take(pair, "lb2"))
    text = "\n".join(lines)
    for part in (
        "path /etc/new: new",
        "path /etc/hosts: mode '0644' -> '0600'",
        "-> '/nowhere'",
        "path /etc/hostname: owner '0:0' -> '1:1'",
        "package procps: auto False -> True",
        "package tree: new",
        "path /usr/bin/tree: new",
        "path /var/lib/dpkg/info/tree.list: new",
        "unit systemd-tmpfiles-clean.timer: ",
    ):
        assert part in text, f"{part!r} is not in\n{text}"
    assert "noise" not in text


def test_installing_and_purging_a_package_leaves_the_host_as_it_was(pair: Lab) -> None:
    pair.reset("lb2")
    before = manifest.take(pair, "lb2")
    install = "export DEBIAN_FRONTEND=noninteractive; apt-get install -y --no-install-recommends tree hello"
    assert ssh(pair, "192.168.1.173", f"{install} && apt-get purge -y tree hello").returncode == 0
    assert manifest.diff(before, manifest.take(pair, "lb2")) == []


def test_a_boot_changes_nothing(pair: Lab) -> None:
    pair.reset("lb1")
    before = manifest.take(pair, "lb1")
    pair.stop("lb1")
    pair.boot("lb1")
    after_stop = manifest.take(pair, "lb1")
    pair.crash("lb1")
    pair.boot("lb1")
    assert manifest.diff(before, after_stop) == []
    assert manifest.diff(before, manifest.take(pair, "lb1")) == []


def test_reset_takes_a_twin_back_to_bare_and_leaves_the_other_alone(pair: Lab) -> None:
    pair.reset("lb1")
    before = manifest.take(pair, "lb1")
    for address in ("192.168.1.166", "192.168.1.173"):
        ssh(pair, address, "echo here > /etc/here; apt-get install -y tree")
    pair.reset("lb1")
    assert manifest.diff(before, manifest.take(pair, "lb1")) == []
    assert ssh(pair, "192.168.1.173", "cat /etc/here").stdout == "here\n"


def test_a_saved_disk_is_restored_whole(pair: Lab) -> None:
    pair.ssh("lb1", "mkdir -p /etc/kept && echo one >/etc/kept/file && rm -r /etc/cron.daily")
    before = {name: manifest.take(pair, name) for name in ("lb1", "lb2")}
    pair.save("before")
    pair.ssh("lb1", "rm -r /etc/kept && mkdir /etc/cron.daily && echo two >/etc/other")
    pair.ssh("lb2", "echo three >>/etc/profile")

    pair.restore("before")

    assert [line for name, old in before.items() for line in manifest.diff(old, manifest.take(pair, name))] == []
    assert pair.ssh("lb1", "cat /etc/kept/file; ls -d /etc/cron.daily").stdout == "one\n"
    with pytest.raises(LabError, match="cannot restore twin lb1: 'never' does not exist"):
        pair.restore("never")
    pair.reset()


def test_a_lab_leaves_no_trace(make_lab: Callable[..., Lab]) -> None:
    before = traces()
    lab = make_lab("trace", twins=(ONE,), bystanders=(SIDE,))
    lab.up()
    assert lab.running()
    assert lab.spec.stack in [info.name for info in Lab.list_labs() if info.alive]
    with pytest.raises(LabError, match="already up"):
        lab.up()
    left = subprocess.Popen(lab.command(["sleep", "1000"]), start_new_session=True)
    lab.stop("one")
    assert not lab.running()
    lab.down()
    assert left.wait(10) != 0, "what exec started ends with the lab"
    assert remains(before, lab) == []
    assert not lab.root.exists()
    lab.down()


def test_a_lab_comes_up_after_a_crash(make_lab: Callable[..., Lab]) -> None:
    before = traces()
    lab = make_lab("crashed", twins=(ONE,), bystanders=(SIDE,))
    lab.up()
    os.kill(lab.processes()["one"], signal.SIGKILL)
    (lab.root / "junk").mkdir()
    (lab.root / "lab.json").unlink()
    lab.up()
    assert not (lab.root / "junk").exists()
    assert ssh(lab, "10.20.30.40", "true").returncode == 0
    lab.down()
    assert remains(before, lab) == []


_UP_AND_DIE = """
import os, signal, sys, threading, time
from hacore.lab import Lab, LabSpec
lab = Lab(LabSpec.loads(sys.argv[1]))
threading.Thread(target=lambda: (time.sleep(float(sys.argv[2])), os.kill(os.getpid(), signal.SIGKILL))).start()
lab.up()
"""


@pytest.mark.parametrize("after", [0.2, 0.5, 1.0])
def test_an_up_that_is_killed_leaves_nothing_that_down_does_not_find(after: float) -> None:
    before = traces()
    lab = Lab(LabSpec(f"killed-{os.getpid()}", (ONE,), (SIDE,)))
    argv = [sys.executable, "-c", _UP_AND_DIE, lab.spec.dumps(), str(after)]
    code = subprocess.run(argv, check=False, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}).returncode
    assert code == -signal.SIGKILL
    lab.down()
    assert remains(before, lab) == []


def test_a_twin_that_cannot_boot_says_why(make_lab: Callable[..., Lab], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hacore.lab.twin._UNIT", "[Service]\nType=oneshot\nExecStart=/bin/false\n#{lines}\n")
    monkeypatch.setattr("hacore.lab.twin.BOOT_WITHIN", 4)
    before = traces()
    lab = make_lab("broken", twins=(ONE,))
    with pytest.raises(LabError, match=r"cannot boot twin one: .*; its console shows:\n"):
        lab.up()
    assert remains(before, lab) == []


TWO = Twin("two", "10.20.30.41", "ens4")


def test_an_up_starts_what_is_off_and_drops_nothing(make_lab: Callable[..., Lab]) -> None:
    lab = make_lab("revived", twins=(ONE, TWO), bystanders=(SIDE,))
    assert lab.up() == ()
    (lab.root / "state.db").write_text("kept")
    since = "cat /proc/sys/kernel/random/boot_id"
    before = lab.ssh("two", since).stdout
    lab.ssh("one", "echo by hand >/root/mark")
    lab.crash("one")
    (info,) = [found for found in Lab.list_labs() if found.name == lab.spec.stack]
    assert (info.alive, info.twins) == (True, {"one": False, "two": True})

    assert lab.up() == ("one",)

    assert lab.ssh("one", "cat /root/mark").stdout == "by hand\n"
    assert lab.ssh("two", since).stdout == before
    assert (lab.root / "state.db").read_text() == "kept"
    with pytest.raises(LabError, match="already up"):
        lab.up()
    other = Lab(LabSpec(lab.spec.stack, (ONE,), (SIDE,)))
    lab.crash("two")
    with pytest.raises(LabError, match="it has other hosts, addresses or systems than the stack now"):
        other.up()
    lab.crash("one")  # and, as after a restart of the machine, nothing of its network
    lab._network.down()
    assert lab.up() == ("one", "two")
    assert lab.ssh("one", "cat /root/mark").stdout == "by hand\n"


def test_a_twin_reboots_and_is_a_host_after_a_boot(make_lab: Callable[..., Lab]) -> None:
    lab = make_lab("reboot", twins=(ONE,))
    lab.up()
    before = lab.ssh("one", "cat /proc/sys/kernel/random/boot_id; touch /run/mark /root/mark").stdout.split()[0]
    lab.ssh("one", "systemctl reboot")
    end = time.monotonic() + 60
    while True:
        said = lab.ssh("one", "cat /proc/sys/kernel/random/boot_id; ls /run/mark /root/mark 2>/dev/null").stdout.split()
        if said and said[0] != before:
            break
        assert time.monotonic() < end, "the twin did not boot again"
        time.sleep(0.2)
    assert said[1:] == ["/root/mark"]
    assert lab.processes().keys() == {"one"}
    lab.ssh("one", "systemctl poweroff")
    while lab.processes():
        assert time.monotonic() < end, "the twin is still on"
        time.sleep(0.2)
    lab.boot("one")
    assert lab.ssh("one", "ls /root/mark").returncode == 0
