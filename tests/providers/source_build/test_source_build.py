"""What the kind makes of specs and answers, without a host."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from hacore.address import Address
from hacore.contract import Ask, Change, Claim, Facts, Output, View, Work
from hacore.model import Action, Unknown
from hacore_providers.facts.build import BUILD, TOOLCHAIN, Built, build_arg
from hacore_providers.source_build.install import read_image
from hacore_providers.source_build.provider import PROVIDER
from hacore_providers.source_build.spec import SourceBuildSpec, build_name, command_of, inputs, listing, prefix, stamp
from tests.providers.source_build.conftest import Folder

ADDRESS = Address("source_build", "nginx", host="lb1")
ZERO = "0" * 64
MODULE = {"source": "https://example.org/m-1.tar.gz", "sha256": ZERO, "into": "modules/m"}


def spec(**fields: Any) -> SourceBuildSpec:
    body = {"source": "https://example.org/nginx-1.22.1.tar.gz", "sha256": ZERO, "binary": "/opt/x/bin/x", **fields}
    return SourceBuildSpec.model_validate(body)


def resolved(folder: Path, name: str = "nginx", **fields: Any) -> SourceBuildSpec:
    return PROVIDER.resolve(spec(**fields), Folder(folder, name))


def view(wanted: SourceBuildSpec, built: Built | None = None, compiler: str | None = None) -> View[SourceBuildSpec]:
    answers: dict[tuple[str, str], Any] = {}
    if built is not None:
        answers[(BUILD.name, build_arg(wanted.name, wanted.binary or ""))] = built
    if compiler is not None:
        answers[(TOOLCHAIN.name, wanted.compiler)] = compiler
    return View(ADDRESS, wanted, None, Facts(answers=answers))


def test_what_the_folder_adds(tmp_path: Path) -> None:
    (tmp_path / "a.tar.gz").write_bytes(b"tarball")
    (tmp_path / "fix.patch").write_bytes(b"--- a\n")
    local = resolved(tmp_path, 'web["a b"]', source="a.tar.gz", patches="fix.patch")
    assert local.resolved is not None
    assert local.resolved.url == (tmp_path / "a.tar.gz").as_uri()
    assert local.resolved.found == hashlib.sha256(b"tarball").hexdigest()
    assert local.resolved.patches[0][1] == hashlib.sha256(b"--- a\n").hexdigest()
    assert local.name.startswith("x~")
    assert local.title == "x"

    kept = PROVIDER.recorded(local)
    assert base64.b64encode(b"--- a\n").decode() not in kept.model_dump_json()
    assert stamp(SourceBuildSpec.model_validate_json(kept.model_dump_json())) == stamp(local)


def test_a_build_is_known_by_its_program_whatever_the_block_is_called(tmp_path: Path) -> None:
    one, renamed = resolved(tmp_path, "one"), resolved(tmp_path, "renamed")
    assert one.name == renamed.name
    assert one.name != resolved(tmp_path, "one", binary="/opt/y/bin/x").name
    assert resolved(tmp_path, "one", binary=None).name == "one"


def test_names_for_files_are_distinct() -> None:
    names = [build_name(n) for n in ("web", 'web["a"]', 'web["b"]', 'web["../../etc"]')]
    assert len(set(names)) == 4
    assert not any("/" in n or " " in n for n in names)


def test_the_stamp_is_of_what_goes_in_and_of_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "p").write_text("1")
    (tmp_path / "q").write_text("2")
    base = resolved(tmp_path, patches=["p", "q"], configure=["--a", "--b"], environment={"A": "1", "B": "2"})
    same = [
        resolved(
            tmp_path,
            source="https://mirror.example.org/other.tgz",
            patches=["p", "q"],
            configure=["--a", "--b"],
            environment={"B": "2", "A": "1"},
            rebuild_on="toolchain",
            runtime="/opt/x/log/*",
        )
    ]
    changes: list[dict[str, Any]] = [
        {"sha256": "1" * 64},
        {"patches": ["q", "p"]},
        {"configure": ["--b", "--a"]},
        {"environment": {"A": "1"}},
        {"make": "make all"},
        {"install": ["make install-strip"]},
        {"directories": ["/var/x"]},
        {"binary": "/opt/x/bin/y"},
    ]
    usual = {"patches": ["p", "q"], "configure": ["--a", "--b"], "environment": {"A": "1", "B": "2"}}
    other = [resolved(tmp_path, **(usual | change)) for change in changes]
    assert {stamp(s) for s in same} == {stamp(base)}
    assert len({stamp(s) for s in [base, *other]}) == 1 + len(changes)
    assert len({listing(s) for s in [base, *other]}) == 1 + len(changes)


@pytest.mark.parametrize(
    ("record", "binary", "attrs"),
    [
        ({}, "", None),
        ({}, "b1", {"stamp": None, "binary": "modified"}),
        ({"stamp": "sha256:1", "binary": "b1"}, "b1", {"stamp": "sha256:1", "binary": "intact"}),
        ({"stamp": "sha256:1", "binary": "b1"}, "b2", {"stamp": "sha256:1", "binary": "modified"}),
        ({"stamp": "sha256:1", "binary": "b1"}, "", {"stamp": "sha256:1", "binary": "missing"}),
    ],
)
def test_what_is_there(record: Mapping[str, Any], binary: str, attrs: Mapping[str, Any] | None) -> None:
    observed = PROVIDER.observe(view(spec(), Built(record, binary)))
    assert (None if observed is None else dict(observed.attrs)) == attrs


def test_a_missing_compiler_makes_the_toolchain_unknown() -> None:
    wanted = spec(rebuild_on="toolchain", environment={"CC": "gcc -m32"})
    assert [a.arg for a in PROVIDER.facts(wanted)] == ["nginx-1.22.1.tar.gz /opt/x/bin/x", "/opt/x/bin/x", "gcc"]
    attrs = PROVIDER.desire(view(wanted)).attrs
    assert attrs is not None
    assert isinstance(attrs["toolchain"], Unknown)
    assert PROVIDER.desire(view(wanted, compiler="gcc 12")).attrs == {
        "stamp": stamp(wanted),
        "binary": "intact",
        "toolchain": "gcc 12",
    }


def test_a_secret_is_not_told(tmp_path: Path) -> None:
    secret = PROVIDER.resolve(spec(environment={"TOKEN": "hunter2"}), Folder(tmp_path, sensitive=True))
    desired = PROVIDER.desire(view(secret))
    assert desired.sensitive == {"stamp"}
    assert desired.texts == {}
    work = Work((Change(ADDRESS, Action.CREATE, secret),))
    assert not any(b"hunter2" in blob for step in PROVIDER.apply(work) for blob in step.blobs.values())


def test_claims() -> None:
    claims = PROVIDER.claims(spec(configure=["--prefix=/opt/x/", "--z"], directories=["/var/x", {"path": "/srv/y/"}]))
    assert claims[:4] == [
        Claim("path:/opt/x/bin/x"),
        Claim("path:/var/x", "share"),
        Claim("path:/srv/y", "share"),
        Claim("path:/opt/x", "share"),
    ]
    assert {c.mode for c in claims[4:]} == {"use"}
    assert not [c for c in PROVIDER.claims(spec(configure=["--prefix", "/usr/local"])) if c.mode == "share"]


def test_nothing_is_built_where_all_is_as_wanted(tmp_path: Path) -> None:
    wanted = resolved(tmp_path)
    attrs = {"stamp": stamp(wanted), "binary": "intact"}
    changes = {
        "new": Change(ADDRESS, Action.CREATE, wanted, desired=attrs),
        "tampered": Change(ADDRESS, Action.UPDATE, wanted, desired=attrs, observed={**attrs, "binary": "modified"}),
        "same": Change(ADDRESS, Action.NOOP, wanted, desired=attrs, observed=attrs),
        "deleted": Change(ADDRESS, Action.DELETE, wanted, observed=attrs),
    }
    built = {name: [s.what for s in PROVIDER.prepare(Work((change,)))] for name, change in changes.items()}
    both = ["unpacking x", "building x"]
    assert built == {"new": both, "tampered": both, "same": [], "deleted": []}


def test_without_an_image_there_is_nothing_to_undo() -> None:
    assert PROVIDER.undo(Work((Change(ADDRESS, Action.CREATE, spec()),))) == []


@pytest.mark.parametrize(
    ("command", "given"),
    [
        ("make install", 'make install DESTDIR="$DESTDIR"'),
        ("make -C sub 'PREFIX=/a b' install", "make -C sub 'PREFIX=/a b' install DESTDIR=\"$DESTDIR\""),
        ("make install && make more", "make install && make more"),
        ("./install.sh", "./install.sh"),
        ("makefoo", "makefoo"),
    ],
)
def test_make_is_told_the_stage(command: str, given: str) -> None:
    assert command_of(command) == given


@pytest.mark.parametrize(
    ("fields", "field", "words"),
    [
        ({"sha256": "abc"}, "sha256", "64 digits"),
        ({"sha256": "A" * 64}, "sha256", "64 digits"),
        ({"source": "https://example.org/nginx.zip"}, "source", "does not look like a tarball"),
        ({"source": "ftp://example.org/nginx.tar.gz"}, "source", "starts with http"),
        ({"binary": "sbin/nginx"}, "binary", "not an absolute path"),
        ({"binary": "/opt/../bin/x"}, "binary", "not an absolute path"),
        ({"environment": {"A B": "1"}}, "environment", "cannot be set for a build"),
        ({"environment": {"DESTDIR": "/x"}}, "environment", "cannot be set for a build"),
        ({"directories": ["var/x"]}, "directories", "not an absolute path"),
        ({"directories": [{"path": "/var/x", "mode": "rwx"}]}, "directories", "octal"),
        ({"runtime": ["/*"]}, "runtime", "not a pattern"),
        ({"runtime": ["/var/*"]}, "runtime", "not a pattern"),
        ({"runtime": ["/*/x"]}, "runtime", "not a pattern"),
        ({"runtime": ["/opt/x/../../etc"]}, "runtime", "not a pattern"),
        ({"runtime": ["/opt/x/$(reboot)"]}, "runtime", "not a pattern"),
        ({"runtime": ["/opt/x/a b"]}, "runtime", "not a pattern"),
        ({"install": []}, "install", "is empty"),
        ({"modules": [{**MODULE, "sha256": "x"}]}, "modules.0.sha256", "64 digits"),
        ({"modules": [{**MODULE, "source": "m.zip"}]}, "modules.0.source", "does not look like a tarball"),
        ({"modules": [{**MODULE, "into": "../m"}]}, "modules.0.into", "is not a folder in the source"),
        ({"modules": [{**MODULE, "into": "/m"}]}, "modules.0.into", "is not a folder in the source"),
        ({"modules": [{**MODULE, "into": "m//x"}]}, "modules.0.into", "is not a folder in the source"),
        ({"modules": [{**MODULE, "into": "m\nx"}]}, "modules.0.into", "is not a folder in the source"),
    ],
)
def test_mistakes(fields: dict[str, Any], field: str, words: str) -> None:
    found = list(PROVIDER.validate({"lb1": spec(**fields)}, {}))
    assert [(host, m.field) for host, m in found] == [("lb1", field)]
    assert words in found[0][1].message


@pytest.mark.parametrize(
    "directory",
    [
        "/x\n/etc\t0777\troot:",
        "/x\ty",
        {"path": "/x", "owner": "--reference=/etc/shadow"},
        {"path": "/x", "group": "a:b"},
        {"path": "/x", "owner": "a\nb"},
    ],
)
def test_a_directory_is_one_line_of_the_list_that_a_host_reads(directory: object) -> None:
    found = [m.field for _, m in PROVIDER.validate({"lb1": spec(directories=[directory])}, {})]

    assert "directories" in found


def test_a_tarball_that_is_another_one_is_a_mistake(tmp_path: Path) -> None:
    (tmp_path / "a.tar.gz").write_bytes(b"tarball")
    found = [m.message for _, m in PROVIDER.validate({"lb1": resolved(tmp_path, source="a.tar.gz")}, {})]
    assert found == [f"the SHA-256 of a.tar.gz is {hashlib.sha256(b'tarball').hexdigest()}"]


def test_a_module_that_is_another_one_is_a_mistake(tmp_path: Path) -> None:
    (tmp_path / "m.tar.gz").write_bytes(b"module")
    wanted = resolved(tmp_path, modules=[{**MODULE, "source": "m.tar.gz"}])
    found = [(m.field, m.message) for _, m in PROVIDER.validate({"lb1": wanted}, {})]
    assert found == [("modules.0.sha256", f"the SHA-256 of m.tar.gz is {hashlib.sha256(b'module').hexdigest()}")]


def test_a_build_without_modules_has_the_stamp_of_before_there_were_any() -> None:
    assert "modules" not in inputs(spec())
    assert stamp(spec(modules=[MODULE])) != stamp(spec())


def test_good_specs_have_no_mistakes() -> None:
    good = spec(source="x/y.tar.xz", runtime=["/opt/x/logs/*.log", "/var/temp/x/[ab]?"], environment={"CFLAGS": "-O2"})
    assert list(PROVIDER.validate({"lb1": good}, {})) == []


def test_records_and_binaries_are_read(tmp_path: Path) -> None:
    (tmp_path / "builds").mkdir()
    records: dict[str, Any] = {"a": {"stamp": "1"}, "bad": None, "list": []}
    for name, record in records.items():
        (tmp_path / f"builds/{name}.json").write_text("{cut" if record is None else json.dumps(record) + "\n")
    binary = tmp_path / "odd\\name"
    binary.write_bytes(b"x")
    asks = [
        Ask(BUILD, build_arg(name, path))
        for name, path in (("a", str(binary)), ("bad", "/no/such"), ("list", str(binary)), ("none", ""))
    ]
    environment = {**os.environ, "HACORE_HOME": str(tmp_path)}
    done = subprocess.run(["dash", "-c", BUILD.command(asks)], env=environment, capture_output=True, check=True)
    digest = hashlib.sha256(b"x").hexdigest()
    assert BUILD.parse(done.stdout) == {
        build_arg("a", str(binary)): Built({"stamp": "1"}, digest),
        build_arg("bad", "/no/such"): Built(),
        build_arg("list", str(binary)): Built({}, digest),
        build_arg("none", ""): Built(),
    }


def test_compilers_are_named(tmp_path: Path) -> None:
    compiler = tmp_path / "cc"
    compiler.write_text('#!/bin/sh\n[ "$1" = --version ] && echo "cc \\"12\\"" || echo x86_64-linux-gnu\n')
    compiler.chmod(0o755)
    asks = [Ask(TOOLCHAIN, str(compiler)), Ask(TOOLCHAIN, "no-such-compiler")]
    done = subprocess.run(["dash", "-c", TOOLCHAIN.command(asks)], capture_output=True, check=False)
    assert TOOLCHAIN.parse(done.stdout) == {str(compiler): "cc 12, x86_64-linux-gnu"}


def test_an_image_is_json_and_bytes() -> None:
    text = "absent /a b\nhad /c\ndir /d\nruntime /e\nfolder /f\n"
    text += 'record {"stamp": "x y"}\nmanifest bQ==\nfiles dA==\n'
    image = read_image(Output(0, text.encode() + b"had /\xff\n"), sensitive=True)
    assert json.loads(json.dumps(image.data)) == {"record": '{"stamp": "x y"}'}
    assert image.blobs == {
        "absent": b"/a b\n",
        "had": b"/c\n/\xff\n",
        "dir": b"/d\n",
        "folder": b"/f\n",
        "runtime": b"/e\n",
        "files": b"t",
        "manifest": b"m",
    }
    assert image.sensitive


@pytest.mark.parametrize(
    ("configure", "folder"),
    [
        ((), None),
        (("--with-x",), None),
        (("--prefix=/opt/x",), "/opt/x"),
        (("--with-x", "--prefix=/opt/x/"), "/opt/x"),
        (("--prefix", "/opt/x"), "/opt/x"),
        (("--with-x", "--prefix", "/opt/x"), "/opt/x"),
        (("--prefix",), None),
        (("--with-x", "--prefix"), None),
        (("--prefix=relative",), None),
        # a folder of all programs is nobody's own
        (("--prefix=/usr/local",), None),
        (("--prefix=/usr/local/",), None),
        (("--prefix=/",), None),
        (("--prefix=/usr", "--prefix=/opt/x"), "/opt/x"),
    ],
)
def test_the_folder_of_a_build_s_own(configure: tuple[str, ...], folder: str | None) -> None:
    assert prefix(spec(configure=configure)) == folder


def test_a_build_runs_without_its_connection(tmp_path: Path) -> None:
    """It may take longer than one lasts; unpacking does not."""
    wanted = resolved(tmp_path)
    unpack, build = PROVIDER.prepare(Work((Change(ADDRESS, Action.CREATE, wanted),)))
    assert (unpack.detached, build.detached) == (False, True)
    assert list(unpack.sources) == ["source"]
    assert unpack.sources["source"].sha256 == ZERO
