"""The schema's version: told, made, upgraded. alembic is imported only when an upgrade is due."""

from __future__ import annotations

import os
import time
import uuid
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy import Connection

from ..errors import StoreError
from .database import Database, backup
from .tables import META, METADATA, VERSION

HEAD = "0001"
READABLE = frozenset({"0001"})  # versions whose tables this code can read without an upgrade
VERSIONS = Path(__file__).with_name("migrations") / "versions"
LOCATIONS = (VERSIONS,)


def version(connection: Connection) -> str | None:
    """The schema's version; None when the database has no tables; raises StoreError when it is not hacore's."""
    tables = sa.inspect(connection).get_table_names()
    if VERSION.name not in tables or META.name not in tables:
        if tables:
            raise StoreError("cannot use the state: the database holds something else, no state of hacore")
        return None
    return connection.execute(sa.select(VERSION.c.version_num)).scalar_one_or_none()


def check_readable(found: str, name: str) -> None:
    """Raise StoreError that tells what to do when `found` cannot be read as it is."""
    if found in READABLE:
        return
    if found < HEAD:
        raise StoreError(
            f"cannot read the state {name}: an older hacore wrote it ({found}); the next apply upgrades it"
        )
    raise _newer(found, name)


def create(connection: Connection, key_id: str) -> None:
    """Make all tables and a new lineage."""
    METADATA.create_all(connection)
    VERSION.create(connection)
    connection.execute(VERSION.insert().values(version_num=HEAD))
    connection.execute(
        META.insert().values(id=1, lineage=str(uuid.uuid4()), serial=0, key_id=key_id, created=time.time())
    )


def upgrade(database: Database, found: str) -> Path | None:
    """Bring an older schema to HEAD inside the caller's transaction, after a backup (SQLite).

    Returns the backup's path, `<state>.backup-<version>`; that is all that is left when the upgrade
    fails. Raises StoreError for a schema that is newer than this hacore.
    """
    if found > HEAD:
        raise _newer(found, database.name)
    copy = _backup(database, found)
    migrate(database.connection)
    return copy


def migrate(connection: Connection) -> None:
    """Run all migrations that the database has not seen."""
    from alembic import command
    from alembic.config import Config

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(VERSIONS.parent).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.set_main_option("version_locations", os.pathsep.join(str(place).replace("%", "%%") for place in LOCATIONS))
    command.upgrade(config, HEAD)


def _backup(database: Database, found: str) -> Path | None:
    if database.path is None:
        return None
    target = database.path.with_name(f"{database.path.name}.backup-{found}")
    try:
        target.unlink(missing_ok=True)
        os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except OSError as error:
        raise StoreError(f"cannot make the backup {target}: {error.strerror}") from error
    backup(database, target)
    return target


def _newer(found: str, name: str) -> StoreError:
    return StoreError(
        f"cannot use the state {name}: a newer hacore wrote it (schema {found}, known is {HEAD}); update hacore"
    )
