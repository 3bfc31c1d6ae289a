"""Plans as text, against golden files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from hacore.model import Action, Op, Unknown
from hacore.render.plan import PlanText, exit_code, plan_text
from hacore.render.style import Style
from tests.render.plans import HEALTH, LAST, change, drift, hosts, on_both, other, plan, task

Golden = Callable[[str, str], None]
ABOUT = PlanText("sqlite:///state/web.db", last_run=LAST, next_command="hacore apply stacks/web")
OLD = "\n".join(f"line {number}" for number in range(1, 21)) + "\n"
NEW = OLD.replace("line 3\n", "line three\n").replace("line 15\n", "")
HASHES = ({"content": "sha256:" + "a" * 64, "mode": "0644"}, {"content": "sha256:" + "b" * 64, "mode": "0644"})


def conf(**more: object) -> list[object]:
    changed = change(
        "file.nginx.conf@lb1",
        Action.UPDATE,
        *HASHES,
        texts=(OLD, NEW),
        reason="was here before hacore",
        effect="reload nginx",
    )
    return [replace(c, **more) for c in on_both(changed)]  # type: ignore[arg-type]


def test_every_action(golden: Golden) -> None:
    text = "".join(f"setting {number};\n" for number in range(1, 48))
    created = change(
        "file.big@lb1", Action.CREATE, None, {"content": "sha256:1", "mode": "0600"}, texts=(None, text), effect=""
    )
    changes = [
        created,
        *conf(),
        change(
            'file.each["a b"]@lb1', Action.UPDATE, {"mode": "0644", "owner": "root"}, {"mode": "0600", "group": "www"}
        ),
        change("file.gone@lb2", Action.DELETE, {"mode": "0644"}, reason="not in the stack any more"),
        change("file.old@lb2", Action.FORGET, reason="file.new@lb2 has its place now"),
        *on_both(change("package.curl@lb1", Action.ADOPT, {"curl": "installed"}, {"curl": "installed"})),
        change(
            "package.tool@lb1",
            Action.UPDATE,
            {"tool": "1.0"},
            {"tool": "2.0"},
            irreversible="no source offers 1.0 any more",
            effect="upgrade tool",
        ),
        change(
            "source_build.nginx@lb1",
            Action.REPLACE,
            {"prefix": "/opt/a", "binary": "sha256:x", "flags": ["-O2"]},
            {"prefix": "/opt/b", "binary": Unknown("is built"), "flags": ["-O2"]},
            replace_on=frozenset({"prefix"}),
            reason="prefix cannot be changed in place",
            effect="build, install, restart nginx",
        ),
        *on_both(
            change(
                "service.nginx@lb1",
                Action.UPDATE,
                reason="reload because of file.nginx.conf@lb1",
                effect="reload nginx",
                disrupts="reload",
            )
        ),
        change(
            "vrrp_instance.VI_1@lb1",
            Action.UPDATE,
            {"config": "hmac:1", "mode": "0644"},
            {"config": "hmac:2", "mode": "0600"},
            sensitive=frozenset({"config"}),
            effect="reload keepalived",
        ),
    ]
    tasks = [task(f"t{number}", planned) for number, planned in enumerate(changes, 1) if planned.action.value != "."]
    warnings = ("the check http://192.0.2.200/ failed before",)
    golden("every_action", plan_text(plan(changes, tasks, warnings=warnings), ABOUT))


def test_colour_changes_nothing_but_the_colour() -> None:
    made = plan(conf(), [task("t1", conf()[0])], [drift("file.x@lb1", {"mode": "0644"}, {"mode": "0600"})])
    plain = plan_text(made, ABOUT)
    coloured = plan_text(made, ABOUT, Style(colour=True))
    assert "\x1b[33m~\x1b[0m" in coloured
    import re

    assert re.sub(r"\x1b\[\d+m", "", coloured) == plain


def test_first_plan_of_a_pair_with_its_order(golden: Golden) -> None:
    made = {}
    for name in ("package.tools", "source_build.nginx", "file.conf", "service.nginx"):
        made[name] = on_both(change(f"{name}@lb1", Action.CREATE, None, {"ready": True}))
    vip = change("vip.front", Action.CREATE, None, {"holder": "one"}, hosts=("lb1", "lb2"))
    tasks = []
    for number, host in enumerate(("lb1", "lb2")):
        tasks += [
            task(f"p{host}", made["package.tools"][number], keep_on_failure=True),
            task(f"b{host}", made["source_build.nginx"][number], f"p{host}"),
            task(f"f{host}", made["file.conf"][number], f"b{host}"),
            task(f"s{host}", made["service.nginx"][number], f"f{host}", f"b{host}"),
            other(f"r{host}", Op.TRIGGER, f"service.web@{host}", host, f"f{host}", trigger="reload"),
        ]
    tasks.append(task("v", vip, "slb1", "slb2"))
    changes = [*(c for pair in made.values() for c in pair), vip]
    text = plan_text(plan(changes, tasks, lineage="", serial=0, health={}), replace(ABOUT, last_run=None))
    golden("first_plan", text)


def test_a_guarded_restart_takes_one_host_after_the_other(golden: Golden) -> None:
    built = on_both(change("source_build.keepalived@lb1", Action.UPDATE, {"stamp": "a"}, {"stamp": "b"}))
    tasks = []
    for number, host in enumerate(("lb1", "lb2")):
        at = f"vrrp_instance.VI_1@{host}"
        tasks += [
            task(f"b{host}", built[number]),
            other(f"d{host}", Op.DRAIN, at, host, f"b{host}", group="VI_1"),
            other(
                f"r{host}",
                Op.TRIGGER,
                f"service.keepalived@{host}",
                host,
                f"d{host}",
                trigger="restart",
                group="VI_1",
                disrupts="restart",
            ),
            other(f"v{host}", Op.VERIFY, f"service.keepalived@{host}", host, f"r{host}", group="VI_1"),
            other(f"u{host}", Op.UNDRAIN, at, host, f"v{host}", group="VI_1"),
        ]
    golden("guarded_restart", plan_text(plan(built, tasks), ABOUT))


def test_lanes_say_what_a_failure_would_undo(golden: Golden) -> None:
    one = change("file.a@lb1", Action.CREATE, None, {"mode": "0644"}, irreversible="it is so")
    two = change("file.b@lb2", Action.CREATE, None, {"mode": "0644"})
    adopted = change("file.c@lb2", Action.ADOPT, {"mode": "0644"}, {"mode": "0644"})
    made = plan([one, two, adopted], [task("t1", one), task("t2", two, lane=1), task("t3", adopted, lane=2)])
    golden("lanes", plan_text(made, ABOUT))


def test_drift_comes_first(golden: Golden) -> None:
    drifts = [
        drift("service.nginx@lb2", {"running": True, "enabled": True}, {"running": False, "enabled": True}),
        drift("file.x@lb1", {"mode": "0644"}, None, reason="is gone"),
        drift("file.secret@lb1", {"content": "hmac:1"}, {"content": "hmac:2"}, sensitive=frozenset({"content"})),
    ]
    started = change("service.nginx@lb2", Action.UPDATE, {"running": False}, {"running": True}, effect="start nginx")
    golden("drift_first", plan_text(plan([started], [task("t1", started)], drifts), ABOUT))


def test_an_unreachable_host_is_named_and_the_plan_is_incomplete(golden: Golden) -> None:
    created = change("file.a@lb1", Action.CREATE, None, {"mode": "0644"})
    made = plan([created], [task("t1", created)], hosts=hosts("lb1", "lb2", silent=["lb2"]), health={})
    golden("unreachable", plan_text(made, ABOUT))
    assert exit_code(made) == 1
    assert exit_code(made, detailed=True) == 1


def test_that_no_host_answered_is_said() -> None:
    made = plan(hosts=hosts("lb1", "lb2", silent=["lb1", "lb2"]), health={})
    assert "\nNo host was checked.\nIncomplete: lb1, lb2 are unreachable" in plan_text(made, ABOUT)


def test_nothing_to_do() -> None:
    made = plan()
    assert plan_text(made, ABOUT).endswith("\n\nNo changes. The hosts match the stack.")
    assert exit_code(made, detailed=True) == 0


def test_text_and_exit_code_agree_that_drift_alone_is_worth_a_look() -> None:
    made = plan(drifts=[drift("file.x@lb1", {"mode": "0644"}, {"mode": "0600"})])
    text = plan_text(made, ABOUT)
    assert '~ mode = "0644" -> "0600"' in text
    assert "Hosts match the stack." not in text
    assert exit_code(made, detailed=True) == 2
    assert exit_code(made) == 0


def test_nobody_and_two_who_hold_the_address_are_told() -> None:
    found = HEALTH["vip.front"]
    nobody = plan(health={"vip.front": replace(found, holders=())})
    assert "vip.front: 192.0.2.200 is held by no host" in plan_text(nobody, ABOUT)
    both = plan(health={"vip.front": replace(found, holders=("lb1", "lb2"))})
    assert "vip.front: 192.0.2.200 is held by lb1 and lb2" in plan_text(both, ABOUT)


def test_an_unfinished_run_comes_before_all_else_and_nothing_else_is_offered() -> None:
    open_run = replace(LAST, id=5, status="running", ended=None)
    text = plan_text(plan(conf(), [task("t1", conf()[0])]), replace(ABOUT, unfinished=open_run, last_run=open_run))
    assert text.startswith("Interrupted run #5 apply 2026")
    assert "hacore rollback" in text.splitlines()[0]
    assert "To do this" not in text


def test_destroying_is_called_by_its_name() -> None:
    gone = change("file.a@lb1", Action.DELETE, {"mode": "0644"}, reason="the whole stack goes")
    text = plan_text(plan([gone], [task("t1", gone)], command="destroy"), ABOUT)
    assert "hacore will destroy the managed resources (- delete):" in text
    assert "# (the whole stack goes)" in text
    assert "1. delete file.a (lb1)" in text


def test_what_a_host_says_cannot_move_the_cursor() -> None:
    evil = change("file.a@lb1", Action.UPDATE, {"c": 1}, {"c": 2}, texts=("ok\n", "\x1b[2Jok\x9b1A\n"), text_of="c")
    silent = hosts("lb1", silent=["lb1"])
    silent["lb1"] = replace(silent["lb1"], error="no \x1b]0;route")
    text = plan_text(plan([evil], [task("t1", evil)], hosts=silent), ABOUT)
    assert "\x1b" not in text
    assert "\x9b" not in text
    assert "\\x1b[2Jok\\x9b1A" in text


def test_names_beside_a_count_are_for_verbose_plans() -> None:
    effect = "install 2 packages (+ 2 dependencies: liba, libb), enable web"
    made = plan(changes=[change("package.web@lb1", Action.CREATE, None, {"a": "installed"}, effect=effect)])
    assert "effect: install 2 packages (+ 2 dependencies), enable web" in plan_text(made, ABOUT)
    assert f"effect: {effect}" in plan_text(made, replace(ABOUT, verbose=True))


def around(host: str, **more: object) -> object:
    """The same change of a file of which the other lines differ from host to host."""
    before = f"state {host}\npriority 1\nold line\n"
    text = change(
        f"file.conf@{host}",
        Action.UPDATE,
        {"content": f"sha256:{host}1"},
        {"content": f"sha256:{host}2"},
        texts=(before, before.replace("old line", "new line")),
        effect="reload it",
    )
    return replace(text, **more)  # type: ignore[arg-type]


def test_equal_changes_of_files_that_differ_elsewhere_are_shown_once() -> None:
    text = plan_text(plan(changes=[around("lb1"), around("lb2")]), ABOUT)
    assert text.count("+ new line") == 1
    assert "# file.conf@lb1, file.conf@lb2 will be updated in-place" in text
    assert "# unchanged lines are those of lb1; they differ on lb2" in text
    assert text.count("effect: reload it") == 1


def test_equal_changes_with_different_effects_have_the_effect_of_each_host() -> None:
    text = plan_text(plan(changes=[around("lb1"), around("lb2", effect="reload it, remove x")]), ABOUT)
    assert text.count("+ new line") == 1
    assert "    effect on lb1: reload it\n    effect on lb2: reload it, remove x\n" in text


def test_changes_that_differ_are_shown_each() -> None:
    changes = [around("lb1"), around("lb2", reason="not the same")]
    assert plan_text(plan(changes=changes), ABOUT).count("+ new line") == 2
