"""vrrp_instance: a VRRP instance of keepalived, one per member host, and its keepalived.conf.

hacore owns the whole file. All instances of a host that share a file are one task with one image.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any, Literal

from hacore.contract import (
    NO_RULES,
    Action,
    Address,
    Ask,
    Change,
    Claim,
    Daemon,
    Desired,
    Drained,
    Effect,
    FailOver,
    Found,
    Guard,
    Held,
    Host,
    Image,
    Lifecycle,
    Maintenance,
    Mistake,
    Network,
    Observed,
    Provider,
    Served,
    StackFiles,
    Step,
    Trigger,
    View,
    Work,
)

from ..facts.addresses import ADDRESSES, holds, plain
from ..facts.firewall import FIREWALL
from ..facts.foreign import FOREIGN
from ..facts.keepalived import CONFIG, DRAIN, HEADER, INCLUDE, MAINTENANCE, VERSION
from ..facts.keepalived_daemon import DAEMON
from ..facts.keepalived_lost import LOST
from ..facts.links import LINKS
from ..facts.paths import PATHS
from ..facts.stat import sha256
from . import check_foreign, effects, fail_over, lost, maintenance, steps
from .check_all import mistakes_of_all
from .check_hosts import mistakes_on_hosts
from .check_pair import agreement, mistakes
from .check_raw import patterns
from .companions import any_hidden, any_sensitive, companions, hidden, password_only, wanted
from .config_text import addresses_in, masked, needs_promotion, render
from .discover import DISCOVER
from .members import is_drained, longest_start, master_down, served
from .origins import origins
from .spec import Unicast, VrrpInstanceSpec, instance_name
from .uses import accounts, programs

OWNER = "root:root"
LONGEST_ELECTION = 60.0
"""Seconds that an apply waits for a holder, whatever delays are configured."""


class VrrpInstance(Provider[VrrpInstanceSpec]):
    """The kind `vrrp_instance`."""

    api = 2
    kind = "vrrp_instance"
    spec = VrrpInstanceSpec
    discover = DISCOVER
    whole = True  # the file
    plain = ("name", "config", "service")  # the undo of a run needs them in the state
    arguments = dict.fromkeys(("track_scripts", "notify"), "let the script read it from a file")

    # -- at load
    def resolve(self, spec: VrrpInstanceSpec, files: StackFiles) -> VrrpInstanceSpec:
        """Set the name, whether the file is secret, and for unicast the source and the peers."""
        found: dict[str, Any] = {
            "name": spec.name or instance_name(files.name),
            "sensitive": spec.sensitive or files.sensitive,
            "password_only": password_only(getattr(files, "sensitive_fields", ())),
            "promote_secondaries": needs_promotion(spec, files.host.address),
        }
        if spec.unicast:
            found["unicast_src_ip"] = spec.unicast_src_ip or files.host.address
            if spec.unicast is True:
                members: Iterable[Host] = getattr(files, "members", ())
                found["unicast"] = Unicast(peers=tuple(host.address for host in members))
        return spec.model_copy(update=found)

    def validate(
        self, members: Mapping[str, VrrpInstanceSpec], hosts: Mapping[str, Host], lifecycle: Lifecycle = NO_RULES
    ) -> Iterable[tuple[str, Mistake]]:
        """Mistakes that no test on a single host can find."""
        return tuple(mistakes(members, hosts))

    def claims(self, spec: VrrpInstanceSpec) -> Sequence[Claim]:
        """Shares the file with the instances of its host; owns its name, virtual router id and addresses."""
        family = "/ipv6" if any(":" in vip.address for vip in spec.vips) else ""
        return (
            Claim(f"path:{spec.config}", "share"),
            Claim(f"config:{spec.service}", "share"),
            Claim(f"vrrp_instance:{spec.config}/{spec.name}"),
            Claim(f"vrid:{spec.interface}/{spec.virtual_router_id}{family}"),
            *(Claim(f"vip:{plain(vip.address)}") for vip in spec.vips),
            Claim(f"path:{spec.binary}", "use"),
            Claim("pkg:keepalived", "use"),
            *(Claim(f"path:{path}", "use") for path in programs([spec])),
            *accounts(spec),
        )

    def triggers(self, spec: VrrpInstanceSpec, address: Address) -> Sequence[Trigger]:
        """Its own change reloads the daemon."""
        return (Trigger(str(address), "reload"),)

    def aggregate(self, spec: VrrpInstanceSpec) -> str:
        """The file."""
        return f"path:{spec.config}"

    def daemon(self, spec: VrrpInstanceSpec) -> str:
        """The unit of keepalived."""
        return spec.service

    def network(self, spec: VrrpInstanceSpec) -> Network:
        """The interface of its adverts, and the addresses that it adds."""
        return Network(spec.interface, tuple(vip.address for vip in spec.vips))

    # -- at plan
    def facts(self, spec: VrrpInstanceSpec) -> Sequence[Ask]:
        """The file, with the hash that it has if this is its only instance."""
        return (
            Ask(CONFIG, spec.config, wanted=wanted(spec), secret=hidden(spec)),
            Ask(VERSION, spec.binary),
            Ask(PATHS, spec.config),
            Ask(DRAIN, spec.drain_file),
            Ask(DRAIN, spec.maintenance_file),
            Ask(MAINTENANCE, spec.maintenance_file),
            Ask(ADDRESSES, ""),
            Ask(LINKS, ""),
            Ask(LOST, lost.question(spec)),
            Ask(FOREIGN, check_foreign.question(spec)),
            *(Ask(INCLUDE, pattern) for _, pattern in patterns(spec)),
        )

    def examine(self, view: View[VrrpInstanceSpec]) -> Iterable[Mistake]:
        """Mistakes that the facts of its hosts and the other instances in the file reveal."""
        return tuple(mistakes_on_hosts(view))

    def examine_all(
        self, views: Mapping[Address, View[VrrpInstanceSpec]], contents: Mapping[tuple[str, str], bytes]
    ) -> Iterable[tuple[Address, Mistake]]:
        """One address in two instances, one virtual router id twice in a network, checks that ask the address."""
        return tuple(mistakes_of_all(views, contents))

    def observe(self, view: View[VrrpInstanceSpec]) -> Observed | None:
        """The file, if it has a block with this instance's name, or is not managed yet: it would be replaced."""
        spec, facts = view.spec, view.facts
        found = facts.get(CONFIG, spec.config)
        if found is None or (found.managed and spec.name not in found.instances):
            return None
        held = [vip.address for vip in spec.vips if holds(facts.get(ADDRESSES, ""), vip.address)]
        info = {"version": facts.get(VERSION, spec.binary), "holds": held, "drained": is_drained(spec, facts)}
        texts = {} if found.text is None or any_hidden(view) else {"config": found.text}
        attrs = {"config": f"sha256:{found.sha256}", "mode": found.mode, "owner": found.owner}
        attrs[lost.ATTR] = lost.left(view)
        return Observed(attrs, info, texts)

    def desire(self, view: View[VrrpInstanceSpec]) -> Desired:
        """The file with all instances of the host; raises ValueError if they contradict each other."""
        text = render(companions(view))
        secret, withheld = any_sensitive(view), any_hidden(view)
        cure = lost.cure(view)
        attrs = {"config": f"sha256:{sha256(text.encode())}", "mode": steps.MODE, "owner": OWNER}
        return Desired(
            {**attrs, lost.ATTR: lost.shown(lost.all_of(view.spec))} if cure else attrs,
            texts={} if withheld else {"config": masked(text)},
            sensitive=frozenset({"config"}) if secret else frozenset(),
            masked=frozenset({"config"}) if secret and not withheld else frozenset(),
            effect=effects.change(view, cure),
            disrupts="restart" if cure else "none",  # its other addresses move away first
        )

    def delete_effect(self, view: View[VrrpInstanceSpec], found: Found) -> Effect:
        """Remove the block; with the last one remove or restore the file."""
        spec = view.spec
        reload = f" and reload {spec.service}" if found != "absent" else ""
        back = "" if view.removed(found) else f"; with the last one, restore the original file{reload}"
        gone = effects.removal(view, [plain(vip.address) for vip in spec.vips]) if view.removed(found) else []
        return Effect(", ".join([f"remove VRRP instance {spec.name} from {spec.config}{back}", *gone]))

    def invalidates(self, change: Change[VrrpInstanceSpec]) -> Sequence[str]:
        """The file, for its other users."""
        return (f"path:{change.spec.config}",)

    def agreement(self, spec: VrrpInstanceSpec) -> Mapping[str, Hashable]:
        """What adverts carry."""
        return agreement(spec)

    def guard(self, view: View[VrrpInstanceSpec]) -> Guard | None:
        """By the drain tracker: the peer becomes master without missing an advert. None without a peer."""
        if len(view.members) < 2:
            return None
        spec = view.spec

        def clear(now: View[Any]) -> bool:
            here = now.facts.get(ADDRESSES, "")
            return here is not None and not any(holds(here, vip.address) for vip in spec.vips)

        return Guard(
            group=f"vrrp_instance.{spec.name}",
            drain=steps.drain(spec, on=True),
            undrain=steps.drain(spec, on=False),
            clear=clear,
            patience=max(30.0, 4 * spec.advert_interval + 10),  # master_down is 3 intervals and a bit
            held=bool(view.facts.get(DRAIN, spec.maintenance_file)),
        )

    def maintenance(
        self, view: View[VrrpInstanceSpec], order: Drained, units: Sequence[str] = ()
    ) -> Maintenance | None:
        """By a drain tracker of its own, which survives a restart of the host."""
        return maintenance.maintenance(view, order, units)

    def fail_over(self, view: View[VrrpInstanceSpec]) -> FailOver | None:
        """By the timers and weights of the members."""
        return fail_over.fail_over(view)

    # -- for status and drift
    def serving_facts(self, spec: VrrpInstanceSpec) -> Sequence[Ask]:
        """The running daemon and its log, and whether the firewall stops its adverts."""
        return (Ask(DAEMON, spec.service), Ask(FIREWALL, ""))

    def served(self, view: View[VrrpInstanceSpec]) -> Sequence[Served]:
        """Its addresses; the first member reports for all."""
        first = next(iter(view.members), None)
        return () if view.host is None or view.address.host != first else served(view.members)

    def daemons(self, view: View[VrrpInstanceSpec]) -> Sequence[Daemon]:
        """keepalived."""
        state = view.facts.get(DAEMON, view.spec.service)
        return () if state is None else (Daemon(view.spec.service, state.age is not None),)

    def held(self, view: View[VrrpInstanceSpec]) -> Held | None:
        """All addresses of all instances in its file, raw and excluded ones as well."""
        here = view.facts.get(ADDRESSES, "")
        if here is None:
            return None
        file = view.facts.get(CONFIG, view.spec.config)
        return Held(
            frozenset(plain(a.address) for a in here if a.dev != "lo"),
            frozenset(plain(address) for address in file.addresses) if file is not None else frozenset(),
            addresses_in(render(companions(view))),
            master_down(view.spec) + 1.0,
            min(LONGEST_ELECTION, longest_start(view.spec) + master_down(view.spec)),
            {address: (move.taker, move.seconds) for address, move in effects.moves(view.members).items()},
        )

    # -- at apply
    def capture(self, work: Work[VrrpInstanceSpec]) -> Step:
        """Back up the file's bytes, mode and owner, once for all instances in it."""
        return steps.capture(work.changes[0].spec.config, (change.address for change in work.changes))

    def apply(self, work: Work[VrrpInstanceSpec]) -> Sequence[Step]:
        """Write the file with all desired instances of the host."""
        if not work.wanted and all(change.action is Action.DELETE for change in work.changes):
            return self.delete(work)
        wanted = work.wanted or tuple((c.address, c.spec) for c in work.changes if c.action is not Action.DELETE)
        specs = [spec for _, spec in wanted]
        deleted = [change.spec for change in work.changes if change.action is Action.DELETE]
        install = steps.install(specs[0], render(wanted), programs(specs), origins(wanted))
        cure = (steps.restart(specs[0]),) if any(map(lost.is_cure, work.changes)) else ()
        return (install, *((steps.forget_drains(deleted),) if deleted else ()), *cure)

    def loads(self, change: Change[VrrpInstanceSpec]) -> bool:
        """Whether it restarts the daemon, which lost addresses."""
        return lost.is_cure(change)

    def undo(self, work: Work[VrrpInstanceSpec]) -> Sequence[Step]:
        """Restore the file of before this run."""
        images = [work.images[c.address] for c in work.changes if c.address in work.images]
        new = [change.spec for change in work.changes if change.action is Action.CREATE]
        deleted = bool(images) and all(change.action is Action.DELETE for change in work.changes)
        return (
            *(steps.restore(image) for image in images[:1]),
            *((steps.reload(work.changes[0].spec),) if deleted else ()),  # the delete made it load the original file
            *((steps.forget_drains(new),) if new else ()),
        )

    def delete(self, work: Work[VrrpInstanceSpec]) -> Sequence[Step]:
        """Restore the original file; if other instances remain, write it without these."""
        if work.wanted:
            return self.apply(work)
        images = [work.images[c.address] for c in work.changes if c.address in work.images]
        origin = min(images, key=lambda image: image.run, default=self.absent(work.changes[0].spec))
        if steps.made_by_hacore(origin, HEADER):
            # hacore had written the file for an instance that was deleted since: there is no original file
            origin = Image({**origin.data, "type": "absent"})
        # what the daemon loads now is not the stack's, so no trigger does it
        reload = () if origin.data["type"] == "absent" else (steps.reload(work.changes[0].spec),)
        return (steps.restore(origin), *reload, steps.forget_drains(change.spec for change in work.changes))

    def absent(self, spec: VrrpInstanceSpec, found: Found = "absent") -> Image:
        """The image of a missing file."""
        return Image({"config": spec.config, "type": "absent", "missing": []})

    def trigger(self, work: Work[VrrpInstanceSpec], op: Literal["reload", "restart"]) -> Sequence[Step]:
        """Reload in place, once for all instances of the host."""
        return (steps.reload(work.changes[0].spec),)


PROVIDER = VrrpInstance()
