"""The files of the new folder: the stack, its copies, and the next steps. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...model import Host
from .merge import FoundHost, Merged
from .yaml_text import as_yaml, comment

__all__ = ["files_of", "left_out_lines"]


def files_of(stack: str, hosts: Mapping[str, Host], found: Sequence[FoundHost], merged: Merged) -> dict[str, bytes]:
    """File name to content, in the stack's folder. No secret is in any of them."""
    texts = {"stack.yaml": _stack(stack, hosts, found, merged), "README.md": _readme(stack, merged)}
    return merged.files | {name: text.encode("utf-8", "replace") for name, text in texts.items()}


def left_out_lines(merged: Merged) -> list[str]:
    """What the stack does not describe, once for all hosts that have it: `HOST, HOST: PLACE: WHY`."""
    by: dict[tuple[str, str], list[str]] = {}
    for host, left in merged.left_out:
        hosts = by.setdefault((left.place, left.why), [])
        if host not in hosts:
            hosts.append(host)
    return [f"{', '.join(hosts)}: {place}: {why}" for (place, why), hosts in by.items()]


def _stack(stack: str, hosts: Mapping[str, Host], found: Sequence[FoundHost], merged: Merged) -> str:
    parts = [comment("Written by `hacore init --from` from hosts that run. The first plan adopts what they have.")]
    if left := left_out_lines(merged):
        parts[0] += comment("\nNot described here:\n" + "\n".join(f"  {line}" for line in left))
    parts.append(f"{as_yaml({'stack': stack})}")
    if merged.secrets:
        variables = {
            name: {"type": "string", "sensitive": True, "description": f"give it as HACORE_VAR_{name}"}
            for name in merged.secrets
        }
        parts.append(as_yaml({"variables": variables}))
    parts.append(as_yaml({"hosts": {host.name: _host(hosts[host.name], merged) for host in found}}))
    resources = "".join(f"  {kind}:\n{as_yaml(blocks, 2)}" for kind, blocks in merged.resources.items())
    parts.append(f"resources:\n{resources}")
    return "\n".join(parts)


def _host(host: Host, merged: Merged) -> dict[str, Any]:
    body: dict[str, Any] = {"address": host.address}
    if connection := host.connection.model_dump(exclude_defaults=True, exclude_none=True):
        body["connection"] = connection
    if variables := merged.host_vars[host.name]:
        body["vars"] = variables
    return body


def _readme(stack: str, merged: Merged) -> str:
    example = "".join(f"    {name}: example\n" for name in merged.secrets)
    secrets = (
        f"""
The secrets are in no file. Give each one in the environment, as `HACORE_VAR_NAME`, or in a file outside of
version control with mode 0600, which `--var-file FILE` names:

{example}"""
        if merged.secrets
        else ""
    )
    return f"""# {stack}

`hacore init --from` wrote this stack from hosts that run already. `stack.yaml` describes them, `files/` has copies
of their files.
{secrets}
Next steps, in this folder:

1. Read `stack.yaml`. Its first lines name what it does not describe.
2. `hacore validate .`
3. `hacore plan .`: each resource is adopted, and keepalived.conf is written in the form of hacore.
4. `hacore apply .`: from now on `hacore drift .` reports changes made by hand.
5. `hacore destroy .` gives the hosts back as hacore found them.
"""
