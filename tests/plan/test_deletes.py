"""What a delete waits for."""

from __future__ import annotations

from typing import Any

import pytest

from hacore.address import Address
from hacore.plan.deletes import Deletes

USER, OTHER = Address.parse("thing.user@a"), Address.parse("thing.other@a")
OLD = "thing.old@a"
DONE = {USER: {"apply user", "reload web"}}
BY = {OLD: "delete old"}


@pytest.mark.parametrize(
    ("deletes", "desired", "waits", "gives_way"),
    [
        # its user is deleted, too: first
        (Deletes({**BY, str(USER): "delete user"}), {OTHER}, {"delete user"}, False),
        # in one task: no order
        (Deletes({**BY, str(USER): "delete old"}), {OTHER}, set(), False),
        # its user stays: after its changes, if that is possible
        (Deletes(BY), {USER}, {"apply user", "reload web"}, True),
        # its user is deleted by nobody and not desired: forgotten
        (Deletes(BY), {OTHER}, set(), True),
        # the old place of what moves is deleted before its dependents change
        (Deletes(BY, dependents={OLD: {USER}}), {USER}, set(), True),
        # the reload that must notice the delete comes after it
        (Deletes(BY, triggers={OLD: {"reload web"}}), {USER}, {"apply user"}, True),
        (Deletes({**BY, str(USER): "delete user"}, triggers={OLD: {"reload web"}}), set(), {"delete user"}, False),
        # a daemon that is given back loads something else that is restored, maybe after this delete
        (
            Deletes({**BY, str(USER): "delete user"}, reloads={"thing.conf@a": {str(USER)}}),
            set(),
            {"delete user"},
            True,
        ),
        # a task that also makes changes
        (Deletes(BY, mixed={"delete old"}), {USER}, {"apply user", "reload web"}, True),
        (Deletes({**BY, str(USER): "delete user"}, mixed={"delete user"}), set(), {"delete user"}, True),
        # a task that changes the user and deletes the old one does not wait for itself
        (Deletes({OLD: "apply user"}, mixed={"apply user"}), {USER}, {"reload web"}, True),
    ],
)
def test_what_a_delete_waits_for(deletes: Deletes, desired: Any, waits: set[str], gives_way: bool) -> None:
    assert deletes.follow(USER, OLD, DONE, desired) == waits
    assert deletes.gives_way(USER, OLD) is gives_way
