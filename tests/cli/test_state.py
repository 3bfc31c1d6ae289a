"""`hacore state`: the state over time, other addresses, forgetting. Over hosts in memory, with a real state file."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import pytest

from hacore.store import StateReader
from tests.cli.conftest import HEAD, Console

WEB = """
thing:
  conf: {key: /etc/web.conf, text: v1}
  key: {key: /etc/web.key, text: "{{ var.password }}"}
  page: {hosts: a, for_each: {index: hello, about: us}, key: "/srv/{{ each.key }}", text: "{{ each.value }}"}
daemon:
  web: {reads: [/etc/web.conf], reload_on: [thing.conf]}
"""
RENAMED = WEB.replace("  conf:", "  main:").replace("thing.conf", "thing.main").replace("v1", "v2")


@pytest.fixture
def made(console: Console) -> Console:
    """A stack that was applied twice: v1, then v2."""
    console.world["a"].data["/etc/web.conf"] = {"text": "of the host"}
    console.stack(WEB)
    assert console("apply", "--auto-approve").code == 0
    console.stack(WEB.replace("v1", "v2"))
    assert console("apply", "--auto-approve").code == 0
    return console


def serial(console: Console) -> int:
    with StateReader.open(f"sqlite:///{console.folder}/state/web.db") as reader:  # type: ignore[union-attr]
        return reader.serial


# --- history ---------------------------------------------------------------------------------------


def test_history_tells_runs_and_what_they_changed(made: Console) -> None:
    done = made("state", "history")
    assert done.code == 0
    second, first = done.out.rstrip("\n").split("\n\n")
    assert second.startswith("serials ")
    assert "#2 apply" in second.splitlines()[0]
    assert second.splitlines()[1:] == [
        "  ~ daemon.web@a  (loaded)",
        "  ~ daemon.web@b  (loaded)",
        "  ~ thing.conf@a  (text)",
        "  ~ thing.conf@b  (text)",
    ]
    assert "#1 apply" in first.splitlines()[0]
    assert len([line for line in first.splitlines() if line.startswith("  + ")]) == 8

    found = made("state", "history", "--json").json["history"]
    assert [episode["run"] for episode in found] == [2, 1]
    assert found[-1]["serials"][0] == 1
    assert found[0]["serials"][-1] == serial(made)
    one = made("state", "history", "thing.page").out
    assert one.count("serial") == 1
    assert 'thing.page["about"]@a' in one
    assert "thing.conf" not in one
    assert "did you mean thing.page?" in made("state", "history", "thing.pag").err


def test_two_serials_are_compared(made: Console) -> None:
    after_first = made("state", "history", "--json").json["history"][1]["serials"][-1]

    text = made("state", "diff", str(after_first)).out

    assert text.startswith(f"From serial {after_first} to {serial(made)}: 4 changed\n")
    assert '~ thing.conf@a\n    text: "sha256:' in text
    assert " -> " in text
    everything = made("state", "diff", "0", str(after_first), "--json").json
    assert {change["action"] for change in everything["changes"]} == {"create"}
    assert len(everything["changes"]) == 8
    assert made("state", "diff", "3", "3").out == "Serials 3 and 3: no difference.\n"
    shown = made("state", "diff", "0").out
    assert "text = " not in shown
    assert "+ thing.key@a\n    text: (sensitive)" in shown


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("99",), "the history has serials 0 to "),
        (("x.y",), "give one or two serials"),
        (("1", "2", "3"), "give one or two serials"),
        (("one", "two", "3"), "cannot use two stacks"),
    ],
)
def test_serials_that_cannot_be_compared(made: Console, words: tuple[str, ...], said: str) -> None:
    done = made("state", "diff", *words)
    assert done.code == 64
    assert said in done.err


def test_pull_gives_the_whole_state_with_no_secret(made: Console) -> None:
    done = made("state", "pull")
    assert done.code == 0
    value = done.json
    assert len(value["resources"]) == 8
    secret = next(row for row in value["resources"] if row["address"] == "thing.key@a")
    assert secret["attrs"]["text"].startswith("hmac:")
    assert [run["run"] for run in value["runs"]] == [1, 2]
    assert value["runs"][0]["tasks"][0]["status"] == "done"
    assert [host["name"] for host in value["hosts"]] == ["a", "b"]
    assert value["serial"] == value["history"][-1]["serial"] == serial(made)
    assert "hunter2" not in done.out


def test_without_a_state_there_is_nothing_to_look_at(console: Console) -> None:
    console.stack(WEB)
    for command in (("history",), ("diff", "1"), ("pull",)):
        done = console("state", *command)
        assert done.code == 1
        assert "it does not exist yet" in done.err
    assert not list(Path(console.folder).rglob("*.db"))


# --- mv --------------------------------------------------------------------------------------------


def test_what_is_moved_goes_on_under_its_new_name(made: Console) -> None:
    there = made.world.snapshot()

    done = made("state", "mv", "thing.conf", "thing.main")

    assert (done.code, done.out) == (
        0,
        "Moved: thing.conf@a to thing.main@a\nMoved: thing.conf@b to thing.main@b\n",
    )
    backup = Path(done.err.removeprefix("Backup of the previous state: ").strip())
    with StateReader.open(f"sqlite:///{backup}") as old:  # type: ignore[union-attr]
        assert old.lock() is None
        assert "thing.conf@a" in map(str, old.rows())
    assert made.world.snapshot() == there
    assert made("drift").code == 0
    made.stack(RENAMED)
    plan = made("plan", "--detailed-exitcode")
    assert plan.code == 0, plan.out
    assert "has taken" not in made("state", "show", "daemon.web@a").out
    assert "thing.main@a" in made("state", "show", "daemon.web@a").out


def test_runs_before_a_move_can_still_be_rolled_back(made: Console) -> None:
    assert made("state", "mv", "thing.conf", "thing.main").code == 0

    done = made("rollback", "--auto-approve")

    assert done.code == 0, done.err
    assert made.world["a"].data["/etc/web.conf"]["text"] == "v1"
    assert "thing.main@a" in made("state", "list").out
    assert "thing.conf" not in made("state", "list").out
    assert made("drift").code == 0


def test_the_origin_follows_to_the_end(made: Console) -> None:
    made("state", "mv", "thing.conf", "thing.main")
    made.stack(RENAMED)

    assert made("destroy", "--auto-approve").code == 0

    assert made.world["a"].data == {"/etc/web.conf": {"text": "of the host"}}
    assert made.world["b"].data == {}


def test_a_key_of_for_each_is_moved(made: Console) -> None:
    assert made("state", "mv", 'thing.page["index"]', 'thing.page["home"]').code == 0
    assert 'thing.page["home"]@a' in made("state", "list").out
    assert made("state", "mv", 'thing.page["home"]@a', "thing.front@a").code == 0
    assert made("state", "mv", "thing.front", 'thing.front["x"]').code == 0
    assert made("state", "mv", "thing.page", "thing.leaf").code == 0
    assert [line for line in made("state", "list").out.splitlines() if "front" in line or "leaf" in line] == [
        'thing.front["x"]@a',
        'thing.leaf["about"]@a',
    ]


@pytest.mark.parametrize(
    ("source", "target", "said"),
    [
        ("thing.cnof", "thing.x", "did you mean thing.conf?"),
        ("thing.conf", "thing.key", "cannot move thing.conf@a to thing.key@a: thing.key@a is recorded already"),
        ("thing.conf@a", "thing.conf@b", "cannot move thing.conf@a to thing.conf@b: thing.conf@b is recorded already"),
        ("thing.conf", "thing.conf", "cannot move thing.conf@a to itself"),
        ("thing.conf", "daemon.conf", "kinds differ (thing, daemon)"),
        ("thing.conf", "thing.x@a", "name the host in both, or in neither"),
        ("thing.conf@a", "thing.x@c", "no host c is recorded"),
        ("thing.page", 'thing.page["x"]', "thing.page has several keys"),
        ("thing.conf", "thing", "cannot read address 'thing'"),
    ],
)
def test_what_would_do_harm_is_refused(made: Console, source: str, target: str, said: str) -> None:
    before = (made.folder / "state/web.db").read_bytes()
    done = made("state", "mv", source, target)
    assert (done.code, done.out) == (64, "")
    assert said in done.err
    assert "thing.conf@a" in made("state", "list").out
    assert serial(made) > 0
    assert not list((made.folder / "state").glob("*.backup-*"))
    assert len(before) == (made.folder / "state/web.db").stat().st_size


def test_a_host_is_renamed_with_all_that_is_on_it(made: Console) -> None:
    done = made("state", "mv", "--host", "a", "web1")
    assert done.code == 0, done.err
    assert done.out.splitlines()[0] == "Renamed: host a to web1"
    assert "@a\n" not in made("state", "list").out
    made.world.machines["web1"] = made.world.machines.pop("a")
    head = HEAD.replace("  a: {", "  web1: {")
    made.stack(WEB.replace("v1", "v2").replace("hosts: a,", "hosts: web1,"), head)
    assert made("plan", "--detailed-exitcode").code == 0
    assert made("rollback", "--auto-approve").code == 0
    assert made.world["web1"].data["/etc/web.conf"]["text"] == "v1"
    assert [name.split(".")[1] for name in made.world["web1"].markers] == ["web1"]

    assert "b is recorded already" in made("state", "mv", "--host", "web1", "b").err
    assert "did you mean web1?" in made("state", "mv", "--host", "web2", "c").err
    assert "invalid host name" in made("state", "mv", "--host", "b", "x y").err


# --- rm --------------------------------------------------------------------------------------------


def test_a_machine_that_burned_down_is_forgotten(made: Console) -> None:
    made.world["b"].reachable = False
    assert made("drift").code == 1

    done = made("state", "rm", "--host", "b")

    assert done.code == 0, done.err
    assert done.out.splitlines()[-1] == "Forgotten: host b"
    assert "@b" not in made("state", "list").out
    assert "Backup of the previous state: " in done.err
    assert made("drift").code == 0
    assert "state rm" in made("state", "history").out.splitlines()[0]


def test_what_is_forgotten_is_guessed_at(made: Console) -> None:
    assert "did you mean thing.conf?" in made("state", "rm", "thing.cnof").err
    assert "the recorded hosts are a, b" in made("state", "rm", "--host", "zzz").err
    assert made("state", "rm").code == 64


def test_nothing_is_changed_while_a_run_is_unfinished(made: Console) -> None:
    db = sqlite3.connect(made.folder / "state/web.db")
    db.execute("UPDATE run SET status = 'interrupted' WHERE id = 2")
    db.commit()
    db.close()
    for command in (("rm", "thing.conf"), ("mv", "thing.conf", "thing.x"), ("mv", "--host", "a", "c")):
        done = made("state", *command)
        assert done.code == 1
        assert "cannot change the state: run 2 was interrupted" in done.err


# --- a state of an older hacore ----------------------------------------------------------------------


def test_an_older_state_is_looked_at_as_it_is_and_upgraded_by_the_first_that_writes(console: Console) -> None:
    stored = Path(__file__).parents[1] / "store" / "data" / "schema-0001.db"
    state = console.folder / "state"
    state.mkdir(mode=0o700)
    for suffix in ("", ".key"):
        shutil.copyfile(f"{stored}{suffix}", state / f"web.db{suffix}")
        (state / f"web.db{suffix}").chmod(0o600)
    console.stack(WEB)
    before = {entry.name: entry.read_bytes() for entry in state.iterdir()}

    assert console("plan").code == 0
    assert console("drift").code == 2
    assert console("state", "list").out.count("\n") == 8
    assert console("state", "history").out == "No history yet: it starts with the next change.\n"
    assert console("state", "pull").json["serial"] == 14
    assert "the history has serial 14 only" in console("state", "diff", "3").err
    assert {entry.name: entry.read_bytes() for entry in state.iterdir()} == before

    done = console("state", "rm", "thing.page")
    assert done.code == 0
    assert f"The schema of the state was upgraded. Backup: {state}/web.db.backup-0001" in done.err
    assert (state / "web.db.backup-0001").read_bytes()[:16] == b"SQLite format 3\0"
    assert console("state", "diff", "14").out.startswith("From serial 14 to 15: 2 deleted\n")
    assert "upgraded" not in console("apply", "--auto-approve").err


def test_a_state_that_is_newer_or_damaged_says_what_to_do(made: Console) -> None:
    file = made.folder / "state/web.db"
    whole = file.read_bytes()
    db = sqlite3.connect(file)
    db.execute("UPDATE alembic_version SET version_num = '9999'")
    db.commit()
    db.close()
    newer = file.read_bytes()
    for command in (("plan",), ("apply", "--auto-approve"), ("state", "rm", "thing.conf"), ("state", "history")):
        done = made(*command)
        assert done.code == 1
        assert "a newer hacore wrote it" in done.err
        assert "update hacore" in done.err
    assert file.read_bytes() == newer

    file.write_bytes(whole[:100] + b"\xaa" * (len(whole) - 100))
    for command in (("plan",), ("apply", "--auto-approve"), ("state", "rm", "thing.conf"), ("state", "pull")):
        done = made(*command)
        assert done.code == 1
        assert "restore a backup" in done.err
