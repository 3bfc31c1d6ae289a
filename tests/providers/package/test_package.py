"""What a user may write of packages, and from what a host answered to what is observed and wanted."""

from __future__ import annotations

import base64
import dataclasses
import gzip
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from hacore.contract import (
    Action,
    Address,
    Change,
    Claim,
    Facts,
    Host,
    HostFacts,
    Image,
    Output,
    Source,
    Spec,
    Unknown,
    View,
    Work,
)
from hacore_providers.facts.added_packages import ADDED
from hacore_providers.facts.packages import CANDIDATE, PACKAGE, Package
from hacore_providers.package.manager import read_images
from hacore_providers.package.provider import PROVIDER
from hacore_providers.package.spec import PackageSpec, wishes

CASES = sorted((Path(__file__).parent / "cases").glob("*.json"))
HERE = Address("package", "it", host="lb1")
HERE_0 = Address("package", "r0", host="lb1")
DEBIAN = Facts(HostFacts(family="debian", packager="dpkg"))


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.stem)
def test_case(case: Path) -> None:
    given = json.loads(case.read_text())
    spec = PackageSpec(**given["spec"])
    answers: dict[tuple[str, str], Any] = {}
    for fact in (PACKAGE, CANDIDATE):
        values: Mapping[str, Any] = fact.parse(given["stdout"].get(fact.name, "").encode())
        answers.update({(fact.name, name): value for name, value in values.items()})
    view = View(HERE, spec, None, Facts(HostFacts(family=given["family"]), answers))

    observed, desired = PROVIDER.observe(view), PROVIDER.desire(view)

    assert (observed and {"attrs": observed.attrs, "info": observed.info}) == given["observed"]
    assert desired.attrs is not None
    assert {name: str(value) for name, value in desired.attrs.items()} == given["desired"]


def test_there_are_cases() -> None:
    assert len(CASES) > 10


@pytest.mark.parametrize(
    ("fields", "field", "message"),
    [
        ({}, "names", "has no name"),
        ({"names": {"debian": []}}, "names", "has no name"),
        ({"name": "a", "names": ["b"]}, "names", "exclude each other"),
        ({"names": ["gcc="]}, "names", "not a package name"),
        ({"names": ["gcc-"]}, "names", "not a package name"),
        ({"names": ["-y"]}, "names", "not a package name"),
        ({"names": ["lib*"]}, "names", "not a package name"),
        ({"names": ["a b"]}, "names", "not a package name"),
        ({"names": ["a;b"]}, "names", "not a package name"),
        ({"names": ["./local.deb"]}, "names", "not a package name"),
        ({"names": ["gcc\n"]}, "names", "not a package name"),
        ({"name": "nginx/stable"}, "name", "not a package name"),
        ({"names": ["a"], "version": "1"}, "version", "write name: instead of names:"),
        ({"name": "a", "version": "1 2"}, "version", "is not a version"),
        ({"name": "a", "version": "1*"}, "version", "is not a version"),
        ({"name": "a", "version": "1", "ensure": "absent"}, "ensure", "exclude each other"),
        ({"name": "a", "version": "1", "ensure": "latest"}, "ensure", "exclude each other"),
    ],
)
def test_mistakes(fields: dict[str, Any], field: str, message: str) -> None:
    ((host, mistake),) = PROVIDER.validate({"lb1": PackageSpec(**fields)}, {})

    assert (host, mistake.field) == ("lb1", field)
    assert message in mistake.message


@pytest.mark.parametrize(
    "fields",
    [
        {"names": ["gcc", "g++", "libstdc++6", "libc6:i386", "perl-modules-5.36", "R", "python3.11"]},
        {"names": {"debian": ["gcc"], "redhat": ["kernel-headers", "NetworkManager", "compat-libstdc++-33"]}},
        {"name": "keepalived", "version": "1:2.2.7-1+b2"},
        {"name": "x", "version": "1.0~rc1^git-2"},
        {"names": ["nginx"], "ensure": "absent", "manager": "apt"},
    ],
)
def test_no_mistakes(fields: dict[str, Any]) -> None:
    assert list(PROVIDER.validate({"lb1": PackageSpec(**fields)}, {})) == []


@pytest.mark.parametrize("fields", [{"names": "gcc"}, {"ensure": "purged"}, {"manager": "pip"}, {"package": "gcc"}])
def test_shapes_that_are_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        PackageSpec(**fields)


class Body:
    """A resource without names of its own."""

    name, sensitive, folder = 'tree["a"]', False, Path("/stack")
    host = Host(name="lb1", address="192.0.2.1")

    def read(self, path: str) -> bytes:
        raise AssertionError

    def source(self, path: str, above: int = 0) -> Source | None:
        raise AssertionError

    def render(self, path: str, extra: Mapping[str, Any]) -> tuple[str, bool]:
        raise AssertionError

    def resource(self, kind: str, name: str) -> Spec | None:
        return None

    def fetch(self, url: str, sha256: str) -> bytes | None:
        return None


def test_the_resources_name_is_the_default() -> None:
    assert PROVIDER.resolve(PackageSpec(), Body()).every == ("tree",)
    assert PROVIDER.resolve(PackageSpec(names=("gcc",)), Body()).every == ("gcc",)
    assert PROVIDER.resolve(PackageSpec(name="gcc"), Body()).every == ("gcc",)


def test_names_of_all_families_are_claimed_and_shared() -> None:
    spec = PackageSpec(names={"debian": ("gcc", "make"), "redhat": ("gcc",)})

    assert PROVIDER.claims(spec) == [Claim("pkg:gcc", "share"), Claim("pkg:make", "share")]
    assert [ask.arg for ask in PROVIDER.facts(spec) if ask.fact is PACKAGE] == ["gcc", "make"]
    assert PackageSpec.model_validate_json(spec.model_dump_json()) == spec


def test_candidates_are_asked_for_latest_only() -> None:
    latest, present = (PROVIDER.facts(PackageSpec(names=("a",), ensure=ensure)) for ensure in ("latest", "present"))
    assert [ask.fact for ask in latest] == [PACKAGE, CANDIDATE, ADDED]
    assert [ask.fact for ask in present] == [PACKAGE, ADDED]


def test_two_resources_that_name_one_package() -> None:
    """Who says more wins; nobody's wish for absence removes what another wants."""
    specs = [
        PackageSpec(names=("a", "b", "c"), ensure="absent"),
        PackageSpec(names=("a", "b")),
        PackageSpec(name="b", version="1"),
        PackageSpec(names=("b",), ensure="latest"),
    ]
    orders = [specs, specs[::-1]]

    for order in orders:
        found = wishes(((HERE, spec) for spec in order), "debian")
        assert {name: wish.want for name, wish in found.items()} == {"a": "installed", "b": "1", "c": "absent"}


@pytest.mark.parametrize(
    ("weaker", "stronger"),
    [
        ({"ensure": "absent"}, {}),
        ({"ensure": "absent"}, {"ensure": "latest"}),
        ({}, {"ensure": "latest"}),
        ({}, {"version": "1"}),
        ({"ensure": "latest"}, {"version": "1"}),
        ({"version": "1"}, {"version": "1"}),
    ],
)
@pytest.mark.parametrize("turn", [1, -1])
def test_the_stronger_wish_wins_in_any_order(weaker: dict[str, Any], stronger: dict[str, Any], turn: int) -> None:
    specs = [PackageSpec(name="a", **weaker), PackageSpec(name="a", **stronger)]
    found = wishes([(HERE, spec) for spec in specs[::turn]], "debian")
    assert found == wishes([(HERE, specs[1])], "debian")


@pytest.mark.parametrize(
    ("fields", "governed"),
    [({}, False), ({"ensure": "absent"}, False), ({"ensure": "latest"}, True), ({"version": "1"}, True)],
)
def test_whose_version_is_managed(fields: dict[str, Any], governed: bool) -> None:
    (wish,) = wishes([(HERE, PackageSpec(name="a", **fields))], "debian").values()
    assert wish.governed is governed


def test_only_managed_versions_are_restored_to_theirs() -> None:
    image = Image({"manager": "apt"}, {"packages": b"", "auto": b"", "paths": b""}, run=1)
    specs = (
        PackageSpec(names=("a", "b")),
        PackageSpec(name="c", version="1"),
        PackageSpec(names=("d",), ensure="latest"),
    )
    addresses = [Address("package", f"r{number}", host="lb1") for number in range(3)]

    (undo,) = PROVIDER.undo(_work(*specs, images=dict.fromkeys(addresses, image)))

    assert "names='a b c d'\ngoverned='c d'\n" in undo.script
    assert undo.detached, "it survives a lost connection"


@pytest.mark.parametrize(
    ("fields", "packages"),
    [
        ({"names": ("a",)}, "present=a\nnewest=''\npins=''\nremove=''\n"),
        ({"names": ("a",), "ensure": "latest"}, "present=''\nnewest=a\npins=''\nremove=''\n"),
        ({"names": ("a",), "ensure": "absent"}, "present=''\nnewest=''\npins=''\nremove=a\n"),
        ({"name": "a", "version": "1"}, "present=''\nnewest=''\npins=a=1\nremove=''\n"),
    ],
)
def test_what_apply_does_with_a_name(fields: dict[str, Any], packages: str) -> None:
    (step,) = PROVIDER.apply(_work(PackageSpec(**fields)))
    assert step.script.startswith(packages)


def test_names_of_no_package_need_no_step() -> None:
    assert PROVIDER.apply(_work(PackageSpec(names={"debian": (), "redhat": ("gcc",)}))) == []


@pytest.mark.parametrize(("facts", "present"), [(DEBIAN, "deb"), (Facts(HostFacts(packager="dpkg")), "deb")])
def test_the_names_of_a_host_without_a_known_family_are_those_of_its_package_manager(
    facts: Facts, present: str
) -> None:
    spec = PackageSpec(names={"debian": ("deb",), "redhat": ("rpm",)})
    (step,) = PROVIDER.apply(Work((Change(HERE, Action.CREATE, spec),), facts=facts))
    assert step.script.startswith(f"present={present}\n")


def _work(*specs: PackageSpec, action: Action = Action.CREATE, images: Mapping[Address, Image] | None = None) -> Any:
    addresses = [Address("package", f"r{number}", host="lb1") for number in range(len(specs))]
    changes = tuple(Change(address, action, spec) for address, spec in zip(addresses, specs, strict=True))
    return Work(changes, images or {}, facts=DEBIAN)


def test_all_names_of_a_task_are_one_step() -> None:
    work = _work(PackageSpec(names=("gcc",)), PackageSpec(name="nginx", version="1"), PackageSpec(names=("make",)))

    (step,) = PROVIDER.apply(work)

    assert step.script.startswith("present='gcc make'\nnewest=''\npins=nginx=1\nremove=''\n")
    assert step.detached


def test_one_image_is_undone_once_and_older_origins_later() -> None:
    specs = [PackageSpec(names=(name,)) for name in ("a", "b", "c")]
    addresses = [Address("package", f"r{number}", host="lb1") for number in range(3)]
    old, young = (
        Image({"manager": "apt"}, {"packages": b"%d" % run, "auto": b"", "paths": b""}, run=run) for run in (3, 7)
    )
    images = dict(zip(addresses, (old, young, old), strict=True))

    together = PROVIDER.undo(_work(*specs, images=dict.fromkeys(addresses, old)))
    apart = PROVIDER.delete(_work(*specs, action=Action.DELETE, images=images))

    assert [step.what for step in together] == ["restoring a b c"]
    assert [step.what for step in apart] == ["restoring b", "restoring a c"]


def test_a_delete_keeps_packages_of_other_resources_and_other_stacks() -> None:
    image = Image({"manager": "apt"}, {"packages": b"", "auto": b"", "paths": b""}, run=1)
    work = _work(PackageSpec(names=("a", "b", "c")), action=Action.DELETE, images={HERE_0: image})
    others = ((HERE_0, PackageSpec(names=("a", "b", "c"))), (HERE, PackageSpec(names=("b",))))
    work = dataclasses.replace(work, wanted=others, foreign=frozenset({"pkg:c", "path:/etc/x"}))

    (delete,) = PROVIDER.delete(work)
    (undo,) = PROVIDER.undo(work)

    assert "\nkept='b c'\n" in delete.script
    assert "\nkept=''\n" in undo.script, "an undo restores the state before the run, also of shared packages"


def test_configuration_files_in_an_image_are_encrypted_in_the_state() -> None:
    """They may contain a secret."""
    listing = b"packages " + base64.b64encode(gzip.compress(b"a\t1\tii\n"))
    configuration = b"configuration " + base64.b64encode(gzip.compress(b"tar"))

    plain = read_images(Output(0, listing), [HERE], "apt")[HERE]
    secret = read_images(Output(0, listing + b"\n" + configuration), [HERE], "apt")[HERE]

    assert plain.modes == ()  # no content of a file
    assert secret.modes == (0,)
    assert secret.blobs["configuration"] == b"tar"


def test_without_an_image_nothing_is_undone() -> None:
    assert PROVIDER.undo(_work(PackageSpec(names=("a",)))) == []


def test_a_package_that_is_not_known_hides_no_other() -> None:
    spec = PackageSpec(names=("none", "b"))
    answers = PACKAGE.parse(b"asked b\nmanager dpkg \ndpkg b amd64 ii  1.22.1-8\n")
    facts = Facts(HostFacts(family="debian"), {(PACKAGE.name, name): value for name, value in answers.items()})
    observed = PROVIDER.observe(View(HERE, spec, None, facts))
    assert observed is not None
    assert dict(observed.attrs) == {"b": "installed"}


def _on(packager: str, manager: str) -> Work[PackageSpec]:
    change = Change(HERE, Action.CREATE, PackageSpec(names=("a",), manager=manager))
    return Work((change,), facts=Facts(HostFacts(packager=packager)))


def test_a_host_without_apt_is_told_so_before_anything_is_touched() -> None:
    work = _on("rpm", "apt")

    (step,) = PROVIDER.prepare(work)

    assert "cannot manage packages: apt not found on this host (package manager: rpm)" in step.script
    assert "exit 1" in step.script


def test_names_for_another_family_are_unknown_not_nothing() -> None:
    spec = PackageSpec(names={"redhat": ("gcc",)})

    desired = PROVIDER.desire(View(HERE, spec, None, DEBIAN))

    assert desired.attrs is not None
    assert isinstance(desired.attrs["names"], Unknown)


def test_pins_of_resources_that_do_not_change_go_into_every_call() -> None:
    pin, other = PackageSpec(name="nginx", version="1"), PackageSpec(name="nginx", ensure="present")
    module = PackageSpec(names=("nginx-module",))
    everything = tuple((Address("package", f"w{n}", host="lb1"), spec) for n, spec in enumerate((pin, other, module)))

    def firm(*changed: PackageSpec) -> set[str]:
        work = dataclasses.replace(_work(*changed), wanted=everything)
        return {
            line
            for step in (*PROVIDER.prepare(work), *PROVIDER.apply(work))
            for line in step.script.splitlines()
            if line.startswith("firm=")
        }

    assert firm(module) == {"firm=nginx=1"}
    assert firm(other) == {"firm=nginx=1"}
    assert firm(pin) == {"firm=''"}, "a version that changes is no pin of another resource"


@pytest.mark.parametrize(
    ("fields", "said", "warning"),
    [
        ({"ensure": "latest"}, "ensure is latest, but demo is held on the host at 1.0: release it there", False),
        ({"ensure": "absent"}, "ensure is absent, but demo is held on the host: release it there", False),
        ({"version": "2.0"}, "version is 2.0, and demo is held on the host at 1.0: it changes, and the hold", True),
        ({"version": "1.0"}, "", False),
        ({}, "", False),
    ],
)
def test_a_hold_is_told_before_anything_is_changed(fields: dict[str, Any], said: str, warning: bool) -> None:
    spec = PackageSpec(name="demo", **fields)
    for held in (True, False):
        answers = {("package", "demo"): Package("installed", "1.0", held), ("package candidate", "demo"): "2.0"}
        facts = Facts(HostFacts(packager="dpkg", family="debian"), answers)
        found = list(PROVIDER.examine(View(Address("package", "demo", host="lb1"), spec, None, facts)))
        assert len(found) == (1 if said and held else 0)
        assert all(said in str(mistake) and mistake.warning is warning for mistake in found)


@pytest.mark.parametrize(
    ("fields", "found", "effect"),
    [
        ({"ensure": "latest"}, Package("installed", "1.0"), "may restart the daemons of web"),
        ({"ensure": "latest"}, Package("installed", "2.0"), ""),
        ({"ensure": "latest"}, Package("absent"), "install 1 package"),
        ({"version": "0.9"}, Package("installed", "1.0"), "may restart the daemons of web"),
        ({"version": "0.9"}, Package("installed", "0.9"), ""),
        ({"version": "0.9"}, Package("absent"), "install 1 package"),
        ({"ensure": "absent"}, Package("installed", "1.0"), "may stop the daemons of web"),
        ({"ensure": "absent"}, Package("absent"), ""),
        ({}, Package("installed", "1.0"), ""),
        ({}, Package("absent"), "install 1 package"),
    ],
)
def test_a_change_of_an_installed_package_interrupts_its_daemons(
    fields: dict[str, Any], found: Package, effect: str
) -> None:
    """A new one interrupts nothing: nobody uses it yet."""
    answers = {(PACKAGE.name, "web"): found, (CANDIDATE.name, "web"): "2.0"}
    desired = PROVIDER.desire(View(HERE, PackageSpec(name="web", **fields), None, _answering(answers)))
    assert (desired.effect, desired.disrupts) == (effect, "restart" if "daemons" in effect else "none")


def test_a_newest_version_that_is_not_known_yet_may_be_another() -> None:
    answers = {(PACKAGE.name, "web"): Package("installed", "1.0"), (CANDIDATE.name, "web"): ""}
    desired = PROVIDER.desire(View(HERE, PackageSpec(name="web", ensure="latest"), None, _answering(answers)))
    assert desired.disrupts == "restart"


def test_a_partial_version_of_an_rpm_that_is_installed_is_no_change() -> None:
    facts = Facts(
        HostFacts(family="redhat", packager="rpm"), {(PACKAGE.name, "web"): Package("installed", "1.2-3.el9")}
    )
    assert PROVIDER.desire(View(HERE, PackageSpec(name="web", version="1.2"), None, facts)).disrupts == "none"
    assert PROVIDER.desire(View(HERE, PackageSpec(name="web", version="1.1"), None, facts)).disrupts == "restart"


def _answering(answers: Mapping[tuple[str, str], Any]) -> Facts:
    return Facts(HostFacts(family="debian", packager="dpkg"), answers)


@pytest.mark.parametrize(
    ("hold", "found", "attrs", "effect"),
    [
        (None, {"a": Package("installed", "1", held=True)}, {"a": "installed"}, ""),
        (True, {"a": Package("installed", "1")}, {"a": "installed", "hold": False}, "hold them"),
        (True, {"a": Package("installed", "1", held=True)}, {"a": "installed", "hold": True}, ""),
        (
            True,
            {"a": Package("installed", "1", held=True), "b": Package("installed", "1")},
            {"a": "installed", "b": "installed", "hold": False},
            "hold them",
        ),
        (True, {"a": Package("absent")}, None, "install 1 package, hold them"),
        (False, {"a": Package("installed", "1", held=True)}, {"a": "installed", "hold": True}, "release their hold"),
        (False, {"a": Package("absent")}, None, "install 1 package"),
    ],
)
def test_a_hold_is_a_desired_state(
    hold: bool | None, found: dict[str, Package], attrs: dict[str, object] | None, effect: str
) -> None:
    spec = PackageSpec(names=tuple(found), hold=hold)
    view = View(HERE, spec, None, _answering({(PACKAGE.name, name): package for name, package in found.items()}))
    observed, desired = PROVIDER.observe(view), PROVIDER.desire(view)
    assert (observed and observed.attrs) == attrs
    assert ((desired.attrs or {}).get("hold"), desired.effect) == (hold, effect)
    assert list(PROVIDER.examine(view)) == []


def test_a_hold_is_of_apt_and_contradicts_what_moves_a_package() -> None:
    facts = Facts(HostFacts(family="redhat", packager="rpm"))
    (mistake,) = PROVIDER.examine(View(HERE, PackageSpec(name="a", hold=True), None, facts))
    assert str(mistake).startswith("hold is for apt: with dnf, set a version")
    for fields in ({"ensure": "latest"}, {"ensure": "absent"}, {"manager": "dnf"}):
        ((_, wrong),) = PROVIDER.validate({"lb1": PackageSpec(name="a", hold=True, **fields)}, {})  # type: ignore[arg-type]
        assert wrong.field == "hold"


def test_the_task_holds_and_releases_what_its_specs_decide() -> None:
    one, two = PackageSpec(names=("a", "b"), hold=True), PackageSpec(names=("b", "c"), hold=False)
    changes = tuple(Change(Address("package", n, host="lb1"), Action.UPDATE, s) for n, s in (("x", one), ("y", two)))
    script = PROVIDER.apply(Work(changes, facts=DEBIAN))[0].script
    assert "hold='a b'\nrelease=c\n" in script
