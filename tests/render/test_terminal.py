"""Streams, colour, and values in words."""

from __future__ import annotations

import errno
import io

import pytest

from hacore.model import Unknown
from hacore.render.style import style_for
from hacore.render.terminal import Terminal, wrapped
from hacore.render.values import show, show_lines


class Tty(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("stream", "environ", "colour"),
    [
        (Tty(), {}, True),
        (Tty(), {"NO_COLOR": ""}, True),
        (Tty(), {"NO_COLOR": "1"}, False),
        (Tty(), {"TERM": "dumb"}, False),
        (io.StringIO(), {}, False),
    ],
)
def test_colour_is_for_terminals_that_want_it(stream: io.StringIO, environ: dict[str, str], colour: bool) -> None:
    assert style_for(stream, environ).colour is colour


def test_results_go_to_stdout_and_the_rest_to_stderr() -> None:
    out, err = io.StringIO(), io.StringIO()
    terminal = Terminal(out, err, {})
    terminal.say("result")
    terminal.say_json({"a": "é"})
    terminal.say_json({"a": 1}, line=True)
    terminal.tell("beside")
    terminal.live("nobody watches")
    assert out.getvalue() == 'result\n{\n  "a": "é"\n}\n{"a":1}\n'
    assert err.getvalue() == "beside\n"


class Broken(io.StringIO):
    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number

    def write(self, _text: str) -> int:
        raise OSError(self.number, "broken")


@pytest.mark.parametrize(
    ("number", "error"), [(errno.EIO, BrokenPipeError), (errno.EPIPE, BrokenPipeError), (errno.ENOSPC, OSError)]
)
def test_a_closed_terminal_is_like_a_closed_pipe(number: int, error: type[OSError]) -> None:
    with pytest.raises(OSError, match="broken") as caught:
        Terminal(Broken(number), io.StringIO(), {}).say("result")
    assert type(caught.value) is error
    assert caught.value.errno == number


def test_a_terminal_without_unicode_does_not_end_the_command() -> None:
    raw = io.BytesIO()
    out = io.TextIOWrapper(raw, encoding="ascii")
    Terminal(out, io.StringIO(), {}).say("gcc … é")
    assert raw.getvalue() == b"gcc \\u2026 \\xe9\n"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        ("a\nb\x1b", '"a\\nb\\u001b"'),
        (["é", 1, True], '["é", 1, true]'),
        (Unknown("built"), "(known after apply)"),
        ("sha256:" + "ab" * 32, '"sha256:abababababab…"'),
        ("x" * 300, '"' + "x" * 109 + "… (302 characters)"),
    ],
)
def test_values_are_one_harmless_line(value: object, text: str) -> None:
    assert show(value) == text


def test_a_long_list_is_cut() -> None:
    lines = show_lines([f"item number {number}" for number in range(40)])
    assert lines[0] == "["
    assert lines[-1] == "… 30 more lines"


@pytest.mark.parametrize(
    "line",
    [
        "Incomplete: lb2 is unreachable: changes needed there are not known. To apply the changes of the others, wait.",
        "  # (" + "reload because of file.nginx.conf " * 5 + ")",
        "\x1b[31mInterrupted run #5 apply by ops@desk: resume with `hacore apply --resume`, or undo with it\x1b[0m",
        "[   12s] lb1  " + "x" * 100 + " and more",
        "x" * 100,
    ],
)
def test_a_long_line_is_broken_between_words_only(line: str) -> None:
    parts = wrapped(line, 80)
    assert " ".join(part.strip() for part in parts).split() == line.split()
    for part in parts:
        plain = part.replace("\x1b[31m", "").replace("\x1b[0m", "")
        assert len(plain) <= 80 or len(plain.split()) == 1


def test_commands_and_contents_of_files_stay_whole() -> None:
    command = "hacore apply --resume --var-file some/where/far/away.yaml --env staging stacks/web"
    assert wrapped(f"To resume it, and to finish what the run has started: {command}", 80)[-1].strip() == command
    content = " " * 10 + "+ " + "word " * 40
    assert wrapped(content, 80) == [content]


def test_wide_characters_take_two_columns() -> None:
    words = "负载均衡器 " * 9
    parts = wrapped(words.strip(), 40)
    assert [len(part.split()) for part in parts] == [3, 3, 3]
    assert " ".join(" ".join(parts).split()) == words.strip()
