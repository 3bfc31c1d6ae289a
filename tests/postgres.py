"""A PostgreSQL server for the tests: on a socket in a folder of its own, deleted when it is stopped."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest

USER, PASSWORD = "hacore", "hunter2-and/more"


def programs() -> Path | None:
    """The folder of initdb and pg_ctl; None when PostgreSQL is not installed."""
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    found = str(installed[-1]) if installed else shutil.which("initdb")
    return Path(found).parent if found else None


@contextmanager
def running(connections: int = 100) -> Iterator[Server]:
    """A server until the end of the block. Skips the test where PostgreSQL is not installed."""
    found = programs()
    if found is None:
        pytest.skip("PostgreSQL is not installed; `make system` installs it")
    server = Server(found)
    try:
        server.start(connections)
        try:
            yield server
        finally:
            server.stop("immediate")
    finally:
        server.remove()


class Server:
    """Listens on a Unix socket only, so there is no port to collide on; asks for a password."""

    def __init__(self, binaries: Path) -> None:
        self._binaries = binaries
        self.folder = Path(tempfile.mkdtemp(prefix="hacore-pg-"))
        self._databases = 0
        (self.folder / "password").write_text(PASSWORD + "\n")
        if os.geteuid() == 0:  # the server refuses to run as root
            for path in (self.folder, self.folder / "password"):
                shutil.chown(path, "postgres", "postgres")
        self._run(
            *("initdb", "--no-sync", "--encoding=UTF8", "--locale=C", "--auth=scram-sha-256", "-U", USER),
            *("--pwfile", str(self.folder / "password"), "-D", str(self._data)),
        )

    def start(self, connections: int = 100) -> None:
        options = f"-c listen_addresses= -c fsync=off -c unix_socket_directories={self.folder}"
        options += f" -c max_connections={connections}"
        log = str(self.folder / "log")
        self._run("pg_ctl", "start", "-w", "-t", "60", "-D", str(self._data), "-l", log, "-o", options)

    def stop(self, how: str = "fast") -> None:
        """Stop it; connections are cut."""
        self._run("pg_ctl", "stop", "-w", "-t", "60", "-m", how, "-D", str(self._data))

    def remove(self) -> None:
        shutil.rmtree(self.folder)

    def url(self, database: str, password: str = PASSWORD) -> str:
        return f"postgresql://{USER}:{quote(password, safe='')}@/{database}?host={self.folder}"

    def new_database(self) -> str:
        """The URL of an empty database."""
        self._databases += 1
        self.sql("postgres", f"CREATE DATABASE test{self._databases} TEMPLATE template0")
        return self.url(f"test{self._databases}")

    def new_schema(self) -> str:
        """The URL of an empty schema of a database that tests share, which is much faster to create."""
        self._databases += 1
        self.sql("postgres", f"CREATE SCHEMA test{self._databases}")
        return f"{self.url('postgres')}&options=-csearch_path%3Dtest{self._databases}"

    def sql(self, database: str, statement: str) -> Sequence[tuple[object, ...]]:
        import psycopg

        where = {"host": str(self.folder), "user": USER, "password": PASSWORD, "dbname": database}
        with psycopg.connect(**where, autocommit=True) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def cut(self, url: str) -> None:
        """End all connections to a database, as a restart of the server or a fail-over does."""
        database = urlsplit(url).path.removeprefix("/")
        who = f"FROM pg_stat_activity WHERE datname = '{database}'"
        self.sql("postgres", f"SELECT pg_terminate_backend(pid, 10000) {who}")

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    def _run(self, program: str, *arguments: str) -> None:
        words = [str(self._binaries / program), *arguments]
        if os.geteuid() == 0:
            words = ["runuser", "-u", "postgres", "--", *words]
        # the server keeps its output open, so pg_ctl writes a log instead
        with (self.folder.parent / f"{self.folder.name}.out").open("w+") as out:
            Path(out.name).unlink()
            done = subprocess.run(words, stdout=out, stderr=out, cwd="/", check=False, timeout=120)
            out.seek(0)
            assert done.returncode == 0, out.read()
