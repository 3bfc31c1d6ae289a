"""No value of a stack becomes anything but itself in keepalived.conf."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hacore.errors import StackError
from hacore.load import LoadRequest, load
from hacore_providers.vrrp_instance.check_member import member_mistakes
from hacore_providers.vrrp_instance.config_text import render
from hacore_providers.vrrp_instance.provider import PROVIDER
from hacore_providers.vrrp_instance.tokens import UnsafeTextError, quoted, raw_faults, word, words
from tests.providers.vrrp_instance.specs import address, spec

EVIL = '}\nvrrp_script evil {\n    script "/bin/sh -c id"\n    interval 1\n'

Line = tuple[tuple[str, ...], tuple[str, ...]]
"""The blocks around a line, outermost first, and its tokens."""


def read(text: str) -> list[Line]:
    """keepalived.conf as keepalived 2.2.7 splits it: the lines that are not empty, and the heads of blocks.

    It is written here anew, from what keepalived was seen to do, so that a fault of tokens.py is not repeated.
    """
    found: list[Line] = []
    blocks: list[str] = []
    for raw in text.split("\n"):
        if raw.rstrip().endswith("\\"):
            raise AssertionError(f"continued: {raw!r}")
        tokens: list[str] = []
        rest = raw
        while rest := rest.lstrip(" \t\r\v\f"):
            if rest[0] in "#!":
                break
            if rest[0] == '"':
                body, closed, rest = rest[1:].partition('"')
                if not closed or "\\" in body or re.search(r"\$[A-Za-z_{]|~SEQ|~LST", body):
                    raise AssertionError(f"open, escaped or expanded: {raw!r}")
                tokens.append(body)
            elif rest[0] == "{":
                found.append((tuple(blocks), tuple(tokens)))
                blocks.append(" ".join(tokens))
                tokens, rest = [], rest[1:]
            elif rest[0] == "}":
                if not blocks or tokens:
                    raise AssertionError(f"a brace too many: {raw!r}")
                blocks.pop()
                rest = rest[1:]
            else:
                bare = re.match(r'[^ \t\r\v\f"{}#!]+', rest)
                assert bare is not None
                if re.search(r"[$\\]|~SEQ|~LST", bare[0]) or (not tokens and bare[0].startswith(("@", "include"))):
                    raise AssertionError(f"expanded, conditional or included: {raw!r}")
                tokens.append(bare[0])
                rest = rest[len(bare[0]) :]
        if tokens:
            found.append((tuple(blocks), tuple(tokens)))
    assert not blocks
    return found


def test_the_reader_sees_what_breaks_out() -> None:
    assert read('a {\n  b "c # {" d # e {\n}\n') == [((), ("a",)), (("a",), ("b", "c # {", "d"))]
    for text in ("a {", "}", "a $b", 'a "b', '"a\\"', "@b c", "include /x", "a \\"):
        with pytest.raises(AssertionError):
            read(text)


SAFE = "safe"
FIELDS: dict[str, tuple[Callable[[str], dict[str, Any]], Callable[[str], tuple[str, ...]]]] = {
    "interface": (lambda v: {"interface": v}, lambda v: (v,)),
    "router_id": (lambda v: {"router_id": v}, lambda v: (v,)),
    "name": (lambda v: {"name": v}, lambda v: (v,)),
    "user": (lambda v: {"track_scripts": {"s": {"script": "/c", "user": v}}}, lambda v: tuple(v.split(" "))),
    "script": (lambda v: {"track_scripts": {"s": {"script": "/" + v}}}, lambda v: ("/" + v,)),
    "file": (lambda v: {"track_files": {"f": {"file": "/" + v}}}, lambda v: ("/" + v,)),
    "tracker": (lambda v: {"track_files": {v: {"file": "/f"}}}, lambda v: (v,)),
    "process": (lambda v: {"track_processes": {"p": {"process": v}}}, lambda v: tuple(v.split(" "))),
    "notify": (lambda v: {"notify": {"master": "/" + v}}, lambda v: ("/" + v,)),
    "global": (lambda v: {"globals": {"smtp_helo_name": v}}, lambda v: tuple(v.split(" "))),
    "global list": (lambda v: {"globals": {"notification_email": [v, "b@c"]}}, lambda v: tuple(v.split(" "))),
    "password": (lambda v: {"authentication": {"password": v}}, lambda v: (v,)),
    "dev": (lambda v: {"addresses": [{"address": "192.0.2.9", "dev": v}]}, lambda v: (v,)),
    "label": (
        lambda v: {"addresses": [{"address": "192.0.2.9", "dev": "e", "label": "e:" + v}]},
        lambda v: ("e:" + v,),
    ),
    "tracked interface": (lambda v: {"track_interfaces": {v: {}}}, lambda v: (v,)),
}

NASTY = st.text(
    st.sampled_from(list("ab9-_.:@/%$~{}#!\"'\\|;&<>()[]*? \t\n\r\v\f\0\x1f\x7f\x85\xa0ä\u202e\u2028\u200b")),
    max_size=7,
)


@pytest.mark.parametrize("field", FIELDS)
@given(
    value=st.one_of(NASTY, st.text(max_size=7), st.sampled_from(["@a", "include x", "~SEQ(a,1,2)", "$_PWD", "${a}"]))
)
@example(value="x\n" + EVIL)
@example(value="a #b")
@example(value='a"b')
def test_any_text_is_refused_or_is_itself(field: str, value: str) -> None:
    body, tokens = FIELDS[field]
    drawn = spec(**body(value))

    if list(member_mistakes(drawn)):
        return
    before, after = read(render([(address(), spec(**body(SAFE)))])), read(render([(address(), drawn)]))
    wanted = [tuple(swap(t, tokens(SAFE), tokens(value))) for _, t in before]

    assert sorted(t for _, t in after) == sorted(wanted)
    assert len({blocks for blocks, _ in after}) == len({blocks for blocks, _ in before})


def swap(line: tuple[str, ...], old: tuple[str, ...], new: tuple[str, ...]) -> list[str]:
    """A line with the tokens of the other value; the drain tracker has the instance's name in its own."""
    found: list[str] = []
    for token in line:
        found += new if (token,) == old else [re.sub(rf"(?<=drain[_./]|ained_){SAFE}\Z", "".join(new), token)]
    return found


@pytest.mark.parametrize("field", FIELDS)
def test_every_field_refuses_a_block_of_its_own(field: str) -> None:
    drawn = spec(**FIELDS[field][0]("x\n" + EVIL))

    assert list(member_mistakes(drawn))
    with pytest.raises(UnsafeTextError, match=r"cannot write a value into keepalived\.conf"):
        render([(address(), drawn)])


@given(value=st.text())
def test_a_refusal_does_not_quote_the_value(value: str) -> None:
    for write in (word, words, quoted):
        try:
            write("s3cr3t-\0" + value)
        except UnsafeTextError as error:
            assert "s3cr3t" not in str(error)


@pytest.mark.parametrize(
    ("lines", "right"),
    [
        (["virtual_rules { from 10.0.0.0/8 }", "accept"], True),
        (["a {", "  b # }", "}"], True),
        (['a "{"'], True),
        (["a # {", "}", "vrrp_script evil {", "# }"], False),
        (['a "', '}"'], False),
        (["}", "{"], False),
        (["a {"], False),
        (["a \\", "}"], False),
        (["@other {", "}"], False),
        (["$X=}"], False),
        (["a\x0b}"], False),
        (["a \u202e"], False),
    ],
)
def test_raw_lines_stay_in_their_block(lines: list[str], right: bool) -> None:
    assert (not list(raw_faults(lines))) == right
    assert (not [m for m in member_mistakes(spec(extra=lines)) if m.field == "extra"]) == right


CASES = {
    "track_processes: {p: {process: VALUE}}": "nginx\n" + EVIL,
    "track_scripts: {s: {script: /bin/true, user: VALUE}}": "root\n" + EVIL,
    "globals: {notification_email: [VALUE]}": "a@b\n    }\n" + EVIL,
    "addresses: [VALUE]": 'fe80::1%x\n    }\n    notify_master "/bin/sh -c id"\n    virtual_x {\n fe80::2',
    "unicast: {peers: [VALUE]}": "fe80::1%x\n    }\n    authentication {\n auth_type PASS",
    "unicast: {peers: [192.0.2.2]}, unicast_src_ip: VALUE": 'fe80::1%x\n    notify_master "/bin/sh -c id"',
    "interface: VALUE": "eth0#x",
    "globals: {script_user: VALUE}": "nobody # root",
    "service: VALUE": "--now",
    "binary: VALUE": "/usr/sbin/keep\nalived",
    "config: VALUE": "/etc/keep\u202ealived.conf",
}


@pytest.mark.parametrize("body", CASES)
def test_a_value_that_breaks_out_is_refused_at_load(body: str, tmp_path: Path) -> None:
    given = {"interface": "eth0", "virtual_router_id": "66", "addresses": "[192.0.2.10]"}
    named = body.partition(":")[0]
    lines = [f"      {key}: {value}" for key, value in given.items() if key != named]
    lines.append(
        "      " + body.replace("VALUE", json.dumps(CASES[body])).replace("}, unicast_src", "}\n      unicast_src")
    )
    head = "stack: s\nhosts: {h: {address: 192.0.2.1}}\nresources:\n  vrrp_instance:\n    VI_1:\n      members: [h]\n"
    (tmp_path / "stack.yaml").write_text(head + "\n".join(lines) + "\n")

    with pytest.raises(StackError) as error:
        load(LoadRequest(tmp_path / "stack.yaml"), {"vrrp_instance": PROVIDER})

    assert f"stack.yaml:{len((head + chr(10).join(lines)).splitlines())}:" in str(error.value)
    assert "vrrp_instance.VI_1" in str(error.value)
