"""What a user may write of a file, what it claims, and what of it is kept."""

from __future__ import annotations

from dataclasses import replace
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
    Source,
    Spec,
    View,
    Work,
)
from hacore_providers.facts.stat import STAT, Stat, sha256
from hacore_providers.file.provider import PROVIDER
from hacore_providers.file.spec import FileSpec, mistakes


class Folder:
    """A stack's folder of one template and two files."""

    name, sensitive, folder = "it", False, Path("/stack")
    host = Host(name="lb1", address="192.0.2.1")

    def read(self, path: str) -> bytes:
        return {"text.conf": "grüezi\r\n".encode(), "logo.png": b"\x89PNG\r\n\x00"}[path]

    def source(self, path: str, above: int = 0) -> Source | None:
        return Source("file:///stack/huge.bin", "5" * 64, 1 << 30) if path == "huge.bin" else None

    def render(self, path: str, extra: dict[str, Any]) -> tuple[str, bool]:
        return f"{path} {sorted(extra.items())}", bool(extra.get("secret"))

    def resource(self, kind: str, name: str) -> Spec | None:
        return None

    def fetch(self, url: str, sha256: str) -> bytes | None:
        return None


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"mode": 644}, 'write the octal digits quoted, mode: "0644"'),
        ({"mode": 0o644}, 'write the octal digits quoted, mode: "0644"'),
        ({"mode": 4755}, 'mode: "4755"'),
        ({"mode": "0888"}, "should match pattern"),
        ({"mode": "u+x"}, "should match pattern"),
        ({"content": "x", "source": "y"}, "content and source exclude each other"),
        ({"template": "x", "link_to": "y"}, "template and link_to exclude each other"),
        ({"content": "x", "vars": {"a": 1}}, "vars needs template"),
        ({"ensure": "present"}, "'file', 'directory', 'link' or 'absent'"),
        ({"contents": "x"}, "Extra inputs are not permitted"),
    ],
)
def test_shapes_that_are_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message.replace("|", r"\|")):
        FileSpec(path="/etc/it", **fields)


@pytest.mark.parametrize(
    ("fields", "field", "message"),
    [
        ({"path": "etc/it"}, "path", "not absolute"),
        ({"path": "/"}, "path", "name a path below it"),
        ({"path": "/etc/it/"}, "path", "write /etc/it"),
        ({"path": "/etc/../it"}, "path", "write /it"),
        ({"path": "//etc//it"}, "path", "write /etc/it"),
        ({"ensure": "link"}, "link_to", "needs a target"),
        ({"ensure": "file", "link_to": "/x"}, "link_to", "only a link"),
        ({"link_to": ""}, "link_to", "cannot be empty"),
        ({"link_to": "/x", "mode": "0644"}, "mode", "link has no mode"),
        ({"ensure": "directory", "content": "x"}, "ensure", "directory has no content"),
        ({"ensure": "absent", "content": "x"}, "ensure", "absent has no content"),
        ({"ensure": "absent", "owner": "root"}, "owner", "absent has no owner"),
        ({"content": "x", "validate": "nginx -t"}, "validate", "write %s in its place"),
        ({"mode": "0600", "validate": "true %s"}, "validate", "no content to check"),
        ({"ensure": "directory", "validate": "true %s"}, "validate", "only a file's content"),
    ],
)
def test_mistakes(fields: dict[str, Any], field: str, message: str) -> None:
    spec = FileSpec(**{"path": "/etc/it", **fields})

    ((host, mistake),) = PROVIDER.validate({"lb1": spec}, {})

    assert (host, mistake.field) == ("lb1", field)
    assert message in mistake.message


@pytest.mark.parametrize(
    "fields",
    [
        {"content": ""},
        {"mode": "755"},
        {"mode": "04755", "owner": 0, "group": "www-data"},
        {"ensure": "directory", "mode": "1777"},
        {"ensure": "absent"},
        {"link_to": "../relative"},
        {"ensure": "link", "link_to": "/x", "owner": "root"},
        {"content": "x", "validate": "/usr/sbin/nginx -t -c %s"},
        {"path": "/etc/.hidden..name"},
    ],
)
def test_no_mistakes(fields: dict[str, Any]) -> None:
    assert list(PROVIDER.validate({"lb1": FileSpec(**{"path": "/etc/it", **fields})}, {})) == []


def test_source_becomes_content_byte_for_byte() -> None:
    text = PROVIDER.resolve(FileSpec(path="/it", source="text.conf"), Folder())
    binary = PROVIDER.resolve(FileSpec(path="/it", source="logo.png"), Folder())

    assert (text.source, text.content, text.data) == (None, "grüezi\r\n", Folder().read("text.conf"))
    assert (binary.content, binary.data) == (None, Folder().read("logo.png"))


def test_a_template_with_a_secret_makes_the_file_sensitive() -> None:
    shown = PROVIDER.resolve(FileSpec(path="/it", template="t", vars={"a": 1}), Folder())
    hidden = PROVIDER.resolve(FileSpec(path="/it", template="t", vars={"secret": "x"}), Folder())

    assert (shown.content, shown.vars, shown.sensitive) == ("t [('a', 1)]", {}, False)
    assert hidden.sensitive


def test_claims_own_the_path_and_use_what_it_stands_on() -> None:
    spec = FileSpec(path="/etc/nginx/nginx.conf", content="x", validate="/usr/sbin/nginx -t -c %s")

    assert PROVIDER.claims(spec) == [
        Claim("path:/etc/nginx/nginx.conf"),
        Claim("path:/etc/nginx", "use"),
        Claim("path:/etc", "use"),
        Claim("path:/usr/sbin/nginx", "use"),
    ]
    assert Claim("path:/srv/7", "use") in PROVIDER.claims(FileSpec(path="/srv/now", link_to="/srv/7"))


@pytest.mark.parametrize("sensitive", [False, True])
def test_a_recorded_spec_asks_the_same_and_has_no_content(sensitive: bool) -> None:
    check = "check --with hunter2-hunter2 %s"
    spec = FileSpec(path="/it", content="hunter2-hunter2", validate=check, mode="0600", sensitive=sensitive)
    stored = PROVIDER.recorded(spec).model_dump_json()
    again = FileSpec.model_validate_json(stored)

    assert "hunter2" not in stored
    assert (sha256(b"hunter2-hunter2") in stored) is not sensitive
    assert again.wanted_sha256  # that the content is governed is not forgotten
    ask, *_ = PROVIDER.facts(again)
    # drift shows what has changed, and a secret leaves no host
    assert (ask.fact, ask.arg, ask.secret) == (STAT, "/it", sensitive)
    assert PROVIDER.recorded(again) == again


def test_a_secrets_hash_does_not_leave_the_controller() -> None:
    ask, *_ = PROVIDER.facts(FileSpec(path="/it", content="hunter2", sensitive=True))

    assert (ask.wanted, ask.secret) == ("", True)


def test_the_schema_has_the_users_words_only() -> None:
    names = set(FileSpec.model_json_schema()["properties"])

    assert "validate" in names
    assert not [name for name in names if name.startswith("content_") or name == "check"]


def test_a_large_source_stays_where_it_is() -> None:
    spec = PROVIDER.resolve(FileSpec(path="/srv/huge.bin", source="huge.bin"), Folder())  # type: ignore[arg-type]

    assert (spec.data, spec.wanted_sha256, spec.has_content) == (None, "5" * 64, True)
    assert spec.bulk is not None
    assert (spec.bulk.url, spec.bulk.size) == ("file:///stack/huge.bin", 1 << 30)
    (step,) = PROVIDER.apply(Work((Change(Address("file", "it", host="lb1"), Action.CREATE, spec),)))
    assert (step.blobs, step.sources) == ({}, {"content": Source("file:///stack/huge.bin", "5" * 64, 1 << 30)})
    assert step.deadline > 1000
    recorded = PROVIDER.recorded(spec)
    assert (recorded.bulk, recorded.wanted_sha256) == (None, "5" * 64)
    secret = PROVIDER.recorded(spec.model_copy(update={"sensitive": True}))
    assert (secret.bulk, secret.wanted_sha256) == (None, "-")


@pytest.mark.parametrize(
    ("size", "stat", "told"),
    [
        (64 * 2**20 + 1, "file", ["cannot back up /srv/it: it has 67108865 bytes, and the largest file"]),
        (64 * 2**20, "file", []),
        (1 << 40, "directory", []),
    ],
)
def test_a_file_that_cannot_be_backed_up_is_reported_in_the_plan(size: int, stat: str, told: list[str]) -> None:
    spec = FileSpec(path="/srv/it", content="new")
    found = Stat(stat, size=size, sha256="0" * 64)
    facts = Facts(HostFacts(), {(STAT.name, "/srv/it"): found})
    view = View(Address("file", "it", host="lb1"), spec, None, facts)

    assert [str(one)[: len(told[0])] for one in PROVIDER.examine(view)] == told
    assert PROVIDER.delete_effect(view, "absent").text.startswith(*told or ["remove /srv/it"])
    same = replace(found, sha256=spec.wanted_sha256)
    unchanged = replace(view, facts=Facts(HostFacts(), {(STAT.name, "/srv/it"): same}))
    assert stat != "file" or list(PROVIDER.examine(unchanged)) == []


@pytest.mark.parametrize("name", ["-R", "--reference=/etc/shadow", "a:b", "a\nb", " a", "a\u202e"])
@pytest.mark.parametrize("field", ["owner", "group"])
def test_an_account_is_one_name(field: str, name: str) -> None:
    found = [m for m in mistakes(FileSpec.model_validate({"path": "/a", field: name})) if m.field == field]

    assert [f"is {name!r}: it must be a name or a number" in m.message for m in found] == [True]


@pytest.mark.parametrize("name", ["root", "0", "domain users", r"AD\\user", "svc@example.org", "a-b"])
def test_names_of_accounts_that_exist_in_the_world(name: str) -> None:
    assert not list(mistakes(FileSpec.model_validate({"path": "/a", "owner": name})))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("#!/bin/sh\r\nexit 0\r\n", "a carriage return at the end of line 1: /bin/sh^M is not found"),
        ("#! /usr/bin/env bash\r\n", "/usr/bin/env^M is not found"),
        ("\ufeff#!/bin/sh\n", "begins with a byte order mark before #!"),
        ("#!/bin/sh\nprintf 'a\r\n'\r\n", ""),
        ("[Unit]\r\n", ""),
        ("\ufeffa\n", ""),
    ],
)
def test_a_script_that_the_host_could_not_start(content: str, said: str) -> None:
    found = [m for m in mistakes(FileSpec.model_validate({"path": "/a", "content": content})) if m.field == "content"]
    assert [said in mistake.message for mistake in found] == ([True] if said else [])
