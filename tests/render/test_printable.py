"""Nothing that a host, a stack or a state contains can move the cursor, colour, reorder or hide what is shown."""

from __future__ import annotations

import io
import json
import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hacore.cli.runtime import Runtime, start_log
from hacore.printable import one_line, printable
from hacore.render.style import Style
from hacore.render.terminal import Terminal

HOSTILE = {
    "\x1b[2J": "\\x1b[2J",
    "\x1b]0;title\x07": "\\x1b]0;title\\x07",
    "\x9b2J": "\\x9b2J",
    "\r": "\\x0d",
    "\x7f": "\\x7f",
    "\u202e": "\\u202e",  # right-to-left override
    "\u2066": "\\u2066",
    "\u200b": "\\u200b",  # zero width space
    "\u2028": "\\u2028",  # line separator
    "\ufeff": "\\ufeff",
    "\U000e0041": "\\U000e0041",  # a tag
    "\ud800": "\\ud800",
    "\x1b[31m": "\\x1b[31m",
    "\x1b[8m": "\\x1b[8m",
}
ALLOWED = re.compile(r"\x1b\[(?:[0-9]+)m")


class Tty(io.StringIO):
    def isatty(self) -> bool:
        return True


def shows(text: str) -> bool:
    """Whether a terminal does nothing with the text but show it."""
    return not any(
        unicodedata.category(c) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp") for c in text.replace("\n", "")
    )


@pytest.mark.parametrize(("text", "shown"), HOSTILE.items())
def test_each_is_shown_as_its_code(text: str, shown: str) -> None:
    assert printable(f"a{text}b\tc\nd") == f"a{shown}b\tc\nd"
    assert one_line(f"a{text}b\tc\nd") == f"a{shown}b\\tc\\nd"


@pytest.mark.parametrize("text", ["plain", "é ü 中文 ✓ → …", "🙂", "a\tb\nc"])
def test_what_people_write_stays(text: str) -> None:
    assert printable(text) == text


@given(st.text())
def test_all_output_is_printable_without_colour(text: str) -> None:
    out, err = io.StringIO(), io.StringIO()
    terminal = Terminal(out, err, {})
    terminal.say(text)
    terminal.tell(text)
    terminal.ask(text)
    assert shows((out.getvalue() + err.getvalue()).replace("\t", ""))


@given(st.text(st.characters() | st.sampled_from("\x1b[0123456789;m")))
def test_on_a_terminal_only_the_codes_of_its_style_are_codes(text: str) -> None:
    out, err = Tty(), Tty()
    terminal = Terminal(out, err, {})
    terminal.say(terminal.out_style("red", "x") + text)
    terminal.live(text)
    terminal.tell(text)
    assert out.getvalue().startswith("\x1b[31mx\x1b[0m")
    rest = out.getvalue().removeprefix("\x1b[31mx\x1b[0m")
    assert shows(rest.replace("\t", ""))
    assert shows(re.sub(r"\r\x1b\[2K|\x1b\[2m|\x1b\[0m|\t", "", err.getvalue()))


def test_a_colour_that_a_host_sends_is_text() -> None:
    out = Tty()
    terminal = Terminal(out, io.StringIO(), {})
    terminal.say("\x1b[32mhealthy\x1b[0m " + terminal.out_style("red", "no \x1b[32mholder\x1b[0m"))
    assert out.getvalue() == "\\x1b[32mhealthy\\x1b[0m \x1b[31mno \\x1b[32mholder\\x1b[0m\x1b[0m\n"


def test_codes_have_a_mark_that_cannot_be_guessed() -> None:
    one, other = Terminal(Tty(), Tty(), {}).out_style, Terminal(Tty(), Tty(), {}).out_style
    assert one.mark != other.mark
    assert Style(True, ";7").finished("\x1b[31;8mx") == "\\x1b[31;8mx"


@given(st.text())
def test_json_has_only_printable_characters_and_the_same_value(text: str) -> None:
    out = io.StringIO()
    terminal = Terminal(out, io.StringIO(), {})
    terminal.say_json({text: [text]})
    assert shows(out.getvalue())
    assert json.loads(out.getvalue()) == {text: [text]}


def test_the_log_is_printable(capsys: pytest.CaptureFixture[str]) -> None:
    import logging

    err = io.StringIO()
    runtime = Runtime(Terminal(io.StringIO(), err, {}))
    start_log(runtime, "info")
    logging.getLogger("hacore.test").info("host says %s", "\x1b[2J\u202e")
    assert "host says \\x1b[2J\\u202e" in err.getvalue()
