"""The stack that is planned, and the same questions by hand."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

FILES = 20
PACKAGES = ("bash", "coreutils")  # what every host has, so that nothing is installed


def stack(name: str, ports: Sequence[int], addresses: Sequence[str], root: Path, services: Sequence[str] = ()) -> str:
    """Each host has 20 files in ROOT/hN, a package resource, and two services, or links where there are none."""
    lines = [f"stack: {name}", "hosts:"]
    for number, (port, address) in enumerate(zip(ports, addresses, strict=True)):
        lines.append(f"  h{number}: {{address: {address}, connection: {{port: {port}}}}}")
    lines += [
        "resources:",
        "  package:",
        f"    base: {{names: [{', '.join(PACKAGES)}]}}",
        "  file:",
        "    conf:",
        f'      for_each: "{{{{ range({FILES}) }}}}"',
        f'      path: "{root}/{{{{ host.name }}}}/{{{{ each.key }}}}.conf"',
        '      content: "# file {{ each.key }} of {{ host.name }}\\nlisten {{ host.address }}\\n"',
        '      mode: "0644"',
    ]
    if not services:
        lines += [
            f'    one: {{path: "{root}/{{{{ host.name }}}}/one", link_to: 1.conf}}',
            f'    two: {{path: "{root}/{{{{ host.name }}}}/two", link_to: 2.conf}}',
        ]
    else:
        lines += ["  service:", *(f"    {unit}: {{running: true, enabled: true}}" for unit in services)]
    return "\n".join(lines) + "\n"


def ask(folder: Path, services: Sequence[str] = ()) -> str:
    """The questions of a plan of a host, in shell."""
    lines = [
        f"cd {folder}",
        "stat --printf '%f %u %g %s %Y %n\\n' *",
        "sha256sum *.conf",
        "if command -v dpkg-query >/dev/null",
        f"then dpkg-query -W -f '${{Package}} ${{Version}} ${{Status}}\\n' {' '.join(PACKAGES)}",
        f"else rpm -q {' '.join(PACKAGES)}; fi",
    ]
    lines.append(
        f"systemctl show -p ActiveState,UnitFileState {' '.join(services)}" if services else "readlink one two"
    )
    return "\n".join(lines) + "\n"
