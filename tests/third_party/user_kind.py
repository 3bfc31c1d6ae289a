"""user: an account with its groups, shell, home and SSH keys. Written from docs/providers.md alone."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic import Field

from hacore import contract as c


class UserSpec(c.Spec):
    """An account. Fields that are not given are not managed; the password hash never is."""

    name: str = Field(default="", description="login name; default: the resource's name")
    uid: int | None = Field(default=None, description="number of the account; default: the next free one")
    groups: tuple[str, ...] | None = Field(default=None, description="supplementary groups, all of them")
    shell: str | None = Field(default=None, description="login shell")
    home: str | None = Field(default=None, description="home folder; default: /home/NAME")
    keys: tuple[str, ...] | None = Field(default=None, description="lines of authorized_keys, all of them")

    @property
    def folder(self) -> str:
        return self.home or f"/home/{self.name}"

    @property
    def key_text(self) -> str:
        return "".join(f"{key}\n" for key in self.keys or ())


class UserFact:
    """Entry, supplementary groups and keys of an account. An argument is `ROOT NAME`."""

    name = "user"

    def command(self, asks: Sequence[c.Ask]) -> str:
        calls = (f"look {' '.join(c.quote(word) for word in ask.arg.split(' ', 1))}" for ask in asks)
        return "\n".join([_LOOK, *calls])

    def parse(self, stdout: bytes) -> Mapping[str, Mapping[str, Any]]:
        found: dict[str, Mapping[str, Any]] = {}
        for line in stdout.decode("utf-8", "replace").splitlines():
            root, name, groups, keys, entry = line.split(" ", 4)
            if not entry:
                found[f"{root} {name}"] = {}
                continue
            _, _, uid, gid, _, home, shell = entry.split(":")
            found[f"{root} {name}"] = {
                "uid": int(uid),
                "gid": int(gid),
                "home": home,
                "shell": shell,
                "groups": sorted(filter(None, groups.split(","))),
                "keys": base64.b64decode(keys).decode("utf-8", "replace").splitlines(),
            }
        return found


USERS = UserFact()

_LOOK = r"""
look() { # root, name: one line
  entry=$(awk -F : -v n="$2" '$1 == n' "$1/etc/passwd" | head -n 1)
  groups=$(awk -F : -v n="$2" '{ k = split($4, m, ","); for (i = 1; i <= k; i++) if (m[i] == n) printf "%s,", $1 }' \
    "$1/etc/group")
  home=${entry%:*} home=${home##*:} keys=
  [ -z "$entry" ] || [ ! -f "$1$home/.ssh/authorized_keys" ] ||
    keys=$(head -c 65536 <"$1$home/.ssh/authorized_keys" | base64 | tr -d '\n')
  printf '%s %s %s %s %s\n' "$1" "$2" "$groups" "$keys" "$entry"
}
"""

_KEEP = r"""
keep() { [ ! -e "$2" ] || printf '%s %s\n' "$1" "$(base64 <"$2" | tr -d '\n')"; }
for file in passwd shadow group gshadow; do
  [ ! -e "$root/etc/$file" ] || awk -F : -v n="$name" -v f="$file" '
    $1 == n { print f " " $0; next }
    f ~ /group|gshadow/ { k = split($4, m, ","); for (i = 1; i <= k; i++) if (m[i] == n) print "member-" f " " $1 }
  ' "$root/etc/$file"
done >"$HACORE_WORK/entries"
keep entries "$HACORE_WORK/entries"
keep keys "$root$home/.ssh/authorized_keys"
"""

_EXISTS = 'exists() { grep -q "^$name:" "$root/etc/passwd"; }\n'

_KEYS = r"""
put_keys() { # FILE: as authorized_keys of the account
  account=$(awk -F : -v n="$name" '$1 == n { print $3 ":" $4 }' "$root/etc/passwd")
  if [ ! -d "$root$home/.ssh" ]; then
    mkdir -p -m 0700 -- "$root$home/.ssh"; chown "$account" -- "$root$home/.ssh"
  fi
  new=$(mktemp -- "$root$home/.ssh/.keys.XXXXXX")
  cat -- "$1" >"$new"; chown "$account" -- "$new"; chmod 0600 -- "$new"
  mv -fT -- "$new" "$root$home/.ssh/authorized_keys"
}
"""

# Entries of the account and its memberships, as the image has them: the password hash never is an argument.
_UNDO = r"""
for file in passwd shadow group gshadow; do
  [ -e "$root/etc/$file" ] || continue
  new=$(mktemp -- "$root/etc/.$file.XXXXXX")
  chmod --reference="$root/etc/$file" -- "$new"; chown --reference="$root/etc/$file" -- "$new"
  awk -F : -v OFS=: -v n="$name" -v f="$file" -v saved="$HACORE_WORK/entries" '
    BEGIN { while ((getline line < saved) > 0) {
      kind = line; sub(/ .*/, "", kind); sub(/^[^ ]* /, "", line)
      if (kind == f) own = line; else if (kind == "member-" f) in_group[line] } }
    $1 == n { if (own != "") print own; done = 1; next }
    f ~ /group|gshadow/ {
      k = split($4, m, ","); list = ""
      for (i = 1; i <= k; i++) if (m[i] != n) list = list (list == "" ? "" : ",") m[i]
      if ($1 in in_group) list = list (list == "" ? "" : ",") n
      $4 = list }
    { print }
    END { if (!done && own != "") print own }
  ' "$root/etc/$file" >"$new"
  mv -fT -- "$new" "$root/etc/$file"
done
if ! exists; then
  [ -z "$created" ] || rm -rf -- "$root$home"
elif [ -e "$HACORE_WORK/keys" ]; then put_keys "$HACORE_WORK/keys"
else rm -f -- "$root$home/.ssh/authorized_keys"; fi
"""


class User(c.Provider[UserSpec]):
    """The kind `user`. `root`: a folder in place of /, for tests; see --prefix of useradd(8)."""

    api = 2
    kind = "user"
    spec = UserSpec

    def __init__(self, root: str = "") -> None:
        self._root = root

    # -- at load
    def resolve(self, spec: UserSpec, files: c.StackFiles) -> UserSpec:
        return spec.model_copy(update={"name": spec.name or files.name})

    def validate(
        self, members: Mapping[str, UserSpec], hosts: object, lifecycle: object = None
    ) -> Iterable[tuple[str, c.Mistake]]:
        for host, spec in members.items():
            if not re.fullmatch(r"[a-z_][a-z0-9_-]{0,31}", spec.name):
                yield host, c.Mistake.where("name", f"is {spec.name!r}: use letters, digits, _ and -")
            if spec.uid == 0 and spec.name != "root":
                yield host, c.Mistake.where("uid", "is 0, that of root: choose another one")
            for field in ("home", "shell"):
                value = getattr(spec, field)
                if value is not None and not re.fullmatch(r"(/[A-Za-z0-9_.-]+)+", value):
                    yield host, c.Mistake.where(field, f"is {value!r}: write an absolute path without spaces")

    def claims(self, spec: UserSpec) -> Sequence[c.Claim]:
        keys = [c.Claim(f"path:{spec.folder}/.ssh/authorized_keys")] if spec.keys is not None else []
        groups = [claim for group in spec.groups or () for claim in c.account_claims(group=group)]
        shell = [c.Claim(f"path:{spec.shell}", "use")] if spec.shell else []
        return [c.Claim(f"user:{spec.name}"), *keys, *groups, *shell]

    def exclusive(self, spec: UserSpec) -> str | None:
        return "passwd"

    # -- at plan
    def _ask(self, spec: UserSpec) -> c.Ask:
        return c.Ask(USERS, f"{self._root} {spec.name}")

    def facts(self, spec: UserSpec) -> Sequence[c.Ask]:
        return [self._ask(spec)]

    def observe(self, view: c.View[UserSpec]) -> c.Observed | None:
        found = view.facts.get(USERS, self._ask(view.spec).arg)
        if not found:
            return None
        return c.Observed({key: found[key] for key in _managed(view.spec)}, {"gid": found["gid"]})

    def desire(self, view: c.View[UserSpec]) -> c.Desired:
        attrs = _managed(view.spec)
        verb = "change" if self.observe(view) else "create"
        return c.Desired(attrs, effect=f"{verb} user {view.spec.name}")

    def absent(self, spec: UserSpec, found: c.Found) -> c.Image:
        """A user that existed before hacore is kept, also with `on_delete: remove`."""
        return c.Image(None) if found == "absent" else c.Image({"kept": True})

    def delete_effect(self, view: c.View[UserSpec], found: c.Found) -> c.Effect:
        name = view.spec.name
        if found == "absent":
            return c.Effect(f"delete user {name} and {view.spec.folder}")
        return c.Effect(f"keep user {name}" if view.removed(found) else f"restore user {name}")

    # -- at apply
    def _head(self, spec: UserSpec) -> str:
        root = self._root
        values = {"name": spec.name, "root": root, "home": spec.folder}
        lines = "".join(f"{key}={c.quote(value)}\n" for key, value in values.items())
        paths = " ".join(c.quote(f"{root}{path}") for path in ("/etc/passwd", spec.folder))
        return f"{lines}{_EXISTS}{c.SAFE_PATH}safe_path {paths}\n"

    def capture(self, work: c.Work[UserSpec]) -> c.Step:
        (change,) = work.changes

        def parse(out: c.Output) -> Mapping[c.Address, c.Image]:
            blobs = {key: base64.b64decode(text) for key, _, text in (s.partition(" ") for s in out.text.splitlines())}
            there = b"passwd " in blobs.get("entries", b"")
            return {change.address: c.Image({"existed": True} if there else None, blobs, sensitive=True)}

        return c.Step(self._head(change.spec) + _KEEP, parse=parse)

    def apply(self, work: c.Work[UserSpec]) -> Sequence[c.Step]:
        (change,) = work.changes
        spec = change.spec
        options = {
            "--uid": None if spec.uid is None else str(spec.uid),
            "--groups": None if spec.groups is None else ",".join(spec.groups),
            "--shell": spec.shell,
            "--home-dir": spec.folder,
        }
        given = {key: value for key, value in options.items() if value is not None}
        prefix = f"--prefix {c.quote(self._root)} " if self._root else ""
        words = " ".join(f"{key} {c.quote(value)}" for key, value in given.items())
        changed = " ".join(
            f"{'--home' if key == '--home-dir' else key} {c.quote(value)}"
            for key, value in given.items()
            if key != "--home-dir" or spec.home is not None
        )
        script = f'if exists; then {f"usermod {prefix}{changed} -- " if changed else ": "}"$name"\n'
        script += f'else useradd {prefix}--create-home {words} -- "$name"; fi\n'
        if spec.keys is not None:
            script += f'{_KEYS}put_keys "$HACORE_WORK/keys"\n'
        return [c.Step(self._head(spec) + script, {"keys": spec.key_text.encode()}, what=f"changing {spec.name}")]

    def undo(self, work: c.Work[UserSpec]) -> Sequence[c.Step]:
        (change,) = work.changes
        image = work.images[change.address]
        if image.data == {"kept": True}:
            return []
        created = "" if image.data else "1"
        script = f"{self._head(change.spec)}created={created}\n{_KEYS}{_UNDO}"
        return [c.Step(script, {"entries": b"", **image.blobs}, what=f"restoring {change.spec.name}")]


def _managed(spec: UserSpec) -> dict[str, Any]:
    """The given fields, in the form of the facts."""
    given = {
        "uid": spec.uid,
        "groups": None if spec.groups is None else sorted(spec.groups),
        "shell": spec.shell,
        "home": spec.home,
        "keys": None if spec.keys is None else list(spec.keys),
    }
    return {key: value for key, value in given.items() if value is not None}


PROVIDER = User()
