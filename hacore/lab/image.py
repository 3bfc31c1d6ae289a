"""Images: the disk of a bare host. Built once, cached, and shared read-only by all twins.

Debian is built by debootstrap; the other systems are derived from a copy of it, in seconds (see layers.py).
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from hacore import proc
from hacore.errors import LabError
from hacore.lab.layers import LAYERS, Layer
from hacore.lab.mounts import mounts_below, unmount
from hacore.lab.system import attempt, locked, run

Say = Callable[[str], None]

BARE = ("ca-certificates", "dbus", "iproute2", "openssh-server", "procps")
"""Installed on every twin, beside Debian's minimal set and its init system: only what makes it reachable."""

PRELOADED = (
    "gcc", "make", "libpcre3-dev", "zlib1g-dev", "libssl-dev", "libnl-3-dev", "libnl-genl-3-dev",
    "keepalived", "nginx", "curl", "ca-certificates", "tree", "hello", "jq", "sudo",
)  # fmt: skip
"""Downloaded into the image's apt cache, *not* installed: stacks here can install them without the network."""

QUIET = (
    "apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer", "e2scrub_all.timer", "fstrim.timer",
    "console-getty.service", "systemd-logind.service", "systemd-timesyncd.service", "getty.target",
)  # fmt: skip
"""Masked in the image: they change files or start programs by the clock, or serve a console without a user."""

UNUSED_FOR = 14 * 86400
"""After so many seconds without a lab on it, an outdated image is removed."""


@dataclass(frozen=True)
class Recipe:
    """All inputs of an image; equal recipes build the same image."""

    os: str
    suite: str
    sources: tuple[str, ...]
    apt_settings: str
    certificates: tuple[tuple[str, str], ...]
    packages: tuple[str, ...]
    preloaded: tuple[str, ...] = PRELOADED
    masked: tuple[str, ...] = QUIET
    version: int = 1
    """Raise it when the building itself changes."""

    def to_json(self) -> dict[str, object]:
        """All fields; cached images are found by them."""
        return {
            "os": self.os,
            "suite": self.suite,
            "sources": list(self.sources),
            "apt_settings": self.apt_settings,
            "certificates": [list(certificate) for certificate in self.certificates],
            "packages": list(self.packages),
            "preloaded": list(self.preloaded),
            "masked": list(self.masked),
            "version": self.version,
        }

    @property
    def key(self) -> str:
        """The image's name in the cache."""
        text = json.dumps(self.to_json(), sort_keys=True)
        return f"{self.os}-{self.suite}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"


DEBIAN = Recipe("debian", "", (), "", (), (*BARE, "systemd", "systemd-sysv"))
"""The base of all other systems. `recipe` fills in the machine's own part (sources, certificates)."""


def cache() -> Path:
    """The folder of images: HACORE_CACHE, or /var/cache/hacore."""
    return Path(os.environ.get("HACORE_CACHE") or "/var/cache/hacore")


RELEASES = {"debian13": "trixie"}
"""Systems that are a certain release of Debian, whatever the release of this machine is."""

_GONE = frozenset(("libpcre3-dev",))
"""Preloaded packages that later releases have no longer."""


def recipe(system: str = "debian") -> Recipe:
    """The recipe of Debian's image on this machine: of its own release, or of the one that a system names."""
    suite, sources = _sources()
    made = replace(DEBIAN, suite=suite, sources=sources, apt_settings=_apt_settings(), certificates=_certificates())
    wanted = RELEASES.get(system, suite)
    if wanted == suite:
        return made
    return replace(
        made,
        os=system,
        suite=wanted,
        sources=tuple(_of_release(line, suite, wanted) for line in sources),
        preloaded=tuple(name for name in PRELOADED if name not in _GONE),
    )


def _of_release(line: str, suite: str, wanted: str) -> str:
    """A line of sources.list for another release: `deb URL bookworm-updates main` with its name in it."""
    kind, url, release, *components = line.split()
    return " ".join([kind, url, wanted + release.removeprefix(suite), *components])


def ensure(system: str, say: Say) -> Path:
    """The root file system of an image, built if it is not in the cache: Debian's takes about a minute."""
    known = ["debian", *sorted({*RELEASES, *LAYERS})]
    if system not in known:
        raise LabError(f"cannot create a twin with os {system!r}: known are {', '.join(known)}")
    wanted = recipe(system)
    images = cache() / "images"
    with locked(images):
        images.chmod(0o700)  # apt's settings may have the password of a proxy
        home = images / wanted.key
        if not (home / "rootfs").is_dir():
            _prune(images)
            say(f"building the image {wanted.key} (once, about a minute)")
            _build(home, lambda root, log: _bootstrap(wanted, root, log, say), wanted.to_json(), say)
        os.utime(home)
        if system in LAYERS:
            base, layer = home / "rootfs", LAYERS[system]
            home = images / layer.key(system, wanted.suite, wanted.key)
            if not (home / "rootfs").is_dir():
                say(f"building the image {home.name} (once)")
                _build(home, lambda root, log: _derive(base, layer, root, log), layer.to_json(), say)
            os.utime(home)
    return home / "rootfs"


def _build(home: Path, fill: Callable[[Path, Path], None], recipe: dict[str, object], say: Say) -> None:
    """Build a new image with `fill(root, log)`, whole or not at all."""
    began = time.monotonic()
    temporary = home.with_name(f".{home.name}.building")
    _discard(temporary)
    root = temporary / "rootfs"
    # A failed build is deleted, so nothing in it must survive a power cut: no fsync per file saves a third of the time.
    hurry = root / "etc/dpkg/dpkg.cfg.d/hurry"
    hurry.parent.mkdir(parents=True)
    hurry.write_text("force-unsafe-io\n")
    fill(root, temporary / "build.log")
    hurry.unlink()
    (temporary / "recipe.json").write_text(json.dumps(recipe, indent=2))
    temporary.rename(home)
    say(f"built the image {home.name} in {time.monotonic() - began:.0f}s")


def _bootstrap(wanted: Recipe, root: Path, log: Path, say: Say) -> None:
    debs = cache() / "debs"
    debs.mkdir(parents=True, exist_ok=True)
    argv = ["debootstrap", "--variant=minbase", f"--cache-dir={debs}", f"--include={','.join(wanted.packages)}"]
    mirror = wanted.sources[0].split()[1]
    run([*argv, wanted.suite, str(root), mirror], "build an image", log=log, timeout=1800)
    _settle(wanted, root, debs, log, say)


def _derive(base: Path, layer: Layer, root: Path, log: Path) -> None:
    """A copy of Debian's image with other packages, and the layer's script run in it."""
    run(["cp", "-a", f"{base}/.", str(root)], "build an image", log=log)
    debs, archives = cache() / "debs", root / "var/cache/apt/archives"
    kept = {deb.name for deb in archives.glob("*.deb")}
    for deb in debs.glob("*.deb"):
        if deb.name not in kept:
            shutil.copy(deb, archives / deb.name)
    with _chrooted(root) as inside:
        argv = [*inside, "apt-get", "-y", "--no-install-recommends", "--allow-remove-essential", "install"]
        run([*argv, *layer.packages], "build an image", log=log, timeout=1800)
        if layer.purged:
            run([*inside, "apt-get", "-y", "purge", *layer.purged], "build an image", log=log)
        run([*inside, "sh", "-euc", layer.script], "build an image", log=log)
    for deb in archives.glob("*.deb"):
        if not (debs / deb.name).exists():
            shutil.copy(deb, debs / deb.name)
        if deb.name not in kept:
            deb.unlink()


def _settle(wanted: Recipe, root: Path, debs: Path, log: Path, say: Say) -> None:
    """Turn debootstrap's result into a bare host: sources, certificates, a filled apt cache, no identity."""
    (root / "etc/apt/sources.list").write_text("".join(f"{line}\n" for line in wanted.sources))
    settings = root / "etc/apt/apt.conf.d/90hacore-lab"
    settings.write_text(wanted.apt_settings)
    resolver = root / "etc/resolv.conf"
    resolver.unlink(missing_ok=True)
    resolver.write_text(resolv_conf())
    for name, text in wanted.certificates:
        (root / "usr/local/share/ca-certificates" / name).write_text(text)
    with _chrooted(root) as inside:
        run([*inside, "update-ca-certificates"], "build an image", log=log)
        run([*inside, "apt-get", "update"], "build an image", log=log)
        run([*inside, "apt-get", "-y", "dist-upgrade"], "build an image", log=log)
        archives = root / "var/cache/apt/archives"
        for deb in debs.glob("*.deb"):
            shutil.copy(deb, archives / deb.name)
        if wanted.preloaded:
            say("downloading packages that twins will install")
            argv = [*inside, "apt-get", "-y", "install", "--download-only", *wanted.preloaded]
            run(argv, "build an image", log=log, timeout=1800)
        _sift(archives, debs, inside)
        # Nothing is left to update at the first boot (ConditionNeedsUpdate): a second less per boot.
        attempt([*inside, "/lib/systemd/systemd-update-done"])
    for unit in wanted.masked:
        path = root / "etc/systemd/system" / unit
        path.unlink(missing_ok=True)
        path.symlink_to("/dev/null")
    # Each twin has an identity of its own: see twin.py.
    for path in [*root.glob("etc/ssh/ssh_host_*"), root / "etc/machine-id", root / "var/lib/dbus/machine-id"]:
        path.unlink(missing_ok=True)
    (root / "etc/hostname").unlink(missing_ok=True)
    if (root / "var/lib/dbus").is_dir():
        (root / "var/lib/dbus/machine-id").symlink_to("/etc/machine-id")


def _sift(archives: Path, debs: Path, inside: list[str]) -> None:
    """Keep a copy of every package for the next build; leave in the image only those that are not installed."""
    listed = run([*inside, "dpkg-query", "-W", "-f", "${Package}_${Version}_\n"], "build an image")
    installed = {line.replace(":", "%3a") for line in listed.split()}
    for deb in archives.glob("*.deb"):
        if not (debs / deb.name).exists():
            shutil.copy(deb, debs / deb.name)
        if deb.name.rpartition("_")[0] + "_" in installed:
            deb.unlink()


@contextlib.contextmanager
def _chrooted(root: Path) -> Iterator[list[str]]:
    """The beginning of the argv of a program in the image."""
    path = "PATH=/usr/sbin:/usr/bin:/sbin:/bin"
    policy = root / "usr/sbin/policy-rc.d"
    policy.write_text("#!/bin/sh\nexit 101\n")
    policy.chmod(0o755)
    run(["mount", "-t", "proc", "proc", str(root / "proc")], "build an image")
    try:
        yield ["chroot", str(root), "env", "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C", path]
    finally:
        unmount(root / "proc")
        policy.unlink()


def _discard(folder: Path) -> None:
    if mounts_below(folder):  # an interrupted build
        unmount(folder)
    if folder.exists():
        shutil.rmtree(folder)


def _prune(images: Path) -> None:
    """Remove interrupted builds, and images that no lab has used for long."""
    used = " ".join(word for mount in proc.mounts() for word in (mount.point, *mount.options))  # overlays name layers
    for home in images.iterdir():
        stale = home.stat().st_mtime < time.time() - UNUSED_FOR and str(home) not in used
        if home.name.endswith(".building") or stale:
            _discard(home)


def _sources() -> tuple[str, tuple[str, ...]]:
    """The release of this machine, and those of its package sources that are Debian's, as lines of a sources.list.

    apt itself lists them: only it knows all forms of a source, and the signer of what it fetched.
    """
    form = "$(ORIGIN)|$(REPO_URI)|$(RELEASE)|$(COMPONENT)"
    listed = attempt(["apt-get", "indextargets", "--format", form, "Created-By: Packages"]).stdout
    components: dict[tuple[str, str], list[str]] = {}
    for line in listed.splitlines():
        origin, uri, release, component = line.split("|")
        if origin == "Debian" and uri.startswith(("http:", "https:")):
            seen = components.setdefault((uri, release), [])
            if component not in seen:
                seen.append(component)
    release_file = dict(line.split("=", 1) for line in Path("/etc/os-release").read_text().splitlines() if "=" in line)
    suite = release_file.get("VERSION_CODENAME", "").strip('"')
    main = [key for key in components if key[1] == suite]
    if not main:
        raise LabError("cannot build an image: apt has no source of Debian for this release; run 'apt-get update'")
    ordered = [*main, *(key for key in components if key not in main)]
    return suite, tuple(f"deb {uri} {release} {' '.join(components[uri, release])}" for uri, release in ordered)


def _apt_settings() -> str:
    """The apt settings of this machine that a download needs: proxies, and checks that an old mirror fails."""
    wanted = ("acquire::http", "acquire::https", "acquire::check-", "acquire::retries", "acquire::forceipv4")
    lines = attempt(["apt-config", "dump"]).stdout.splitlines()
    kept = [line for line in lines if line.lower().startswith(wanted) and '""' not in line]
    # Packages stay in the cache after an installation: the next twin needs no network for them either.
    return "\n".join([*kept, 'Acquire::Languages "none";', 'Binary::apt::APT::Keep-Downloaded-Packages "true";', ""])


def _certificates() -> tuple[tuple[str, str], ...]:
    """The certificates that this machine trusts in addition to Debian's."""
    folder = Path("/usr/local/share/ca-certificates")
    return tuple((path.name, path.read_text()) for path in sorted(folder.glob("*.crt")))


def resolv_conf() -> str:
    """A resolv.conf for twins: this machine's, or the servers behind a resolver on its loopback."""
    for path in (Path("/etc/resolv.conf"), Path("/run/systemd/resolve/resolv.conf")):
        try:
            lines = path.read_text().splitlines()
        except OSError:
            continue
        servers = [line.split()[1] for line in lines if line.startswith("nameserver") and len(line.split()) > 1]
        if any(not s.startswith("127.") and s != "::1" for s in servers):
            kept = [line for line in lines if line.startswith(("search", "options"))]
            reachable = [f"nameserver {s}" for s in servers if not s.startswith("127.") and ":" not in s]
            return "\n".join([*kept, *reachable, ""])
    return ""
