"""README.zh-CN.md is the counterpart of README.md: the same sections, code blocks, commands and links, in order."""

from __future__ import annotations

import re

import pytest

from tests.docs.test_docs import ROOT, blocks, calls

ENGLISH, CHINESE = (ROOT / "README.md").read_text(), (ROOT / "README.zh-CN.md").read_text()
FENCE = re.compile(r"(?ms)^ *```.*?^ *```$")


def headings(text: str) -> list[int]:
    return [len(marks) for marks in re.findall(r"(?m)^(#+) ", FENCE.sub("", text))]


def links(text: str) -> list[str]:
    targets = re.findall(r"\]\(([^)\s]+)\)", FENCE.sub("", text))
    return sorted(target for target in targets if not target.startswith("README."))


def rows(text: str) -> list[int]:
    return [line.count("|") for line in FENCE.sub("", text).splitlines() if line.startswith("|")]


def differences(english: str, chinese: str) -> list[str]:
    """What the two do not have alike."""
    compared = {
        "headings": headings,
        "code blocks": FENCE.findall,
        "code": lambda text: list(blocks(text)),
        "commands": lambda text: sorted(calls(text)),
        "links": links,
        "rows of tables": rows,
        "items of lists": lambda text: len(re.findall(r"(?m)^(?:- |\d\. )", FENCE.sub("", text))),
    }
    return [name for name, of in compared.items() if of(english) != of(chinese)]


def test_both_have_the_same() -> None:
    assert differences(ENGLISH, CHINESE) == []


def test_each_links_to_the_other() -> None:
    assert "](README.zh-CN.md)" in ENGLISH
    assert "](README.md)" in CHINESE


@pytest.mark.parametrize(
    ("old", "new", "name"),
    [
        ("## 安装\n", "**安装**\n", "headings"),
        ("stack: web\n", "stack: wab\n", "code blocks"),
        ("    pipx install .\n", "    pipx install\n", "code"),
        ("`hacore rehearse`", "`rehearse`", "commands"),
        ("(docs/faq.md)", "(docs/cli.md)", "links"),
        ("| 主机上需要 |", "| 主机上需要 | x |", "rows of tables"),
        ("\n- **stack 可以预演。**", "\n**stack 可以预演。**", "items of lists"),
    ],
)
def test_a_difference_is_found(old: str, new: str, name: str) -> None:
    assert old in CHINESE
    assert name in differences(ENGLISH, CHINESE.replace(old, new))


def test_the_chinese_page_is_chinese() -> None:
    prose = [line for line in FENCE.sub("", CHINESE).splitlines() if re.match(r"[^\W\d_]|- ", line)]
    assert all(re.search(r"[\u4e00-\u9fff]|Apache|\]\(", line) for line in prose)
