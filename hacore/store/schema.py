"""Creating and upgrading the schema. alembic is imported only for an upgrade."""

from __future__ import annotations

import os
import time
import uuid
from pathlib import Path

from sqlalchemy import Connection

from ..errors import StoreError
from . import queries, versions
from .database import CoreReading, Database
from .place import Place
from .source import backup
from .tables import META, METADATA, VERSION

VERSIONS = Path(__file__).with_name("migrations") / "versions"
LOCATIONS = (VERSIONS,)


def claimed_version(database: Database) -> str | None:
    """The version of the tables, None if there are none. Unless it is HEAD, nobody else makes or upgrades them now."""
    reading = CoreReading(database.connection)
    found = queries.version(reading)
    if found != versions.HEAD:
        database.claim_tables(lambda: queries.version(reading) == versions.HEAD)
        found = queries.version(reading)
    return found


def create(connection: Connection) -> None:
    """Create all tables."""
    METADATA.create_all(connection)
    VERSION.create(connection)
    connection.execute(VERSION.insert().values(version_num=versions.HEAD))


def create_state(connection: Connection, place: Place) -> None:
    """Create a state with a new lineage; it has no key yet."""
    new = {"lineage": str(uuid.uuid4()), "serial": 0, "key_id": "", "created": time.time()}
    connection.execute(META.insert().values(id=place.state_id, name=place.state, **new, runs=0, images=0, moved_to=""))


def upgrade(database: Database, found: str) -> str:
    """Bring an older schema to HEAD inside the caller's transaction, after a backup.

    Returns the name of the backup: the file `<state>.backup-<version>`, or on a server the tables
    `<table>_backup_<version>`. Raises StoreError for a schema that is newer than this hacore.
    """
    if found > versions.HEAD:
        raise versions.newer(found, database.name)
    backup = _copied_tables(database, found) if database.path is None else str(copy_file(database.path, found))
    migrate(database.connection)
    return backup


def migrate(connection: Connection) -> None:
    """Run all migrations that are due."""
    from alembic import command
    from alembic.config import Config

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(VERSIONS.parent).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.set_main_option("version_locations", os.pathsep.join(str(place).replace("%", "%%") for place in LOCATIONS))
    command.upgrade(config, versions.HEAD)


def _copied_tables(database: Database, found: str) -> str:
    """Copies of all tables in the same schema. (For a quick restore use the server's own backups.)"""
    suffix = f"_backup_{found}"
    quote = database.engine.dialect.identifier_preparer.quote
    tables = [name for name in CoreReading(database.connection).tables() if "_backup_" not in name]
    for name in sorted(tables):
        database.connection.exec_driver_sql(f"DROP TABLE IF EXISTS {quote(name + suffix)}")
        database.connection.exec_driver_sql(f"CREATE TABLE {quote(name + suffix)} AS SELECT * FROM {quote(name)}")  # noqa: S608
    return f"the tables *{suffix} on the server"


def copy_file(path: Path, suffix: str) -> Path:
    """A copy of the last commit of an SQLite state, not locked: `<state>.backup-<suffix>`, 0600.

    Raises StoreError.
    """
    target = path.with_name(f"{path.name}.backup-{suffix}")
    try:
        target.unlink(missing_ok=True)
        os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except OSError as error:
        raise StoreError(f"cannot create the backup {target}: {error.strerror}") from error
    backup(path, target)
    return target
