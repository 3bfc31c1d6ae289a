"""Commands on a state alone: what spans several hosts, and what was done together. No host is asked."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from hacore.address import Address
from hacore.engine import forget, move, rename_host
from hacore.engine.state_edits import moved_addresses, prune_runs
from hacore.errors import PlanError, UsageError
from hacore.model import Row
from hacore.store import (
    HostRecord,
    PutHost,
    PutRow,
    PutRun,
    RunRecord,
    StateReader,
    StateWriter,
    TaskRecord,
    row_to_json,
)
from hacore.testing import KINDS

VIP, CONF_1, CONF_2 = (Address.parse(text) for text in ("vip.front", "file.conf@lb1", "file.conf@lb2"))
UNIT = Address.parse("service.web@lb1")


@pytest.fixture
async def url(tmp_path: Path) -> str:
    """A pair: a file on each, a service on one that loads it, a virtual address over both, one run that made it."""
    url = f"sqlite:///{tmp_path}/pair.db"
    run = RunRecord(
        0, "apply", "running", 1.0, None, "ann", "pair", "d", "rollback", options={"machines": {"lb1": "m1"}}
    )
    rows = [
        Row(CONF_1, {}, 1, {"mode": "0644"}, hosts=("lb1",)),
        Row(CONF_2, {}, 1, {"mode": "0644"}, hosts=("lb2",)),
        Row(UNIT, {}, 1, {}, needs=(str(CONF_1),), hosts=("lb1",), loaded={str(CONF_1): "d"}),
        Row(VIP, {}, 1, {}, needs=(str(CONF_1), str(CONF_2)), hosts=("lb1", "lb2"), loaded={str(CONF_2): None}),
    ]
    together = {
        "changes": [
            {
                "address": str(a),
                "action": "create",
                "spec": {},
                "hosts": ["lb1"],
                "reason": "",
                "effect": "",
                "inherits": None,
            }
            for a in (CONF_1, UNIT)
        ],
        "sources": [str(CONF_1)],
    }
    task = TaskRecord(
        *(0, "t1", "change", "file", "lb1", (str(CONF_1), str(UNIT)), "done"),
        payload=together,
        before={str(CONF_1): None, str(UNIT): row_to_json(rows[2])},
    )
    async with await StateWriter.open(url, who="ann", what="apply") as writer:
        number = await writer.new_run(run, [task])
        hosts = [HostRecord(name, {"name": name, "address": f"192.0.2.{name[-1]}"}) for name in ("lb1", "lb2")]
        await writer.commit(*map(PutRow, rows), *map(PutHost, hosts))
        done = writer.run(number)
        await writer.commit(PutRun(RunRecord(**{**{f: getattr(done, f) for f in done.__slots__}, "status": "done"})))
    return url


async def test_a_host_that_is_forgotten_is_no_member_any_more(url: str) -> None:
    kept = await forget(url, [], hosts=["lb2"])

    assert (kept.gone, kept.without) == ((CONF_2,), (VIP,))
    with StateReader.open(url) as reader:  # type: ignore[union-attr]
        vip = reader.rows()[VIP]
        assert (vip.hosts, vip.needs, vip.loaded) == (("lb1",), (str(CONF_1),), {})
        assert sorted(reader.hosts()) == ["lb1"]
    assert (await forget(url, [], hosts=["lb1"])).gone == (CONF_1, UNIT, VIP)


async def test_edges_marks_and_the_journal_follow(url: str) -> None:
    kept = await move(url, Address.parse("file.conf"), Address.parse("file.main"))

    assert kept.tasks == 1
    with StateReader.open(url) as reader:  # type: ignore[union-attr]
        rows = reader.rows()
        assert (rows[UNIT].needs, rows[UNIT].loaded) == (("file.main@lb1",), {"file.main@lb1": "d"})
        assert rows[VIP].needs == ("file.main@lb1", "file.main@lb2")
        (task,) = reader.tasks(1)
        assert task.addresses == ("file.main@lb1", str(UNIT))
        assert [change["address"] for change in task.payload["changes"]] == ["file.main@lb1", str(UNIT)]
        assert task.payload["sources"] == ["file.main@lb1"]
        assert task.before[str(UNIT)]["needs"] == ["file.main@lb1"]  # type: ignore[index]
        assert task.before["file.main@lb1"] is None
        assert "file.conf" not in repr((rows, task))


async def test_there_and_back_again_leaves_the_state_as_it_was(url: str) -> None:
    def everything() -> tuple[object, ...]:
        with StateReader.open(url) as reader:  # type: ignore[union-attr]
            return (reader.rows(), reader.hosts().keys(), reader.tasks(1), reader.runs())

    before = everything()
    await move(url, Address.parse("file.conf"), Address.parse("file.main"))
    await move(url, Address.parse("file.main"), Address.parse("file.conf"))
    await rename_host(url, "lb1", "web1")
    assert "lb1" not in repr(everything())
    await rename_host(url, "web1", "lb1")

    assert everything() == before


async def test_what_was_done_together_goes_to_another_host_together_or_not_at_all(url: str) -> None:
    await forget(url, [CONF_2])
    with pytest.raises(UsageError, match=r"run 1 changed file.conf@lb1, service.web@lb1 together.*--host"):
        await move(url, CONF_1, CONF_2)
    with StateReader.open(url) as reader:  # type: ignore[union-attr]
        assert CONF_1 in reader.rows()
        assert reader.lock() is None


async def test_what_daemons_are_reloaded_for_follows_in_their_specs(url: str) -> None:
    daemon = Address.parse("daemon.web@lb1")
    spec = {"unit": "web", "reads": ["/etc/x"], "reload_on": ["thing.conf", "thing.other", "thing.conf@lb1"]}
    thing = Address.parse("thing.conf@lb1")
    async with await StateWriter.open(url, who="ann", what="apply") as writer:
        await writer.commit(*(PutRow(Row(a, s, 1, {}, hosts=("lb1",))) for a, s in ((daemon, spec), (thing, {}))))

    await move(url, Address.parse("thing.conf"), Address.parse('thing.main["x"]'), providers=KINDS)

    with StateReader.open(url) as reader:  # type: ignore[union-attr]
        told = reader.rows()[daemon].spec
    assert told["reload_on"] == ["thing.main", "thing.other", "thing.main@lb1"]
    assert told["reads"] == ["/etc/x"]


# -- the addresses of a move


def rows(*addresses: str) -> dict[Address, Row]:
    return {a: Row(a, {}, 1, {}) for a in map(Address.parse, addresses)}


KEYED = rows('file.page["x"]@lb1', 'file.page["y"]@lb1', 'file.page["x"]@lb2', "file.conf@lb1", "vip.front")


@pytest.mark.parametrize(
    ("source", "target", "moved"),
    [
        ("file.conf", "file.main", {"file.conf@lb1": "file.main@lb1"}),
        ("file.conf@lb1", "file.conf@lb2", {"file.conf@lb1": "file.conf@lb2"}),
        ("file.conf", 'file.page["z"]', {"file.conf@lb1": 'file.page["z"]@lb1'}),
        ("vip.front", "vip.back", {"vip.front": "vip.back"}),
        # keys and hosts that both omit are kept
        (
            "file.page",
            "file.side",
            {
                'file.page["x"]@lb1': 'file.side["x"]@lb1',
                'file.page["y"]@lb1': 'file.side["y"]@lb1',
                'file.page["x"]@lb2': 'file.side["x"]@lb2',
            },
        ),
        (
            'file.page["x"]',
            'file.page["z"]',
            {'file.page["x"]@lb1': 'file.page["z"]@lb1', 'file.page["x"]@lb2': 'file.page["z"]@lb2'},
        ),
        ('file.page["x"]@lb1', "file.index@lb1", {'file.page["x"]@lb1': "file.index@lb1"}),
    ],
)
def test_what_a_move_moves(source: str, target: str, moved: dict[str, str]) -> None:
    found = moved_addresses(KEYED, Address.parse(source), Address.parse(target))
    assert {str(old): str(new) for old, new in found.items()} == moved


@pytest.mark.parametrize(
    ("source", "target", "message"),
    [
        ("file.conf", "service.conf", r"cannot move file\.conf to service\.conf: kinds differ \(file, service\)"),
        ("vip.front", "file.front", r"kinds differ \(vip, file\)"),
        ("file.conf@lb1", "file.main", r"name the host in both, or in neither"),
        ("file.conf", "file.main@lb1", r"name the host in both, or in neither"),
        ("file.page@lb1", 'file.side["z"]@lb1', r"file\.page@lb1 has several keys; name one: file\.page\[\"x\"\]@lb1"),
        ("file.conf", "file.conf", r"cannot move file\.conf@lb1 to itself"),
        ("file.conf", 'file.page["x"]', r"to file\.page\[\"x\"\]@lb1: file\.page\[\"x\"\]@lb1 is recorded already"),
        ("file.none", "file.main", r"file\.none"),
    ],
)
def test_a_move_that_is_refused(source: str, target: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        moved_addresses(KEYED, Address.parse(source), Address.parse(target))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("lb3", "web", r"cannot find host lb3: it is not recorded; did you mean lb2\?"),
        ("zzz", "web", r"recorded hosts are lb1, lb2"),
        ("lb1", "lb2", r"cannot rename host lb1: lb2 is recorded already; forget it first: hacore state rm --host lb2"),
        ("lb1", "no name", r"cannot rename host lb1: invalid host name 'no name'"),
    ],
)
async def test_a_rename_of_a_host_that_is_refused(url: str, old: str, new: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        await rename_host(url, old, new)


async def test_a_move_to_a_host_that_is_not_recorded_is_refused(url: str) -> None:
    await forget(url, [UNIT])
    with pytest.raises(UsageError, match=r"cannot move to file\.conf@lb9: no host lb9 is recorded; `hacore state mv"):
        await move(url, CONF_1, CONF_1.at("lb9"))


async def test_a_renamed_host_has_its_new_name_everywhere(url: str) -> None:
    kept = await rename_host(url, "lb1", "web1")

    assert {str(old): str(new) for old, new in (kept.moved or {}).items()} == {
        "file.conf@lb1": "file.conf@web1",
        "service.web@lb1": "service.web@web1",
    }
    with StateReader.open(url) as reader:  # type: ignore[union-attr]
        found = reader.rows()
        assert found[VIP].hosts == ("web1", "lb2")
        assert found[VIP].needs == ("file.conf@lb2", "file.conf@web1")
        assert reader.hosts()["web1"].host["name"] == "web1"
        assert sorted(reader.hosts()) == ["lb2", "web1"]
        (run,) = reader.runs()
        assert run.options["machines"] == {"web1": "m1"}


@pytest.mark.parametrize("command", ["rm", "mv", "mv --host", "prune"])
async def test_a_state_is_not_edited_while_a_run_is_incomplete(url: str, command: str) -> None:
    async with await StateWriter.open(url, who="ann", what="apply") as writer:
        (run,) = writer.runs()
        await writer.commit(PutRun(replace(run, status="interrupted")))
    edits = {
        "rm": lambda: forget(url, [CONF_1]),
        "mv": lambda: move(url, CONF_1, CONF_1.at("lb2")),
        "mv --host": lambda: rename_host(url, "lb1", "web1"),
        "prune": lambda: prune_runs(url, 1),
    }
    with pytest.raises(PlanError, match=r"run 1 was interrupted"):
        await edits[command]()
    with StateReader.open(url) as reader:  # type: ignore[union-attr]
        assert {CONF_1, CONF_2, UNIT, VIP} == set(reader.rows())
