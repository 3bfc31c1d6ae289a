"""Put Debian's original tarballs into hacore's download cache, for machines that reach only Debian's archive.

Debian's `.orig.tar.gz` of nginx and keepalived are the upstream release tarballs, byte for byte, so
under their SHA-256 in the cache an unmodified stack finds what it would have downloaded.
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import tempfile
from pathlib import Path

from hacore.engine.sources import cache_folder

_KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"


def archive() -> tuple[str, str]:
    """The mirror and suite that this machine's own apt takes Debian from."""
    text = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(SITE)|$(RELEASE)|$(COMPONENT)|$(ORIGIN)|$(IDENTIFIER)"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    for line in text.splitlines():
        site, release, component, origin, what = line.split("|")
        if what == "Packages" and component == "main" and origin == "Debian" and re.fullmatch(r"[a-z]+", release):
            return site, release
    raise SystemExit("cannot find Debian's archive in this machine's apt sources; try apt-get update")


def fetch(*packages: str) -> dict[str, Path]:
    """Download original tarballs into the cache; package to its path there."""
    folder = cache_folder()
    folder.mkdir(parents=True, exist_ok=True)
    site, release = archive()
    found: dict[str, Path] = {}
    with tempfile.TemporaryDirectory() as scratch:
        base = Path(scratch)
        for part in ("lists/partial", "cache/archives/partial", "out"):
            (base / part).mkdir(parents=True)
        (base / "sources.list").write_text(f"deb-src [signed-by={_KEYRING}] {site} {release} main\n")
        (base / "apt.conf").write_text(
            f'Dir::Etc::sourcelist "{base}/sources.list";\nDir::Etc::sourceparts "-";\n'
            f'Dir::State::lists "{base}/lists";\nDir::Cache "{base}/cache";\nAPT::Sandbox::User "root";\n'
        )
        env = {**os.environ, "APT_CONFIG": str(base / "apt.conf")}
        subprocess.run(["apt-get", "update", "-qq"], check=True, env=env, stdout=subprocess.DEVNULL)
        command = ["apt-get", "source", "-qq", "--download-only", "--tar-only", *packages]
        subprocess.run(command, check=True, env=env, cwd=base / "out", stdout=subprocess.DEVNULL)
        for package in packages:
            tarball = next((base / "out").glob(f"{package}_*.orig.tar.*"))
            data = tarball.read_bytes()
            path = folder / hashlib.sha256(data).hexdigest()
            path.write_bytes(data)
            found[package] = path
    return found


if __name__ == "__main__":
    for name, path in fetch("nginx", "keepalived").items():
        print(f"{name}: {path}")
