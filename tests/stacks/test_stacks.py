"""The stacks that ship with hacore, looked at without a host."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import re
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest

from hacore.address import Address
from hacore.engine.saved_plans.write import spec_json
from hacore.errors import StackError
from hacore.graph import build_graph
from hacore.load import LoadRequest, Stack, load, load_providers, stack_schema

STACKS = Path(__file__).resolve().parents[2] / "stacks"
PAIR, QUICK = STACKS / "nginx-keepalived", STACKS / "quickstart"
PASSWORD = {"HACORE_VAR_vrrp_password": "s3cr3t"}


def loaded(folder: Path, environ: dict[str, str] | None = None, **variables: str) -> Stack:
    environ = PASSWORD if environ is None else environ
    return load(LoadRequest(folder / "stack.yaml", variables=variables, environ=environ), load_providers())


@pytest.fixture(scope="module")
def pair() -> Stack:
    return loaded(PAIR)


def spec(stack: Stack, address: str) -> Any:
    return stack.instances[Address.parse(address)].spec


@pytest.mark.parametrize("folder", sorted(p.parent for p in STACKS.glob("*/stack.yaml")), ids=lambda p: p.name)
def test_each_stack_loads_makes_a_graph_and_has_a_readme(folder: Path) -> None:
    stack = loaded(folder)
    providers = load_providers()

    assert stack.name == folder.name
    assert set(build_graph(stack, providers).order) == set(stack.instances)
    assert (folder / "README.md").read_text().startswith(f"# {folder.name}\n")


def test_the_kinds_of_the_seed_are_in_the_schema() -> None:
    schema = json.dumps(stack_schema(load_providers()))

    assert {"vrrp_instance", "virtual_router_id", "track_scripts"} <= set(re.findall(r"\w+", schema))


@pytest.mark.parametrize("source", ["package", "source"])
def test_keepalived_comes_from_one_place(source: str) -> None:
    stack = loaded(PAIR, keepalived_from=source)
    names = {a.resource for a in stack.instances}

    assert ("package.keepalived" in names) == (source == "package")
    assert ("source_build.keepalived" in names) == (source == "source")
    binary = spec(stack, "vrrp_instance.VI_1@lb1").binary
    assert binary == {"package": "/usr/sbin/keepalived", "source": "/usr/local/sbin/keepalived"}[source]
    assert (spec(stack, "service.keepalived@lb1").definition is None) == (source == "package")


def test_the_password_must_be_given_and_is_nowhere_in_what_is_shown(pair: Stack) -> None:
    with pytest.raises(StackError, match="vrrp_password"):
        loaded(PAIR, {})
    with pytest.raises(StackError, match="vrrp_password"):
        loaded(PAIR, {"HACORE_VAR_vrrp_password": "nine char"})

    assert "s3cr3t" in pair.secrets
    assert spec(pair, "vrrp_instance.VI_1@lb1").sensitive
    assert "s3cr3t" not in json.dumps(dict(pair.outputs))


def test_nginx_conf_is_the_same_on_both(pair: Stack) -> None:
    one, two = (spec(pair, f"file.nginx.conf@{host}") for host in ("lb1", "lb2"))

    assert one == two
    assert "server 192.168.1.9:8080 weight=4 max_fails=2 fail_timeout=30s;" in one.content
    assert "add_header X-Served-By $hostname always;" in one.content


def test_keepalived_differs_only_where_the_guide_says(pair: Stack) -> None:
    one, two = (spec(pair, f"vrrp_instance.VI_1@{host}").model_dump() for host in ("lb1", "lb2"))

    assert {key: (one[key], two[key]) for key in one if one[key] != two[key]} == {
        "interface": ("eth1", "eth2"),
        "priority": (100, 99),
        "state": ("MASTER", "BACKUP"),
        "router_id": ("nginx_master", "nginx_backup"),
    }


def test_nginx_is_built_with_the_guide_s_arguments(pair: Stack) -> None:
    assert spec(pair, "source_build.nginx@lb1").configure == (
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
    )


def test_the_tarball_may_come_from_anywhere() -> None:
    assert spec(loaded(PAIR), "source_build.nginx@lb1").source == "https://nginx.org/download/nginx-1.22.1.tar.gz"
    elsewhere = loaded(PAIR, nginx_source="file:///srv/nginx.tar.gz")
    assert spec(elsewhere, "source_build.nginx@lb1").source == "file:///srv/nginx.tar.gz"


def test_the_order_is_the_one_that_works(pair: Stack) -> None:
    order = [a.resource for a in build_graph(pair, load_providers()).order if a.host in ("lb1", None)]
    chain = [
        "package.build-tools",
        "source_build.nginx",
        "file.nginx.conf",
        "service.nginx",
        "service.keepalived",
        "vip.front",
    ]

    assert [name for name in order if name in chain] == chain
    for before in ("package.keepalived", "file.check-nginx"):
        assert order.index(before) < order.index("vrrp_instance.VI_1") < order.index("service.keepalived")


def test_shell_files_are_shell() -> None:
    for script in (PAIR / "check_nginx_pid.sh", QUICK / "make-tarball.sh"):
        assert subprocess.run(["sh", "-n", str(script)], check=False).returncode == 0


def test_the_readme_answers_every_point_of_the_guide() -> None:
    points = re.findall(r"(?m)^(\d+)\. \*\*", (PAIR / "README.md").read_text())

    assert points == [str(n) for n in range(1, 18)]


def test_the_quickstart_s_tarball_is_what_its_folder_says() -> None:
    data = (QUICK / "greet-1.0.tar.gz").read_bytes()
    build = spec(loaded(QUICK, {}), "source_build.greet@here")
    assert hashlib.sha256(data).hexdigest() == build.sha256
    assert len(data) < 1024
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(data))) as tar:
        inside = {m.name: tar.extractfile(m).read() for m in tar if m.isfile()}  # type: ignore[union-attr]
        assert {(m.uid, m.gid, m.mtime) for m in tar} == {(0, 0, 0)}
    outside = {str(p.relative_to(QUICK)): p.read_bytes() for p in (QUICK / "greet-1.0").iterdir()}
    assert inside == outside


def test_the_quickstart_needs_nobody() -> None:
    stack = loaded(QUICK, {})

    assert [(h.address, h.connection.transport) for h in stack.hosts.values()] == [("localhost", "local")]
    paths = [getattr(i.spec, "path", None) or i.spec.binary for i in stack.instances.values()]  # type: ignore[attr-defined]
    assert all(path == "/tmp/hacore-quickstart" or path.startswith("/tmp/hacore-quickstart/") for path in paths)


@pytest.mark.parametrize("folder", [PAIR, QUICK], ids=lambda p: p.name)
def test_a_saved_plan_can_hold_each_spec(folder: Path) -> None:
    """Specs go through JSON and come back as they were."""
    providers = load_providers()
    for address, instance in loaded(folder).instances.items():
        data = json.loads(json.dumps(spec_json(instance)))
        assert providers[address.kind].spec.model_validate(data) == instance.spec, address
