"""Canaries: secrets in stacks drawn at random are searched for in everything that a run leaves and prints.

The stacks run on this machine. A canary may stand in the files that the stack manages, and nowhere else: not in the
state, a saved plan, an output, a process's arguments, or hacore's own folders. `HACORE_CANARIES` is the number of
stacks (`make soak` draws many), `HACORE_SEED` repeats one.
"""

from __future__ import annotations

import os
import random
import sqlite3
import subprocess
import sys
import time
import zlib
from pathlib import Path

import pytest

from tests.cli.canaries import FILTERS, LETTERS, Arguments, found_in, state_bytes, transforms
from tests.providers.source_build.conftest import tarball

pytestmark = pytest.mark.xdist_group("this machine")  # they would wait for each other's lock of it

PLACES = ("/run/hacore", *(f"/var/lib/hacore/{name}" for name in ("stacks", "builds", "build", "uploads")))
"""hacore's folders on this machine as a host."""
ROOT = Path(__file__).resolve().parents[2]
STACKS = max(4, int(os.environ.get("HACORE_CANARIES", "40")) // 10)
FIRST = int(os.environ.get("HACORE_SEED", "1"))


MAKEFILE = """\
greeter:
\tprintf '#!/bin/sh\\necho hello\\n' >greeter
install:
\tmkdir -p "$(DESTDIR)$(PREFIX)/bin"
\tinstall -m 0755 greeter "$(DESTDIR)$(PREFIX)/bin/greeter"
"""


class Drawn:
    """One stack: its text, the variables for it, and its secrets in every form that an expression gives them."""

    def __init__(self, seed: int, folder: Path) -> None:
        draw = random.Random(seed)
        word = "".join(draw.choices(LETTERS, k=14))
        self.secret = f"Canary-{word}"
        self.pin = draw.randint(10**9, 10**10 - 1)
        self.literal = f"literal-{''.join(draw.choices('bcdfghjkmnpqrstvwxz', k=14))}"
        self.environ = {"HACORE_VAR_pw": self.secret, "HACORE_VAR_pin": str(self.pin)}
        self.fails = draw.random() < 0.6
        self.dies_after = draw.uniform(0.3, 2.5)  # seconds
        quoting = 'validate: "cat %s; cat %s >&2; exit 1", ' if self.fails else ""
        files = []
        for number in range(draw.randint(2, 4)):
            part = f"{{{{ var.pw{draw.choice(FILTERS)} }}}}"
            body = [
                f'content: "user ops\\npassword {part}\\n"',
                f'content: "pin={{{{ var.pin }}}} at {{{{ hosts.here.vars.token }}}} {part}\\n"',
                f'sensitive: true, content: "{self.literal}\\nport 80\\n"',
                f'template: outer.j2, vars: {{given: "{part}", port: 80}}',
            ][number if number < 2 else draw.randint(0, 3)]
            # the last one quotes its content when it fails, so that what was done before is rolled back
            check = quoting if number == 1 else ""
            files.append(f"    f{number}: {{path: {folder}/out/f{number}, {check}{body}}}")
        commands = [f"c{n}: {self._command(n, folder, draw)}" for n in range(draw.randint(0, 2))]
        self.builds = draw.random() < 0.25
        (folder / "out").mkdir()
        (folder / "outer.j2").write_text("port {{ port }}\n{% include 'inner.j2' %}\n{{ given }}\n")
        (folder / "inner.j2").write_text("{% set s = var.pw %}{{ s | lower }} {{ var.pw | upper }}\n")
        filtered = draw.choice(FILTERS)
        build = ""
        if self.builds:
            name, sha256 = tarball(folder, "one.tar.gz", "one", Makefile=MAKEFILE)
            build = (
                f"  source_build: {{greeter: {{source: {name}, sha256: {sha256}, binary: {folder}/out/bin/greeter, "
                f'environment: {{PREFIX: {folder}/out, PIN: "{{{{ var.pin | string }}}}", W: "{{{{ var.pw }}}}"}}}}}}\n'
            )
        (folder / "stack.yaml").write_text(
            f"""stack: canary
state: sqlite:///{folder}/s.db
variables: {{pw: {{type: string, sensitive: true}}, pin: {{type: int, sensitive: true}}}}
hosts: {{here: {{address: localhost, connection: {{transport: local}}, vars: {{token: "{{{{ var.pw | reverse }}}}"}}}}}}
resources:
  file:
{chr(10).join(files)}
  command: {{{", ".join(commands)}}}
{build}outputs:
  {{pin: "{{{{ var.pin }}}}", up: "{{{{ var.pw{filtered} }}}}", url: "http://ops:{{{{ var.pw }}}}@127.0.0.1/"}}
"""
        )

    def _command(self, number: int, folder: Path, draw: random.Random) -> str:
        done = f"{folder}/out/done{number}"
        part = f"{{{{ var.pw{draw.choice(FILTERS)} }}}}"
        return (
            f'{{check: "test -e {done}", do: "umask 077; echo {part} >{done}; sleep 0.5", undo: "rm -f {done}", '
            f"needs: [file.f0]}}"
        )

    @property
    def canaries(self) -> list[bytes]:
        return [text.encode() for text in {*transforms(self.secret), self.literal, str(self.pin)}]


def leaks(drawn: Drawn, folder: Path) -> list[str]:
    """Run every command over the stack; where a canary was found."""
    kept = ("HOME", "PATH", "LANG", "VIRTUAL_ENV")
    environ = {**{k: v for k, v in os.environ.items() if k in kept}, **drawn.environ}
    environ["PYTHONPATH"] = os.pathsep.join((str(ROOT), str(ROOT / "providers")))
    plain = {name: value for name, value in environ.items() if not name.startswith("HACORE_VAR_")}
    wrong: list[str] = []

    def hacore(*words: str, stack: bool = True) -> None:
        done = subprocess.run(
            [sys.executable, "-m", "hacore.cli", *words],
            cwd=folder,
            env=environ if stack else plain,
            capture_output=True,
            check=False,
            timeout=120,
        )
        assert done.returncode in (0, 1, 2), done.stderr
        assert b"internal error" not in done.stderr, done.stderr
        wrong.extend(found_in(" ".join(words), done.stdout + done.stderr, drawn.canaries))

    with Arguments() as arguments:
        hacore("plan", "--json")
        hacore("plan", "--out", "saved.plan")
        hacore("show", "saved.plan")
        hacore("apply", "--auto-approve", "--on-failure", "halt" if drawn.fails else "rollback")
        hacore("apply", "--auto-approve", "--json")
        killed = subprocess.Popen(
            [sys.executable, "-m", "hacore.cli", "destroy", "--auto-approve"],
            cwd=folder,
            env=environ,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        time.sleep(drawn.dies_after)
        killed.kill()
        killed.wait()
        hacore("plan")
        hacore("apply", "--auto-approve", "--resume")
        hacore("apply", "--auto-approve")
    for words in (
        ("runs",),
        ("runs", "1"),
        ("runs", "1", "--json"),
        ("state", "pull"),
        ("drift", "--json"),
        ("status",),
    ):
        hacore(*words, stack=words[0] in ("status",))
    hacore("rollback", "--auto-approve", stack=False)
    for place in [p for p in folder.rglob("*") if p.is_file() and p.suffix not in (".yaml", ".j2")]:
        if "out" not in place.relative_to(folder).parts and place.suffix != ".gz":
            data = state_bytes(place) if place.suffix == ".db" else place.read_bytes()
            wrong.extend(found_in(place.name, data, drawn.canaries))
    for place in (p for top in PLACES for p in Path(top).rglob("*") if p.is_file()):
        wrong.extend(found_in(str(place), place.read_bytes(), drawn.canaries))
    wrong.extend(arguments.leaks(drawn.canaries))
    hacore("destroy", "--auto-approve")
    return wrong


@pytest.mark.usefixtures("whole_machine")
@pytest.mark.parametrize("seed", range(FIRST, FIRST + STACKS))
def test_no_canary_is_found(tmp_path: Path, seed: int) -> None:
    assert leaks(Drawn(seed, tmp_path), tmp_path) == []


@pytest.mark.usefixtures("whole_machine")
def test_a_planted_leak_is_found(tmp_path: Path) -> None:
    """The search itself: a canary in a file's path, in an output, in a state."""
    drawn = Drawn(FIRST, tmp_path)
    text = (tmp_path / "stack.yaml").read_text()
    (tmp_path / "stack.yaml").write_text(text.replace("user ops", f"user {drawn.secret.upper()}"))
    stack = (
        (tmp_path / "stack.yaml").read_text().replace("outputs:\n  {", f'outputs:\n  {{leak: "x {drawn.literal} x", ')
    )
    (tmp_path / "stack.yaml").write_text(stack.replace("sensitive: true, content", "content"))
    state = tmp_path / "planted.db"
    with sqlite3.connect(state) as made:
        made.execute("create table t (a blob)")
        made.execute("insert into t values (?)", (zlib.compress(drawn.secret.encode() * 3),))
    assert any(place.startswith("planted.db") for place in found_in("planted.db", state_bytes(state), drawn.canaries))

    found = leaks(drawn, tmp_path)

    assert any(place.startswith("plan --json: ") for place in found), found
    assert any(place.startswith("planted.db: ") for place in found), found
