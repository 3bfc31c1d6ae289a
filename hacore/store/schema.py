"""The schema: made, upgraded. alembic is imported only when an upgrade is due."""

from __future__ import annotations

import os
import time
import uuid
from pathlib import Path

from sqlalchemy import Connection

from ..errors import StoreError
from . import versions
from .database import Database
from .source import backup
from .tables import META, METADATA, VERSION

VERSIONS = Path(__file__).with_name("migrations") / "versions"
LOCATIONS = (VERSIONS,)


def create(connection: Connection, key_id: str) -> None:
    """Make all tables and a new lineage."""
    METADATA.create_all(connection)
    VERSION.create(connection)
    connection.execute(VERSION.insert().values(version_num=versions.HEAD))
    connection.execute(
        META.insert().values(id=1, lineage=str(uuid.uuid4()), serial=0, key_id=key_id, created=time.time())
    )


def upgrade(database: Database, found: str) -> Path | None:
    """Bring an older schema to HEAD inside the caller's transaction, after a backup (SQLite).

    Returns the backup's path, `<state>.backup-<version>`; that is all that is left when the upgrade
    fails. Raises StoreError for a schema that is newer than this hacore.
    """
    if found > versions.HEAD:
        raise versions.newer(found, database.name)
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
    command.upgrade(config, versions.HEAD)


def _backup(database: Database, found: str) -> Path | None:
    if database.path is None:
        return None
    target = database.path.with_name(f"{database.path.name}.backup-{found}")
    try:
        target.unlink(missing_ok=True)
        os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except OSError as error:
        raise StoreError(f"cannot make the backup {target}: {error.strerror}") from error
    backup(database.path, target)
    return target
