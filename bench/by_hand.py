"""A pair as somebody makes it by hand with Debian's packages, and the stack that describes the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hacore.lab import Twin

PASSWORD = "Zq7vX2kp"
UPGRADES = {"nginx": "1:9.0", "keepalived": "1:9.0"}
"""The versions that the repository of `by_hand` has: the same files as Debian's, with another number."""

SITE = """\
server {
    listen 80 default_server;
    location / { return 200 "first edition\\n"; }
}
"""

_CONFIG = """\
global_defs {
    router_id NAME
}
vrrp_instance VI_1 {
    state BACKUP
    interface INTERFACE
    virtual_router_id 66
    priority PRIORITY
    advert_int 1
    authentication {
        auth_type PASS
        auth_pass PASSWORD
    }
    virtual_ipaddress {
        ADDRESS
    }
}
"""

_REPOSITORY = """
mkdir -p /srv/newer; cd /srv/newer
for name in nginx keepalived; do
  apt-get -q -y download $name >/dev/null
  dpkg-deb -R ${name}_*.deb tree; rm ${name}_*.deb
  sed -i 's/^Version: .*/Version: 1:9.0/' tree/DEBIAN/control
  dpkg-deb --root-owner-group -Znone -b tree ${name}_9.deb >/dev/null; rm -rf tree
  { dpkg-deb -f ${name}_9.deb; echo "Filename: ./${name}_9.deb"; echo "Size: $(stat -c %s ${name}_9.deb)"
    echo "SHA256: $(sha256sum <${name}_9.deb | cut -c 1-64)"; echo; } >>Packages
done
echo 'deb [trusted=yes] file:/srv/newer ./' >/etc/apt/sources.list.d/newer.list
apt-get -q update -o Dir::Etc::sourcelist=sources.list.d/newer.list -o Dir::Etc::sourceparts=- \\
  -o APT::Get::List-Cleanup=0 >/dev/null
"""


def by_hand(name: str, interface: str, priority: int, address: str) -> str:
    """The script of a host."""
    config = _CONFIG.replace("NAME", name).replace("INTERFACE", interface).replace("PRIORITY", str(priority))
    config = config.replace("PASSWORD", PASSWORD).replace("ADDRESS", address)
    return (
        "set -e; export DEBIAN_FRONTEND=noninteractive\n"
        "apt-get -q -y install --no-install-recommends nginx keepalived >/dev/null\n"
        f"cat >/etc/nginx/sites-available/default <<'END'\n{SITE}END\n"
        f"cat >/etc/keepalived/keepalived.conf <<'END'\n{config}END\n"
        f"systemctl restart nginx keepalived\n{_REPOSITORY}"
    )


def stack(twins: Sequence[Twin], address: str, fields: Mapping[str, str]) -> str:
    """The stack. `fields`: `addresses`, a version of `nginx` and `keepalived`, a priority by the name of a twin."""
    hosts = "".join(
        f"  {twin.name}: {{address: {twin.address}, groups: [lb], "
        f"vars: {{interface: {twin.interface}, priority: {fields.get(twin.name, 101 - number)}}}}}\n"
        for number, twin in enumerate(twins)
    )

    def package(name: str) -> str:
        version = fields.get(name)
        return f'{{name: {name}, version: "{version}"}}' if version else f"{{name: {name}}}"

    return f"""\
stack: operations
variables:
  vrrp_password: {{type: string, sensitive: true}}
connection: {{user: root}}
hosts:
{hosts}resources:
  package:
    nginx: {package("nginx")}
    keepalived: {package("keepalived")}
  file:
    site: {{path: /etc/nginx/sites-available/default, source: site.conf, needs: [package.nginx]}}
  service:
    nginx: {{running: true, enabled: true, reload_on: [file.site], restart_on: [package.nginx]}}
    keepalived: {{running: true, enabled: true, needs: [service.nginx], restart_on: [package.keepalived]}}
  vrrp_instance:
    VI_1:
      members: lb
      interface: "{{{{ host.vars.interface }}}}"
      priority: "{{{{ host.vars.priority }}}}"
      router_id: "{{{{ host.name }}}}"
      virtual_router_id: 66
      authentication: {{type: PASS, password: "{{{{ var.vrrp_password }}}}"}}
      addresses: [{fields.get("addresses", address)}]
      needs: [package.keepalived]
  vip:
    front: {{instance: VI_1, address: {address}, checks: [{{http: "http://{address}/"}}], needs: [service.keepalived]}}
"""
