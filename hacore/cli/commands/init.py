"""`hacore init`."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import click

from ...errors import HacoreError, UsageError
from ..prompts import ask_line
from ..runtime import Runtime

NO_VIP = "none"


@click.command("init")
@click.argument("folder", required=False, metavar="[FOLDER]", type=click.Path(path_type=Path))
@click.option("--name", metavar="NAME", help="The stack's name; default: FOLDER's.")
@click.option(
    "--host",
    "hosts",
    metavar="NAME=ADDRESS[,INTERFACE]",
    multiple=True,
    help="A host; can be repeated. With two of them the stack is a pair.",
)
@click.option("--interface", metavar="NAME", help="The network interface of hosts that name none.")
@click.option("--vip", metavar="ADDRESS", help="The address that the hosts share, or `none`.")
@click.option("--user", default="root", metavar="NAME", help="Who logs in; others than root become it with sudo.")
@click.option("--package", "packages", metavar="NAME", multiple=True, help="A package; can be repeated.")
@click.pass_obj
def command(
    runtime: Runtime,
    folder: Path | None,
    name: str | None,
    hosts: tuple[str, ...],
    interface: str | None,
    vip: str | None,
    user: str,
    packages: tuple[str, ...],
) -> int:
    """Begin a stack of your own.

    Writes a stack that is valid as it stands, to stacks/NAME or FOLDER. Asks for what no option
    says; with a host (and, for several, --vip) it asks nothing. No file is ever overwritten.

    \b
    Examples:
      hacore init
      hacore init stacks/web --host lb1=192.0.2.11 --host lb2=192.0.2.12 --vip 192.0.2.200
      hacore init --name db --host db1=192.0.2.21,ens18 --package postgresql
    """
    from ..scaffold import NewStack, checked, files_of, host_of, ip_of

    told = bool(hosts) and (vip is not None or len(hosts) == 1)

    def answer(question: str, default: str, option: str) -> str:
        return default if told else ask_line(runtime.terminal, question, default, option)

    name = name or (folder.resolve().name if folder else answer("name of the stack", "web", "--name"))
    given = hosts or tuple(answer("hosts, NAME=ADDRESS each, with spaces between", "", "--host").split())
    if not given:
        raise UsageError("cannot make a stack without hosts: give --host NAME=ADDRESS, twice for a pair")
    for text in given:
        host_of(text, "eth0")  # a mistake is told before the next question
    if interface is None and any("," not in text for text in given):
        interface = answer("network interface of the hosts", "eth0", "--interface")
    if vip is None:
        vip = answer("virtual address that they share", NO_VIP, "--vip") if len(given) > 1 else NO_VIP
    packages = packages or tuple(answer("packages, with spaces between", "nginx", "--package").split())
    stack = checked(
        NewStack(
            name,
            tuple(host_of(text, interface or "eth0") for text in given),
            "" if vip == NO_VIP else ip_of(vip, "the virtual address"),
            packages,
            user,
        )
    )
    target = folder or Path("stacks") / name
    files = files_of(stack)
    _see_that_it_loads(files)
    for path in _written(target, files):
        near = path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
        runtime.terminal.say(f"Wrote {near}.")
    words = shlex.quote(str(target))
    runtime.terminal.say(
        f"\nChange them as you like, then:\n  hacore validate {words}\n  hacore rehearse {words}      on twins, as root"
        f"\n  hacore plan {words}"
    )
    return 0


def _see_that_it_loads(files: Mapping[str, str]) -> None:
    """Only what loads is worth writing; raises StackError."""
    from ...graph import build_graph
    from ...load import LoadRequest, load
    from ..stack_args import providers

    kinds = providers()
    with TemporaryDirectory(prefix="hacore-init-") as folder:
        for name, text in files.items():
            (Path(folder) / name).write_text(text)
        build_graph(load(LoadRequest(Path(folder) / "stack.yaml", environ={}), kinds), kinds)


def _written(target: Path, files: Mapping[str, str]) -> list[Path]:
    """Write the files, none of which may be there; git keeps away from the state, which has a key beside it."""
    from ...load.find import state_folder

    there = [str(target / name) for name in files if (target / name).exists() or (target / name).is_symlink()]
    if there:
        raise HacoreError(f"cannot begin a stack in {target}: it has {' and '.join(there)} already")
    done: list[Path] = []
    try:
        target.mkdir(parents=True, exist_ok=True)
        ignore = state_folder(target.absolute()) / "state" / ".gitignore"
        for path, text in [*((target / name, text) for name, text in files.items()), (ignore, "*\n")]:
            if path is ignore and ignore.exists():
                continue
            path.parent.mkdir(exist_ok=True)
            with path.open("x") as file:
                file.write(text)
            done.append(path)
    except OSError as error:
        for path in done:
            path.unlink()
        raise HacoreError(f"cannot write {error.filename}: {error.strerror}") from error
    return done
