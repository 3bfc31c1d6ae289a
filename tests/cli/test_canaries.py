"""Canaries: secrets in stacks drawn at random are searched for in everything that a run leaves and prints.

The stacks run on this machine. A canary may stand in the files that the stack manages, and nowhere else: not in the
state, a saved plan, an output, a process's arguments, or hacore's own folders. `HACORE_CANARIES` is the number of
stacks (`make soak` draws many), `HACORE_SEED` repeats one.
"""

from __future__ import annotations

import base64
import os
import random
import sqlite3
import subprocess
import sys
import threading
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FILTERS = ("", " | upper", " | reverse", " | replace('-', '_')", " | title")
STACKS = max(4, int(os.environ.get("HACORE_CANARIES", "40")) // 10)
FIRST = int(os.environ.get("HACORE_SEED", "1"))


class Drawn:
    """One stack: its text, the variables for it, and its secrets in every form that an expression gives them."""

    def __init__(self, seed: int, folder: Path) -> None:
        draw = random.Random(seed)
        word = "".join(draw.choices("bcdfghjkmnpqrstvwxz", k=14))
        self.secret = f"Canary-{word}"
        self.pin = draw.randint(10**9, 10**10 - 1)
        self.literal = f"literal-{''.join(draw.choices('bcdfghjkmnpqrstvwxz', k=14))}"
        self.environ = {"HACORE_VAR_pw": self.secret, "HACORE_VAR_pin": str(self.pin)}
        self.fails = draw.random() < 0.6
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
        (folder / "out").mkdir()
        (folder / "outer.j2").write_text("port {{ port }}\n{% include 'inner.j2' %}\n{{ given }}\n")
        (folder / "inner.j2").write_text("{% set s = var.pw %}{{ s | lower }} {{ var.pw | upper }}\n")
        filtered = draw.choice(FILTERS)
        (folder / "stack.yaml").write_text(
            f"""stack: canary
state: sqlite:///{folder}/s.db
variables: {{pw: {{type: string, sensitive: true}}, pin: {{type: int, sensitive: true}}}}
hosts: {{here: {{address: localhost, connection: {{transport: local}}, vars: {{token: "{{{{ var.pw | reverse }}}}"}}}}}}
resources:
  file:
{chr(10).join(files)}
outputs: {{pin: "{{{{ var.pin }}}}", up: "{{{{ var.pw{filtered} }}}}", url: "http://ops:{{{{ var.pw }}}}@127.0.0.1/"}}
"""
        )

    @property
    def canaries(self) -> list[bytes]:
        pw = self.secret
        made = {pw, pw.upper(), pw.lower(), pw[::-1], pw.replace("-", "_"), pw.title(), self.literal, str(self.pin)}
        return [text.encode() for text in made]


def found_in(place: str, data: bytes, canaries: list[bytes]) -> Iterator[str]:
    for canary in canaries:
        for form in (canary, base64.b64encode(canary)[:-4], canary.hex().encode()):
            if form in data:
                yield f"{place}: {form!r}"


def state_bytes(path: Path) -> bytes:
    """The bytes of the state, and all its values, decompressed where they can be."""
    parts = [path.read_bytes()]
    with sqlite3.connect(path) as state:
        for (table,) in state.execute("select name from sqlite_master where type = 'table'").fetchall():
            for row in state.execute(f"select * from {table}"):
                for value in row:
                    data = value.encode() if isinstance(value, str) else value
                    if isinstance(data, bytes):
                        parts.append(data)
                        for size in (zlib.MAX_WBITS, -zlib.MAX_WBITS, zlib.MAX_WBITS | 16):
                            try:
                                parts.append(zlib.decompress(data, size))
                            except zlib.error:
                                continue
    return b"\n".join(parts)


class Arguments:
    """Reads the arguments of all processes, again and again, while a command runs."""

    def __init__(self) -> None:
        self.seen: set[bytes] = set()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def _watch(self) -> None:
        while not self._over.is_set():
            for name in filter(str.isdigit, os.listdir("/proc")):
                try:
                    self.seen.add(Path("/proc", name, "cmdline").read_bytes())
                except OSError:
                    continue

    def __enter__(self) -> Arguments:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()


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
        hacore("plan")
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
        if place.parent.name != "out":
            data = state_bytes(place) if place.suffix == ".db" else place.read_bytes()
            wrong.extend(found_in(place.name, data, drawn.canaries))
    for place in (p for top in ("/run/hacore", "/var/lib/hacore/stacks") for p in Path(top).rglob("*") if p.is_file()):
        wrong.extend(found_in(str(place), place.read_bytes(), drawn.canaries))
    wrong.extend(found for line in arguments.seen for found in found_in("arguments of a process", line, drawn.canaries))
    return wrong


@pytest.mark.parametrize("seed", range(FIRST, FIRST + STACKS))
def test_no_canary_is_found(tmp_path: Path, seed: int) -> None:
    assert leaks(Drawn(seed, tmp_path), tmp_path) == []


def test_a_planted_leak_is_found(tmp_path: Path) -> None:
    """The search itself: a canary in a file's path, in an output, in a state."""
    drawn = Drawn(FIRST, tmp_path)
    text = (tmp_path / "stack.yaml").read_text()
    (tmp_path / "stack.yaml").write_text(text.replace("user ops", f"user {drawn.secret.upper()}"))
    stack = (tmp_path / "stack.yaml").read_text().replace("outputs: {", f'outputs: {{leak: "x {drawn.literal} x", ')
    (tmp_path / "stack.yaml").write_text(stack.replace("sensitive: true, content", "content"))
    state = tmp_path / "planted.db"
    with sqlite3.connect(state) as made:
        made.execute("create table t (a blob)")
        made.execute("insert into t values (?)", (zlib.compress(drawn.secret.encode() * 3),))
    assert any(place.startswith("planted.db") for place in found_in("planted.db", state_bytes(state), drawn.canaries))

    found = leaks(drawn, tmp_path)

    assert any(place.startswith("plan --json: ") for place in found), found
    assert any(place.startswith("planted.db: ") for place in found), found
