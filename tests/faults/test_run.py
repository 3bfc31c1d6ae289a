"""Whole runs, in processes of their own, over a real sshd: cut, stopped by signals, killed and gone on with."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from pathlib import Path

import pytest

from tests.faults.site import Site, eventually


def test_an_sshd_that_restarts_while_make_runs(site: Site) -> None:
    site.build()
    applying = site.apply()
    site.begun()
    site.sshd.restart()
    site.slow.go.touch()

    assert applying.wait() == 0, applying.said
    assert "connection lost to lb1" in applying.said
    assert site.slow.times == 1
    assert subprocess.run([site.target / "bin/greeter"], capture_output=True).stdout == b"built\n"


def test_a_killed_run_goes_on_with_the_make_that_still_runs(site: Site) -> None:
    site.build()
    applying = site.apply()
    site.begun()
    applying.kill()
    resuming = site.apply("--resume")
    eventually(lambda: "building greeter" in resuming.said, lambda: resuming.said)
    site.slow.go.touch()

    assert resuming.wait() == 0, resuming.said
    assert site.slow.times == 1
    assert site.runs() == [("apply", "done")]


def test_a_killed_run_goes_on_with_the_make_that_has_ended(site: Site, here: Path) -> None:
    site.build()
    applying = site.apply()
    site.begun()
    applying.kill()
    site.slow.go.touch()
    eventually(lambda: any(here.glob("jobs/*/rc")))
    resuming = site.apply("--resume")

    assert resuming.wait() == 0, resuming.said
    assert site.slow.times == 1
    assert not any(here.glob("jobs/*"))


def test_a_killed_run_whose_step_still_changes_the_host_is_waited_for(site: Site) -> None:
    site.files()
    applying = site.apply()
    site.begun()
    applying.kill()
    back = site.hacore("rollback", "--auto-approve")
    eventually(lambda: "waiting for a job of an earlier run on lb1" in back.said, lambda: back.said)
    assert site.made().get("one") == "new"
    site.slow.go.touch()

    assert back.wait() == 0, back.said
    assert site.made() == {}


def test_a_connection_that_is_cut_in_an_effect(site: Site) -> None:
    site.files()
    applying = site.apply()
    site.begun()
    site.sshd.cut()
    site.slow.go.touch()

    assert applying.wait() == 0, applying.said
    assert site.made() == {"one": "new", "three": "new", "two": "new"}
    assert site.slow.times == 1
    assert site.hacore("plan", "--detailed-exitcode").wait() == 0


def test_a_host_that_stays_away_in_an_effect_leaves_it_in_doubt_and_the_next_apply_looks(site: Site) -> None:
    site.files()
    site.stack(re.sub(r"(?s).*resources:\n", "", (site.folder / "stack.yaml").read_text()), reconnect=0.3)
    applying = site.apply()
    site.begun()
    site.sshd.down()
    assert applying.wait() == 1
    assert "not reachable for 0.3s" in applying.said
    site.slow.go.touch()
    site.sshd.start()
    again = site.apply()

    assert again.wait() == 0, again.said
    assert site.made() == {"one": "new", "three": "new", "two": "new"}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_first_signal_lets_what_runs_end_and_begins_nothing_new(site: Site, number: signal.Signals) -> None:
    site.files()
    applying = site.apply()
    site.begun()
    applying.signal(number)
    eventually(lambda: "Interrupted: finishing" in applying.said)
    site.slow.go.touch()

    assert applying.wait() == 1
    assert site.made() == {"one": "new", "two": "new"}
    assert site.runs() == [("apply", "interrupted")]
    assert site.apply("--resume").wait() == 0
    assert site.made() == {"one": "new", "three": "new", "two": "new"}


def test_a_second_signal_waits_for_nothing(site: Site) -> None:
    site.files()
    applying = site.apply()
    site.begun()
    applying.signal(signal.SIGINT)
    eventually(lambda: "Interrupted: finishing" in applying.said)
    applying.signal(signal.SIGINT)

    assert applying.wait() == 130
    assert "Aborted. The run is incomplete: " in applying.said
    site.slow.go.touch()
    resuming = site.apply("--resume")
    assert resuming.wait() == 0, resuming.said
    assert site.made() == {"one": "new", "three": "new", "two": "new"}


@pytest.mark.parametrize("words", [(), ("--json",)])
def test_whoever_reads_what_a_run_says_may_leave(site: Site, words: tuple[str, ...]) -> None:
    site.files()
    reader, writer = os.pipe()
    applying = site.hacore("apply", "--auto-approve", *words, out=writer)
    os.close(writer)
    site.begun()
    os.close(reader)
    site.slow.go.touch()
    applying.wait()

    assert site.made() == {"one": "new", "three": "new", "two": "new"}
    assert site.runs() == [("apply", "done")]


def test_two_runs_of_one_stack(site: Site) -> None:
    site.files()
    applying = site.apply()
    site.begun()
    second = site.apply()

    assert second.wait() == 1
    assert f"pid {applying.pid}" in second.said
    site.slow.go.touch()
    assert applying.wait() == 0, applying.said


def test_two_stacks_on_one_host(site: Site) -> None:
    site.files()
    applying = site.apply()
    site.begun()
    text = (site.folder / "stack.yaml").read_text()
    other = site.folder / "other.yaml"
    other.write_text(
        re.sub(r"(?s)resources:.*", "resources:\n", text).replace("state.db", "other.db").replace("site", "other", 1)
        + f"  file:\n    four: {{path: {site.target}/four, content: four}}\n"
    )
    second = site.hacore("apply", "--auto-approve", "other.yaml")

    assert second.wait() == 1
    assert re.search(rf"cannot lock lb1@127.0.0.1: it is held by .*pid {applying.pid}, stack site", second.said)
    site.slow.go.touch()
    assert applying.wait() == 0, applying.said
    assert site.hacore("apply", "--auto-approve", "other.yaml").wait() == 0
