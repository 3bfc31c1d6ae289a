"""The codes of errors are a part of the public JSON: they stay when a class is renamed."""

from __future__ import annotations

from hacore import errors
from hacore.render.errors import error_json

CODES = {
    "HacoreError", "UsageError", "StackError", "ExpressionError", "TransportError", "UnreachableError",
    "RestartedError", "HostKeyError", "DeadlineError", "FloodError", "ProbeError", "ProviderError", "DoubtError",
    "StepError", "FencedError", "PlanError", "StalePlanError", "StoreError", "DisconnectedError", "ImageError",
    "SerialError", "LockedError", "RunError", "Cancelled", "LabError", "InputError",
}  # fmt: skip
"""As published: a code may be added, none may be changed or removed."""


def classes() -> list[type[errors.HacoreError]]:
    found = [value for value in vars(errors).values() if isinstance(value, type)]
    return [value for value in found if issubclass(value, errors.HacoreError)]


def test_each_error_has_a_code_of_its_own_that_is_published() -> None:
    codes = [vars(one)["code"] for one in classes()]
    assert len(codes) == len(set(codes))
    assert set(codes) == CODES


def test_the_code_is_what_json_shows_whatever_the_class_is_called() -> None:
    renamed = type("Renamed", (errors.StalePlanError,), {})
    shown = error_json(renamed("cannot apply web.plan", ["file.a@lb1"]))
    assert shown == {
        "type": "error",
        "error": "StalePlanError",
        "message": "cannot apply web.plan",
        "addresses": ["file.a@lb1"],
    }
