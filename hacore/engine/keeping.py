"""What is done to a state alone, with no host: forgetting rows, and a new key for a lost one."""

from __future__ import annotations

from collections.abc import Sequence

from ..address import Address
from ..errors import PlanError, UsageError
from ..store import DropRow, StateWriter
from .results import whoami


async def forget(state_url: str, selectors: Sequence[Address], *, who: str = "") -> tuple[Address, ...]:
    """Forget what selectors cover, and leave it on its hosts; the addresses that were forgotten.

    Raises UsageError for a selector that covers nothing, PlanError while a run is unfinished.
    """
    async with await StateWriter.open(state_url, who=who or whoami(), what="state rm") as writer:
        unfinished = writer.unfinished()
        if unfinished is not None:
            raise PlanError(f"cannot forget anything: run {unfinished.id} is unfinished; roll it back first")
        rows = writer.rows()
        for selector in selectors:
            if not any(selector.selects(address) for address in rows):
                raise UsageError(f"cannot find {selector}: it is not recorded; `hacore state list` shows what is")
        gone = tuple(sorted(a for a in rows if any(s.selects(a) for s in selectors)))
        await writer.commit(*[DropRow(address) for address in gone])
        return gone


async def new_key(state_url: str, *, who: str = "") -> None:
    """Give a state whose key is lost a new one. Images that the old key encrypted are lost.

    What is sensitive shows as changed in the next plan, and apply writes it afresh.
    """
    async with await StateWriter.open(state_url, who=who or whoami(), what="state new-key", new_key=True):
        return
