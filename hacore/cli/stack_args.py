"""The stack of a command: STACK, --var, --var-file, --env, --state."""

from __future__ import annotations

import functools
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ..address import NAME
from ..errors import UsageError
from ..urls import shown_url, url_secrets
from .complete import candidates
from .runtime import Runtime

if TYPE_CHECKING:
    import asyncio

    from ..contract import Provider
    from ..engine import LoadRequest, Means, Request
    from ..events import Listener
    from ..load.stack import Stack
    from ..transport import Password


F = TypeVar("F", bound=Callable[..., Any])


def _pairs(_: click.Context, __: click.Parameter, values: tuple[str, ...]) -> tuple[str, ...]:
    for value in values:
        if not value.partition("=")[0] or "=" not in value:
            # the value is not shown: it may be a misplaced secret
            raise click.BadParameter("write NAME=VALUE")
    return values


_VAR = click.option(
    "--var", "var", metavar="NAME=VALUE", multiple=True, callback=_pairs, help="Set a variable (repeatable)."
)


_VAR_FILE = click.option(
    "--var-file",
    "var_file",
    metavar="FILE",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Read variables from a YAML file (repeatable, the last one wins).",
)


_ENV = click.option(
    "--env",
    "env",
    metavar="NAME",
    shell_complete=candidates.environment,
    help="Use the environment env/NAME.yaml of the stack.",
)


_STATE = click.option("--state", "state", metavar="URL", help="Use this state, for example sqlite:///state/web.db.")


stack_option = click.option(
    "--stack",
    "folder",
    metavar="STACK",
    shell_complete=candidates.stack,
    help="The folder or file of the stack (default: this folder).",
)


@dataclass(frozen=True)
class StackArgs:
    """The stack of a command, as named by the user."""

    runtime: Runtime
    stack: str | None = None
    var: tuple[str, ...] = ()
    var_file: tuple[Path, ...] = ()
    env: str | None = None
    state: str | None = None

    def file(self) -> Path:
        """The stack file. Raises UsageError when it does not exist or is ambiguous."""
        from ..load import find_stack

        return find_stack(Path.cwd(), self.stack)

    def request(
        self,
        listener: Listener,
        *,
        file: Path | None = None,
        parallelism: int = 10,
        stop: asyncio.Event | None = None,
        **asked: Any,
    ) -> Request:
        """The engine's request; from now on the secrets of the stack can be found out.

        `file`: the stack file, if known. `stop`: see Means. `asked`: selection, refresh and options of the request.
        """
        from ..engine import LoadRequest, Request, load_stack

        load = LoadRequest(
            self.file() if file is None else file,
            variables=self.variables(),
            var_files=self.var_file,
            env_name=self.env,
            state_url=self.state,
        )
        request = Request(load, self.means(listener, parallelism=parallelism, stop=stop), **asked)
        self.runtime.terminal.redactor.add(url_secrets(self.state or ""))
        self.runtime.learn = lambda: self.secrets_of(load_stack(request))
        return request

    def load_request(self) -> LoadRequest | None:
        """What to load, for a command that can do without; None if there is no stack file."""
        from ..engine import LoadRequest

        try:
            file = self.file()
        except UsageError:
            return None
        return LoadRequest(file, self.variables(), self.var_file, env_name=self.env, state_url=self.state)

    def means(self, listener: Listener, *, parallelism: int = 10, stop: asyncio.Event | None = None) -> Means:
        """The kinds and the connections, for any command."""
        from ..engine import Means

        return Means(providers(), listener=listener, parallelism=parallelism, password=self.password(), stop=stop)

    def password(self) -> Password | None:
        """The sudo password of the hosts, if one was given."""
        from .prompts import become_password

        return become_password(self.runtime)

    def variables(self) -> Mapping[str, str]:
        """The variables of --var; the last one of a name wins."""
        return {name: value for name, _, value in (text.partition("=") for text in self.var)}

    def know(self, stack: Stack) -> None:
        """Mask the secrets of this stack in all output from now on."""
        self.runtime.terminal.redactor.add(self.secrets_of(stack))
        self.runtime.learn = None

    def secrets_of(self, stack: Stack) -> frozenset[str]:
        """The strings that must not be printed."""
        return stack.secrets | url_secrets(stack.state)

    def state_url(self) -> str:
        """The URL of the state; variables are not needed."""
        if self.state is not None:
            from ..load.find import absolute_state

            url = absolute_state(self.state, Path.cwd())
        else:
            from ..load import state_url

            url = state_url(self.file(), env_name=self.env, environ=self.runtime.environ)
        self.runtime.terminal.redactor.add(url_secrets(url))
        return url

    def again(self, command: str, stack: Stack | None = None) -> str:
        """Another command for the same stack and variables, to show to the user."""
        secrets = stack.secrets if stack is not None else frozenset()
        words = ["hacore", *(["-C", self.runtime.folder] if self.runtime.folder else []), *command.split()]
        words += [self.stack] if self.stack else []
        for text in self.var:
            name, _, value = text.partition("=")
            words += ["--var", f"{name}=…" if value in secrets else text]
        for path in self.var_file:
            words += ["--var-file", str(path)]
        words += ["--env", self.env] if self.env else []
        words += ["--state", shown_url(self.state)] if self.state else []
        words += ["--ask-become-pass"] if self.runtime.ask_become_pass else []
        return shlex.join(words)


def providers() -> Mapping[str, Provider[Any]]:
    """The installed resource kinds."""
    from ..load import load_providers

    return load_providers()


def stack_options(*, variables: bool = True, argument: bool = True, metavar: str = "[STACK]") -> Callable[[F], F]:
    """STACK and its options, given to the command as one `args: StackArgs`."""

    def decorate(function: F) -> F:
        @click.pass_obj
        @functools.wraps(function)
        def wrapped(runtime: Runtime, /, **given: Any) -> Any:
            names = ("stack", "var", "var_file", "env", "state")
            args = StackArgs(runtime, **{name: given.pop(name) for name in names if name in given})
            return function(args=args, **given)

        found: Any = wrapped
        for option in (_STATE, _ENV, *((_VAR_FILE, _VAR) if variables else ())):
            found = option(found)
        if argument:
            completer = candidates.stack_or_file if "PLAN" in metavar else candidates.stack
            found = click.argument("stack", required=False, metavar=metavar, shell_complete=completer)(found)
        return found  # type: ignore[no-any-return]

    return decorate


def again(args: StackArgs, out: Path) -> str:
    """The command that applies a saved plan."""
    folder = ["-C", args.runtime.folder] if args.runtime.folder else []
    return shlex.join(["hacore", *folder, "apply", str(out)])


def _root(file: Path) -> Any:
    from ..load.outline import root_of
    from ..load.problems import Problems

    return root_of(file.absolute(), Problems())


def lab_name(args: StackArgs) -> str:
    """The name of the lab of a stack, from the stack file alone; or the argument itself, if it is not a stack."""
    try:
        root = _root(args.file())
    except UsageError:
        if args.stack is None or "/" in args.stack:
            raise
        return args.stack
    node = root.child("stack") if root is not None else None
    if node is None or not isinstance(node.value, str):
        raise UsageError(f"cannot find the lab of {args.file()}: the file has no `stack: NAME`")
    if not NAME.match(node.value):
        raise UsageError(
            f"{args.file()}:{node.position.line}:{node.position.column}: cannot find the lab of this stack: "
            f"`stack` must have letters, digits, _ . and - only, not {node.value!r}"
        )
    return node.value
