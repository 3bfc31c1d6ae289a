"""The documentation is true: examples load, references are generated from the code, commands and link targets exist."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from hacore.cli.app import cli
from hacore.graph import build_graph
from hacore.load import LoadRequest, load, load_providers

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = sorted((ROOT / "docs" / "examples").glob("*.yaml"))
PAGES = sorted(
    path
    for pattern in ("*.md", "docs/**/*.md", "stacks/**/*.md", "state/*.md", "contrib/*.md")
    for path in ROOT.glob(pattern)
    if ".venv" not in path.parts
)
NOT_YET = frozenset(("drill", "drain", "undrain"))
"""Commands that are planned: a page may name them, without arguments and in its text only, to say so."""


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


# -- examples ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", EXAMPLES, ids=name)
def test_each_example_loads_and_makes_a_graph(path: Path) -> None:
    providers = load_providers()

    stack = load(LoadRequest(path, environ={}), providers)

    assert set(build_graph(stack, providers).order) == set(stack.instances)
    assert path.stem in {address.kind for address in stack.instances}


def test_the_stack_of_the_readme_loads(tmp_path: Path) -> None:
    text = (ROOT / "README.md").read_text()
    found = [block for block in re.findall(r"(?ms)^```yaml\n(.*?)^```", text) if block.startswith("stack:")]
    (tmp_path / "site.conf.j2").write_text("server { listen 80; }\n")
    (tmp_path / "stack.yaml").write_text(found[0])

    request = LoadRequest(tmp_path / "stack.yaml", environ={}, variables={"vrrp_password": "example"})
    stack = load(request, load_providers())

    assert len(found) == 1
    assert {a.kind for a in stack.instances} == {"package", "file", "service", "vrrp_instance", "vip"}


def test_each_kind_has_an_example() -> None:
    assert {path.stem for path in EXAMPLES} == set(load_providers())


@pytest.mark.parametrize("page", ["stack-reference", "provider-reference", "rules", "command-reference", "errors"])
def test_the_references_are_what_the_code_says(page: str) -> None:
    script = ROOT / "scripts" / f"{'error-reference' if page == 'errors' else page}.py"

    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True)

    assert done.returncode == 0, done.stderr
    assert done.stdout == (ROOT / "docs" / f"{page}.md").read_text(), "run `make docs`"


# -- commands ---------------------------------------------------------------------------------------


def blocks(text: str) -> Iterator[str]:
    """The lines of code blocks: fenced ones but for output (`text`), and indented ones after an empty line."""
    fence = before = ""
    indented = False
    for line in text.splitlines():
        bare = line.strip()
        indented = line.startswith("    ") and (indented or not before)
        if bare.startswith("```"):
            fence = "" if fence else bare
        elif (fence and fence != "```text") or (indented and not fence):
            yield line
        before = line


def spans(text: str) -> list[str]:
    """What stands between backticks in running text."""
    prose = re.sub(r"(?ms)^ *```.*?^ *```", "", text)
    return [" ".join(found.split()) for found in re.findall(r"(?<!`)`([^`]+)`(?!`)", prose)]


def calls(text: str) -> list[tuple[str, ...]]:
    """Every call of hacore that a page shows, as words."""
    lines = (line.split(" #", 1)[0].strip().removeprefix("$ ") for line in blocks(text))
    shown = [words for line in lines for words in each(line)]
    named = [words for span in spans(text) for words in each(span)]
    return shown + [words for words in named if not (len(words) == 1 and words[0] in NOT_YET)]


def each(text: str) -> Iterator[tuple[str, ...]]:
    """The calls in a line, several of them if one runs another or they are joined."""
    outer, inner, run = text.partition(" -- ")
    for part in [*re.split(r"\s(?:&&|\||>)\s", outer), *([run] if inner else [])]:
        if words := command(part):
            yield (*words, "--", "command") if inner and part == outer else words


def command(text: str) -> tuple[str, ...]:
    """The arguments in `hacore plan x`, with a path in front or a schedule; nothing for other texts."""
    match = re.match(r"(?:[*\d/,\s]+|sudo |printf '.*' \| |[A-Z_a-z]+=\S+ |\S*/bin/)*hacore(\s.*)?\Z", text.strip())
    if match is None or re.search(r"\]\s|…|\.\.\.", text):
        return ()
    return tuple(shlex.split(match[1] or ""))


def checked(group: click.Group, words: tuple[str, ...], info: str) -> None:
    """Parse as click would; raises UsageError. Files need not exist here."""
    context = group.make_context(info, list(words), resilient_parsing=False)
    kept = vars(context)  # click 8.2 renamed it
    rest = [*kept.get("_protected_args", kept.get("protected_args", [])), *context.args]
    found, sub, left = group.resolve_command(context, rest)
    assert sub is not None, f"no such command: {found}"
    if isinstance(sub, click.Group):
        if left:
            checked(sub, tuple(left), f"{info} {found}")
    else:
        sub.make_context(found, left, parent=context)


@pytest.mark.parametrize("path", PAGES, ids=name)
def test_each_command_line_is_one_that_hacore_takes(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(click.Path, "convert", lambda self, value, param, ctx: Path(str(value)))
    for words in calls(path.read_text()):
        if not words or words[0] in ("--version", "--help", "-h"):
            continue
        try:
            checked(cli, words, "hacore")  # type: ignore[arg-type]
        except click.exceptions.Exit:
            pass  # --help
        except click.UsageError as error:
            pytest.fail(f"hacore {shlex.join(words)}: {error.format_message()}")


def test_the_finder_of_commands_finds_them() -> None:
    text = "Run `hacore plan x --json`, or `hacore drill` later.\n\n    */5 * * * *  hacore -C /srv drift --quiet\n"

    assert calls(text) == [("-C", "/srv", "drift", "--quiet"), ("plan", "x", "--json")]
    assert calls("```sh\n$ hacore lab exec web -- hacore plan web  # look\n```\n") == [
        ("lab", "exec", "web", "--", "command"),
        ("plan", "web"),
    ]


@pytest.mark.parametrize("words", [("plam",), ("plan", "--nonsense"), ("state", "rn"), ("drift", "--timeout", "x")])
def test_what_hacore_does_not_take_is_found(words: tuple[str, ...]) -> None:
    with pytest.raises(click.UsageError):
        checked(cli, words, "hacore")  # type: ignore[arg-type]


# -- links ------------------------------------------------------------------------------------------


def anchors(text: str) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    titles = re.findall(r"(?m)^#+ (.*)$", text)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("path", PAGES, ids=name)
def test_each_relative_link_leads_somewhere(path: Path) -> None:
    text = path.read_text()
    for target in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"(?ms)^```.*?^```|`[^`\n]*`", "", text)):
        if "://" in target:
            continue
        file, _, anchor = target.partition("#")
        page = (path.parent / file).resolve() if file else path
        assert page.exists(), f"{target} does not exist"
        if anchor:
            assert anchor in anchors(page.read_text()), f"{target}: no such heading"
