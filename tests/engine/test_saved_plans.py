"""Saved plans: applied once, and only while everything they rest on is as it was."""

from __future__ import annotations

import json
import stat
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hacore.contract import Health, StackFiles
from hacore.engine import Planned, RunResult, apply_saved, load_plan, plan, save_plan
from hacore.errors import PlanError, StackError, StalePlanError, UnreachableError, UsageError
from hacore.plan import plan_json
from hacore.testing import KINDS
from hacore.testing.questions import VALUE
from hacore.testing.things import Thing, ThingSpec
from tests.engine.play import HEAD, Play, changed
from tests.engine.test_crash import die_at

TWO = "thing: {x: {key: /x, text: v1}, y: {key: /y, text: v1, needs: [thing.x]}}"
SECRET = "hunter2-and-more"
SECRETS = """
thing:
  open: {hosts: a, key: /open, text: v1}
  hidden: {hosts: a, key: /hidden, text: 'password={{ var.secret }}'}
"""


def file_of(play: Play) -> Path:
    return play.folder / "web.plan"


async def save(play: Play, *, destroy: bool = False) -> Planned:
    planned = await plan(play.request, destroy=destroy)
    save_plan(planned, play.request, file_of(play), redact=lambda value: value)
    return planned


async def apply_file(play: Play, **more: Any) -> RunResult:
    return await apply_saved(load_plan(file_of(play)), changed(play.request, **more), unauthenticated=True)


async def refused(play: Play, **more: Any) -> tuple[list[str], str]:
    """The addresses that a plan is refused for, and the message; nothing was touched for it."""
    world, done = play.world.snapshot(), [len(m.log) for m in play.world]
    with pytest.raises(StalePlanError) as caught:
        await apply_file(play, **more)
    assert (play.world.snapshot(), [len(m.log) for m in play.world]) == (world, done)
    assert all(m.lock == "" for m in play.world)
    assert "hacore plan --out" in str(caught.value)
    for address in caught.value.changed:
        assert address in str(caught.value) or "already applied" in str(caught.value)
    return list(caught.value.changed), str(caught.value)


# -- what it does


async def test_a_saved_plan_does_what_was_planned_and_asks_nobody(play: Play) -> None:
    play.stack(TWO)
    await save(play)
    result = await apply_file(play)
    assert result.status == "done", play.story(result)
    assert (play.text("/x"), play.text("/y", "b")) == ("v1", "v1")
    assert play.asked == []
    assert await play.actions() == {}


async def test_what_became_of_the_stack_file_since_does_not_matter(play: Play) -> None:
    """As `terraform apply FILE`: the plan holds the stack with its contents."""
    (play.folder / "t.j2").write_text("one {{ host.name }}\n")
    play.stack("thing: {x: {key: /x, text: \"{{ file('t.j2') }}\"}}\nconf: {c: {hosts: a, path: /c, text: t}}")
    await save(play)
    (play.folder / "stack.yaml").write_text("stack: [nonsense")
    (play.folder / "t.j2").unlink()
    result = await apply_file(play)
    assert result.ok, play.story(result)
    assert play.text("/x") == "one {{ host.name }}\n"


async def test_a_plan_of_a_destroy_destroys(play: Play) -> None:
    play.world["a"].data["/x"] = {"text": "theirs"}
    await play.make(SECRETS)
    await play.make(SECRETS + "  x: {hosts: a, key: /x, text: v1}")
    await save(play, destroy=True)
    result = await apply_file(play)
    assert result.status == "done", play.story(result)
    assert (play.rows(), play.text("/x"), play.text("/open")) == ({}, "theirs", None)
    assert play.runs()[-1].command == "destroy"


async def test_changes_triggers_guards_and_deletes_come_back_from_the_file(play: Play) -> None:
    play.world.vips["v"] = ["a", "b"]
    first = """
gate: {g: {vip: v}}
shared: {s: {vip: v, instance: gate.g}}
thing: {c: {key: /c, text: v1}, old: {hosts: a, key: /old, text: v1}}
daemon: {d: {reads: [/c], restart_on: [thing.c], needs: [gate.g]}}
pack: {p: {names: [one]}}
"""
    await play.make(first)
    play.stack(first.replace("c, text: v1", "c, text: v2").replace(", old: {hosts: a, key: /old, text: v1}", ""))
    planned = await save(play)
    ops = [t.op.value for t in planned.plan.tasks]
    assert {"drain", "undrain", "trigger"} <= set(ops)
    result = await apply_file(play)
    assert result.ok, play.story(result)
    assert (play.loaded("d", "/c"), play.text("/old")) == ("v2", None)
    assert play.world.cuts == []


async def test_a_plan_with_nothing_to_do_does_nothing(play: Play) -> None:
    await play.make(TWO)
    await save(play)
    assert (await apply_file(play)).status == "nothing"
    assert len(play.runs()) == 1


async def test_what_only_the_state_takes_in_comes_with_the_plan(play: Play) -> None:
    await play.make("thing: {x: {hosts: a, text: v1}, y: {hosts: a, text: v1}}")
    play.stack("thing: {x: {hosts: a, text: v1}, y: {hosts: a, text: v1, needs: [thing.x]}}")
    await save(play)
    assert (await apply_file(play)).status == "nothing"
    assert play.row("thing.y@a").needs == ("thing.x@a",)


async def test_a_failure_of_a_saved_plan_goes_back_as_any_other(play: Play) -> None:
    await play.make(TWO)
    play.stack(TWO.replace("v1", "v2"))
    await save(play)
    play.world["b"].fail("write /y")
    result = await apply_file(play)
    assert result.status == "failed", play.story(result)
    assert (play.text("/x"), play.text("/x", "b"), play.text("/y", "b")) == ("v2", "v1", "v1")


# -- once


async def test_a_saved_plan_applies_once(play: Play) -> None:
    play.stack(TWO)
    await save(play)
    assert (await apply_file(play)).ok
    _, why = await refused(play)
    assert "it was already applied, as run 1" in why


async def test_a_plan_whose_run_was_undone_does_not_apply_again(play: Play) -> None:
    """Not even when the run never came as far as a row, and the serial is what it was."""
    play.stack(TWO)
    await save(play)
    for machine in play.world:
        machine.fail("write /x")
    assert (await apply_file(play)).status == "rolled_back"
    for machine in play.world:
        machine.rules.clear()
    _, why = await refused(play)
    assert "it was already applied, as run 1" in why


async def test_an_unfinished_run_comes_first(play: Play) -> None:
    play.stack(TWO)
    await save(play)
    await die_at(play, "write /x", after=True)
    with pytest.raises(PlanError, match="run 1 was interrupted"):
        await apply_file(play)


# -- refused, by address


async def test_another_serial_names_what_was_recorded_since(play: Play) -> None:
    await play.make(TWO)
    play.stack(TWO.replace("v1", "v2"))
    await save(play)
    await play.make("thing: {x: {key: /x, text: v1}, y: {key: /y, text: v1, needs: [thing.x]}, z: {hosts: b}}")
    changed, why = await refused(play)
    assert changed == ["thing.z@b"]
    assert "the plan was made at" in why
    assert "run 2, apply by tester@test" in why


async def test_a_state_that_came_back_to_where_it_was_is_another_one_all_the_same(play: Play) -> None:
    await play.make(TWO)
    play.stack(TWO.replace("v1", "v2"))
    await save(play)
    await play.apply()
    await play.rollback()
    changed, _ = await refused(play)
    assert changed == [f"thing.{n}@{h}" for n in "xy" for h in "ab"]


async def test_a_first_plan_is_refused_once_there_is_a_state(play: Play) -> None:
    play.stack(TWO)
    await save(play)
    await play.make("thing: {z: {hosts: a, text: v1}}")
    changed, _ = await refused(play)
    assert changed == ["thing.z@a"]


async def test_another_lineage(play: Play) -> None:
    await play.make(TWO)
    play.stack(TWO.replace("v1", "v2"))
    await save(play)
    for path in play.states.iterdir():
        path.unlink()
    for machine in play.world:
        machine.markers.clear()
    await play.make(TWO)
    changed, why = await refused(play)
    assert changed == [f"thing.{n}@{h}" for n in "xy" for h in "ab"]
    assert "the state was replaced" in why


async def test_a_remote_fact_that_changed_names_what_it_was_and_is(play: Play) -> None:
    await play.make(TWO)
    play.stack(TWO.replace("y, text: v1", "y, text: v2"))
    await save(play)
    play.world["b"].data["/y"] = {"text": "by hand", "mode": "0600"}
    changed, why = await refused(play)
    assert changed == ["thing.y@b"]
    assert "thing.y@b: mode was not there, is 0600, text was sha256:" in why
    play.world["b"].data["/y"] = {"text": "v1"}
    assert (await apply_file(play)).ok


async def test_a_fact_of_what_the_plan_leaves_alone_counts_too(play: Play) -> None:
    await play.make(TWO)
    play.stack(TWO.replace("y, text: v1", "y, text: v2"))
    await save(play)
    play.world["a"].data["/x"]["text"] = "by hand"
    del play.world["b"].data["/x"]
    changed, why = await refused(play)
    assert changed == ["thing.x@a", "thing.x@b"]
    assert "thing.x@a: is now an update, nothing was planned (text was sha256:" in why
    assert "thing.x@b: is now a create, nothing was planned (does not exist now)" in why


async def test_somebody_who_did_the_work_by_hand(play: Play) -> None:
    await play.make(TWO)
    play.stack(TWO.replace("y, text: v1", "y, text: v2"))
    await save(play)
    for machine in play.world:
        machine.data["/y"] = {"text": "v2"}
    changed, why = await refused(play)
    assert changed == ["thing.y@a", "thing.y@b"]
    assert "is now unchanged, planned was update" in why


async def test_the_look_is_under_the_lock(play: Play) -> None:
    """What changes between reading the plan and locking the host is seen, too."""
    play.stack("thing: {x: {hosts: a, key: /x, text: v1}}")
    await save(play)

    async def connect(host: Any) -> Any:
        play.world["a"].data["/x"] = {"text": "somebody was quicker"}
        return await play.world.connect(host)

    play.options = {"connect": connect}
    with pytest.raises(StalePlanError) as caught:
        await apply_file(play)
    assert caught.value.changed == ("thing.x@a",)
    assert play.runs() == []


async def test_another_machine_under_the_same_address(play: Play) -> None:
    await play.make(TWO)
    play.stack(TWO.replace("v1", "v2"))
    await save(play)
    real = play.world["b"].facts
    play.world["b"].facts = lambda: replace(real(), machine_id="another")  # type: ignore[method-assign]
    changed, why = await refused(play)
    assert changed == ["b"]
    assert "machine-id" in why


async def test_a_pair_that_lost_its_health_is_not_guarded_any_more(play: Play) -> None:
    """The changes are the same, but their order is not: nobody agreed to that."""
    play.world.vips["v"] = ["a", "b"]
    stack = "gate: {g: {vip: v}}\nthing: {c: {key: /c, text: v1, disrupts: restart, needs: [gate.g]}}"
    await play.make(stack)
    play.stack(stack.replace("text: v1", "text: v2"))
    planned = await save(play)
    assert "drain" in [t.op.value for t in planned.plan.tasks]
    for machine in play.world:
        machine.drained.add("v")
    changed, why = await refused(play)
    assert {"thing.c@a", "thing.c@b"} <= set(changed)
    assert "otherwise guarded" in why


# -- sources


class SourcedSpec(ThingSpec):
    """A value that is a file of the stack's folder."""

    source: str


class Sourced(Thing):
    """As `file` with `source:`."""

    kind = "sourced"
    spec = SourcedSpec

    def resolve(self, spec: Any, files: StackFiles) -> Any:
        text = files.read(spec.source).decode()
        return super().resolve(spec.model_copy(update={"text": text}), files)


@pytest.mark.parametrize("secret", ["false", "true"])
async def test_a_source_that_changed_or_went_is_named(play: Play, secret: str) -> None:
    play.options = {"providers": {**KINDS, "sourced": Sourced()}}
    source = play.folder / "site.conf"
    source.write_text("first edition")
    play.stack(f"sourced: {{s: {{source: site.conf, secret: {secret}}}}}\nthing: {{x: {{hosts: a}}}}")
    await save(play)
    assert ("first edition" in file_of(play).read_text()) is (secret == "false")
    source.write_text("second edition")
    changed, why = await refused(play)
    assert changed == ["sourced.s@a", "sourced.s@b"]
    assert ("its source site.conf has changed" in why) is (secret == "false")
    source.write_text("first edition")
    kept = source.rename(play.folder / "elsewhere")
    if secret == "false":
        assert "its source site.conf is missing" in (await refused(play))[1]
    kept.rename(source)
    assert (await apply_file(play)).ok
    assert play.text("/things/s", "b") == "first edition"


# -- secrets


async def test_a_secret_is_not_in_the_file_and_is_taken_again(play: Play) -> None:
    play.world["a"].data["/hidden"] = {"text": f"old-{SECRET}"}
    play.stack(SECRETS, HEAD.replace(f", default: {SECRET}", ""))
    play.options = {"variables": {"secret": SECRET}}
    await save(play)
    written = file_of(play).read_bytes()
    assert SECRET.encode() not in written
    assert json.loads(written.splitlines()[1])["stack"]["instances"][0]["spec"]["text"] == "v1"
    play.options = {}
    with pytest.raises(StackError, match=r"var.secret: no value"):
        await apply_file(play)
    play.options = {"variables": {"secret": "another-secret"}}
    changed, why = await refused(play)
    assert changed == ["thing.hidden@a"]
    assert "a sensitive value differs from the planned one: var.secret" in why
    assert SECRET not in why and "another-secret" not in why
    play.options = {"variables": {"secret": SECRET}}
    result = await apply_file(play)
    assert result.ok, play.story(result)
    assert play.text("/hidden") == f"password={SECRET}"


async def test_a_first_plan_has_a_key_of_its_own_a_later_one_that_of_the_state(play: Play) -> None:
    play.stack(SECRETS)
    await save(play)
    own = play.folder / "web.plan.key"
    assert stat.S_IMODE(own.stat().st_mode) == 0o600
    assert not list(play.states.iterdir())
    kept = own.rename(play.folder / "elsewhere")
    with pytest.raises(PlanError, match=r"web\.plan\.key"):
        await apply_file(play)
    kept.rename(own)
    assert (await apply_file(play)).ok
    own.unlink()
    play.stack(SECRETS.replace("password=", "word="))
    await save(play)
    assert not own.exists()
    assert (await apply_file(play)).ok


async def test_a_plan_without_secrets_needs_no_key(play: Play) -> None:
    play.stack(TWO)
    await save(play)
    assert sorted(p.name for p in play.folder.iterdir()) == ["stack.yaml", "web.plan"]


async def test_a_secret_on_the_host_that_changed_is_seen_and_not_told(play: Play) -> None:
    await play.make(SECRETS)
    play.options = {"variables": {"secret": "another-secret"}}
    await save(play)
    play.world["a"].data["/hidden"] = {"text": "by-hand-secret"}
    changed, why = await refused(play)
    assert changed == ["thing.hidden@a"]
    assert "text has changed (sensitive)" in why
    assert "by-hand-secret" not in file_of(play).read_text()


async def test_a_plan_of_a_destroy_needs_no_secret(play: Play) -> None:
    await play.make(SECRETS)
    await save(play, destroy=True)
    play.stack(SECRETS, HEAD.replace(f", default: {SECRET}", ""))
    assert (await apply_file(play)).status == "done"


async def test_a_template_with_a_secret_must_be_what_it_was(play: Play) -> None:
    play.stack(SECRETS)
    await save(play)
    play.stack(SECRETS.replace("password=", "word="))
    changed, why = await refused(play)
    assert changed == ["thing.hidden@a"]
    assert "a template or the resource itself has changed" in why


async def test_a_variable_that_is_not_sensitive_is_the_plans(play: Play) -> None:
    head = HEAD.replace("variables:\n", "variables:\n  size: {type: int, default: 1}\n")
    stack = "thing: {x: {hosts: a, text: 'n{{ var.size }} {{ var.secret }}'}}"
    play.stack(stack, head)
    play.options = {"variables": {"size": "7"}}
    await save(play)
    play.options = {"variables": {"size": "8"}}
    with pytest.raises(UsageError, match="--var size"):
        await apply_file(play)
    play.options = {}
    assert (await apply_file(play)).ok
    assert play.text("/things/x") == f"n7 {SECRET}"


async def test_a_variable_is_the_plans_without_a_secret_too(play: Play) -> None:
    head = HEAD.replace("variables:\n", "variables:\n  size: {type: int, default: 1}\n")
    play.stack("thing: {x: {hosts: a, text: 'n{{ var.size }}'}}", head)
    await save(play)
    for name, value in (("size", "2"), ("siez", "1")):
        play.options = {"variables": {name: value}}
        with pytest.raises(UsageError, match=f"--var {name}"):
            await apply_file(play)
    play.options = {"variables": {"size": "1", "secret": "not asked for"}}
    assert (await apply_file(play)).ok


async def test_what_could_not_be_undone_now_was_not_agreed_to(play: Play) -> None:
    class Odd(Thing):
        """Says from the host's own answer that it cannot be undone."""

        def desire(self, view: Any) -> Any:
            there = view.facts.get(VALUE, view.spec.key)
            wanted = super().desire(view)
            return replace(wanted, irreversible="sent off" if there and there.get("sent") else "")

    play.options = {"providers": {**KINDS, "thing": Odd()}}
    await play.make("thing: {x: {hosts: a, key: /x, text: v1}}")
    play.stack("thing: {x: {hosts: a, key: /x, text: v2}}")
    await save(play)
    play.world["a"].data["/x"]["sent"] = True
    changed, why = await refused(play)
    assert (changed, "it could not be undone now" in why) == (["thing.x@a"], True)


async def test_the_state_of_a_server_with_a_password_is_not_in_the_file(play: Play) -> None:
    play.stack(TWO)
    planned = await plan(play.request)
    for url in ("postgresql://me:geheim-1@db/x", "postgresql://db/x?user=me&password=geheim-1"):
        planned = replace(planned, stack=replace(planned.stack, state=url))
        save_plan(planned, play.request, file_of(play), redact=lambda value: value)
        assert "geheim-1" not in file_of(play).read_text()
        assert load_plan(file_of(play)).state == ""


async def test_a_sensitive_output_is_not_in_the_file(play: Play) -> None:
    head = HEAD.replace("resources:", "outputs: {url: 'http://x', word: '{{ var.secret }}'}\nresources:")
    play.stack(TWO, head)
    await save(play)
    assert SECRET not in file_of(play).read_text()
    result = await apply_file(play)
    assert result.outputs == {"url": "http://x", "word": None}


async def test_a_secret_of_a_hosts_variables_is_neither_in_the_file_nor_in_the_state(play: Play) -> None:
    play.stack(TWO, HEAD.replace("192.0.2.1}", "192.0.2.1, vars: {token: '{{ var.secret }}'}}"))
    await save(play)
    assert SECRET not in file_of(play).read_text()
    await play.apply()
    assert all(SECRET.encode() not in p.read_bytes() for p in play.states.iterdir())


# -- unreachable hosts


async def test_an_incomplete_plan_needs_allow_degraded_and_stays_with_its_hosts(play: Play) -> None:
    play.stack(TWO)
    play.world["b"].reachable = False
    await save(play)
    with pytest.raises(UnreachableError, match="--allow-degraded"):
        await apply_file(play)
    play.world["b"].reachable = True  # it was not part of what was planned
    result = await apply_file(play, allow_degraded=True)
    assert result.status == "done", play.story(result)
    assert set(play.rows()) == {"thing.x@a", "thing.y@a"}
    assert (play.world["b"].data, play.world["b"].execs) == ({}, 0)


async def test_a_host_that_cannot_be_reached_any_more_refuses_the_plan(play: Play) -> None:
    play.stack(TWO)
    await save(play)
    play.world["b"].reachable = False
    with pytest.raises(StalePlanError) as caught:
        await apply_file(play, allow_degraded=True)
    assert caught.value.changed[0] == "b"
    assert play.world["a"].data == {}


# -- the file


async def test_the_file_is_for_its_owner_alone_and_replaces_a_plan_but_nothing_else(play: Play) -> None:
    play.stack(TWO)
    await save(play)
    assert stat.S_IMODE(file_of(play).stat().st_mode) == 0o600
    first = file_of(play).read_bytes()
    await save(play)
    assert file_of(play).read_bytes() != first
    assert sorted(p.name for p in play.folder.iterdir()) == ["stack.yaml", "web.plan"]
    planned = await plan(play.request)
    for bad, why in (
        ("stack.yaml", "is not a saved plan"),
        ("no/web.plan", "there is no folder"),
        (".", "is a folder"),
    ):
        with pytest.raises(UsageError, match=why):
            save_plan(planned, play.request, play.folder / bad, redact=lambda value: value)
    assert (play.folder / "stack.yaml").read_text().startswith("\nstack: test")


@pytest.mark.parametrize("at", [0.3, 0.6, 0.99])
async def test_a_damaged_file_is_told(play: Play, at: float) -> None:
    play.stack(TWO)
    await save(play)
    data = bytearray(file_of(play).read_bytes())
    place = int(len(data) * at)
    data[place] ^= 1
    file_of(play).write_bytes(data)
    with pytest.raises(PlanError, match=r"the file is damaged.*make a new plan"):
        load_plan(file_of(play))
    file_of(play).write_bytes(data[:place])
    with pytest.raises(PlanError, match="damaged"):
        load_plan(file_of(play))


@pytest.mark.parametrize("text", [b"", b"PK\x03\x04 a zip", b"[1]\n{}\n", b"[" * 100_000])
def test_a_file_that_is_no_plan_is_told(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "web.plan").write_bytes(text)
    with pytest.raises(PlanError, match="not a saved plan of hacore"):
        load_plan(tmp_path / "web.plan")


async def test_another_format_says_what_to_do(play: Play) -> None:
    play.stack(TWO)
    await save(play)
    head, _, body = file_of(play).read_bytes().partition(b"\n")
    file_of(play).write_bytes(
        head.replace(b'"format":2', b'"format":9').replace(b'"hacore":"', b'"hacore":"9') + b"\n" + body
    )
    with pytest.raises(PlanError, match=r"hacore 9.* wrote it in format 9.*use the hacore that wrote it") as caught:
        load_plan(file_of(play))
    assert "hacore plan --out" in str(caught.value)


async def test_a_plan_read_back_is_shown_as_it_was(play: Play) -> None:
    play.world.vips["v"] = ["a", "b"]
    play.world["a"].data["/x"] = {"text": "theirs\n"}
    await play.make("gate: {g: {vip: v}}\nshared: {s: {vip: v}}\nthing: {gone: {text: v1}, d: {hosts: a, text: v1}}")
    play.world["a"].data["/things/d"]["text"] = "by hand"
    play.stack("""
gate: {g: {vip: v, weight: 7}}
shared: {s: {vip: v}}
thing:
  d: {hosts: a, text: v2}
  x: {hosts: a, key: /x, text: "ours\\n", irreversible: it is so}
  y: {hosts: a, key: /y, copy_of: /z, uses: ['path:/z']}
  z: {hosts: a, key: /z, text: "{{ var.secret }}"}
daemon: {w: {reads: [/x], reload_on: [thing.x]}}
""")
    planned = await save(play)
    shown = load_plan(file_of(play)).plan
    assert plan_json(shown) == plan_json(planned.plan)
    assert shown.health == planned.plan.health == {"shared.s": Health("v", ("a",))}


async def test_what_is_only_shown_is_redacted(play: Play) -> None:
    """Health too: a check's question may have a password in it."""
    play.world.vips["name-geheim-2"] = ["a", "b"]
    await play.make("gate: {g: {vip: name-geheim-2}}\nshared: {s: {vip: name-geheim-2}}")
    planned = await plan(play.request)

    def redact(value: Any) -> Any:
        return json.loads(json.dumps(value).replace("geheim-2", "(sensitive)"))

    save_plan(planned, play.request, file_of(play), redact=redact)
    assert load_plan(file_of(play)).plan.health == {"shared.s": Health("name-(sensitive)", ("a",))}


async def test_a_plan_is_read_without_a_host_and_writes_nothing(play: Play) -> None:
    """Saving a plan writes the file, and neither the state nor a host."""
    await play.make(TWO)
    play.stack(TWO.replace("v1", "v2"))
    before = {p: (p.read_bytes(), p.stat().st_mtime_ns) for p in play.states.iterdir()}
    world = play.world.snapshot()
    await save(play)
    assert {p: (p.read_bytes(), p.stat().st_mtime_ns) for p in play.states.iterdir()} == before
    assert play.world.snapshot() == world
    execs = [m.execs for m in play.world]
    load_plan(file_of(play))
    assert [m.execs for m in play.world] == execs
