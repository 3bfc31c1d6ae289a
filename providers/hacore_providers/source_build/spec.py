"""The fields of a build, and what is derived from them without a host."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shlex
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.json_schema import SkipJsonSchema

from hacore.contract import Mistake, Spec, StackFiles
from hacore.model import digest

from ..shell import account_fault

_SHA256 = re.compile(r"[0-9a-f]{64}\Z")
_URL = re.compile(r"(https?|file)://\S+\Z")
_TARBALL = re.compile(r"\.(tar|tgz|tbz2?|txz|tar\.(gz|bz2|xz|zst|lz))([?#].*)?\Z")
_INTO = re.compile(r"[A-Za-z0-9_.][A-Za-z0-9_./+-]*\Z")
_MODE = re.compile(r"[0-7]{3,4}\Z")
_ENVIRONMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_GLOB = re.compile(r"[*?\[]")
_COMMON = ("", "/", "/usr", "/usr/local", "/opt", "/etc", "/var")
"""Common prefixes: a path below one of them depends on no build."""


class Directory(BaseModel):
    """A directory that is created before the installation, if it does not exist."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: str = Field(description="absolute path")
    mode: str = Field(default="0755", description="quoted octal", json_schema_extra={"pattern": "^[0-7]{3,4}$"})
    owner: str = Field(default="", description="default: the user of the connection after become, usually root")
    group: str = Field(default="", description="default: the group of that user")


class Module(BaseModel):
    """One more tarball, unpacked in the source before it is patched and configured."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: str = Field(description="URL of a tarball, or a tarball in the stack's folder")
    sha256: str = Field(
        description="SHA-256 of the tarball, 64 hexadecimal digits", json_schema_extra={"pattern": "^[0-9a-f]{64}$"}
    )
    into: str = Field(description="its folder in the source, such as `modules/ngx_brotli`")


class Resolved(BaseModel):
    """The stack folder's part of a spec. `patches`: (name, sha256, content in base64; empty once recorded).

    `modules`: (URL, SHA-256 of a tarball in the folder) of each of the spec's.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    url: str
    found: str = ""
    patches: tuple[tuple[str, str, str], ...] = ()
    modules: tuple[tuple[str, str], ...] = ()
    sensitive: bool = False


def _listed(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


def _directory(value: Any) -> Any:
    return {"path": value} if isinstance(value, str) else value


Commands = Annotated[tuple[str, ...], BeforeValidator(_listed, json_schema_input_type=str | tuple[str, ...])]
Directories = tuple[Annotated[Directory, BeforeValidator(_directory, json_schema_input_type=str | Directory)], ...]


class SourceBuildSpec(Spec):
    """A program that is built from source on the host."""

    source: str = Field(description="URL of a tarball, or a tarball in the stack's folder")
    sha256: str = Field(
        description="SHA-256 of the tarball, 64 hexadecimal digits", json_schema_extra={"pattern": "^[0-9a-f]{64}$"}
    )
    modules: tuple[Module, ...] = Field(
        default=(), description="more tarballs that are part of the build, such as modules of nginx"
    )
    patches: Commands = Field(default=(), description="patches in the stack's folder, applied in order with -p1")
    configure: tuple[str, ...] | None = Field(default=None, description="arguments of ./configure")
    environment: dict[str, str] = Field(default_factory=dict, description="variables for all commands of the build")
    make: Commands = Field(default=(), description="commands that build; default: make -j<cpus>")
    install: Commands = Field(default=("make install",), description="commands that install; DESTDIR is set")
    directories: Directories = Field(default=(), description="directories to create first, if they do not exist")
    binary: str | None = Field(default=None, description="path of the built program; its hash is compared")
    runtime: Commands = Field(
        default=(), description="files and folders that the program creates at run time (patterns), removed with it"
    )
    rebuild_on: Literal["toolchain"] | None = Field(
        default=None, description="toolchain: rebuild after a change of the compiler"
    )
    resolved: SkipJsonSchema[Resolved | None] = Field(default=None, description="filled in by hacore")

    @property
    def name(self) -> str:
        """The build's name on the host: letters, digits, `_`, `.`, `-` and `~`."""
        return self.resolved.name if self.resolved else build_name(PurePosixPath(self.source).name)

    @property
    def title(self) -> str:
        """The build's name in messages."""
        return self.name.partition("~")[0]

    @property
    def sensitive(self) -> bool:
        """Whether the body names a secret (in its environment, for example)."""
        return self.resolved is not None and self.resolved.sensitive

    @property
    def compiler(self) -> str:
        """The compiler's command."""
        return (self.environment.get("CC", "").split() or ["cc"])[0]


def build_name(name: str) -> str:
    """A resource's name, with its key, as a file name; the key by its hash, because it may contain any character."""
    base, bracket, key = name.partition("[")
    suffix = "~" + hashlib.sha256(key.encode()).hexdigest()[:8] if bracket else ""
    return re.sub(r"[^A-Za-z0-9_.-]", "_", base) + suffix


def _own_name(spec: SourceBuildSpec, resource: str) -> str:
    """The build's name on the host: that of its program, if it has one, so that the block may be renamed."""
    if spec.binary is None:
        return build_name(resource)
    folder = hashlib.sha256(str(PurePosixPath(spec.binary).parent).encode()).hexdigest()[:8]
    return build_name(PurePosixPath(spec.binary).name) + "~" + folder


def resolve(spec: SourceBuildSpec, files: StackFiles) -> SourceBuildSpec:
    """Add the patches and the location of the tarball; raises what `files` raises for a missing file."""
    patches = []
    for path in spec.patches:
        content = files.read(path)
        patches.append((path, hashlib.sha256(content).hexdigest(), base64.b64encode(content).decode()))
    url, found = _tarball(spec.source, files)
    resolved = Resolved(
        name=_own_name(spec, files.name),
        url=url,
        found=found,
        patches=tuple(patches),
        modules=tuple(_tarball(module.source, files) for module in spec.modules),
        sensitive=files.sensitive,
    )
    return spec.model_copy(update={"resolved": resolved})


def _tarball(source: str, files: StackFiles) -> tuple[str, str]:
    """The URL of a tarball, and the SHA-256 that it has in the stack's folder, where it is from there."""
    if _URL.match(source):
        return source, ""
    tarball = files.source(source, -1)
    if tarball is None:
        raise ValueError(f"cannot read {source!r}: not a regular file")
    return tarball.url, tarball.sha256


def recorded(spec: SourceBuildSpec) -> SourceBuildSpec:
    """Without the content of patches, but with their hashes."""
    if spec.resolved is None:
        return spec
    patches = tuple((name, sha256, "") for name, sha256, _ in spec.resolved.patches)
    return spec.model_copy(update={"resolved": spec.resolved.model_copy(update={"patches": patches})})


def inputs(spec: SourceBuildSpec) -> dict[str, Any]:
    """All inputs of a build: of the tarball its hash, not its URL."""
    modules = {"modules": [{"sha256": m.sha256, "into": m.into} for m in spec.modules]} if spec.modules else {}
    return {
        "sha256": spec.sha256,
        **modules,
        "patches": [sha256 for _, sha256, _ in spec.resolved.patches] if spec.resolved else [],
        "configure": list(spec.configure) if spec.configure is not None else None,
        "environment": dict(sorted(spec.environment.items())),
        "make": list(spec.make),
        "install": list(spec.install),
        "directories": [d.model_dump() for d in spec.directories],
        "binary": spec.binary,
    }


def stamp(spec: SourceBuildSpec) -> str:
    """A digest of the inputs: a build with another stamp is a different build."""
    return "sha256:" + digest(inputs(spec))


def listing(spec: SourceBuildSpec) -> str:
    """The inputs as text, one per line, so that a plan shows which of them changed."""
    lines = []
    for key, value in inputs(spec).items():
        if isinstance(value, dict):
            lines += [f"{key} {name}={text}" for name, text in value.items()]
        elif isinstance(value, list):
            lines += [f"{key} {one if isinstance(one, str) else json.dumps(one, sort_keys=True)}" for one in value]
        elif value is not None:
            lines.append(f"{key} {value}")
    return "".join(f"{line}\n" for line in lines)


def prefix(spec: SourceBuildSpec) -> str | None:
    """The folder of `--prefix` of `./configure`, if it is the build's own."""
    words = list(spec.configure or ())
    for index, word in enumerate(words):
        path = word.removeprefix("--prefix=") if word.startswith("--prefix=") else ""
        if word == "--prefix" and index + 1 < len(words):
            path = words[index + 1]
        path = path.rstrip("/")
        if path.startswith("/") and path not in _COMMON:
            return path
    return None


def mistakes(spec: SourceBuildSpec) -> Iterator[Mistake]:
    """The mistakes in the values of one spec."""
    yield from _mistakes_in_tarball("", spec.source, spec.sha256, spec.resolved.found if spec.resolved else "")
    for index, module in enumerate(spec.modules):
        found = spec.resolved.modules[index][1] if spec.resolved and spec.resolved.modules else ""
        yield from _mistakes_in_tarball(f"modules.{index}.", module.source, module.sha256, found)
        if not _INTO.match(module.into) or {"", ".", ".."} & set(module.into.split("/")):
            yield Mistake(f"modules.{index}.into", f"{module.into!r} is not a folder in the source, such as modules/x")
    if spec.binary is not None and not _absolute(spec.binary):
        yield Mistake("binary", f"{spec.binary!r} is not an absolute path")
    for name in spec.environment:
        if not _ENVIRONMENT.match(name) or name == "DESTDIR":
            yield Mistake(
                "environment", f"{name!r} cannot be set for a build: use letters, digits and _, and not DESTDIR"
            )
    yield from _mistakes_in_paths(spec)
    if spec.install == ():
        yield Mistake("install", "is empty: give a command that installs the build, such as make install")


def _mistakes_in_tarball(field: str, source: str, sha256: str, found: str) -> Iterable[Mistake]:
    if not _SHA256.match(sha256):
        yield Mistake(f"{field}sha256", "a SHA-256 has 64 digits of 0-9 and a-f, as sha256sum prints it")
    elif found not in ("", sha256):
        yield Mistake(f"{field}sha256", f"the SHA-256 of {source} is {found}")
    if not _TARBALL.search(source):
        yield Mistake(f"{field}source", f"{source!r} does not look like a tarball (.tar.gz, .tar.xz, .tgz, ...)")
    if "://" in source and not _URL.match(source):
        yield Mistake(f"{field}source", f"cannot get {source!r}: a URL starts with http:// or https://")


def _mistakes_in_paths(spec: SourceBuildSpec) -> Iterable[Mistake]:
    for directory in spec.directories:
        if not _absolute(directory.path):
            yield Mistake("directories", f"{directory.path!r} is not an absolute path of printable characters")
        for account in filter(None, (directory.owner, directory.group)):
            if account_fault(account):
                yield Mistake("directories", f"the owner or group of {directory.path} {account_fault(account)}")
        if not _MODE.match(directory.mode):
            yield Mistake(
                "directories", f'{directory.mode!r} is not a mode: write three or four octal digits, such as "0755"'
            )
    for pattern in spec.runtime:
        above, _, last = pattern.rpartition("/")
        wild = above in _COMMON or _GLOB.search(pattern.split("/")[1])
        if not _absolute(pattern) or not last or wild or re.search(r"[\s\"'$`\\;&|<>()#~]", pattern):
            yield Mistake("runtime", f"{pattern!r} is not a pattern of paths below a folder of the program")


def _absolute(path: str) -> bool:
    """Whether a path is absolute, normal, and one field of a line: lists of paths on a host have tabs and line ends."""
    return (
        path.startswith("/")
        and path != "/"
        and path.isprintable()
        and "//" not in path
        and not {".", ".."} & set(path.split("/"))
    )


def command_of(command: str) -> str:
    """An install command that passes DESTDIR to make as well, because a Makefile's own setting would win otherwise."""
    words = shlex.split(command) if command.startswith("make ") or command == "make" else []
    plain = words and not re.search(r"[;&|<>()$`\n]", command)
    return f'{command} DESTDIR="$DESTDIR"' if plain else command
