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
@click.option("--name", metavar="NAME", help="The name of the stack (default: the name of FOLDER).")
@click.option(
    "--host",
    "hosts",
    metavar="NAME=ADDRESS[,INTERFACE]",
    multiple=True,
    help="Add a host (repeatable). Two hosts are a pair.",
)
@click.option("--interface", metavar="NAME", help="The network interface of hosts without INTERFACE (default: eth0).")
@click.option("--vip", metavar="ADDRESS", help="The virtual address that the hosts share, or `none`.")
@click.option(
    "--user", default="root", metavar="NAME", show_default=True, help="The login user; other users than root use sudo."
)
@click.option(
    "--package", "packages", metavar="NAME", multiple=True, help="Add a package (repeatable; default: nginx)."
)
@click.option(
    "--from",
    "sources",
    metavar="HOST[,HOST...]",
    multiple=True,
    help="Read hosts that run, [NAME=][USER@]HOST[:PORT], and describe what they have.",
)
@click.option("--sudo", is_flag=True, help="Become root on the hosts of --from with sudo(8).")
@click.option(
    "--despite-agents",
    "rivals",
    is_flag=True,
    help="Use hosts of --from on which Puppet, Chef, Salt or ansible-pull run.",
)
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
    sources: tuple[str, ...],
    sudo: bool,
    rivals: bool,
) -> int:
    """Create the files of a new stack.

    Writes a valid stack to stacks/NAME or FOLDER. Asks for everything that no
    option gives; with a host (and, for a pair, --vip) it asks nothing. Existing
    files are never overwritten.

    With --from it asks nothing: it reads a pair that runs already, and writes the
    stack that describes it into FOLDER, which must be empty. Nothing is changed on
    the hosts. Secrets are written to no file.

    \b
    Examples:
      hacore init
      hacore init --from root@192.0.2.11,root@192.0.2.12 stacks/web
      hacore init stacks/web --host lb1=192.0.2.11 --host lb2=192.0.2.12 \\
        --vip 192.0.2.200
      hacore init --name db --host db1=192.0.2.21,ens18 --package postgresql
    """
    from ..scaffold import NewStack, checked, files_of, host_of, ip_of

    if sources:
        if hosts or interface or vip or packages:
            raise UsageError("cannot use --from with --host, --interface, --vip or --package: the hosts are read")
        return _from_hosts(runtime, folder, name, sources, sudo=sudo, rivals=rivals)
    complete = bool(hosts) and (vip is not None or len(hosts) == 1)

    missing = "--vip ADDRESS or --vip none" if hosts else "--host NAME=ADDRESS, for a pair twice and with --vip"

    def answer(question: str, default: str) -> str:
        return default if complete else ask_line(runtime.terminal, question, default, missing)

    name = name or (folder.resolve().name if folder else answer("name of the stack", "web"))
    given = hosts or tuple(answer("hosts, NAME=ADDRESS each, separated by spaces", "").split())
    if not given:
        raise UsageError("cannot create a stack without hosts: give --host NAME=ADDRESS, twice for a pair")
    for text in given:
        host_of(text, "eth0")  # report a mistake before the next question
    if interface is None and any("," not in text for text in given):
        interface = answer("network interface of the hosts", "eth0")
    if vip is None:
        vip = answer("virtual address of the pair", NO_VIP) if len(given) > 1 else NO_VIP
    packages = packages or tuple(answer("packages, separated by spaces", "nginx").split())
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
    _check_files(files)
    for path in _written(target, files):
        near = path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
        runtime.terminal.say(f"Wrote {near}.")
    words = shlex.quote(str(target))
    runtime.terminal.say(
        f"\nEdit the files, then:\n  hacore validate {words}\n  hacore rehearse {words}      (on twins, as root)"
        f"\n  hacore plan {words}"
    )
    return 0


def _from_hosts(
    runtime: Runtime, folder: Path | None, name: str | None, sources: tuple[str, ...], *, sudo: bool, rivals: bool
) -> int:
    from ..stack_args import providers
    from ..takeover.run import check_empty, take_over, write

    if folder is None:
        raise UsageError("cannot write a stack: name its folder, as in hacore init --from HOST,HOST FOLDER")
    texts = [text for source in sources for text in source.split(",") if text]
    check_empty(folder)
    taken = take_over(runtime, name or folder.resolve().name, texts, providers(), sudo=sudo, rivals=rivals)
    write(folder, taken.files)
    say, words = runtime.terminal.say, shlex.quote(str(folder))
    say(f"Wrote {folder}: {taken.resources} resources, {len(taken.files)} files.")
    if taken.left_out:
        say("\nNot described by the stack:")
        for line in taken.left_out:
            say(f"  {line}")
    if taken.secrets:
        say("\nThe secrets are in no file. Before the next step give them, or use --var-file FILE:")
        for secret in taken.secrets:
            say(f"  export HACORE_VAR_{secret}=...")
    say(f"\nRead {folder / 'stack.yaml'}, then:\n  hacore validate {words}\n  hacore plan {words}")
    return 0


def _check_files(files: Mapping[str, str]) -> None:
    """Load the new stack before it is written; raises StackError."""
    from ...graph import build_graph
    from ...load import LoadRequest, load
    from ..stack_args import providers

    kinds = providers()
    with TemporaryDirectory(prefix="hacore-init-") as folder:
        for name, text in files.items():
            (Path(folder) / name).write_text(text)
        build_graph(load(LoadRequest(Path(folder) / "stack.yaml", environ={}), kinds), kinds)


def _written(target: Path, files: Mapping[str, str]) -> list[Path]:
    """Write the files, none of which may exist; and a .gitignore for the state, which has a key next to it."""
    from ...load.find import state_folder

    existing = [str(target / name) for name in files if (target / name).exists() or (target / name).is_symlink()]
    if existing:
        raise HacoreError(f"cannot create a stack in {target}: it already has {' and '.join(existing)}")
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
