"""The schema of this version; `migrations/` upgrades older states.

`Text` columns named after JSON fields of the records contain JSON (see columns.py). A blob is content
that is stored once, however many images of a state share it. Generic types only: SQLite and PostgreSQL alike.

A database has one state, or many: `state_id` is the first part of each key, so a state is copied verbatim from
one database to another, and states never wait for each other's rows.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
)

METADATA = MetaData()


def _state() -> Column[int]:
    """The state of a row: `meta.id`."""
    return Column("state_id", BigInteger, primary_key=True, autoincrement=False)


# The states, one row each; see `Place.state_id`.
META = Table(
    "meta",
    METADATA,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("name", Text, nullable=False, unique=True),  # empty: the only one, or the one without a name
    Column("lineage", String(36), nullable=False),
    Column("serial", BigInteger, nullable=False),
    Column("key_id", String(16), nullable=False),  # of the key that HMACs and images are made with; empty: none yet
    Column("created", Double, nullable=False),
    Column("runs", BigInteger, nullable=False),  # the highest number that a run ever had
    Column("images", BigInteger, nullable=False),  # the same for images
    Column("moved_to", Text, nullable=False),  # the URL, without a password, that the state was moved to; empty: not
)

# At most one row for each state (its id): the holder. These columns never change, so that any version can read them.
LOCK = Table(
    "lock",
    METADATA,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("who", Text, nullable=False),
    Column("what", Text, nullable=False),
    Column("since", Double, nullable=False),
    Column("pid", BigInteger, nullable=False),
    Column("pid_started", Text, nullable=False),
    Column("pid_space", Text, nullable=False),
    Column("boot_id", Text, nullable=False),
    Column("machine_id", Text, nullable=False),
    Column("hostname", Text, nullable=False),
    Column("token", String(32), nullable=False),
)

# On PostgreSQL: the backend that has the advisory lock of the state, see server_lock.py.
LOCK_SESSION = Table(
    "lock_session",
    METADATA,
    _state(),
    Column("token", String(32), nullable=False),
    Column("backend_pid", Integer, nullable=False),
    Column("backend_start", Text, nullable=False),
)

BLOB = Table(
    "blob",
    METADATA,
    _state(),
    Column("id", String(100), primary_key=True),  # sha256:HEX, or KEYID:HEX (an HMAC) for what is encrypted
    Column("size", BigInteger, nullable=False),  # bytes, of the plain content
    Column("coding", String(16), nullable=False),  # raw, zlib, fernet (of zlib)
    Column("body", LargeBinary, nullable=False),
)

IMAGE = Table(
    "image",
    METADATA,
    _state(),
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("run", Integer, nullable=False),
    Column("sensitive", Boolean, nullable=False),
    Column("key_id", String(16), nullable=False),  # empty: not encrypted
    Column("data", Text, nullable=False),
)

IMAGE_BLOB = Table(
    "image_blob",
    METADATA,
    _state(),
    Column("image", Integer, primary_key=True, autoincrement=False),
    Column("name", Text, primary_key=True),
    Column("blob", String(100), nullable=False),
    ForeignKeyConstraint(["state_id", "image"], ["image.state_id", "image.id"], ondelete="CASCADE"),
    ForeignKeyConstraint(["state_id", "blob"], ["blob.state_id", "blob.id"]),
    Index("ix_image_blob_blob", "state_id", "blob"),
)

RESOURCE = Table(
    "resource",
    METADATA,
    _state(),
    Column("address", Text, primary_key=True),
    Column("spec", Text, nullable=False),
    Column("schema_version", Integer, nullable=False),
    Column("attrs", Text, nullable=False),
    Column("info", Text, nullable=False),
    Column("sensitive", Text, nullable=False),
    Column("needs", Text, nullable=False),
    Column("claims", Text, nullable=False),
    Column("hosts", Text, nullable=False),
    Column("lifecycle", Text, nullable=False),
    Column("loaded", Text, nullable=False),
    Column("origin", Integer, nullable=True),
    Column("found", String(16), nullable=False),
    Column("tainted", Boolean, nullable=False),
    Column("run", Integer, nullable=False),
    ForeignKeyConstraint(["state_id", "origin"], ["image.state_id", "image.id"]),
)

HOST = Table(
    "host",
    METADATA,
    _state(),
    Column("name", Text, primary_key=True),
    Column("host", Text, nullable=False),
    Column("machine_id", Text, nullable=False),
    Column("facts", Text, nullable=False),
)

RUN = Table(
    "run",
    METADATA,
    _state(),
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("command", String(16), nullable=False),
    Column("status", String(16), nullable=False),
    Column("started", Double, nullable=False),
    Column("ended", Double, nullable=True),
    Column("who", Text, nullable=False),
    Column("stack", Text, nullable=False),
    Column("stack_digest", Text, nullable=False),
    Column("on_failure", String(16), nullable=False),
    Column("undoes", Text, nullable=False),
    Column("options", Text, nullable=False),
    Column("summary", Text, nullable=False),
)

TASK = Table(
    "task",
    METADATA,
    _state(),
    Column("run", Integer, primary_key=True, autoincrement=False),
    Column("id", Text, primary_key=True),
    Column("op", String(16), nullable=False),
    Column("kind", Text, nullable=False),
    Column("host", Text, nullable=True),
    Column("addresses", Text, nullable=False),
    Column("status", String(16), nullable=False),
    Column("needs", Text, nullable=False),
    Column("lane", Integer, nullable=False),
    Column("payload", Text, nullable=False),
    Column("before", Text, nullable=False),
    Column("error", Text, nullable=False),
    Column("started", Double, nullable=True),
    Column("ended", Double, nullable=True),
    Column("position", Integer, nullable=False),
    ForeignKeyConstraint(["state_id", "run"], ["run.state_id", "run.id"], ondelete="CASCADE"),
)

# The before-images of a task: kept as long as the task.
TASK_IMAGE = Table(
    "task_image",
    METADATA,
    _state(),
    Column("run", Integer, primary_key=True, autoincrement=False),
    Column("task", Text, primary_key=True),
    Column("address", Text, primary_key=True),
    Column("image", Integer, nullable=False),
    ForeignKeyConstraint(["state_id", "run", "task"], ["task.state_id", "task.run", "task.id"], ondelete="CASCADE"),
    ForeignKeyConstraint(["state_id", "image"], ["image.state_id", "image.id"]),
    Index("ix_task_image_image", "state_id", "image"),
)

# A commit that changed resources. `since` is when its writer locked the state: one session, one `since`.
REVISION = Table(
    "revision",
    METADATA,
    _state(),
    Column("serial", BigInteger, primary_key=True, autoincrement=False),  # the state's serial after it
    Column("at", Double, nullable=False),
    Column("since", Double, nullable=False),
    Column("run", Integer, nullable=True),  # none for commands that change the state only
    Column("who", Text, nullable=False),
    Column("what", Text, nullable=False),
)

# The rows before it; NULL for a new row. So any earlier state is the current one with the later changes
# reversed, and the oldest part can be forgotten without a change to the rest.
REVISION_ROW = Table(
    "revision_row",
    METADATA,
    _state(),
    Column("serial", BigInteger, primary_key=True, autoincrement=False),
    Column("address", Text, primary_key=True),
    Column("before", Text, nullable=True),
    ForeignKeyConstraint(["state_id", "serial"], ["revision.state_id", "revision.serial"], ondelete="CASCADE"),
)

# As alembic creates it. Read by hand: importing alembic takes longer than a plan may.
VERSION = Table(
    "alembic_version",
    MetaData(),
    Column("version_num", String(32), nullable=False),
    PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
)
