"""Who made a saved plan: the holder of the state's key, or of a key that signed it. Otherwise it is not known.

    signed    a signature beside the file, FILE.sig, by a key of --signers    ssh-keygen -Y, PROTOCOL.sshsig
    keyed     a MAC over head and body by a subkey of the state's key         HKDF-SHA256 (RFC 5869), label "plan"
    neither   everybody who can write the file decides what is applied: the user has to accept that

A key beside the plan (of a state that has none yet) authenticates nothing: who can exchange the one can exchange the
other. So there is no MAC by such a key.
"""

from __future__ import annotations

import hmac
import subprocess
from pathlib import Path

from ...disk import replace_file
from ...errors import PlanError
from ...store.keys import find, key_file
from ...store.place import Place
from ...transport.environment import program_environment
from .file import PlanFile
from .read import SavedPlan

NAMESPACE = "hacore-plan"
"""The namespace of signatures: one of another purpose is not one of a plan."""


def signature_file(path: Path) -> Path:
    """The file of a plan's signature."""
    return path.with_name(path.name + ".sig")


def sign(path: Path, key: str) -> Path:
    """Sign a saved plan with an SSH key (a private key, or a public one of an agent); the file of the signature.

    Raises PlanError.
    """
    target = signature_file(path)
    done = _ssh_keygen("sign", "-f", key, "-n", NAMESPACE, stdin=path.read_bytes())
    if done.returncode or not done.stdout.startswith(b"-----BEGIN SSH SIGNATURE-----"):
        raise PlanError(f"cannot sign {path} with {key}: {_why(done)}")
    replace_file(target, done.stdout)
    return target


def check_authentic(saved: SavedPlan, state: str, signers: Path | None) -> str:
    """Why it is not known who made the plan; empty if it is known.

    `state`: the URL of the state. `signers`: the file of accepted signing keys (ssh-keygen(1), ALLOWED SIGNERS).
    Raises PlanError for a plan that was changed, or made or signed by somebody else.
    """
    file = saved.file
    if file.format == 1:
        raise PlanError(
            f"cannot apply {file.path}: hacore {file.version} wrote it in format 1, which does not show who made it; "
            "make a new plan with `hacore plan --out FILE`"
        )
    if signers is not None:
        _check_signature(file, signers)
        return ""
    key = find(key_file(Place.parse(state).path), "").key
    if key is None:
        if file.key:
            raise PlanError(
                f"cannot apply {file.path}: the key that authenticates it is missing; restore the state's key file or "
                "HACORE_KEY, or make a new plan"
            )
        return (
            "it is not authenticated, because its state has no key yet: everybody who can write the file decides what "
            "is applied. Review it with `hacore show`, or sign plans with --sign"
        )
    if not file.key:
        raise PlanError(
            f"cannot apply {file.path}: it is not authenticated, although its state has a key. It was made before the "
            "first run, and is out of date, or somebody changed it; make a new plan"
        )
    if file.key != key.id:
        raise PlanError(f"cannot apply {file.path}: it was made with another key than that in {key.source}")
    if not hmac.compare_digest(key.plan_mac(file.authenticated), file.mac):
        raise PlanError(
            f"cannot apply {file.path}: it was changed after it was made, or made by somebody without the state's "
            "key; make a new plan"
        )
    return ""


def _check_signature(file: PlanFile, signers: Path) -> None:
    signature = signature_file(file.path)
    if not signature.is_file():
        raise PlanError(f"cannot apply {file.path}: it is not signed: there is no {signature}")
    if not signers.is_file():
        raise PlanError(f"cannot apply {file.path}: there is no file of signers {signers}")
    found = _ssh_keygen("find-principals", "-s", str(signature), "-f", str(signers))
    principals = found.stdout.decode("utf-8", "replace").splitlines()
    if found.returncode or not principals:
        raise PlanError(f"cannot apply {file.path}: no key in {signers} made its signature")
    arguments = ("-f", str(signers), "-I", principals[0], "-n", NAMESPACE, "-s", str(signature))
    done = _ssh_keygen("verify", *arguments, stdin=file.raw)
    if done.returncode:
        raise PlanError(
            f"cannot apply {file.path}: its signature is not one of this content, or not one of a plan: {_why(done)}"
        )


def _ssh_keygen(verb: str, *arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """`ssh-keygen -Y VERB`; asks for a passphrase on the terminal. Raises PlanError if there is no ssh-keygen."""
    try:
        words = ["ssh-keygen", "-Y", verb, *arguments]
        return subprocess.run(words, input=stdin, env=program_environment(), capture_output=True, check=False)
    except FileNotFoundError as error:
        raise PlanError("cannot sign or verify a plan: ssh-keygen (OpenSSH 8.1 or newer) is not installed") from error


def _why(done: subprocess.CompletedProcess[bytes]) -> str:
    lines = (done.stderr or done.stdout).decode("utf-8", "replace").strip().splitlines()
    return lines[-1] if lines else f"ssh-keygen ended with {done.returncode}"


__all__ = ["NAMESPACE", "check_authentic", "sign", "signature_file"]
