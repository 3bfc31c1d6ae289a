"""Write docs/errors.md to stdout: each family of errors of hacore/errors.py, what to do, and its messages."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT)]

from hacore import errors  # noqa: E402

HEAD = """\
# Errors by family

<!-- Written by scripts/error-reference.py (`make docs`) from hacore/errors.py and the messages in the sources. -->

Each error of hacore belongs to a family. Its name is `error` in the JSON of `--json`; on a terminal only the message is
shown. Search this page for a part of the message: `…` stands for names, paths and reasons. More messages, with what to
do, are in [troubleshooting](reliability.md#troubleshooting). The exit code is 1 if nothing else is written here.
"""

ADVICE = {
    "UsageError": "Exit code 64. Compare the command line with `--help`; the message has the nearest name.",
    "InputError": "Check the path and the form of the file that the message names.",
    "StackError": "Correct each place. `hacore validate` reports all with file, line and column, and contacts no host.",
    "ExpressionError": "Try the expression with `hacore console`.",
    "TransportError": "Try the same login with ssh(1); `hacore --log debug plan` shows the steps.",
    "UnreachableError": "The state of the host is not known. Try `ssh HOST`; see [SSH](ssh.md).",
    "RestartedError": "The host was restarted during the run. `hacore runs` shows what was in progress; then "
    "`--resume` or `hacore rollback`.",
    "HostKeyError": "Compare the fingerprint with the console of the machine, then `hacore trust HOST`. A changed "
    "key is never accepted: remove the old line first, if the change is intended.",
    "DeadlineError": "Find out on the host why the command hangs; a longer time is set with `timeout`, where the kind "
    "has it.",
    "FloodError": "The command prints too much: send its output to a file.",
    "ProbeError": "A program of the host answers in an unexpected form: the message names it. Run it there by hand.",
    "ProviderError": "Report it to the package of the kind that the message names.",
    "DoubtError": "The resource is tainted; the next `hacore apply` checks and repairs it.",
    "StepError": "The output of the program follows the message. The run was rolled back, unless `--on-failure halt` "
    "was given.",
    "FencedError": "Another run, or a restart of the host, ended the lock of this one. `hacore runs` shows both.",
    "PlanError": "The message names the resources and the fields to change.",
    "StalePlanError": "Plan again: `hacore plan --out FILE`. The message names what has changed.",
    "StoreError": "See [the state](state.md).",
    "DisconnectedError": "Check the server of the state; then `hacore apply --resume` or `hacore rollback`.",
    "ImageError": "Restore the state together with its key from a backup.",
    "SerialError": "Two writers used the state: `hacore runs` shows them. Plan again.",
    "LockedError": "Wait for the owner. If its process has ended: `hacore unlock`.",
    "RunError": "The result of each task is in `hacore runs NUMBER`.",
    "Cancelled": "Nothing was changed. `--auto-approve` skips the question.",
    "LabError": "`hacore lab list` shows the twins; they need root on Linux and systemd-nspawn.",
}
"""What to do about each, by the public code."""


def main() -> None:
    """Print the page."""
    found = messages()
    lines = [HEAD]
    for family in errors.HacoreError.__subclasses__():
        lines += section(family, 2, found)
    sys.stdout.write("\n".join(lines))


def section(error: type[errors.HacoreError], level: int, found: dict[str, list[str]]) -> Iterator[str]:
    """An error, then those of its family."""
    yield f"{'#' * level} {error.code}\n"
    yield " ".join((error.__doc__ or "").split()) + "\n"
    yield f"{ADVICE[error.code]}\n"
    if texts := found.get(error.__name__):
        yield "\n".join(["```text", *texts, "```\n"])
    for child in error.__subclasses__():
        yield from section(child, level + 1, found)


def messages() -> dict[str, list[str]]:
    """The messages in the sources, by the name of the class; `…` for each value."""
    found: dict[str, set[str]] = {}
    for path in (*(ROOT / "hacore").rglob("*.py"), *(ROOT / "providers").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.args:
                text = template(node.args[0])
                if any(character.isalpha() for character in text) and " " in text:
                    found.setdefault(node.func.id, set()).add(" ".join(text.split()))
    return {name: sorted(texts) for name, texts in found.items()}


def template(node: ast.expr) -> str:
    """The text of a literal, with `…` for its values; nothing for other expressions."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(template(part) if isinstance(part, ast.Constant) else "…" for part in node.values)
    return ""


if __name__ == "__main__":
    main()
