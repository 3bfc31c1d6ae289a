"""Completion, in a real bash at a real terminal, and in zsh and fish where they are installed."""

from __future__ import annotations

import os
import pty
import re
import select
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from hacore.cli.app import COMMANDS
from tests.cli.conftest import HEAD, Console

ROOT = Path(__file__).resolve().parents[2]
STACK = """
thing:
  conf: {key: /etc/web.conf, text: v1}
  confirm: {hosts: a, key: /etc/confirm, text: v1}
  site: {hosts: b, key: "/etc/{{ each.key }}", text: v1, for_each: ["a:b", "it's $HOME @x"]}
"""
LATER = "\n  later: {hosts: a, key: /etc/later, text: v1}"
WEIRD = """thing.site["it's $HOME @x"]@b"""


@pytest.fixture
def web(console: Console, monkeypatch: pytest.MonkeyPatch) -> Console:
    """A stack that is applied in two runs; `thing.later` is in the stack file only."""
    console.stack(STACK)
    assert console("apply", "--auto-approve").code == 0
    console.stack(STACK.replace("v1", "v2"))
    assert console("apply", "--auto-approve").code == 0
    console.stack(STACK + LATER)
    (console.folder / "env").mkdir()
    (console.folder / "env" / "prod.yaml").touch()
    other = console.folder / "stacks" / "other"
    other.mkdir(parents=True)
    (other / "stack.yaml").write_text(HEAD.replace("web", "other"))
    shell = console.folder / "bin"
    shell.mkdir()
    (shell / "hacore").write_text(f'#!/bin/sh\nexec {shlex.join([sys.executable, "-m", "hacore.cli"])} "$@"\n')
    (shell / "hacore").chmod(0o755)
    monkeypatch.setenv("PATH", f"{shell}:{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
    return console


def bash(console: Console, line: str) -> list[str]:
    """What hacore offers for a line in bash."""
    console.monkeypatch.setenv("_HACORE_COMPLETE", "bash_complete")
    console.monkeypatch.setenv("COMP_LINE", line)
    console.monkeypatch.setenv("COMP_WORD", line.rpartition(" ")[2])
    done = console()
    console.monkeypatch.delenv("_HACORE_COMPLETE")
    assert (done.code, done.err) == (0, "")
    return done.out.splitlines()


def offered(console: Console, line: str) -> list[str]:
    return [text.removeprefix("plain,") for text in bash(console, line)]


# -- what is offered --------------------------------------------------------------------------------


def test_commands_and_their_options(web: Console) -> None:
    assert offered(web, "hacore ") == [*COMMANDS, "lint"]
    assert offered(web, "hacore ro") == ["roll", "rollback"]
    assert offered(web, "hacore apply --on-f") == ["--on-failure"]
    assert offered(web, "hacore apply --on-failure h") == ["halt"]
    assert offered(web, "hacore state m") == ["migrate", "mv"]


def test_addresses_come_step_by_step(web: Console) -> None:
    assert offered(web, "hacore state show th") == ["thing.conf", "thing.confirm", "thing.site"]
    assert offered(web, "hacore state show thing.confi") == ["thing.confirm", "thing.confirm@a"]
    assert offered(web, "hacore state rm thing.conf@") == ["thing.conf@a", "thing.conf@b"]
    assert offered(web, r"hacore show thing.site\[\"a") == [r"thing.site\[\"a:b\"\]", r"thing.site\[\"a:b\"\]@b"]


def test_what_is_not_recorded_yet_comes_from_the_stack(web: Console) -> None:
    for line in ("plan --target", "apply --exclude", "import", "state mv thing.conf"):
        assert offered(web, f"hacore {line} thing.l") == ["thing.later"]
    assert offered(web, "hacore plan --target thing.confi") == ["thing.confirm", "thing.confirm@a"]
    assert bash(web, "hacore state show thing.l") == []


def test_runs_hosts_environments_and_stacks(web: Console) -> None:
    assert offered(web, "hacore rollback ") == ["2", "1", "stacks/other"]
    assert offered(web, "hacore runs 1") == ["1"]
    assert offered(web, "hacore state rm --host ") == ["a", "b"]
    assert offered(web, "hacore plan --env ") == ["prod"]
    assert offered(web, "hacore plan st") == ["stacks/other"]
    assert offered(web, "hacore plan oth") == ["other"]
    assert bash(web, "hacore plan x/") == ["dir,x/"]
    assert bash(web, "hacore apply x") == ["file,x"]


def test_a_stack_named_before_the_option_counts(web: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    assert offered(web, "hacore plan stacks/other --target thing.") == []
    assert offered(web, "hacore plan other --env ") == []
    monkeypatch.chdir(web.folder / "stacks")
    assert offered(web, "hacore plan .. --target thing.l") == ["thing.later"]
    assert offered(web, "hacore rollback .. --env ") == ["prod"]


def test_the_state_is_the_one_of_the_command_line(web: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    for words in ("state rm --env prod", "state rm --stack stacks/other", "-C stacks/other state rm"):
        assert bash(web, f"hacore {words} thing.con") == []
    assert "thing.confirm" in offered(web, "hacore state rm --stack . thing.con")
    monkeypatch.chdir(web.folder / "stacks")
    assert "thing.confirm" in offered(web, "hacore -C .. state show thing.con")
    assert bash(web, "hacore state show thing.con") == []
    assert "thing.confirm" in offered(web, f"hacore state show --state sqlite:///{web.folder}/state/web.db thing.con")
    monkeypatch.setenv("HACORE_STATE", f"sqlite:///{web.folder}/state/web.db")
    assert "thing.confirm" in offered(web, "hacore state show thing.con")


@pytest.mark.parametrize(
    "damage", ["stack: [", "- a", "stack: web\nstate: postgresql://db.invalid/x\n", "resources: 5"]
)
def test_nothing_is_said_where_something_is_wrong(web: Console, damage: str) -> None:
    (web.folder / "stack.yaml").write_text(damage)
    for line in ("hacore state show ", "hacore plan --target thing.", "hacore rollback --nonsense ", "hacore trust "):
        bash(web, line)
    web.stack(STACK)
    (web.folder / "state" / "web.db").write_bytes(b"no database" * 100)
    assert offered(web, "hacore plan --target thing.s") == ["thing.site"]
    assert bash(web, "hacore state show thing.s") == []


def test_nothing_is_written(web: Console) -> None:
    before = {p: p.stat().st_mtime_ns for p in web.folder.rglob("*") if "__pycache__" not in p.parts}

    bash(web, "hacore state show th")

    assert before == {p: p.stat().st_mtime_ns for p in web.folder.rglob("*") if "__pycache__" not in p.parts}


def test_an_answer_needs_none_of_the_big_libraries(web: Console) -> None:
    code = (
        "import sys; from hacore.cli.app import run; run([]); "
        "heavy = {'pydantic', 'asyncssh', 'sqlalchemy', 'networkx', 'jinja2', 'rich'}; "
        "print(sorted(heavy & sys.modules.keys()))"
    )
    line = "hacore state show thing.confi"
    found = {"_HACORE_COMPLETE": "bash_complete", "COMP_LINE": line, "COMP_WORD": "thing.confi"}

    done = subprocess.run([sys.executable, "-c", code], env={**os.environ, **found}, capture_output=True, text=True)

    assert done.stdout.splitlines() == ["plain,thing.confirm", "plain,thing.confirm@a", "[]"]


# -- in real shells ---------------------------------------------------------------------------------


class Bash:
    """An interactive bash at a terminal of its own."""

    def __init__(self) -> None:
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            environ = {
                **os.environ,
                "INPUTRC": "/dev/null",
                "TERM": "dumb",
                "PS1": "",
                "HISTFILE": "",
                "COLUMNS": "400",
            }
            os.execvpe("bash", ["bash", "--norc", "--noprofile", "-i"], environ)
        self.seen = ""
        self.type("bind 'set bell-style none'; bind 'set completion-query-items 0'\n")
        self.type("""bind -x '"\\C-x1": printf "\\n<%s>\\n" "$READLINE_LINE"'\n""")
        self.type("source <(hacore completion bash); printf '<%s>\\n' ready\n")
        assert self.answer() == "ready"

    def type(self, text: str) -> None:
        os.write(self.fd, text.encode())

    def tab(self, line: str) -> str:
        """The line after Tab."""
        self.type(f"{line}\t\x181")
        found = self.answer()
        self.type("\x15")
        return found

    def answer(self) -> str:
        end = time.monotonic() + 60
        while not (match := re.search(r"(?m)^<(.*)>\r?$", self.seen)):
            assert time.monotonic() < end, self.seen
            if select.select([self.fd], [], [], 1)[0]:
                self.seen += os.read(self.fd, 65536).decode()
        self.seen = self.seen[match.end() :]
        return match[1]

    def close(self) -> None:
        os.close(self.fd)  # bash gets a hang-up
        os.waitpid(self.pid, 0)


@pytest.fixture
def terminal(web: Console) -> Iterator[Bash]:
    shell = Bash()
    yield shell
    shell.close()


def test_tab_in_a_real_bash(terminal: Bash) -> None:
    assert terminal.tab("hacore rollb") == "hacore rollback "
    assert terminal.tab("hacore state show thing.c") == "hacore state show thing.conf"
    assert terminal.tab("hacore state show thing.confirm@") == "hacore state show thing.confirm@a "
    assert terminal.tab("hacore plan --target=thing.l") == "hacore plan --target=thing.later "
    assert terminal.tab("hacore plan --target=thing.confirm@") == "hacore plan --target=thing.confirm@a "
    assert terminal.tab("FOO=1 hacore plan stacks/o") == "FOO=1 hacore plan stacks/other "
    assert terminal.tab("true; hacore runs --js") == "true; hacore runs --json "
    assert terminal.tab("hacore state show thing.nothing") == "hacore state show thing.nothing"


@pytest.mark.parametrize(
    ("begun", "then", "quote"),
    [
        (r"thing.site\[\"i", r"thing.site\[\"it\'s\ \$HOME\ @x\"\]", ""),
        (r"thing.site\[\"it\'s\ ", r"thing.site\[\"it\'s\ \$HOME\ @x\"\]", ""),
        ("""'thing.site["i""", r"""'thing.site["it'\''s $HOME @x"]""", "'"),
        (r'"thing.site[\"a', r'"thing.site[\"a:b\"]', '"'),
        (r"thing.site\[\"a:", r"thing.site\[\"a:b\"\]", ""),
    ],
)
def test_keys_come_quoted_as_the_user_began(terminal: Bash, begun: str, then: str, quote: str) -> None:
    assert terminal.tab(f"hacore state show {begun}") == f"hacore state show {then}"
    told = subprocess.run(["sh", "-c", f"printf %s {then}{quote}"], capture_output=True, text=True).stdout
    assert told in ('thing.site["a:b"]', WEIRD.removesuffix("@b"))
    assert terminal.tab(f"hacore state show {then}@") == f"hacore state show {then}@b{quote} "


@pytest.mark.skipif(shutil.which("zsh") is None, reason="zsh is not installed")
def test_zsh_reads_the_script(web: Console) -> None:
    script = web("completion", "zsh").out
    done = subprocess.run(["zsh", "-n"], input=script, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(shutil.which("fish") is None, reason="fish is not installed")
def test_tab_in_a_real_fish(web: Console) -> None:
    asked = "hacore completion fish | source; complete --do-complete 'hacore state show thing.confi'"
    done = subprocess.run(["fish", "--no-config", "-c", asked], capture_output=True, text=True)
    assert done.stdout.split() == ["thing.confirm", "thing.confirm@a"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_asks_hacore(web: Console, shell: str) -> None:
    done = web("completion", shell)

    assert (done.code, done.err) == (0, "")
    assert f"_HACORE_COMPLETE={shell}_complete" in done.out
    assert web("completion", "tcsh").code == 64


def test_zsh_and_fish_get_what_they_read(web: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMP_WORDS", "hacore state show thing.conf@")
    monkeypatch.setenv("COMP_CWORD", "3")
    monkeypatch.setenv("_HACORE_COMPLETE", "zsh_complete")
    assert web().out.splitlines() == ["plain", "thing.conf@a", "_", "plain", "thing.conf@b", "_"]
    monkeypatch.setenv("COMP_CWORD", "thing.conf@")
    monkeypatch.setenv("_HACORE_COMPLETE", "fish_complete")
    assert web().out.splitlines() == ["plain,thing.conf@a", "plain,thing.conf@b"]
    monkeypatch.setenv("COMP_WORDS", "hacore plan --target=thing.l")
    monkeypatch.setenv("COMP_CWORD", "--target=thing.l")
    assert web().out.splitlines() == ["plain,--target=thing.later"]
    monkeypatch.setenv("COMP_CWORD", "2")
    monkeypatch.setenv("_HACORE_COMPLETE", "zsh_complete")
    assert web().out.splitlines() == ["plain", "--target=thing.later", "_"]
    monkeypatch.setenv("_HACORE_COMPLETE", "nonsense")
    assert (web().out, web().code) == ("", 0)
