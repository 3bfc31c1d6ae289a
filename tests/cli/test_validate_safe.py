"""`hacore validate` on a stack that nobody has read: no program, no socket, no file outside, no secret, and an end."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from hacore.cli.limits import limited

TOKEN = "s3cr3t-ci-token"
EVIL = """
stack: evil
hosts:
  here: {address: localhost, connection: {transport: local}}
  there: {address: 192.0.2.1}
resources:
  file:
    token: {hosts: here, path: /etc/t, content: "{{ env('CI_TOKEN') }}", owner: "{{ env('CI_TOKEN') }}"}
    named: {hosts: here, path: "/etc/{{ env('CI_TOKEN') }}", mode: "0644"}
  command:
    run: {hosts: here, do: "touch PWNED", undo: "touch PWNED", check: "touch PWNED"}
  source_build:
    x: {hosts: here, version: "1.0", source: "file:///etc/shadow", sha256: SUM, configure: "touch PWNED"}
  vrrp_instance:
    VI:
      hosts: here
      interface: eth0
      virtual_router_id: 5
      addresses: [192.0.2.9]
      binary: PWNED.sh
      checks: [{http: "http://127.0.0.1:1/{{ env('CI_TOKEN') }}"}]
state: "postgresql://ci@127.0.0.1:1/web"
"""


def validate(folder: Path, *wrap: str, **environ: str) -> subprocess.CompletedProcess[str]:
    command = [*wrap, sys.executable, "-m", "hacore.cli", "validate", str(folder)]
    given = {"CI_TOKEN": TOKEN, "PGPASSWORD": "pg-s3cr3t", **environ}
    return subprocess.run(command, capture_output=True, text=True, env={**os.environ, **given}, timeout=120)


def stack(folder: Path, text: str) -> Path:
    (folder / "stack.yaml").write_text(text.replace("PWNED", str(folder / "pwned")).replace("SUM", "0" * 64))
    (folder / "pwned.sh").write_text(f"#!/bin/sh\ntouch {folder}/pwned\n")
    (folder / "pwned.sh").chmod(0o755)
    return folder


@pytest.mark.machine
def test_no_program_is_started_and_no_socket_is_opened(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    folder = tmp_path / "evil"
    folder.mkdir()
    done = validate(stack(folder, EVIL), "strace", "-f", "-e", "trace=network,process", "-o", str(trace))
    assert "0 mistakes" not in done.stderr
    calls = re.findall(r"(?m)^\d+ +(\w+)\((.*)$", trace.read_text())
    ends = {"exit", "exit_group", "wait4", "arch_prctl", "set_tid_address", "set_robust_list", "rseq"}
    harmless = ("socketpair(", "CLONE_THREAD")  # asyncio's own pair; the thread that ends the process in time
    rest = [f"{n}({text}" for n, text in calls if n not in ends and not any(h in f"{n}({text}" for h in harmless)]
    assert len(rest) == 1, rest
    assert rest[0].startswith("execve("), rest
    assert not (folder / "pwned").exists()
    assert TOKEN not in done.stdout + done.stderr


def test_what_depends_on_the_environment_is_not_read_and_is_no_mistake(tmp_path: Path) -> None:
    text = """
stack: web
hosts: {a: {address: 192.0.2.1}}
resources:
  file:
    one: {path: /etc/one, content: "{{ env('CI_TOKEN') }}", mode: "{{ env('MODE', '0644') }}"}
    two: {path: /etc/two, content: "{{ resource.file.one.content }}"}
    three: {path: /etc/three, content: x, when: "{{ env('CI_TOKEN') == 'x' }}"}
    four: {path: /etc/four, content: x}
"""
    done = validate(stack(tmp_path, text))
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Stack web is valid")
    assert "Not checked: what depends on the environment, which is not read: CI_TOKEN." in done.stderr
    assert TOKEN not in done.stdout + done.stderr


@pytest.mark.parametrize("guess", [TOKEN, "other"])
def test_no_answer_depends_on_the_environment(tmp_path: Path, guess: str) -> None:
    """Not one bit of it can be asked for by a stack that is valid or not."""
    text = f"""
stack: web
hosts: {{a: {{address: 192.0.2.1}}}}
resources:
  file:
    one: {{path: /etc/one, content: x, mode: "{{{{ '0644' if env('CI_TOKEN') == '{guess}' else 'bad' }}}}"}}
"""
    done = validate(stack(tmp_path, text))
    assert (done.returncode, TOKEN in done.stdout + done.stderr) == (0, guess == TOKEN and False)
    assert "CI_TOKEN" in done.stderr


@pytest.mark.parametrize("name", ["stack.yaml", "env/ci.yaml"])
def test_a_link_out_of_the_folder_is_refused_and_not_quoted(tmp_path: Path, name: str) -> None:
    outside = tmp_path / "outside"
    outside.write_text("root:$6$hash-of-root\n")
    folder = tmp_path / "in"
    (folder / "env").mkdir(parents=True)
    stack(folder, "stack: web\nhosts: {a: {address: 192.0.2.1}}\n")
    (folder / name).unlink(missing_ok=True)
    (folder / name).symlink_to(outside)
    command = [sys.executable, "-m", "hacore.cli", "validate", str(folder), "--env", "ci"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode != 0
    assert f"{name}: it is a link to a file outside of the stack's folder" in done.stderr
    assert "hash-of-root" not in done.stdout + done.stderr


def test_a_link_within_the_folder_is_read(tmp_path: Path) -> None:
    stack(tmp_path, "stack: web\nhosts: {a: {address: 192.0.2.1}}\n")
    (tmp_path / "stack.yaml").rename(tmp_path / "real.yaml")
    (tmp_path / "stack.yaml").symlink_to("real.yaml")
    assert validate(tmp_path).returncode == 0


def test_an_expression_that_does_not_end_ends_the_process() -> None:
    code = (
        "import re\nfrom hacore.cli.limits import limited\nwith limited(1.0):\n    re.match('(a+)+$', 'a' * 60 + 'b')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "Timeout" in done.stderr


def test_memory_is_limited_and_the_limit_is_lifted_again() -> None:
    import resource

    before = resource.getrlimit(resource.RLIMIT_AS)
    with limited(60.0, 64 << 20), pytest.raises(MemoryError):
        bytearray(512 << 20)
    assert resource.getrlimit(resource.RLIMIT_AS) == before
