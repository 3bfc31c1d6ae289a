"""`hacore init`: by options, by questions, never over a file, and what it writes loads."""

from __future__ import annotations

from pathlib import Path

import pytest

from hacore.load import LoadRequest, load, load_providers
from tests.cli.conftest import Console

PAIR = ("--host", "lb1=192.0.2.11", "--host", "lb2=192.0.2.12,eth1", "--vip", "192.0.2.200")

HOSTS = "--host NAME=ADDRESS, for a pair twice and with --vip"
VIP = "--vip ADDRESS or --vip none"


@pytest.fixture
def console(console: Console, monkeypatch: pytest.MonkeyPatch) -> Console:
    monkeypatch.setattr("hacore.cli.stack_args.providers", load_providers)
    return console


def files(folder: Path) -> dict[str, str]:
    return {str(p.relative_to(folder)): p.read_text() for p in sorted(folder.rglob("*")) if p.is_file()}


def kinds(folder: Path) -> set[str]:
    return {a.resource for a in load(LoadRequest(folder / "stack.yaml", environ={}), load_providers()).instances}


def test_a_pair_by_options_is_valid_and_asks_nothing(console: Console) -> None:
    done = console("init", "stacks/web", *PAIR, stdin=None)

    assert done.code == 0
    assert sorted(files(console.folder)) == ["stacks/web/nginx.conf.j2", "stacks/web/stack.yaml", "state/.gitignore"]
    assert files(console.folder)["state/.gitignore"] == "*\n"
    assert "hacore rehearse stacks/web" in done.out
    assert console("validate").out == "Stack web is valid: 7 resources, 13 instances on 2 hosts.\n"
    text = (console.folder / "stacks/web/stack.yaml").read_text()
    assert "lb1: {address: 192.0.2.11, vars: {interface: eth0, priority: 110}}" in text
    assert "lb2: {address: 192.0.2.12, vars: {interface: eth1, priority: 109}}" in text


def test_who_logs_in_may_be_somebody_else(console: Console) -> None:
    assert console("init", "x", "--host", "a=192.0.2.1", "--user", "deploy", stdin=None).code == 0

    (host,) = load(LoadRequest(console.folder / "x/stack.yaml", environ={}), load_providers()).hosts.values()
    assert (host.connection.user, host.connection.become) == ("deploy", "sudo")


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (("--host", "a=192.0.2.1", "--package", "tree"), {"package.tree"}),
        (("--host", "a=192.0.2.1"), {"package.nginx", "file.nginx.conf", "service.nginx"}),
        (("--host", "a=192.0.2.1", "--host", "b=192.0.2.2", "--vip", "none", "--package", "tree"), {"package.tree"}),
        (
            (*PAIR, "--package", "haproxy", "--package", "keepalived"),
            {"package.haproxy", "package.keepalived", "service.keepalived", "vrrp_instance.VI_1", "vip.front"},
        ),
    ],
)
def test_what_is_asked_for_is_there(console: Console, words: tuple[str, ...], wanted: set[str]) -> None:
    assert console("init", "--name", "mine", *words, stdin=None).code == 0

    assert kinds(console.folder / "stacks" / "mine") == wanted


def test_what_no_option_says_is_asked_for(console: Console) -> None:
    done = console("init", stdin="front\na=192.0.2.1 b=192.0.2.2\nens18\n192.0.2.9\n\n")

    assert done.code == 0
    assert [line.partition(" [")[0].rstrip(": ") for line in done.err.splitlines()] == [
        "name of the stack",
        "hosts, NAME=ADDRESS each, separated by spaces",
        "network interface of the hosts",
        "virtual address of the pair",
        "packages, separated by spaces",
    ]
    assert "interface: ens18" in (console.folder / "stacks/front/stack.yaml").read_text()
    assert "service.nginx" in kinds(console.folder / "stacks/front")


@pytest.mark.parametrize(
    ("words", "stdin", "option"),
    [
        ((), None, HOSTS),
        ((), "", HOSTS),
        (("--name", "x"), "", HOSTS),
        (("x",), "a=192.0.2.1\n", HOSTS),
        (("x", "--host", "a=192.0.2.1", "--host", "b=192.0.2.2", "--interface", "eth1"), "", VIP),
        (("--host", "a=192.0.2.1", "--host", "b=192.0.2.2"), "", VIP),
    ],
)
def test_nobody_to_ask_is_an_error_that_names_all_missing_options(
    console: Console, words: tuple[str, ...], stdin: str | None, option: str
) -> None:
    done = console("init", *words, stdin=stdin)

    assert (done.code, done.err.splitlines()[-1].partition("stdin is closed; ")[2]) == (1, f"use {option}")
    assert files(console.folder) == {}


def test_no_file_is_overwritten(console: Console) -> None:
    folder = console.folder / "stacks" / "web"
    folder.mkdir(parents=True)
    (folder / "nginx.conf.j2").write_text("mine\n")
    before = files(console.folder)

    done = console("init", "stacks/web", *PAIR)

    assert (done.code, files(console.folder)) == (1, before)
    assert "cannot create a stack in stacks/web: it already has stacks/web/nginx.conf.j2" in done.err


def test_a_gitignore_of_the_state_is_left_as_it_is(console: Console) -> None:
    (console.folder / "state").mkdir()
    (console.folder / "state" / ".gitignore").write_text("*.db\n")

    assert console("init", "--name", "web", *PAIR).code == 0
    assert (console.folder / "state" / ".gitignore").read_text() == "*.db\n"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--name", "-x", *PAIR), "cannot name a stack '-x'"),
        (("--name", "x", "--host", "a"), "cannot use the host 'a': write NAME=ADDRESS"),
        (("--name", "x", "--host", "a b=192.0.2.1"), "write NAME=ADDRESS"),
        (("--name", "x", "--host", "a=192.0.2.300"), "write an IPv4 address"),
        (("--name", "x", "--host", "a=192.0.2.1,far-too-long-a-name"), "at most 15"),
        (("--name", "x", "--host", "a=192.0.2.1", "--host", "a=192.0.2.2", "--vip", "192.0.2.3"), "the name a twice"),
        (("--name", "x", "--host", "a=192.0.2.1", "--host", "b=192.0.2.2", "--vip", "192.0.2.2"), "192.0.2.2 twice"),
        (("--name", "x", "--host", "a=192.0.2.1", "--user", "a b"), "cannot log in as 'a b'"),
        (("--name", "x", "--host", "a=192.0.2.1", "--vip", "192.0.2.2"), "give two"),
        (("--name", "x", "--host", "a=192.0.2.1", "--package", "a: b"), "a name has letters, digits and + . _ -"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_written(
    console: Console, words: tuple[str, ...], told: str
) -> None:
    done = console("init", *words, stdin=None)

    assert (done.code, files(console.folder)) == (64, {})
    assert told in done.err


def test_a_mistake_in_the_hosts_is_told_before_the_next_question(console: Console) -> None:
    done = console("init", "--name", "web", stdin="lb1\n")

    assert (done.code, done.err.splitlines()[-1]) == (
        64,
        "error: cannot use the host 'lb1': write NAME=ADDRESS, or NAME=ADDRESS,INTERFACE",
    )
    assert "network interface" not in done.err
