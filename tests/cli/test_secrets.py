"""No secret in anything that is printed: errors, bugs, logs, events."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

import hacore.engine
from hacore.load import load_providers
from tests.cli.canaries import state_bytes
from tests.cli.conftest import Console

SECRET = "hunter2-and-more"
WEB = 'thing: {key: {key: /etc/key, text: "{{ var.password }}"}, conf: {text: v1}}'


def test_what_a_host_writes_into_an_error_is_masked(console: Console) -> None:
    console.stack(WEB)
    for argv in (["apply", "--auto-approve"], ["apply", "--auto-approve", "--json"]):
        console.world["a"].fail("write *", f"cannot parse line 3: password={SECRET}")
        done = console(*argv)
        assert done.code == 1
        assert "password=(sensitive)" in done.out
        assert SECRET not in done.out + done.err


@pytest.mark.parametrize("debug", ["", "1"])
def test_a_bug_of_ours_shows_no_secret_and_a_traceback_only_on_demand(
    console: Console, monkeypatch: pytest.MonkeyPatch, debug: str
) -> None:
    console.stack(WEB)
    monkeypatch.setenv("HACORE_DEBUG", debug)

    async def broken(request: object, **_: object) -> None:
        local = f"a local with {SECRET}"
        raise RuntimeError(f"unexpected {SECRET}", local)

    monkeypatch.setattr(hacore.engine, "plan", broken)
    done = console("plan")
    assert done.code == 1
    assert done.out == ""
    assert SECRET not in done.err
    if debug:
        assert "Traceback" in done.err
        assert "RuntimeError" in done.err
    else:
        assert done.err.startswith("internal error: RuntimeError: ")
        assert "HACORE_DEBUG=1" in done.err
        assert "Traceback" not in done.err


def test_where_the_stack_does_not_load_all_given_values_are_masked(
    console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    console.stack(WEB)
    monkeypatch.setenv("HACORE_VAR_password", "from-the-environment")

    def broken(request: object) -> None:
        raise RuntimeError("saw from-the-environment and given-value")

    monkeypatch.setattr(hacore.engine, "load_stack", broken)
    monkeypatch.setattr(hacore.engine, "plan", lambda request, **_: broken(request))
    done = console("plan", "--var", "other=given-value")
    assert done.err.startswith("internal error: RuntimeError: saw (sensitive) and (sensitive)")


def test_the_log_is_masked_from_its_first_line(console: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    console.stack(WEB)
    real = hacore.engine.plan

    async def talking(request: object, **more: object) -> object:
        logging.getLogger("hacore.test").debug("about to send %s", SECRET)
        return await real(request, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(hacore.engine, "plan", talking)
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        done = console("--log", "debug", "plan")
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
        logging.getLogger("hacore").setLevel(logging.NOTSET)
    assert done.code == 0
    assert "about to send (sensitive)" in done.err
    assert SECRET not in done.err


def test_a_short_secret_is_left_out_of_the_next_command_too(console: Console) -> None:
    console.stack(WEB)
    done = console("plan", "--var", "password=abc")
    assert done.out.splitlines()[-1] == "To apply this plan: hacore apply --var 'password=…'"


def test_the_password_of_a_state_is_never_shown(console: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    console.stack(WEB)

    def refuse(url: str) -> None:
        raise hacore.errors.StoreError(f"cannot open {url}")

    monkeypatch.setattr("hacore.store.StateReader.open", staticmethod(refuse))
    done = console("runs", "--state", "postgresql://ops:db-password@127.0.0.1/web")
    assert done.code == 1
    assert done.err == "error: cannot open postgresql://ops:(sensitive)@127.0.0.1/web\n"


def test_no_renderer_prints_by_itself() -> None:
    """All output goes through Terminal: that is where secrets are taken out."""
    for package in ("render", "cli"):
        for path in (Path(hacore.engine.__file__).parent.parent / package).glob("*.py"):
            text = path.read_text()
            assert "print(" not in text, path
            assert "click.echo" not in text, path
            if path.name not in ("terminal.py", "__init__.py", "init.py"):  # init makes files
                assert ".write(" not in text, path


OLD = "old-secret-of-the-host"
"""A secret of an earlier version of the stack: no stack knows it any more, so no filter can mask it."""


def with_old_secret(console: Console, body: str) -> None:
    """A stack was applied with the old secret in it; then it has another one."""
    console.stack(body)
    assert console("apply", "--auto-approve", "--var", f"password={OLD}").code == 0


def state_of(console: Console) -> bytes:
    (path,) = console.folder.rglob("*.db")
    return state_bytes(path)


def test_a_value_that_ceases_to_be_secret_is_hidden_until_it_is_gone(console: Console) -> None:
    with_old_secret(console, 'conf: {c: {path: /etc/c, text: "pw {{ var.password }}"}}')
    console.stack("conf: {c: {path: /etc/c, text: public}}")
    for argv in (("plan",), ("plan", "--json"), ("plan", "--out", "x.plan"), ("show", "x.plan")):
        done = console(*argv)
        assert done.code == 0
        assert OLD not in done.out + done.err
    assert OLD not in (console.folder / "x.plan").read_text()
    assert console("apply", "--auto-approve").code == 0
    assert console.world["a"].data["/etc/c"]["sections"]["c"] == "public"
    console.stack("conf: {c: {path: /etc/c, text: other}}")
    assert '"public" -> "other"' in console("plan").out  # from then on it is shown


def test_a_failed_change_of_what_was_secret_leaves_no_secret_in_the_state(console: Console) -> None:
    with_old_secret(console, 'conf: {c: {path: /etc/c, text: "pw {{ var.password }}"}}')
    console.stack("conf: {c: {path: /etc/c, text: public}}")
    console.world["a"].fail("write *")
    assert console("apply", "--auto-approve", "--on-failure", "halt").code == 1
    assert OLD.encode() not in state_of(console)
    for argv in (("state", "pull"), ("state", "show", "conf.c@a"), ("plan",), ("drift",)):
        done = console(*argv)
        assert OLD not in done.out + done.err


def test_what_the_stack_no_longer_governs_stays_hidden_in_a_delete(console: Console) -> None:
    with_old_secret(console, 'thing: {t: {text: x, mode: "{{ var.password }}"}}')
    console.stack("thing: {t: {text: y}}")
    assert console("apply", "--auto-approve").code == 0
    assert console.world["a"].data["/things/t"]["mode"] == OLD
    for argv in (("plan", "--destroy"), ("plan", "--destroy", "--json"), ("destroy", "--auto-approve")):
        done = console(*argv)
        assert done.code == 0
        assert OLD not in done.out + done.err


def test_the_text_of_an_effect_is_scrubbed_before_it_is_stored(console: Console) -> None:
    with_old_secret(console, 'thing: {t: {text: x, irreversible: "sends {{ var.password }} to all"}}')
    assert OLD.encode() not in state_of(console)
    done = console("runs", "1", "--json")
    assert OLD not in done.out


def test_drift_shows_no_text_with_a_pasted_secret(console: Console) -> None:
    """Found by its value, where no expression names it; the text is that of the stack, and of the host."""
    body = f"thing: {{t: {{text: 'key = {SECRET}'}}, open: {{text: public}}}}"
    console.stack(body)
    assert console("apply", "--auto-approve").code == 0
    for key in ("/things/t", "/things/open"):
        console.world["a"].data[key]["text"] += " by hand"
    for argv in (("drift",), ("drift", "--json"), ("plan",), ("plan", "--json")):
        done = console(*argv)
        assert "by hand" in done.out  # of the other one
        assert "key =" not in done.out + done.err
        assert SECRET not in done.out + done.err


PAIR = "interface: eth0, virtual_router_id: 5, priority: 100, addresses: [192.0.2.9]"


@pytest.mark.parametrize(
    ("kind", "body", "field"),
    [
        ("file", 'path: /etc/x, content: x, validate: "check SECRET %s"', "validate"),
        ("source_build", 'BUILD, make: ["make PIN=SECRET"]', "make"),
        ("source_build", 'BUILD, install: ["make install PIN=SECRET"]', "install"),
        ("source_build", 'BUILD, configure: ["--with-pin=SECRET"]', "configure"),
        ("vrrp_instance", f'{PAIR}, track_scripts: {{c: {{script: "/usr/bin/check SECRET"}}}}', "track_scripts"),
        ("vrrp_instance", f'{PAIR}, notify: {{master: "/usr/bin/tell SECRET"}}', "notify"),
    ],
)
@pytest.mark.parametrize("secret", ["{{ var.password }}", "{{ var.password | upper }}", "hunter2-and-more"])
def test_no_kind_puts_a_secret_into_arguments(
    console: Console, monkeypatch: pytest.MonkeyPatch, kind: str, body: str, field: str, secret: str
) -> None:
    monkeypatch.setattr("hacore.cli.stack_args.providers", load_providers)
    build = f"source: http://192.0.2.1/x.tar.gz, sha256: '{'0' * 64}'"
    console.stack(f"{kind}: {{x: {{hosts: a, {body.replace('SECRET', secret).replace('BUILD', build)}}}}}")
    done = console("validate")
    assert done.code == 1
    assert f"{field} must not use a sensitive value: all users of the host can read the arguments" in done.err
    assert SECRET not in done.err
