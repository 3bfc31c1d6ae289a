"""`plan --no-refresh`: the stack against what is recorded. No host is asked."""

from __future__ import annotations

from typing import Any

from hacore.contract import Facts, HostFacts
from hacore.load import load_providers
from hacore.model import Host
from hacore.plan import desired_views
from tests.engine.play import Play
from tests.stacks.test_stacks import PAIR, loaded

STACK = """
thing:
  x: {key: /x, text: v1}
  y: {hosts: a, key: /y, text: "{{ var.secret }}"}
  c: {hosts: a, key: /c, copy_of: /x, uses: ['path:/x']}
daemon: {d: {hosts: a, reads: [/x], reload_on: [thing.x]}}
pack: {p: {hosts: a, names: [one]}}
"""


async def recalled(play: Play, **more: Any) -> dict[str, Any]:
    """The plan; whoever asks a host fails the test."""
    before = [m.execs for m in play.world]
    play.options = {**play.options, "refresh": False}
    found = await play.plan(**more)
    play.options = {**play.options, "refresh": True}
    assert [m.execs for m in play.world] == before
    assert (found["refreshed"], found["applyable"], found["drift"]) == (False, False, [])
    return found


def actions(found: dict[str, Any]) -> dict[str, str]:
    return {c["address"]: c["action"] for c in found["changes"]}


async def test_what_was_applied_is_no_change_whatever_became_of_the_hosts(play: Play) -> None:
    await play.make(STACK)
    play.world["a"].data["/x"]["text"] = "by hand"
    play.world["b"].reachable = False
    assert actions(await recalled(play)) == {}
    assert (await recalled(play))["summary"]["noop"] == 6


async def test_what_the_stack_says_otherwise_is_a_change_secrets_too(play: Play) -> None:
    await play.make(STACK)
    play.stack(STACK.replace("x, text: v1", "x, text: v2").replace("pack:", "conf: {n: {hosts: b, path: /n}}\npack:"))
    play.options = {"variables": {"secret": "another-one"}}
    found = await recalled(play)
    assert actions(found) == {
        "thing.x@a": "update",
        "thing.x@b": "update",
        "thing.y@a": "update",
        "daemon.d@a": "update",
        "conf.n@b": "create",
    }
    (secret,) = [c for c in found["changes"] if c["address"] == "thing.y@a"]
    assert (secret["before"], secret["after"]) == ({"text": "(sensitive)"}, {"text": "(sensitive)"})


async def test_what_left_the_stack_goes_and_a_destroy_takes_all(play: Play) -> None:
    await play.make(STACK)
    assert set(actions(await recalled(play, destroy=True)).values()) == {"delete"}
    play.stack("thing: {x: {hosts: a, key: /x, text: v1}}")
    assert actions(await recalled(play)) == dict.fromkeys(
        ("thing.x@b", "thing.y@a", "thing.c@a", "daemon.d@a", "pack.p@a"), "delete"
    )


async def test_without_a_state_everything_is_to_be_made(play: Play) -> None:
    play.world["a"].data["/x"] = {"text": "v1"}
    play.stack(STACK)
    assert set(actions(await recalled(play)).values()) == {"create"}
    assert not list(play.states.iterdir())


def test_the_real_kinds_say_what_they_want_without_an_answer() -> None:
    """Of a host nothing is known but what the state keeps: its family, its init system."""
    stack, providers = loaded(PAIR), load_providers()
    facts = {name: Facts(HostFacts(family="debian", init="systemd")) for name in stack.hosts}
    hosts: dict[str, Host] = dict(stack.hosts)
    for address, view in desired_views(stack.instances, hosts, facts, providers).items():
        assert providers[address.kind].desire(view).attrs, address
