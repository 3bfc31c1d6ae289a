"""Write docs/provider-reference.md to stdout, from the source of hacore.contract.

The page has all names that a kind may import, with their docstrings, in the order of the source. A public name
without a docstring is an error.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CONTRACT = ROOT / "hacore" / "contract"
FILES = tuple(
    CONTRACT / f"{name}.py"
    for name in (
        "provider",
        "claims",
        "views",
        "facts",
        "steps",
        "maintenance",
        "fail_over",
        "serving",
        "safepath",
        "commands",
        "discovery",
    )
)
SHARED = tuple(ROOT / "hacore" / f"{name}.py" for name in ("model", "address", "errors", "spelling"))
TITLES = {
    "provider.py": "The provider",
    "claims.py": "Claims",
    "safepath.py": "Paths",
    "views.py": "Views and values",
    "facts.py": "Questions",
    "steps.py": "Steps",
    "maintenance.py": "Maintenance",
    "fail_over.py": "Fail-over",
    "serving.py": "Addresses served together",
    "commands.py": "Commands",
    "discovery.py": "Discovery",
}

HEAD = """\
# The contract of a kind

All names of `hacore.contract`, generated from its source by `make docs`; do not edit this page.
[Write your own kind](providers.md) shows them in use.

"""


def public() -> list[str]:
    """The names that a kind may import."""
    tree = ast.parse((CONTRACT / "__init__.py").read_text())
    (names,) = (n.value for n in tree.body if isinstance(n, ast.Assign) and ast.unparse(n.targets[0]) == "__all__")
    return [str(name) for name in ast.literal_eval(names)]


def doc(node: ast.Module | ast.ClassDef | ast.FunctionDef, name: str) -> str:
    """A docstring as paragraphs; a missing one is an error."""
    found = ast.get_docstring(node)
    if not found:
        sys.exit(f"{name} has no docstring")
    return prose(found)


def prose(text: str) -> str:
    """A docstring in Markdown: its indented parts are code."""
    parts = []
    for part in text.split("\n\n"):
        lines = part.splitlines()
        if all(line.startswith("    ") for line in lines):
            parts.append("```text\n" + "\n".join(line[4:] for line in lines) + "\n```")
        else:
            parts.append("\n".join(line.strip() for line in lines))
    return "\n\n".join(parts)


def after(body: list[ast.stmt], index: int) -> str:
    """The docstring after an assignment."""
    following = body[index + 1] if index + 1 < len(body) else None
    if isinstance(following, ast.Expr) and isinstance(following.value, ast.Constant):
        return " ".join(str(following.value.value).split())
    return ""


def remark(line: str) -> str:
    """The comment at the end of a line."""
    match = re.search(r"  # (?!noqa|type:)(.*)$", line)
    return match[1] if match else ""


def fields(node: ast.ClassDef, lines: list[str]) -> Iterator[str]:
    """The fields of a class, each with its type, default and remark."""
    for index, item in enumerate(node.body):
        if not isinstance(item, ast.AnnAssign) or ast.unparse(item.target).startswith("_"):
            continue
        kind = re.sub(r"ClassVar\[(.*)\]\Z", r"\1", ast.unparse(item.annotation))
        default = f" = {ast.unparse(item.value)}" if item.value is not None else ""
        why = after(node.body, index) or remark(lines[(item.end_lineno or 0) - 1])
        yield f"- `{ast.unparse(item.target)}: {kind}{default}`{f': {why}' if why else ''}"


def methods(node: ast.ClassDef, lines: list[str]) -> Iterator[str]:
    """The methods of a class under the headings in its comments."""
    heading = ""
    for item in node.body:
        if not isinstance(item, ast.FunctionDef) or item.name.startswith("_"):
            continue
        for line in reversed(lines[: item.lineno]):
            if found := re.match(r"    # -- (.*)", line):
                if found[1] != heading:
                    heading = found[1]
                    yield f"### {heading[:1].upper()}{heading[1:]}"
                break
        text = doc(item, f"{node.name}.{item.name}")
        if any(ast.unparse(d) == "property" for d in item.decorator_list):
            yield f"`{item.name}` -> `{ast.unparse(item.returns) if item.returns else 'None'}`: {text}"
            continue
        item.args.args = [arg for arg in item.args.args if arg.arg not in ("self", "cls")]
        must = " (required)" if any("abstract" in ast.unparse(d) for d in item.decorator_list) else ""
        yield f"**`{item.name}({ast.unparse(item.args)}) -> {ast.unparse(item.returns or ast.Constant(None))}`**{must}"
        yield text


def page(names: list[str]) -> Iterator[str]:
    """The blocks of the page."""
    yield doc(ast.parse((CONTRACT / "__init__.py").read_text()), "hacore.contract")
    left = set(names)
    for file in (*FILES, *SHARED):
        lines = file.read_text().splitlines()
        tree = ast.parse("\n".join(lines))
        if file in FILES:
            yield f"## {TITLES[file.name]}"
        elif file == SHARED[0]:
            yield "## Shared values"
        for index, node in enumerate(tree.body):
            name = getattr(node, "name", "")
            if isinstance(node, ast.Assign | ast.AnnAssign):
                name = ast.unparse(node.targets[0] if isinstance(node, ast.Assign) else node.target)
            if name not in left:
                continue
            left.discard(name)
            if isinstance(node, ast.ClassDef):
                yield f"## {name}" if name == "Provider" else f"### {name}"
                yield doc(node, name)
                if found := list(fields(node, lines)):
                    yield "\n".join(found)
                yield from methods(node, lines)
            elif isinstance(node, ast.FunctionDef):
                yield f"### {name}"
                yield f"**`{name}({ast.unparse(node.args)}) -> {ast.unparse(node.returns or ast.Constant(None))}`**"
                yield doc(node, name)
            else:
                yield f"### {name}"
                yield f"`{ast.unparse(node)}`" + (f": {why}" if (why := after(tree.body, index)) else "")
    if left:
        sys.exit(f"not found: {', '.join(sorted(left))}")


def main() -> None:
    """Print the page."""
    sys.stdout.write(HEAD + "\n\n".join(page(public())) + "\n")


if __name__ == "__main__":
    main()
