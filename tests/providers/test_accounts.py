"""Whoever names a user or a group comes after what makes it: all kinds that have such a field."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from hacore.contract import Ask, Claim, Desired, Provider, Spec, StackFiles, View
from hacore.graph import build_graph
from hacore.load import LoadRequest, load, load_providers


class Named(Spec):
    name: str = ""


class User(Provider[Named]):
    """As a third party would write it: it owns the name of the account."""

    api = 2
    kind = "user"
    spec = Named

    def resolve(self, spec: Named, files: StackFiles) -> Named:
        return Named(name=files.name)

    def claims(self, spec: Named) -> Sequence[Claim]:
        return [Claim(f"{self.kind}:{spec.name}")]

    def facts(self, spec: Named) -> Sequence[Ask]:
        return ()

    def observe(self, view: View[Named]) -> None:
        return None

    def desire(self, view: View[Named]) -> Desired:
        return Desired({})


class Group(User):
    kind = "group"


HEAD = "stack: s\nhosts: {h: {address: 192.0.2.1, vars: {interface: eth0}}}\nresources:\n"
ACCOUNTS = "  user: {acme: {}, other: {}}\n  group: {staff: {}, more: {}}\n"


@pytest.mark.parametrize(
    ("body", "needs"),
    [
        ("  file: {x: {path: /srv/x, content: a, owner: acme}}", {"user.acme@h"}),
        ("  file: {x: {path: /srv/x, ensure: directory, group: staff}}", {"group.staff@h"}),
        ('  service: {x: {definition: "[Service]\\nExecStart=/bin/x\\nUser=acme\\n"}}', {"user.acme@h"}),
        (
            '  service: {x: {definition: "[Service]\\nExecStart=/bin/x\\nGroup=staff\\n'
            'SupplementaryGroups=more %i\\n"}}',
            {"group.staff@h", "group.more@h"},
        ),
        (
            "  source_build: {x: {source: 'http://x/x.tar.gz', sha256: '" + "0" * 64 + "', binary: /opt/x, "
            "directories: [{path: /var/x, owner: acme, group: staff}]}}",
            {"user.acme@h", "group.staff@h"},
        ),
        (
            "  vrrp_instance: {x: {members: h, interface: eth0, priority: 100, virtual_router_id: 1, "
            "addresses: [192.0.2.9/24], track_scripts: {c: {script: /bin/true, user: acme staff}}}}",
            {"user.acme@h", "group.staff@h"},
        ),
        (
            "  vrrp_instance: {x: {members: h, interface: eth0, priority: 100, virtual_router_id: 1, "
            "addresses: [192.0.2.9/24], globals: {script_user: acme}}}",
            {"user.acme@h"},
        ),
    ],
)
def test_an_account_comes_before_what_names_it(tmp_path: Path, body: str, needs: set[str]) -> None:
    (tmp_path / "stack.yaml").write_text(f"{HEAD}{ACCOUNTS}{body}\n")
    kinds: dict[str, Any] = {**load_providers(), "user": User(), "group": Group()}

    stack = load(LoadRequest(tmp_path / "stack.yaml", environ={}), kinds)

    graph = build_graph(stack, kinds)
    (one,) = [address for address in graph.needs if address.name == "x"]
    assert {str(address) for address in graph.needs[one]} == needs
