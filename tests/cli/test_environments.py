"""`--env NAME`: one stack, other hosts and values, a state of its own."""

from __future__ import annotations

from tests.cli.conftest import HEAD, Console

WEB = "thing: {conf: {key: /etc/web.conf, text: '{{ var.text }}'}}"
WITH_TEXT = HEAD.replace("variables:\n", "variables:\n  text: {type: string, default: production}\n")


def staged(console: Console) -> None:
    """A stack, and an environment with another value."""
    console.stack(WEB.replace("key:", "hosts: a, key:"), WITH_TEXT)
    (console.folder / "env").mkdir()
    (console.folder / "env/staging.yaml").write_text("variables: {text: staging}\n")


def test_each_environment_has_its_own_values_and_state(console: Console) -> None:
    staged(console)
    planned = console("plan", "--env", "staging")
    assert (planned.code, "staging" in planned.out) == (0, True)
    assert planned.out.endswith("To apply this plan: hacore apply --env staging\n")
    assert console("apply", "--auto-approve", "--env", "staging").code == 0
    assert console.world["a"].data["/etc/web.conf"]["text"] == "staging"

    # the stack without it knows nothing of that, and may not have what the environment has
    assert console("state", "list").out == ""
    assert console("state", "list", "--env", "staging").out == "thing.conf@a\n"
    refused = console("plan")
    assert refused.code == 1
    assert "the path /etc/web.conf on a belongs to thing.conf of the stack web (env staging)" in refused.err
    names = {file.name for file in (console.folder / "state").iterdir() if file.suffix == ".db"}
    assert names == {"web.staging.db"}

    assert console("drift", "--env", "staging").code == 0
    assert console("rollback", "--env", "staging", "--auto-approve").code == 0
    assert console.world["a"].data == {}
    assert console("apply", "--auto-approve").code == 0
    assert console.world["a"].data["/etc/web.conf"]["text"] == "production"


def test_an_unknown_environment_says_which_there_are(console: Console) -> None:
    staged(console)
    for command in (["plan"], ["apply"], ["drift"], ["state", "list"], ["rollback"]):
        done = console(*command, "--env", "stagin")
        assert (done.code, done.err) == (64, "error: cannot find the environment 'stagin': known are staging\n"), (
            command
        )


def test_the_help_shows_how(console: Console) -> None:
    for command in ("plan", "apply", "drift"):
        assert "--env staging" in console(command, "--help").out
