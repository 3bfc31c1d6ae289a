"""Who made a saved plan: the state's key, a signature, or nobody known."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from hacore.engine import apply_saved, check_authentic, load_plan, plan, save_plan, sign
from hacore.errors import PlanError
from hacore.store.keys import Key
from tests.engine.play import Play

ONE = "thing: {x: {key: /x, text: v1}}"


async def saved(play: Play) -> Path:
    """A plan of a state that has a key."""
    await play.make(ONE)
    play.stack(ONE.replace("v1", "v2"))
    path = play.folder / "web.plan"
    save_plan(await plan(play.request), play.request, path, redact=lambda value: value)
    return path


def rewritten(path: Path, change: Any) -> None:
    """The file with another content, its checksum right again: what somebody without the key can do."""
    import hashlib

    head, _, body = path.read_bytes().partition(b"\n")
    about, content = json.loads(head), json.loads(body)
    change(about["hacore_plan"], content)
    body = json.dumps(content, separators=(",", ":")).encode() + b"\n"
    about["hacore_plan"]["sha256"] = hashlib.sha256(body).hexdigest()
    path.write_bytes(json.dumps(about, separators=(",", ":")).encode() + b"\n" + body)


def keygen(path: Path) -> Path:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True)
    return path


def signature_of_a_file(key: Path, path: Path) -> bytes:
    command = ["ssh-keygen", "-Y", "sign", "-f", str(key), "-n", "file"]
    return subprocess.run(command, input=path.read_bytes(), capture_output=True, check=True).stdout


def signers(path: Path, *keys: Path) -> Path:
    lines = [f"ops@{key.name} {key.with_name(key.name + '.pub').read_text()}" for key in keys]
    path.write_text("".join(lines))
    return path


async def test_a_plan_of_the_states_key_is_applied(play: Play) -> None:
    path = await saved(play)
    assert (await apply_saved(load_plan(path), play.request)).ok
    assert play.text("/x") == "v2"


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda about, content: content["plan"].update(warnings=["x"]), "was changed after it was made"),
        (lambda about, content: content["stack"].update(file="/tmp/other/stack.yaml"), "was changed after it was made"),
        (lambda about, content: content.update(who="somebody"), "was changed after it was made"),
        (lambda about, content: about.update(hacore="9"), "was changed after it was made"),
        (lambda about, content: about.update(mac="0" * 64), "was changed after it was made"),
        (lambda about, content: about.update(mac=""), "was changed after it was made"),
        (lambda about, content: about.update(key="", mac=""), "it is not authenticated, although its state has a key"),
        (lambda about, content: about.update(key="0" * 16), "it was made with another key than that in"),
        (lambda about, content: about.update(format=1), "in format 1, which does not show who made it"),
    ],
)
async def test_a_plan_that_somebody_changed_is_refused(play: Play, change: Any, why: str) -> None:
    path = await saved(play)
    rewritten(path, change)
    execs = [machine.execs for machine in play.world]
    with pytest.raises(PlanError, match=why):
        await apply_saved(load_plan(path), play.request)
    assert [machine.execs for machine in play.world] == execs
    assert play.text("/x") == "v1"


async def test_no_bit_can_be_changed(play: Play) -> None:
    path = await saved(play)
    whole = path.read_bytes()
    for place in range(0, len(whole), 37):
        data = bytearray(whole)
        data[place] ^= 4
        path.write_bytes(data)
        with pytest.raises(PlanError):
            await apply_saved(load_plan(path), play.request)
    path.write_bytes(whole)
    assert (await apply_saved(load_plan(path), play.request)).ok


async def test_a_plan_of_the_state_named_by_somebody_else(play: Play, tmp_path: Path) -> None:
    """The file may name a state of its author, with the author's key beside it, readable by others."""
    path = await saved(play)
    folder = tmp_path / "evil"
    folder.mkdir()
    key = Key(b"k" * 32, "evil")
    (folder / "s.db.key").write_text("a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s=\n")
    (folder / "s.db.key").chmod(0o644)

    def change(about: dict[str, Any], content: dict[str, Any]) -> None:
        content["stack"]["state"] = f"sqlite:///{folder}/s.db"
        about["key"] = key.id

    rewritten(path, change)
    doubt = check_authentic_or_error(path, f"sqlite:///{folder}/s.db")
    assert "the key that authenticates it is missing" in doubt


def check_authentic_or_error(path: Path, state: str) -> str:
    try:
        return check_authentic(load_plan(path), state, None)
    except PlanError as error:
        return str(error)


async def test_without_a_key_it_is_said_and_accepted_only_on_purpose(play: Play) -> None:
    play.stack(ONE)
    path = play.folder / "web.plan"
    save_plan(await plan(play.request), play.request, path, redact=lambda value: value)
    with pytest.raises(PlanError, match="because its state has no key yet: everybody who can write the file decides"):
        await apply_saved(load_plan(path), play.request)
    assert (await apply_saved(load_plan(path), play.request, unauthenticated=True)).ok


# -- signatures


async def test_a_signed_plan_is_applied_by_who_trusts_the_signer(play: Play, tmp_path: Path) -> None:
    path, key = await saved(play), keygen(tmp_path / "ci")
    sign(path, str(key))
    assert (await apply_saved(load_plan(path), play.request, signers=signers(tmp_path / "s", key))).ok


async def test_a_signature_of_somebody_else_of_another_content_or_purpose_is_refused(
    play: Play, tmp_path: Path
) -> None:
    path, key, other = await saved(play), keygen(tmp_path / "ci"), keygen(tmp_path / "other")
    trusted = signers(tmp_path / "s", key)
    with pytest.raises(PlanError, match=r"it is not signed: there is no .*web\.plan\.sig"):
        await apply_saved(load_plan(path), play.request, signers=trusted)
    sign(path, str(other))
    with pytest.raises(PlanError, match=r"no key in .* made its signature"):
        await apply_saved(load_plan(path), play.request, signers=trusted)
    sign(path, str(key))
    with pytest.raises(PlanError, match="there is no file of signers"):
        await apply_saved(load_plan(path), play.request, signers=tmp_path / "none")
    rewritten(path, lambda about, content: content.update(who="x"))
    with pytest.raises(PlanError, match="its signature is not one of this content"):
        await apply_saved(load_plan(path), play.request, signers=trusted)
    path.with_name("web.plan.sig").write_bytes(signature_of_a_file(key, path))
    with pytest.raises(PlanError, match="or not one of a plan"):
        await apply_saved(load_plan(path), play.request, signers=trusted)
    assert play.text("/x") == "v1"


async def test_a_new_plan_has_no_old_signature(play: Play, tmp_path: Path) -> None:
    path, key = await saved(play), keygen(tmp_path / "ci")
    sign(path, str(key))
    save_plan(await plan(play.request), play.request, path, redact=lambda value: value)
    assert not path.with_name("web.plan.sig").exists()


async def test_a_key_that_cannot_sign_is_named(play: Play, tmp_path: Path) -> None:
    path = await saved(play)
    with pytest.raises(PlanError, match=r"cannot sign .*web.plan with .*none: "):
        sign(path, str(tmp_path / "none"))
    assert not path.with_name("web.plan.sig").exists()
