"""The coreutils of a host that are not GNU's, such as uutils on newer Ubuntu, and what they do differently.

hacore needs some options that POSIX does not have. Those that can be tried without writing are tried, on such hosts
only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from hacore.contract import Ask, Facts, Mistake

_TRIALS = (
    ("stat --printf", '[ "$(stat --printf "%a %F." /proc)" = "555 directory." ]'),
    ("base64 -w", "[ \"$(printf '%060d' 0 | base64 -w 0 | wc -l)\" -eq 0 ]"),
    ("sha256sum", "case $(printf x | sha256sum) in 2d711642*) ;; *) false ;; esac"),
    ("readlink -z", "[ \"$(readlink -z /proc/self/ns/net | tr '\\0' . | tail -c 1)\" = . ]"),
    ("mktemp --suffix", "case $(mktemp -u --suffix=.new /tmp/XXXXXX) in /tmp/*.new) ;; *) false ;; esac"),
    ("date -d", "[ \"$(date -u -d 'Wed 2026-11-25 10:00:00 UTC' +%s)\" = 1795600800 ]"),
    ("timeout", 'rc=0; timeout -k 1 0.05 sleep 2 || rc=$?; [ "$rc" -eq 124 ]'),
    ("sort -V", "[ \"$(printf '1.10\\n1.9\\n' | sort -V | tr '\\n' ' ')\" = '1.9 1.10 ' ]"),
    ("comm", "printf 'a\\n' | comm -12 - /dev/null >/dev/null"),
)


@dataclass(frozen=True, slots=True)
class Tools:
    """`name`: by their own account, such as `uutils 0.2.2`. `differs`: what does not work as GNU's."""

    name: str
    differs: tuple[str, ...] = ()


class ToolsFact:
    """The answer to the argument ""; none where the coreutils are GNU's."""

    name = "tools"

    def command(self, asks: Sequence[Ask]) -> str:
        """One fork on a host with GNU's; elsewhere some twenty."""
        trials = "\n".join(f"( {trial} ) >/dev/null 2>&1 || echo 'differs {what}'" for what, trial in _TRIALS)
        return f"""v=$(stat --version 2>/dev/null) || :
case $v in *'GNU coreutils'*) exit 0 ;; esac
printf 'name %s\\n' "$v" | head -n 1
{trials}"""

    def parse(self, stdout: bytes) -> Mapping[str, Tools]:
        """Lines `name ...` and `differs COMMAND`."""
        lines = [line.partition(" ") for line in stdout.decode("utf-8", "replace").splitlines()]
        names = [rest for word, _, rest in lines if word == "name"]
        if not names:
            return {}
        return {"": Tools(_named(names[0]), tuple(rest for word, _, rest in lines if word == "differs"))}


def _named(text: str) -> str:
    """`stat 0.0.17`, `stat (uutils coreutils) 0.2.2`: the version, of uutils."""
    words = text.split()
    return f"uutils {words[-1]}" if words[:1] == ["stat"] else "not GNU's"


def strange_tools(facts: Facts, host: str) -> Iterable[Mistake]:
    """A warning with what does not work; one for a host, since its text is the same for all resources."""
    tools = facts.get(TOOLS, "")
    if tools is not None and tools.differs:
        yield Mistake(
            "",
            f"the coreutils of {host} are {tools.name}, where {', '.join(tools.differs)} do not work as GNU's: what "
            "needs them fails there; install GNU coreutils",
            warning=True,
        )


TOOLS = ToolsFact()
