"""`quote` brings any text through the shell unharmed: through real shells, and through a session."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from hacore.contract import quote
from hacore.model import Connection, Host
from hacore.transport import Transport

HOSTILE = [
    "",
    " ",
    "'",
    "''",
    '"',
    "\\",
    "\\'",
    "\n",
    "\n\n",
    "trailing newline\n",
    "\r\n",
    "\t",
    "$(touch {canary})",
    "`touch {canary}`",
    "; touch {canary} #",
    "'; touch {canary}; '",
    "\n touch {canary}\n",
    "$HOME ${PATH} $$ $0 $@",
    "!! !x",
    "-n",
    "--help",
    "-",
    "~root",
    "*",
    "/*",
    "[a-z]?",
    "{a,b}",
    "a=b",
    "# no comment",
    "&& || & | < > ( )",
    "%s %d %n",
    "\\0\\n\\c\\x41",
    "\x01\x07\x1b[31m\x7f",
    "ünïcödé ☃ 𝔘 \u202e \ufeff \u0301",
    "EOF\nEOF",
    "x" * 5000,
]

texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=40)
pieces = st.sampled_from([text for text in HOSTILE if len(text) < 100]) | texts
values = st.lists(st.builds("".join, st.lists(pieces, max_size=4)), min_size=20, max_size=60)

many = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


def script(texts: Sequence[str]) -> str:
    """Prints every text, each ended by a NUL; as arguments, as an assignment and in a here-command."""
    return "\n".join(f"printf '%s\\0' {quote(text)}; x={quote(text)}; printf '%s\\0' \"$x\"" for text in texts)


def twice(texts: Sequence[str]) -> bytes:
    return b"".join(text.encode() + b"\0" for text in texts for _ in range(2))


@pytest.mark.parametrize(
    "shell", [shell for shell in ("dash", "bash", "busybox", "mksh", "zsh") if shutil.which(shell)]
)
def test_hostile_texts_come_through_a_shell(shell: str, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    words = [shell, "sh"] if shell == "busybox" else [shell]

    @many
    @given(values)
    @example(HOSTILE)
    def check(texts: list[str]) -> None:
        texts = [text.replace("{canary}", str(canary)) for text in texts]
        done = subprocess.run([*words, "-s"], input=script(texts).encode(), capture_output=True, check=False)

        assert (done.returncode, done.stdout, done.stderr) == (0, twice(texts), b"")

    check()
    assert not canary.exists()


def test_hostile_texts_come_through_a_session(tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    host = Host(name="here", address="localhost", connection=Connection(transport="local"))
    with asyncio.Runner() as runner:
        transport = Transport()
        session = runner.run(transport.session(host))

        @many
        @given(values)
        @example(HOSTILE)
        def check(texts: list[str]) -> None:
            texts = [text.replace("{canary}", str(canary)) for text in texts]
            output = runner.run(session.run(script(texts)))

            assert (output.rc, output.stdout, output.stderr) == (0, twice(texts), b"")

        check()
        runner.run(transport.close())
    assert not canary.exists()


def test_bytes_of_a_file_name_that_is_not_unicode_come_through_a_session() -> None:
    name = b"caf\xe9\xff"

    async def run() -> bytes:
        host = Host(name="here", address="localhost", connection=Connection(transport="local"))
        async with Transport() as transport:
            output = await (await transport.session(host)).run(
                f"printf %s {quote(name.decode(errors='surrogateescape'))}"
            )
        return output.stdout

    assert asyncio.run(run()) == name


@given(texts, texts)
def test_nul_is_refused(before: str, after: str) -> None:
    with pytest.raises(ValueError, match="NUL"):
        quote(f"{before}\0{after}")


def test_what_is_no_text_is_quoted_as_its_text() -> None:
    assert [quote(8080), quote(Path("/a b"))] == ["8080", "'/a b'"]
