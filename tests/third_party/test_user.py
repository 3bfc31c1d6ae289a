"""A kind of a third party, through the engine: accounts, by the real programs on files in a folder."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.third_party.conftest import Make, tree
from tests.third_party.user_kind import User

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("useradd") is None, reason="useradd --prefix is for root"
)

NEW = '  user: {app: {uid: 1600, groups: [www, adm], shell: /bin/sh, keys: ["ssh-ed25519 AAAA app"]}}\n'
OLD = '  user: {old: {groups: [www], shell: /bin/false, keys: ["ssh-ed25519 BBBB old"]}}\n'


def entry(root: Path, file: str, name: str) -> str:
    return next((x for x in (root / "etc" / file).read_text().splitlines() if x.startswith(f"{name}:")), "")


async def test_create_and_destroy(stack: Make, root: Path) -> None:
    mine, before = stack(User(str(root))), tree(root)

    (change,) = await mine.plan(NEW)
    assert (change["action"], change["effect"]) == ("create", "create user app")
    assert (await mine.apply(NEW)).ok
    assert entry(root, "passwd", "app").startswith("app:x:1600:")
    assert (entry(root, "group", "adm"), entry(root, "group", "www")) == ("adm:x:4:old,app", "www:x:33:app")
    keys = root / "home/app/.ssh/authorized_keys"
    assert (keys.read_text(), keys.stat().st_uid, keys.stat().st_mode & 0o777) == (
        "ssh-ed25519 AAAA app\n",
        1600,
        0o600,
    )
    assert await mine.plan(NEW) == []

    (gone,) = await mine.plan(NEW, destroy=True)
    assert gone["effect"] == "delete user app and /home/app"
    assert (await mine.apply(NEW, destroy=True)).ok
    assert tree(root) == before


async def test_an_existing_user_is_changed_and_keeps_its_password(stack: Make, root: Path) -> None:
    mine, before = stack(User(str(root))), tree(root)

    assert (await mine.apply(OLD)).ok
    assert entry(root, "passwd", "old") == "old:x:1500:1500::/home/old:/bin/false"
    assert (entry(root, "group", "adm"), entry(root, "group", "www")) == ("adm:x:4:", "www:x:33:old")
    assert entry(root, "shadow", "old").startswith("old:$y$secret:")

    assert (await mine.rollback()).ok
    after = tree(root)
    left = {path for path in after if path.startswith("home/old")}  # the folder of the keys, which did not exist
    assert {path: value for path, value in after.items() if path not in left} == before


async def test_on_delete_remove_keeps_a_user_that_existed_before(stack: Make, root: Path) -> None:
    mine = stack(User(str(root)))
    body = OLD.replace("{groups", "{lifecycle: {on_delete: remove}, groups")
    assert (await mine.apply(body)).ok

    (gone,) = await mine.plan(body, destroy=True)
    assert gone["effect"] == "keep user old"
    assert (await mine.apply(body, destroy=True)).ok

    assert entry(root, "passwd", "old") == "old:x:1500:1500::/home/old:/bin/false"


async def test_a_user_with_another_name_is_another_user(stack: Make, root: Path) -> None:
    """Its claim is its identity: without `replace_on` the former account does not stay on the host."""
    mine = stack(User(str(root)))
    assert (await mine.apply("  user: {it: {name: former, shell: /bin/sh}}\n")).ok

    (change,) = await mine.plan("  user: {it: {name: latter, shell: /bin/sh}}\n")
    assert change["action"] == "replace"
    assert (await mine.apply("  user: {it: {name: latter, shell: /bin/sh}}\n")).ok

    assert (entry(root, "passwd", "former"), bool(entry(root, "passwd", "latter"))) == ("", True)


async def test_drift_of_a_group(stack: Make, root: Path) -> None:
    mine = stack(User(str(root)))
    assert (await mine.apply(NEW)).ok
    assert not (await mine.drift()).differs

    group = root / "etc/group"
    group.write_text(group.read_text().replace("adm:x:4:old,app", "adm:x:4:old"))

    assert len((await mine.drift()).drift) == 1


async def test_the_password_hash_is_not_in_the_state(stack: Make, root: Path, tmp_path: Path) -> None:
    assert (await stack(User(str(root))).apply(OLD)).ok

    assert b"$y$secret" not in (tmp_path / "state.db").read_bytes()


async def test_all_mistakes_at_once(stack: Make, root: Path) -> None:
    with pytest.raises(Exception, match="uid is 0") as caught:
        await stack(User(str(root))).plan("  user: {app: {uid: 0, shell: sh}}\n")

    assert "shell is 'sh'" in str(caught.value)
