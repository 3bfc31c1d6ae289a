"""No secret in anything that is printed: errors, bugs, logs, events."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

import hacore.engine
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
