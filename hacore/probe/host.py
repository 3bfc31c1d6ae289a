"""The fact of every probe: family, init system, identity and clock of the host."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..contract import Ask, HostFacts

_COMMAND = r"""
family=; pretty=
if [ -r /etc/os-release ]; then
  . /etc/os-release
  pretty=$PRETTY_NAME
  for like in ${ID-} ${ID_LIKE-}; do
    case $like in debian|ubuntu) family=debian; break;; rhel|fedora|centos) family=redhat; break;; esac
  done
fi
machine=; boot=; name=
[ -r /etc/machine-id ] && read -r machine </etc/machine-id
read -r boot </proc/sys/kernel/random/boot_id
read -r name </proc/sys/kernel/hostname
printf '%s\n' "$family" "$pretty" "$HACORE_INIT" "$HACORE_PKG" "$machine" "$boot" "$name"
nproc; uname -m; id -u; date +%s.%N
"""


class _Base:
    """Family, init system, identity and clock of a host; the answer's argument is empty."""

    name = "host"

    def command(self, asks: Sequence[Ask]) -> str:  # noqa: ARG002 - as every fact
        """The snippet; it needs no argument."""
        return _COMMAND

    def parse(self, stdout: bytes) -> Mapping[str, HostFacts]:
        """Eleven lines to HostFacts; raises ValueError on anything else."""
        lines = stdout.decode("utf-8", "replace").splitlines()
        if len(lines) != 11:
            raise ValueError(f"expected 11 lines, got {len(lines)}")
        family, pretty, init, packager, machine, boot, name, cpus, arch, uid, clock = lines
        return {
            "": HostFacts(
                family=family,
                os=pretty,
                init=init,
                packager=packager,
                machine_id=machine,
                boot_id=boot,
                hostname=name,
                cpus=int(cpus),
                arch=arch,
                uid=int(uid),
                time=float(clock),
            )
        }


BASE = _Base()
