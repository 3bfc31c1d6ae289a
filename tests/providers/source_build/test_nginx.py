"""nginx 1.22.1 with the flags of the reference stack, built, run as a service, replaced while it serves, and gone."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from hacore.address import Address
from hacore.lab import manifest
from hacore_providers.service import PROVIDER as SERVICE
from hacore_providers.service import ServiceSpec
from hacore_providers.source_build import PROVIDER
from hacore_providers.source_build_spec import SourceBuildSpec
from tests.providers.play import Player
from tests.providers.source_build.conftest import Folder

pytestmark = pytest.mark.twins

ADDRESS = Address("source_build", "nginx", host="one")
UNIT_ADDRESS = Address("service", "nginx", host="one")
BINARY = "/usr/local/nginx/sbin/nginx"
FLAGS = [
    "--prefix=/usr/local/nginx",
    "--pid-path=/var/run/nginx/nginx.pid",
    "--lock-path=/var/lock/nginx.lock",
    "--error-log-path=/var/log/nginx/error.log",
    "--http-log-path=/var/log/nginx/access.log",
    "--with-http_gzip_static_module",
    "--http-client-body-temp-path=/var/temp/nginx/client",
    "--http-proxy-temp-path=/var/temp/nginx/proxy",
    "--http-fastcgi-temp-path=/var/temp/nginx/fastcgi",
    "--http-uwsgi-temp-path=/var/temp/nginx/uwsgi",
    "--http-scgi-temp-path=/var/temp/nginx/scgi",
]
UNIT = f"""[Unit]
Description=nginx, built from source
After=network-online.target
[Service]
Type=forking
PIDFile=/run/nginx/nginx.pid
RuntimeDirectory=nginx
ExecStartPre={BINARY} -t -q
ExecStart={BINARY}
ExecReload={BINARY} -s reload
KillSignal=QUIT
Restart=on-failure
[Install]
WantedBy=multi-user.target
"""
GET = "exec 3<>/dev/tcp/127.0.0.1/80; printf 'GET / HTTP/1.0\\r\\n\\r\\n' >&3; head -n 1 <&3"


def get(host: Player) -> str:
    return host.sh(f'bash -c "{GET}"').strip()


def test_nginx_from_source(one: Player, nginx_tarball: Path) -> None:
    packages = "gcc make libc6-dev libpcre3-dev zlib1g-dev"
    one.sh(f"DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends install {packages} >/dev/null")
    sha256 = hashlib.sha256(nginx_tarball.read_bytes()).hexdigest()
    body = {
        "source": nginx_tarball.as_uri(),
        "sha256": sha256,
        "configure": FLAGS,
        "directories": ["/var/temp/nginx", "/var/log/nginx"],
        "runtime": ["/var/temp/nginx/*", "/usr/local/nginx/*_temp", "/var/log/nginx/*.log"],
        "binary": BINARY,
    }
    first = PROVIDER.resolve(SourceBuildSpec.model_validate(body), Folder(nginx_tarball.parent, "nginx"))
    unit = ServiceSpec(unit="nginx", running=True, enabled=True, definition=UNIT)
    before = manifest.take(one.lab, one.twin)

    one.apply(PROVIDER, ADDRESS, first)
    one.apply(SERVICE, UNIT_ADDRESS, unit)
    origins = dict(one.images)
    assert get(one) == "HTTP/1.1 200 OK"
    version = one.sh(f"{BINARY} -V 2>&1")
    assert "configure arguments: " + " ".join(FLAGS) in version
    observed, _ = one.plan(PROVIDER, ADDRESS, first)
    assert observed is not None
    assert "libpcre.so.3" in observed.info["libraries"]

    second_body = {**body, "configure": [*FLAGS, "--with-http_stub_status_module"]}
    second = PROVIDER.resolve(SourceBuildSpec.model_validate(second_body), Folder(nginx_tarball.parent, "nginx"))
    one.sh("echo '# mine' >>/usr/local/nginx/conf/nginx.conf")
    served = manifest.take(one.lab, one.twin)
    one.apply(PROVIDER, ADDRESS, second)
    assert get(one) == "HTTP/1.1 200 OK", "the running program keeps its file"
    assert "kept: /usr/local/nginx/conf/nginx.conf was changed by hand" in "".join(one.said)
    assert "stub_status" in one.sh(f"{BINARY} -V 2>&1")
    one.undo(PROVIDER, ADDRESS, second)
    assert manifest.diff(served, manifest.take(one.lab, one.twin)) == []
    assert get(one) == "HTTP/1.1 200 OK"

    one.delete(SERVICE, UNIT_ADDRESS, unit, origins[UNIT_ADDRESS])
    one.delete(PROVIDER, ADDRESS, first, origins[ADDRESS])
    assert manifest.diff(before, manifest.take(one.lab, one.twin)) == []
    assert one.sh("ls -A /var/log/nginx 2>/dev/null || :") == ""
