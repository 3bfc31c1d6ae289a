"""The shapes of fleet.yaml: pydantic models, also the source of its JSON Schema."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from ..load.models import Name, Shape

_PERCENT = re.compile(r"(\d+(?:\.\d+)?)%\Z")
_SECONDS = {"s": 1, "m": 60, "h": 3600}


def share_of(text: str) -> float | None:
    """The share that `25%` means; None for another text."""
    found = _PERCENT.match(text)
    return None if found is None or not 0 < float(found[1]) <= 100 else float(found[1]) / 100


def _amount(value: Any) -> Any:
    wrong = isinstance(value, bool) or (isinstance(value, str) and share_of(value) is None)
    if wrong or (isinstance(value, int) and value < 1):
        raise ValueError("must be a count of at least 1, or a percentage such as 5%")
    return value


def _seconds(value: Any) -> Any:
    found = re.fullmatch(r"(\d+)([smh])", value) if isinstance(value, str) else None
    if found is None:
        raise ValueError("must be a duration: 90s, 10m or 1h")
    return int(found[1]) * _SECONDS[found[2]]


Amount = Annotated[int | str, BeforeValidator(_amount)]
Duration = Annotated[int, BeforeValidator(_seconds)]


class TableBody(Shape):
    """A template stack, and a table with a row for each pair."""

    template: str = Field(description="the folder or file of the stack that all rows share")
    table: str | None = Field(default=None, description="a .csv or .yaml file; columns are variables of the stack")
    inventory: str | None = Field(
        default=None, description="an Ansible inventory (INI, YAML, JSON): each group is a row"
    )
    children_of: Name | None = Field(default=None, description="only the groups below this group of the inventory")
    key: Name = Field(default="name", description="the column that names the row")
    labels: list[Name] = Field(default_factory=list, description="columns that are labels, and not variables")

    @model_validator(mode="after")
    def _one_source(self) -> TableBody:
        if (self.table is None) == (self.inventory is None):
            raise ValueError("must have either `table` or `inventory`")
        return self


ANY = ""
"""In `WaveBody.within`: any label."""

_WAVE = re.compile(r"(?P<stacks>\d+%?) (?:in (?:(?P<label>[^\s=]+)=)?(?P<value>\S+)|per (?P<per>\S+))\Z")


def _wave(value: Any) -> Any:
    """`1 in lab`, `1 in site=lab`, `5 per region` as the mapping that they are short for."""
    found = _WAVE.match(value) if isinstance(value, str) else None
    if found is None:
        return value
    stacks = _amount(found["stacks"] if found["stacks"].endswith("%") else int(found["stacks"]))
    if found["per"]:
        return {"stacks": stacks, "per": found["per"]}
    return {"stacks": stacks, "in": {found["label"] or ANY: found["value"]}}


class WaveBody(Shape):
    """Part of the stacks: those with these labels, or some of each value of a label."""

    stacks: Amount
    within: dict[Name | Literal[""], str] = Field(default_factory=dict, alias="in", description="label to value")
    per: Name | None = Field(default=None, description="this many of each value of the label")


class BudgetBody(Shape):
    """Faults after which nothing more begins, in the whole rollout."""

    failed: Amount = 1
    unreachable: Amount = 1
    mode: Literal["soft", "strict"] = Field(
        default="soft", description="strict: never more units at once than could fail within the budget, and one"
    )


class RolloutBody(Shape):
    """How an apply or a rollback proceeds."""

    waves: list[Annotated[Amount | WaveBody, BeforeValidator(_wave, json_schema_input_type=int | str | WaveBody)]] = (
        Field(
            default=[1, "10%", "100%"],
            min_length=1,
            description="how many stacks: 5, 25%, `1 in lab` (a value of a label), `5 per region` (of each value)",
        )
    )
    soak: Duration = Field(default=0, description="time before a wave is checked, such as 10m")
    at_once: int = Field(default=10, ge=1, description="stacks at the same time")
    at_once_per: dict[Name, int] = Field(default_factory=dict, description="the same for each value of a label")
    budget: BudgetBody = BudgetBody()
    min_done: Amount = Field(default="50%", description="stacks of a wave that must be done before the next begins")


class FleetBody(Shape):
    """fleet.yaml."""

    fleet: Name
    state: str | None = Field(default=None, description="postgresql://... or sqlite:///FOLDER/: one state per stack")
    stacks: str | TableBody = Field(description="a path with * and {label}, or a template and its table")
    env: Name | None = Field(default=None, description="the environment of all stacks")
    rollout: RolloutBody = RolloutBody()


def fleet_schema() -> dict[str, Any]:
    """The JSON Schema of fleet.yaml."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:hacore:fleet.yaml",
        **FleetBody.model_json_schema(),
    }
