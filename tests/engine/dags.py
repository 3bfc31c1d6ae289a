"""Random stacks for machines in memory: chains over two hosts, triggers, aggregates, a guarded pair."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field, replace
from typing import Any

WHERE = (("a",), ("b",), ("a", "b"))


@dataclass(frozen=True)
class Dag:
    """Resources by (kind, name); a body's `hosts` and `needs` are kept apart so that they can be cut."""

    bodies: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    hosts: dict[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)
    needs: dict[tuple[str, str], tuple[tuple[str, str], ...]] = field(default_factory=dict)
    firm: frozenset[tuple[str, str]] = frozenset()  # what a daemon reads stays in every version

    @property
    def text(self) -> str:
        """The resources of the stack file; JSON is YAML."""
        kinds: dict[str, dict[str, Any]] = {}
        for (kind, name), body in self.bodies.items():
            needs = [f"{k}.{n}" for k, n in self.needs[kind, name] if (k, n) in self.bodies]
            hosts = {} if kind in ("gate", "shared") else {"hosts": list(self.hosts[kind, name])}
            kinds.setdefault(kind, {})[name] = {**body, **hosts, **({"needs": needs} if needs else {})}
        return "\n".join(f"{kind}: {json.dumps(found)}" for kind, found in kinds.items())

    @property
    def daemons(self) -> list[tuple[str, str, tuple[str, ...]]]:
        """Host, unit and the keys that it must have loaded as they are."""
        return [
            (host, name, tuple(body["reads"]))
            for (kind, name), body in self.bodies.items()
            if kind == "daemon"
            for host in self.hosts[kind, name]
        ]


def draw(dice: random.Random) -> Dag:
    """A stack."""
    dag = Dag()
    firm: set[tuple[str, str]] = set()
    pair = dice.random() < 0.5
    for number in range(dice.randint(2, 6)):
        body: dict[str, Any] = {"text": "v1"}
        if dice.random() < 0.15:
            body["disrupts"] = "restart"
        if dice.random() < 0.2:
            body["mode"] = "0644"
        _add(dag, ("thing", f"t{number}"), body, dice.choice(WHERE), dice)
    for number in range(dice.randint(0, 2)):
        names = dice.sample(_names(f"p{number}"), dice.randint(1, 2))
        _add(dag, ("pack", f"p{number}"), {"names": names}, dice.choice(WHERE), dice)
    for number in range(dice.choice((0, 0, 2))):
        _add(dag, ("conf", f"c{number}"), {"path": "/etc/conf", "text": "v1"}, ("a", "b"), dice, most=0)
    for number in range(dice.randint(0, 2)):
        hosts = dice.choice(WHERE)
        sources = [key for key in dag.bodies if key[0] == "thing" and set(dag.hosts[key]) >= set(hosts)]
        sources = dice.sample(sources, min(len(sources), dice.randint(1, 2)))
        word = dice.choice(("reload_on", "restart_on"))
        body = {"reads": [f"/things/{name}" for _, name in sources], word: [f"thing.{name}" for _, name in sources]}
        key = ("daemon", f"d{number}")
        _add(dag, key, body, hosts, dice)
        firm |= {key, *sources}
    for number in range(2):
        _add(dag, ("thing", f"last{number}"), {"text": "v1"}, dice.choice(WHERE), dice)
    if pair:
        _add(dag, ("gate", "g"), {"vip": "v"}, ("a", "b"), dice, most=0)
        _add(dag, ("shared", "s"), {"vip": "v", "instance": "gate.g"}, ("a", "b"), dice, most=0)
        firm |= {("gate", "g"), ("shared", "s")}
    return replace(dag, firm=frozenset(firm))


def _names(pack: str) -> list[str]:
    """Some of its own, and one that others have as well: what another installs makes a change a mere note."""
    return [f"{pack}-gcc", f"{pack}-git", "make"]


def _add(
    dag: Dag, key: tuple[str, str], body: dict[str, Any], hosts: tuple[str, ...], dice: random.Random, most: int = 2
) -> None:
    fitting = [k for k in dag.bodies if set(dag.hosts[k]) >= set(hosts)]
    dag.needs[key] = tuple(dice.sample(fitting, min(len(fitting), dice.randint(0, most))))
    dag.bodies[key], dag.hosts[key] = body, hosts


def mutate(dag: Dag, dice: random.Random, version: str) -> Dag:
    """The same stack some time later: other texts and names, things gone and things new."""
    bodies = {key: dict(body) for key, body in dag.bodies.items()}
    for key, body in bodies.items():
        if "text" in body and dice.random() < 0.6:
            body["text"] = version
        if key[0] == "pack" and dice.random() < 0.5:
            body["names"] = dice.sample(_names(key[1]), dice.randint(1, 2))
        if key[0] == "gate" and dice.random() < 0.2:
            body["weight"] = dice.randint(1, 99)
    for key in [k for k in bodies if k not in dag.firm and dice.random() < 0.15]:
        del bodies[key]
    later = Dag(bodies, dict(dag.hosts), dict(dag.needs), dag.firm)
    if dice.random() < 0.5:
        _add(later, ("thing", f"new-{version}"), {"text": version}, dice.choice(WHERE), dice)
    return later


def without_a_source(dag: Dag, dice: random.Random) -> Dag:
    """The same stack without one of the things that its daemons read, and without what names it."""
    read = sorted({name for (kind, _), body in dag.bodies.items() if kind == "daemon" for name in _sources(body)})
    if not read:
        return dag
    gone = dice.choice(read)
    bodies = {key: dict(body) for key, body in dag.bodies.items() if key != ("thing", gone)}
    for (kind, _), body in bodies.items():
        if kind == "daemon":
            body["reads"] = [key for key in body["reads"] if key != f"/things/{gone}"]
            for word in ("reload_on", "restart_on"):
                if word in body:
                    body[word] = [source for source in body[word] if source != f"thing.{gone}"]
    return replace(dag, bodies=bodies)


def _sources(body: dict[str, Any]) -> list[str]:
    return [key.removeprefix("/things/") for key in body["reads"]]
