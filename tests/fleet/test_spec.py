"""fleet.yaml and its tables: what they mean, and all mistakes at once, each at its place."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hacore.errors import StackError, UsageError
from hacore.fleet.spec import Fleet, find_fleet, load_fleet
from tests.fleet.conftest import STACK


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "edge").mkdir()
    (tmp_path / "edge" / "stack.yaml").write_text(STACK)
    return tmp_path


def load(folder: Path, text: str) -> Fleet:
    (folder / "fleet.yaml").write_text(text)
    return load_fleet(find_fleet(None))


def mistakes(folder: Path, text: str) -> list[str]:
    with pytest.raises(StackError) as caught:
        load(folder, text)
    return sorted(f"{p.file}:{p.line}:{p.column}: {p.message}" for p in caught.value.problems)


def test_a_table_of_csv(folder: Path) -> None:
    (folder / "pairs.csv").write_text('name,site,number,text\r\nfra-1,fra,1,"a, b"\r\n\r\nnyc-1,nyc,2,\r\n')
    found = load(folder, "fleet: edge\nstacks: {template: edge, table: pairs.csv, labels: [site]}\n")
    assert list(found.members) == ["fra-1", "nyc-1"]
    first, second = found.members.values()
    assert (first.labels, first.variables) == ({"site": "fra"}, {"number": "1", "text": "a, b"})
    assert second.variables == {"number": "2"}, "an empty field is the default of the variable"
    assert first.state == f"sqlite:///{folder}/state/edge/fra-1.db"
    assert Path(first.file) == folder / "edge" / "stack.yaml"


@pytest.mark.parametrize(
    "table",
    ["fra-1: {site: fra, number: 1, list: [1, x]}\n", "- {name: fra-1, site: fra, number: 1, list: [1, x]}\n"],
)
def test_a_table_of_yaml(folder: Path, table: str) -> None:
    (folder / "pairs.yaml").write_text(table)
    found = load(folder, "fleet: edge\nstacks: {template: edge, table: pairs.yaml, labels: [site]}\n")
    assert found.members["fra-1"].variables == {"number": "1", "list": '[1, "x"]'}


def test_an_inventory_of_ansible(folder: Path) -> None:
    (folder / "hosts.yaml").write_text(
        "all:\n  children:\n    edges:\n      children: {fra: , nyc: }\n"
        "    fra: {hosts: {lb1: {ansible_host: 192.0.2.1}, lb2: }, vars: {number: 1}}\n"
        "    nyc: {hosts: {lb3: }, vars: {number: 2}}\n"
        "    other: {hosts: {db: }}\n"
    )
    text = "fleet: edge\nstacks: {template: edge, inventory: hosts.yaml, children_of: edges}\n"
    found = load(folder, text)
    assert list(found.members) == ["fra", "nyc"]
    first = found.members["fra"].variables
    assert json.loads(first["hosts"]) == {"lb1": "192.0.2.1", "lb2": "lb2"}
    assert first["number"] == "1"
    assert list(load(folder, text.replace(", children_of: edges", "")).members) == ["fra", "nyc", "other"]


def test_an_inventory_in_ini(folder: Path) -> None:
    (folder / "hosts.ini").write_text(
        "[edges:children]\nfra\nnyc\n[fra]\nlb1 ansible_host=192.0.2.1\nlb2\n[fra:vars]\nnumber=1\n[nyc]\nlb3\n"
        "[other]\ndb\n"
    )
    found = load(folder, "fleet: edge\nstacks: {template: edge, inventory: hosts.ini, children_of: edges}\n")
    assert list(found.members) == ["fra", "nyc"]
    assert json.loads(found.members["fra"].variables["hosts"]) == {"lb1": "192.0.2.1", "lb2": "lb2"}
    assert found.members["fra"].variables["number"] == "1"


def test_a_path_with_labels(folder: Path) -> None:
    for place in ("sites/eu/fra", "sites/eu/ber", "sites/us/nyc", "sites/us/deep/er"):
        (folder / place).mkdir(parents=True)
        (folder / place / "stack.yaml").write_text(STACK)
    found = load(folder, "fleet: all\nenv: prod\nstacks: 'sites/{region}/*/stack.yaml'\n")
    assert list(found.members) == ["sites.eu.ber", "sites.eu.fra", "sites.us.nyc"]
    assert found.members["sites.us.nyc"].labels == {"region": "us"}
    assert {(m.state, m.env) for m in found.members.values()} == {(None, "prod")}, "each has the state of its stack"
    only = found.selected({"region": "us"})
    assert list(only) == ["sites.us.nyc"]


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ("postgresql://ops@db/hacore", "postgresql://ops@db/hacore?state=edge/fra-1"),
        ("postgresql://ops@db/hacore?host=/run", "postgresql://ops@db/hacore?host=/run&state=edge/fra-1"),
        ("sqlite:///states/", "sqlite:///FOLDER/states/fra-1.db"),
    ],
)
def test_the_states_of_a_fleet(folder: Path, state: str, expected: str) -> None:
    (folder / "pairs.csv").write_text("name,number\nfra-1,1\n")
    found = load(folder, f"fleet: edge\nstate: {state}\nstacks: {{template: edge, table: pairs.csv}}\n")
    assert found.members["fra-1"].state == expected.replace("FOLDER", str(folder))


def test_all_mistakes_at_once(folder: Path) -> None:
    (folder / "pairs.csv").write_text("name,site\nfra-1,fra\nfra-1,fra\na/b,fra\nshort\nnyc,\n")
    text = """fleet: edge
stacks: {template: edge, table: pairs.csv, labels: [site]}
rollout:
  waves: [{stacks: 1, in: {rack: a}}, {stacks: 1, per: room}]
  at_once_per: {region: 1, site: 0}
"""
    assert mistakes(folder, text) == [
        "fleet.yaml:2:9: 2 stacks have the name 'fra-1': names must be unique",
        "fleet.yaml:4:28: unknown label 'rack': the labels of this fleet are site",
        "fleet.yaml:4:56: unknown label 'room': the labels of this fleet are site",
        "fleet.yaml:5:17: unknown label 'region': the labels of this fleet are site",
        "fleet.yaml:5:34: must be at least 1",
        "pairs.csv:4:1: the column 'name' must name the row with letters, digits, _ . and -",
        "pairs.csv:5:1: the row has 1 values, the header has 2",
        "pairs.csv:6:1: nyc: the label 'site' has no value",
    ]


def test_a_wave_in_words(folder: Path) -> None:
    rows = ["name,site,region", "a,lab,eu", "b,fra,eu", "c,fra,eu", "d,nyc,us", "e,nyc,us"]
    (folder / "pairs.csv").write_text("\n".join(rows) + "\n")
    text = "fleet: edge\nstacks: {template: edge, table: pairs.csv, labels: [site, region]}\n"
    fleet = load(folder, text + "rollout: {waves: [1 in lab, 1 per region, 50% in region=us, 100%]}\n")
    assert fleet.waves(list(fleet.members)) == [("a",), ("b", "d"), ("e",), ("c",)]
    assert mistakes(folder, text + "rollout: {waves: [1 in moon, 1 per room, 0 in lab]}\n") == [
        "fleet.yaml:3:42: rollout.waves[2]: must be a count of at least 1, or a percentage such as 5%",
    ]
    assert mistakes(folder, text + "rollout: {waves: [1 in moon, 1 per room]}\n") == [
        "fleet.yaml:3:19: no label has the value 'moon': the values of this fleet are eu, fra, lab, nyc, us",
        "fleet.yaml:3:30: unknown label 'room': the labels of this fleet are region, site",
    ]


def test_the_shape_is_checked(folder: Path) -> None:
    text = """fleet: edge
stacks: 7
rollout: {waves: [0, 101%, 5%], soak: 10, at_once: 0, budget: {failed: none, moed: strict}}
more: 1
"""
    found = "\n".join(mistakes(folder, text))
    for place in ("fleet.yaml:2:9", "fleet.yaml:3:", "fleet.yaml:4:1: unknown key 'more'"):
        assert place in found, found
    for what in ("must be a count of at least 1, or a percentage", "must be a duration", "moed"):
        assert what in found, found


@pytest.mark.parametrize(
    ("stacks", "what"),
    [
        ("'../*/stack.yaml'", "stacks must be a path below the folder of the fleet"),
        ("'nothing/*/stack.yaml'", "no stack was found"),
        ("'{a}/{a}/stack.yaml'", "a label of `stacks` is used twice"),
        ("{template: none, table: pairs.csv}", "cannot find a stack at"),
        ("{template: edge, table: pairs.csv, inventory: x}", "must have either `table` or `inventory`"),
        ("{template: edge, table: pairs.txt}", "table must be a .csv or .yaml file"),
    ],
)
def test_stacks_that_cannot_be_found(folder: Path, stacks: str, what: str) -> None:
    for name in ("pairs.csv", "pairs.txt"):
        (folder / name).write_text("name: x\n" if name.endswith("txt") else "name\nx\n")
    assert what in "\n".join(mistakes(folder, f"fleet: edge\nstacks: {stacks}\n"))


def test_a_table_that_is_missing(folder: Path) -> None:
    with pytest.raises(UsageError, match=r"cannot read pairs\.csv: No such file"):
        load(folder, "fleet: edge\nstacks: {template: edge, table: pairs.csv}\n")
    with pytest.raises(UsageError, match="cannot find a fleet: none/fleet"):
        (folder / "none").mkdir()
        find_fleet("none")
