"""Completion in shells: that of click, with words as bash splits them.

bash ends a word at `@`, `=`, `:` and quotes, which are part of addresses. So bash passes the line and the part of
it that a reply would replace, and gets replies that continue the rest, quoted alike.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import ClassVar

import click
from click.shell_completion import CompletionItem, FishComplete, ShellComplete, ZshComplete, split_arg_string

from ..runtime import Runtime

PROGRAM = "hacore"
VARIABLE = "_HACORE_COMPLETE"
_END = "\x1f"  # ends the word at the cursor, however it is quoted

_BASH = """\
%(complete_func)s() {
    local kind value
    COMPREPLY=()
    while IFS=, read -r kind value; do
        case $kind in
            dir) compopt -o dirnames ;;
            file) compopt -o default ;;
            plain) COMPREPLY+=("$value") ;;
        esac
    done < <(COMP_LINE="${COMP_LINE:0:COMP_POINT}" COMP_WORD="$2" %(complete_var)s=bash_complete "$1" 2>/dev/null)
}
complete -o nosort -F %(complete_func)s %(prog_name)s 2>/dev/null || complete -F %(complete_func)s %(prog_name)s
"""


class BashComplete(ShellComplete):
    """bash, from the whole line."""

    name: ClassVar[str] = "bash"
    source_template: ClassVar[str] = _BASH

    def get_completion_args(self) -> tuple[list[str], str]:
        """The words before the cursor, and the incomplete word at the cursor."""
        words, last = _split(os.environ["COMP_LINE"])
        return words[1:], last

    def format_completion(self, item: CompletionItem) -> str:
        """The part of a value that replaces the word as readline splits it."""
        if item.type != "plain":
            return f"{item.type},{item.value}"
        line, word = os.environ["COMP_LINE"], os.environ.get("COMP_WORD", "")
        before = line[: len(line) - len(word)] if word and line.endswith(word) else line if not word else ""
        _, kept = _split(before)
        if kept.startswith("-") and "=" in kept:  # --option=value: click completes the value alone
            kept = kept.partition("=")[2]
        return f"plain,{_QUOTING[_quote(before)](item.value.removeprefix(kept))}"


def _split(line: str) -> tuple[list[str], str]:
    """The words of an incomplete line, and the last one, which may be empty."""
    words = split_arg_string(line + _END)
    return words[:-1], words[-1].replace(_END, "")


def _quote(line: str) -> str:
    """The quote that is open at the end of a line; empty: none."""
    for quote in ("", "'", '"'):
        with suppress(ValueError):
            shlex.split(line + _END + quote)
            return quote
    return ""


_QUOTING: Mapping[str, Callable[[str], str]] = {
    "": lambda text: re.sub(r"([^A-Za-z0-9_@%+=:,./-])", r"\\\1", text),
    "'": lambda text: text.replace("'", r"'\''"),
    '"': lambda text: re.sub(r'(["$`\\])', r"\\\1", text),
}


class _WholeWords(ShellComplete):
    """For shells that replace a whole word: `--option=` is repeated before its value."""

    def complete(self) -> str:
        """See ShellComplete."""
        _, word = self.get_completion_args()
        self._before = word.partition("=")[0] + "=" if word.startswith("-") and "=" in word else ""
        return super().complete()

    def format_completion(self, item: CompletionItem) -> str:
        """See ShellComplete."""
        whole = self._before + item.value if item.type == "plain" else item.value
        return super().format_completion(CompletionItem(whole, item.type, item.help))


class WholeZsh(_WholeWords, ZshComplete):
    """zsh."""


class WholeFish(_WholeWords, FishComplete):
    """fish."""


SHELLS: Mapping[str, type[ShellComplete]] = {"bash": BashComplete, "zsh": WholeZsh, "fish": WholeFish}


def script(group: click.Command, shell: str) -> str:
    """The script that a shell sources to complete the arguments of hacore."""
    return SHELLS[shell](group, {}, PROGRAM, VARIABLE).source()


def complete(group: click.Command, runtime: Runtime) -> int:
    """Print the candidates for a shell; nothing on errors, not to disturb the user while typing."""
    shell = SHELLS.get(runtime.environ.get(VARIABLE, "").removesuffix("_complete"))
    if shell is not None:
        with suppress(Exception):
            answer = shell(group, {"obj": runtime}, PROGRAM, VARIABLE).complete()
            if answer:
                runtime.terminal.say(answer)
    return 0
