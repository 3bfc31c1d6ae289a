"""Canaries in stacks of all kinds of machines in memory, drawn at random, through the life of a stack.

A canary may be on the machines, in what the stack manages there, and nowhere else: not in what a command prints, not
in the state, a saved plan, or a machine's marker. A run fails, one is killed, one is resumed or rolled back, a value
changes, a value ceases to be secret. `HACORE_CANARIES` is the number of stacks, `HACORE_SEED` the first seed.
"""

from __future__ import annotations

import json
import os
import random
from collections.abc import Awaitable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

import hacore.engine
from hacore.engine import ApplyOptions, LoadRequest, Means, Request
from hacore.plan import seal_attrs
from hacore.testing import KINDS
from tests.cli.canaries import FILTERS, LETTERS, SHORT, found_in, state_bytes, transforms
from tests.cli.conftest import Console
from tests.engine.conftest import impatient
from tests.engine.killing import Grave, run_killed

STACKS = int(os.environ.get("HACORE_CANARIES", "6"))
FIRST = int(os.environ.get("HACORE_SEED", "1"))
PUBLIC = "listen 80 as root, true for nginx"


@dataclass
class Stack:
    """A stack drawn from a seed: its text in several versions, and its secrets."""

    seed: int
    short: str = ""
    words: dict[str, str] = field(default_factory=dict)  # variable to its value, in this version
    secrets: set[str] = field(default_factory=set)  # of all versions
    bodies: dict[str, list[str]] = field(default_factory=dict)
    short_at: set[str] = field(default_factory=set)  # addresses of which the text is the short secret

    def __post_init__(self) -> None:
        self.dice = random.Random(self.seed)
        self.short = self.dice.choice(SHORT)
        self.rotate()
        self.draw()

    def word(self) -> str:
        return "".join(self.dice.choices(LETTERS, k=14))

    def rotate(self) -> None:
        """Other values for all secrets; the former ones stay secret."""
        self.words = {
            "pw": f"Canary-{self.word()}",
            "pin": str(self.dice.randint(10**9, 10**10 - 1)),
            "deep": f"deep-{self.word()}",
            "lines": f"first-{self.word()}\nsecond-{self.word()}",
        }
        for word in self.words.values():
            self.secrets.update(*map(transforms, word.splitlines()))

    def draw(self) -> None:
        """Resources of all kinds, of which most name a secret somewhere."""
        dice = self.dice
        self.bodies = {kind: [] for kind in ("thing", "pack", "conf", "daemon", "gate", "shared")}
        for number in range(dice.randint(2, 5)):
            hosts = dice.choice(("", "hosts: a, ", "hosts: b, "))
            extra = dice.choice(("", "", 'irreversible: "{}", ', "disrupts: restart, ", 'mode: "{}", '))
            extra = extra.format(self.expression())
            self.bodies["thing"].append(f't{number}: {{{hosts}{extra}text: "{self.text()}"}}')
        self.bodies["thing"].append('short: {text: "{{ var.short }}"}')
        self.bodies["thing"].append("twin: {copy_of: /things/short, needs: [thing.short]}")
        self.bodies["thing"].append(
            'each: {hosts: a, for_each: {x: {token: "{{ var.pw }}"}}, text: "{{ each.value.token }}"}'
        )
        for number in range(dice.randint(1, 3)):
            self.bodies["conf"].append(f'c{number}: {{path: /etc/conf, text: "{self.text()}"}}')
        self.bodies["conf"].append('short: {path: /etc/conf, text: "{{ var.short }}"}')
        self.bodies["conf"].append(f'open: {{path: /etc/conf, text: "{PUBLIC}"}}')
        # pasted, where no expression names it: found by its value
        self.bodies["conf"].append('pasted: {path: /etc/conf, text: "key = PASTED"}')
        self.bodies["thing"].append('pasted: {text: "key = PASTED"}')
        self.bodies["pack"].append("p: {names: [nginx, make]}")
        self.bodies["daemon"].append("d: {reads: [/things/t0], reload_on: [thing.t0], hosts: a}")
        if "hosts: b" in self.bodies["thing"][0]:
            self.bodies["daemon"] = []
        self.bodies["gate"].append("g: {vip: v}")
        self.bodies["shared"].append("s: {vip: v, instance: gate.g}")

    def expression(self) -> str:
        """An expression that gives a secret, or something made of it."""
        dice = self.dice
        return dice.choice(
            (
                f"{{{{ var.pw{dice.choice(FILTERS)} }}}}",
                "{{ var.pin | string }}",
                "{{ (var.pin + 0) | string }}",
                "{{ var.deep.list[0] }}",
                "{{ host.vars.token }}",
                "{{ hosts.b.vars.token | upper }}",
                "{{ 'port' if var.flag else var.pw }}{{ var.pw }}",
                "{% for one in var.deep.list %}{{ one }}{% endfor %}",
            )
        )

    def text(self) -> str:
        """A text with a secret in it, or none."""
        dice = self.dice
        if dice.random() < 0.2:
            return f"{PUBLIC} {dice.randint(0, 9)}"
        return f"user ops {dice.choice(('', 'password='))}{self.expression()} {dice.choice(('', PUBLIC))}"

    @property
    def yaml(self) -> str:
        resources = "\n".join(f"  {kind}: {{{', '.join(bodies)}}}" for kind, bodies in self.bodies.items() if bodies)
        resources = resources.replace("PASTED", self.words["pw"])
        return f"""stack: web
variables:
  pw: {{type: string, sensitive: true}}
  pin: {{type: int, sensitive: true}}
  flag: {{type: bool, sensitive: true, default: true}}
  short: {{type: string, sensitive: true, default: '{self.short}'}}
  deep: {{type: map, sensitive: true}}
hosts:
  a: {{address: 192.0.2.1, vars: {{token: "{{{{ var.pw | reverse }}}}"}}}}
  b: {{address: 192.0.2.2, vars: {{token: "{{{{ var.deep.list[0] }}}}"}}}}
resources:
{resources}
outputs:
  pin: "{{{{ var.pin }}}}"
  number: "{{{{ var.pin * 1 }}}}"
  url: "http://ops:{{{{ var.pw }}}}@127.0.0.1:80/"
  list: ["{{{{ var.pw | upper }}}}", 80, true]
  map: {{deep: "{{{{ var.deep }}}}", host: "{{{{ hosts.a.vars.token }}}}"}}
  open: "{PUBLIC}"
"""

    @property
    def canaries(self) -> list[bytes]:
        return [secret.encode() for secret in self.secrets if len(secret) > 6]


class Life:
    """One stack and its commands; what they leaked."""

    def __init__(self, console: Console, stack: Stack) -> None:
        self.console, self.stack = console, stack
        self.leaked: list[str] = []
        self.unrecognizable: set[bytes] = set()  # parts of secrets that a program printed: not in the state
        console.world.vips["v"] = ["a", "b"]

    def write(self) -> None:
        """The stack's file, and the values of its variables in the environment."""
        (self.console.folder / "stack.yaml").write_text(self.stack.yaml)
        words = self.stack.words
        for name, value in (
            ("pw", words["pw"]),
            ("pin", words["pin"]),
            ("deep", f'{{"list": ["{words["deep"]}"], "lines": "{words["lines"]}"}}'.replace("\n", "\\n")),
        ):
            self.console.monkeypatch.setenv(f"HACORE_VAR_{name}", value)

    def __call__(self, *argv: str, codes: tuple[int, ...] = (0,)) -> str:
        done = self.console(*argv)
        shown = done.out + done.err
        assert "internal error" not in shown, shown
        assert done.code in codes, f"{argv}: {done.code}\n{shown}"
        self.search(" ".join(argv), shown.encode())
        return done.out

    def search(self, place: str, data: bytes, *also: bytes) -> None:
        self.leaked += found_in(place, data, [*self.stack.canaries, *also])

    def open_terminal(self) -> None:
        """Without the last filter: what the engine hands out must be without secrets already."""
        self.console.monkeypatch.setattr("hacore.render.redact.Redactor.text", lambda _self, text: text)
        self.console.monkeypatch.setattr("hacore.render.redact.Redactor.data", lambda _self, value: value)

    def alone(self, *argv: str, codes: tuple[int, ...] = (0,)) -> str:
        """A command that loads no stack: it knows no secret of it."""
        with pytest.MonkeyPatch.context() as patch:
            for name in [name for name in os.environ if name.startswith("HACORE_VAR_")]:
                patch.delenv(name)
            shown = self(*argv, codes=codes)
            self.search(" ".join(argv), shown.encode(), *self.unrecognizable)
            return shown

    def fail_somewhere(self) -> None:
        """The next write prints secrets, as a program does that quotes the wrong line, and fails."""
        machine = self.console.world[self.stack.dice.choice("ab")]
        quoted = self.stack.dice.choice(sorted(self.stack.words.values()))
        where = self.stack.dice.choice(("write *", "write /etc/conf", "restart *"))
        half = ""
        if where == "write /etc/conf":  # of something sensitive: what was made of a secret must not be stored either
            half = quoted[-9:]
            self.unrecognizable.add(half.encode())
        machine.fail(where, f"line 3: {quoted}: bad {half[::-1]} {half}")

    def kill(self) -> None:
        """An apply that is killed at some moment."""
        means = Means(KINDS, connect=self.console.world.connect, user="tester@test")
        request = Request(LoadRequest(self.console.folder / "stack.yaml"), means, options=ApplyOptions())

        async def yes(*_: Any) -> bool:
            return True

        def work() -> Awaitable[Any]:
            return hacore.engine.apply(request, approve=yes)

        grave = Grave()
        run_killed(self.console.world, grave, work, self.stack.dice.randint(4, 50))
        grave.close()

    def look(self) -> None:
        """What the readers print, and what is on the disk."""
        for argv in (
            ("runs",),
            ("runs", "--json"),
            ("state", "pull"),
            ("state", "list"),
            ("state", "history"),
            ("state", "history", "--json"),
            ("drift", "--json"),
            ("drift",),
            ("show",),
            ("show", "--json"),
        ):
            self.alone(*argv, codes=(0, 1, 2))
        for number in range(1, self.alone("runs").count("\n") + 1):
            self.alone("runs", str(number), codes=(0, 1))
            self.alone("runs", str(number), "--json", codes=(0, 1))
        self("graph")
        self("status", codes=(0, 1, 2))
        self("report", "--html", "report.html", codes=(0, 1, 2))
        self("plan", "--html", "plan.html", codes=(0, 1))
        self.files()

    def files(self) -> None:
        """All files but the stack's own; a machine's markers."""
        for path in (p for p in self.console.folder.rglob("*") if p.is_file() and p.suffix not in (".yaml", ".j2")):
            data = state_bytes(path) if path.suffix == ".db" else path.read_bytes()
            self.search(path.name, data, *self.unrecognizable)
        for machine in self.console.world:
            self.search(f"markers of {machine.name}", "".join(machine.markers.values()).encode())


def short_ones(life: Life) -> list[str]:
    """What is wrong with a secret that stands everywhere: it is hidden at its own fields, and nothing else is."""
    changes = {change["address"]: change for change in json.loads(life("plan", "--json"))["changes"]}
    wanted = dict.fromkeys(("thing.short@a", "thing.short@b", "conf.short@a", "conf.short@b"), "(sensitive)")
    wanted["conf.open@a"] = PUBLIC
    shown = {address: changes[address]["after"]["text"] for address in wanted}
    return [f"{address} shows {shown[address]}" for address in wanted if shown[address] != wanted[address]]


def live(life: Life) -> None:
    """The whole life of a stack."""
    dice = life.stack.dice
    life.write()
    life("validate")
    life.leaked += short_ones(life)
    life("plan", "--out", "first.plan")
    life("show", "first.plan")
    life("show", "first.plan", "--json")
    life.files()
    if dice.random() < 0.5:
        life.kill()
        life("plan", codes=(0, 1))
        life.look()
        back = dice.random() < 0.5
        if back:
            life.alone("rollback", "--auto-approve", codes=(0, 1))
        life("apply", "--auto-approve", *([] if back else ["--resume"]), codes=(0, 1))
    life.fail_somewhere()
    life("apply", "--auto-approve", "--on-failure", dice.choice(("halt", "rollback")), codes=(0, 1))
    life.look()
    for machine in life.console.world:
        machine.rules.clear()
    if dice.random() < 0.5:
        life.alone("rollback", "--auto-approve", codes=(0, 1))
    life("apply", "--auto-approve", "--json", codes=(0, 1))
    life("apply", "--auto-approve", codes=(0, 1))
    life("output")
    life("output", "--json")
    life.look()

    changed = life.console.world["a"].data
    for key in sorted(changed)[: dice.randint(1, 3)]:  # by hand, so that there is drift in something sensitive
        if "text" in changed[key]:
            changed[key]["text"] += " by hand"
    life.look()
    life("plan", "--json")
    life("plan", "--no-refresh", "--json")
    life.stack.rotate()  # the old values are known to no stack any more
    if dice.random() < 0.5:
        life.stack.draw()
    life.write()
    life("plan")
    life("plan", "--out", "second.plan")
    life("show", "second.plan")
    life.fail_somewhere()
    life("apply", "--auto-approve", "--json", codes=(0, 1))
    for machine in life.console.world:
        machine.rules.clear()
    life("apply", "--auto-approve", codes=(0, 1))
    life.look()
    for expression in ("var", "hosts", "groups", "var.values() | list", "[var, host]", "env('HOME') ~ var"):
        life("console", expression, codes=(0, 1))
    for address in life.alone("state", "list").split():
        kind, _, rest = address.partition("@")[0].partition(".")
        name, each = rest.partition("[")[::2]
        life("console", f"resource.{kind}['{name}']{'[' + each if each else ''}.text", codes=(0, 1))
        life.alone("state", "show", address)
        life.alone("state", "show", address, "--json")
    life.alone("rollback", "--auto-approve", codes=(0, 1))
    life("destroy", "--auto-approve", codes=(0, 1))
    life.look()


@pytest.fixture
def console(console: Console, monkeypatch: pytest.MonkeyPatch) -> Iterator[Console]:
    impatient(monkeypatch)
    monkeypatch.setenv("COLUMNS", "20000")  # a broken line hides a secret from the search, not from people
    yield console


@pytest.mark.parametrize("seed", range(FIRST, FIRST + STACKS))
def test_no_canary_is_found(console: Console, seed: int) -> None:
    life = Life(console, Stack(seed))
    if seed % 2:
        life.open_terminal()
    live(life)
    assert life.leaked == []


def unsealed(provider: Any, instance: Any, _seal: Any) -> Any:
    """A recorded spec without seals."""
    return provider.recorded(instance.spec).model_dump(mode="json", exclude_defaults=True)


DOORS: dict[str, tuple[str, Any]] = {
    "attrs of rows": ("hacore.journal.new_rows.seal_attrs", lambda attrs, *_: attrs),
    "specs of rows": ("hacore.journal.new_rows.recorded_spec", unsealed),
    "specs of tasks": ("hacore.journal.task_records.recorded_spec", unsealed),
    "attrs of saved plans": ("hacore.plan.saved_format._attrs", lambda attrs, *_: seal_attrs(attrs, (), str)),
    "before-images": ("hacore.walk.forward.protected", lambda images, *_: dict(images)),
    "the output of programs": ("hacore.walk.steps.is_sensitive", lambda *_: False),
    "free text": ("hacore.secrets.Secrets.scrub", lambda _self, text: text),
    "outputs in JSON": ("hacore.plan.public_json.masked", lambda values, _names: dict(values)),
    "outputs on the screen": ("hacore.render.result.masked", lambda values, _names: dict(values)),
    "values that were secret": ("hacore.plan.types.PlannedChange.sensitive", property(lambda _self: frozenset())),
    "effects": ("hacore.plan.sealing._scrubbed", lambda desired, _secrets: desired),
    "secrets by value": ("hacore.secrets.Secrets.holds", lambda _self, _value: False),
}
"""What is replaced by a door that stands open. The terminal's filter, which is behind them all, is open as well."""


@pytest.mark.parametrize("door", DOORS)
def test_a_leak_in_each_door_is_found(console: Console, door: str) -> None:
    """The search can see: with this door open it finds a canary, and with all doors shut none (see above)."""
    console.monkeypatch.setattr(*DOORS[door])
    leaked: list[str] = []
    for seed in range(1, 6):
        for machine in console.world:
            machine.data.clear()
        life = Life(console, Stack(seed))
        life.open_terminal()
        try:
            live(life)
        finally:
            leaked += life.leaked
        if leaked:
            break
    assert leaked, f"nothing was found with an open door: {door}"
