"""`Expressions` compiles scalars of a stack file and template files, each source once."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jinja2
from jinja2 import BaseLoader, nodes
from jinja2.exceptions import TemplateNotFound, TemplateSyntaxError

from ..errors import ExpressionError
from .compiled import Expression, Scope, Template, mentions, plain
from .notes import noted, observed
from .sandbox import Sandbox
from .syntax import Path, chain_of, inclusions_of, paths_of, roots_of

Read = Callable[[str], str]
"""A template's source by its name; raises ExpressionError or OSError for a file that must not or cannot be read."""


class Expressions:
    """A compiler with its cache. `read` returns the sources of templates."""

    def __init__(self, read: Read | None = None) -> None:
        # In a scalar `{#` is text: shell has it in `${#name}`, and YAML has comments of its own.
        self._scalars = Sandbox(comment_start_string="{{#", comment_end_string="#}}", cache_size=0)
        self._files = _FileSandbox(loader=_Loader(read) if read else None, auto_reload=False, cache_size=-1)
        self._expressions: dict[str, Expression] = {}
        self._templates: dict[str, Template] = {}
        self._trees: dict[str, nodes.Template] = {}
        self._read = read

    def globals(self) -> frozenset[str]:
        """Names that are defined in addition to the scope."""
        return frozenset(self._scalars.globals)

    def compile(self, source: str) -> Expression:
        """Compile a scalar; raises ExpressionError for bad syntax."""
        known = self._expressions.get(source)
        if known is None:
            try:
                known = self._compile(source)
            except TemplateSyntaxError as error:
                raise ExpressionError(_syntax_message(error, source)) from error
            self._expressions[source] = known
        return known

    def source(self, text: str) -> str:
        """An expression without braces as a scalar, a text with `{{ }}` unchanged; raises ExpressionError."""
        if mentions(text):
            return text
        source = f"{{{{ {text} }}}}"
        try:
            self._scalars.parse(source)
        except TemplateSyntaxError as error:
            raise ExpressionError(_bad_syntax(error)) from error
        return source

    def _compile(self, source: str) -> Expression:
        tree = self._scalars.parse(source)
        roots, paths = roots_of(tree) - self.globals(), paths_of(tree)
        if inclusions_of(tree):
            raise ExpressionError("include is not allowed here: only template files can include")
        parts = _parts(tree)
        typed = parts is not None and len(parts) == 1 and not isinstance(parts[0], nodes.TemplateData)
        run = self._simple(parts, typed=typed) if parts is not None else None
        if run is None:
            run = self._typed(tree) if typed else self._text(tree)
        return Expression(source, typed, roots, paths, run)

    def _simple(self, parts: list[nodes.Node], *, typed: bool) -> Callable[[Scope], Any] | None:
        """An evaluation without Jinja2 for texts and plain chains, the usual case: ten times as fast."""
        steps: list[str | tuple[str | int, ...]] = []
        for part in parts:
            if isinstance(part, nodes.TemplateData):
                steps.append(part.data)
                continue
            chain = chain_of(part)
            if chain is None or chain[0] in self._scalars.globals:
                return None
            steps.append(chain)
        if typed and isinstance(steps[0], tuple):
            return partial(_follow, self._scalars, steps[0])
        return partial(_join, self._scalars, tuple(steps))

    def _typed(self, tree: nodes.Template) -> Callable[[Scope], Any]:
        output = tree.body[0]
        assert isinstance(output, nodes.Output)
        assign = nodes.Assign(nodes.Name("result", "store"), output.nodes[0], lineno=1)
        template = self._scalars.from_string(nodes.Template([assign], lineno=1))

        def run(scope: Scope) -> Any:
            context = template.new_context(dict(scope))
            for _ in template.root_render_func(context):
                pass
            return context.vars["result"]

        return run

    def _text(self, tree: nodes.Template) -> Callable[[Scope], Any]:
        template = self._scalars.from_string(noted(tree))
        return lambda scope: "".join(template.root_render_func(template.new_context(dict(scope))))

    def template(self, name: str) -> Template:
        """Compile a template file with its inclusions; raises ExpressionError, OSError."""
        known = self._templates.get(name)
        if known is None:
            known = self._templates[name] = self._template(name)
        return known

    def _template(self, name: str) -> Template:
        paths: set[Path] = set()
        roots: set[str] = set()
        opaque = False
        waiting, seen = [name], {name}
        while waiting:
            current = waiting.pop()
            try:
                tree = self._tree(current)
            except (ExpressionError, OSError):
                if current == name:
                    raise
                continue  # `include … ignore missing` is allowed; otherwise rendering fails
            paths |= paths_of(tree)
            roots |= roots_of(tree)
            for inclusion in inclusions_of(tree):
                if inclusion is None:
                    opaque = True
                elif inclusion not in seen:
                    seen.add(inclusion)
                    waiting.append(inclusion)
        compiled = self._files.get_template(name)
        return Template(name, frozenset(roots) - self.globals(), frozenset(paths), opaque, compiled)

    def _tree(self, name: str) -> nodes.Template:
        if self._read is None:
            raise ExpressionError("template files are not available here")
        try:
            return self._files.parse(self._read(name), name, name)
        except TemplateSyntaxError as error:
            raise ExpressionError(f"{name}:{error.lineno}: {error.message}") from error


class _FileSandbox(Sandbox):
    """Template files, of which each expression passes on its result (`notes`)."""

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        return noted(super()._parse(source, name, filename))


class _Loader(BaseLoader):
    def __init__(self, read: Read) -> None:
        self._read = read

    def get_source(
        self,
        environment: jinja2.Environment,  # noqa: ARG002 - Jinja2's signature
        template: str,
    ) -> tuple[str, str | None, Callable[[], bool] | None]:
        try:
            return self._read(template), template, None
        except FileNotFoundError as error:
            raise TemplateNotFound(template) from error


def _parts(tree: nodes.Template) -> list[nodes.Node] | None:
    """The parts of a text without statements; None for one with statements."""
    parts: list[nodes.Node] = []
    for node in tree.body:
        if not isinstance(node, nodes.Output):
            return None
        parts.extend(node.nodes)
    return parts


def _follow(environment: Sandbox, chain: tuple[str | int, ...], scope: Scope) -> Any:
    root = str(chain[0])
    value = scope[root] if root in scope else environment.undefined(name=root)
    for part in chain[1:]:
        value = environment.getattr(value, part) if isinstance(part, str) else environment.getitem(value, part)
    return value


def _join(environment: Sandbox, steps: tuple[str | tuple[str | int, ...], ...], scope: Scope) -> str:
    pieces = []
    for step in steps:
        if isinstance(step, str):
            pieces.append(step)
        else:
            value = _follow(environment, step, scope)
            text = value if type(value) is str else str(plain(value))
            observed(scope, step, text)
            pieces.append(text)
    return "".join(pieces)


def _syntax_message(error: TemplateSyntaxError, source: str) -> str:
    opening = "{{" if "{{" in source else "{%"
    return f"{_bad_syntax(error)} (a literal {opening} is written {{{{ '{opening}' }}}})"


def _bad_syntax(error: TemplateSyntaxError) -> str:
    message = (error.message or "bad syntax").rstrip(".")
    return f"cannot read the expression: {message[:1].lower()}{message[1:]}"
