"""Each error of a database names the state, the cause and the next step; selectors and versions do, too."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from hacore.address import Address
from hacore.errors import DisconnectedError, StoreError, UsageError
from hacore.store import matching
from hacore.store.database import open_server
from hacore.store.database_errors import fault, is_half_written
from hacore.store.versions import HEAD, check_readable


class DriverError(Exception):
    """An error as psycopg raises it: with an SQLSTATE, None where the connection failed."""

    def __init__(self, text: str, sqlstate: str | None = None) -> None:
        super().__init__(text)
        self.sqlstate = sqlstate


@pytest.mark.parametrize(
    ("state", "meaning"),
    [
        ("28P01", "the server refused the login (it said no); check user and password in the URL, PGPASSWORD"),
        ("28000", "the server refused the login (it said no)"),
        ("3D000", "the database does not exist (it said no); create it with createdb"),
        ("42501", "permission denied (it said no); the user must own the database"),
        ("25006", "it is read-only (it said no), perhaps a standby"),
        ("53300", "the server is out of resources (it said no)"),
        ("55P03", "it is busy, another process is writing it; try again"),
        ("42P01", "it said no"),
        ("", "it said no"),
        (None, "it said no"),
    ],
)
def test_a_servers_code_has_a_meaning(state: str | None, meaning: str) -> None:
    error = fault("postgresql://db/web", DriverError("it\n   said no", state))
    assert str(error).startswith(f"cannot use the state postgresql://db/web: {meaning}")
    assert not isinstance(error, DisconnectedError)


@pytest.mark.parametrize(
    "text",
    [
        "SSL error: wrong version number",
        "server does not support SSL, but SSL was required",
        "SSL error: certificate verify failed",
        'server certificate for "a" does not match host name "b"',
        'root certificate file "/root/.postgresql/root.crt" does not exist',
    ],
)
def test_a_failure_of_tls_names_the_settings_and_is_not_tried_again(text: str) -> None:
    error = fault("web", DriverError(text), lost=True)
    assert str(error).startswith(f"cannot use the state web: {text}; hacore requires TLS")
    assert not isinstance(error, DisconnectedError)


def test_a_lost_connection_is_an_error_of_its_own() -> None:
    error = fault("web", DriverError("server closed the connection\n\tunexpectedly"), lost=True)
    assert isinstance(error, DisconnectedError)
    assert str(error) == (
        "cannot use the state web: the connection to the server was lost (server closed the connection unexpectedly)"
    )


def test_an_error_without_words_has_its_kind() -> None:
    assert str(fault("web", TimeoutError())) == "cannot use the state web: TimeoutError"


def sqlite_error(cause: Callable[[], object]) -> sqlite3.Error:
    with pytest.raises(sqlite3.Error) as caught:
        cause()
    return caught.value


def test_what_sqlite_reports_has_a_meaning(tmp_path: Path) -> None:
    file = tmp_path / "pair.db"
    first = sqlite3.connect(file, isolation_level=None)
    first.execute("CREATE TABLE t (n)")
    second = sqlite3.connect(file, timeout=0, isolation_level=None)
    first.execute("BEGIN IMMEDIATE")
    busy = sqlite_error(lambda: second.execute("BEGIN IMMEDIATE"))
    first.execute("ROLLBACK")
    second.execute("PRAGMA query_only = ON")
    readonly = sqlite_error(lambda: second.execute("INSERT INTO t VALUES (1)"))
    first.execute(f"PRAGMA max_page_count = {first.execute('PRAGMA page_count').fetchone()[0]}")
    full = sqlite_error(lambda: first.execute("INSERT INTO t VALUES (zeroblob(100000))"))
    missing = sqlite_error(lambda: sqlite3.connect(f"file:{tmp_path}/none.db?mode=ro", uri=True))
    wrong = sqlite_error(lambda: first.execute("SELECT nowhere FROM t"))
    (tmp_path / "text").write_text("nothing that SQLite wrote, and longer than its header is\n" * 20)
    text = sqlite3.connect(tmp_path / "text")
    other = sqlite_error(lambda: text.execute("SELECT * FROM t"))
    for connection in (first, second, text):
        connection.close()

    def meaning(error: sqlite3.Error) -> str:
        return str(fault("pair.db", error)).removeprefix("cannot use the state pair.db: ")

    assert meaning(busy) == "it is busy, another process is writing it; try again"
    assert meaning(readonly).startswith("it cannot be written (")
    assert meaning(full) == "the disk is full"
    assert meaning(missing) == "the file cannot be opened (unable to open database file); check its permissions"
    assert meaning(other) == "the file is damaged (file is not a database); move it away and restore a backup"
    assert meaning(wrong) == "no such column: nowhere"
    assert not any(is_half_written(error) for error in (busy, readonly, full, missing, wrong, other))


@pytest.mark.parametrize(
    ("found", "words"),
    [
        ("0000", r"cannot read the state pair\.db: an older hacore wrote it \(schema 0000\); the next apply upgrades"),
        ("0999", rf"cannot use the state pair\.db: a newer hacore wrote it \(schema 0999, known is {HEAD}\); update"),
    ],
)
def test_a_schema_that_cannot_be_read_names_the_next_step(found: str, words: str) -> None:
    with pytest.raises(StoreError, match=words):
        check_readable(found, "pair.db")


@pytest.mark.parametrize("found", ["0001", "0002", "0003"])
def test_each_released_schema_can_be_read(found: str) -> None:
    check_readable(found, "pair.db")


RECORDED = [Address.parse(text) for text in ("file.b@lb2", "file.b@lb1", 'file.c["x"]@lb1', "vip.front")]


@pytest.mark.parametrize(
    ("selector", "found"),
    [
        ("file.b", ["file.b@lb1", "file.b@lb2"]),
        ("file.b@lb2", ["file.b@lb2"]),
        ("file.c", ['file.c["x"]@lb1']),
        ("vip.front", ["vip.front"]),
    ],
)
def test_a_selector_matches_in_the_order_of_addresses(selector: str, found: list[str]) -> None:
    assert [str(address) for address in matching(RECORDED, Address.parse(selector))] == found


def test_a_selector_that_matches_nothing_is_an_error_with_a_guess() -> None:
    with pytest.raises(UsageError, match=r"cannot find vip\.frnt: it is not recorded; .*vip\.front"):
        matching(RECORDED, Address.parse("vip.frnt"))
    with pytest.raises(UsageError, match="`hacore state list` shows the recorded addresses"):
        matching([], Address.parse("vip.frnt"))


@pytest.mark.parametrize(
    ("url", "module", "words"),
    [
        ("postgresql://u:hunter2@h/x", "psycopg", r"install psycopg \(pip install 'hacore\[postgres\]'\)$"),
        ("mysql+pymysql://u:hunter2@h/x", "pymysql", "install pymysql$"),
    ],
)
def test_a_missing_driver_is_named(monkeypatch: pytest.MonkeyPatch, url: str, module: str, words: str) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == module]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(StoreError, match=f"cannot use the state web: its driver is missing; {words}"):
        open_server("web", url)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("nosuch://u:hunter2@h/x", "the database 'nosuch' is not known; write sqlite:///FOLDER/NAME.db or postgresql:"),
        ("postgresql://u:hunter2@there@h/x", "its URL is not valid; write postgresql://USER@HOST/NAME"),
        ("rubbish hunter2", "its URL is not valid"),
        ("postgresql://u:hunter2@h:port/x", "its URL is not valid"),
    ],
)
def test_a_url_that_cannot_be_used_is_not_repeated(url: str, words: str) -> None:
    with pytest.raises(StoreError, match="cannot use the state web: ") as caught:
        open_server("web", url)
    assert words in str(caught.value)
    assert "hunter2" not in str(caught.value)
