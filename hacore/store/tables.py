"""The schema of this version; `migrations/` upgrades older states.

`Text` columns named after JSON fields of the records contain JSON (see columns.py). A blob is content
that is stored once, however many images share it. Generic types only: SQLite and PostgreSQL alike.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    ForeignKeyConstraint,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
)

METADATA = MetaData()

# The one row of the state itself (id 1).
META = Table(
    "meta",
    METADATA,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("lineage", String(36), nullable=False),
    Column("serial", BigInteger, nullable=False),
    Column("key_id", String(16), nullable=False),  # of the key that HMACs and images are made with; empty: none yet
    Column("created", Double, nullable=False),
)

# At most one row (id 1): the holder of the state. These columns never change, so that any version can read them.
LOCK = Table(
    "lock",
    METADATA,
    Column("id", Integer, primary_key=True, autoincrement=False),
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

BLOB = Table(
    "blob",
    METADATA,
    Column("id", String(100), primary_key=True),  # sha256:HEX, or KEYID:HEX (an HMAC) for what is encrypted
    Column("size", BigInteger, nullable=False),  # bytes, of the plain content
    Column("coding", String(16), nullable=False),  # raw, zlib, fernet (of zlib)
    Column("body", LargeBinary, nullable=False),
)

IMAGE = Table(
    "image",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("run", Integer, nullable=False),
    Column("sensitive", Boolean, nullable=False),
    Column("key_id", String(16), nullable=False),  # empty: not encrypted
    Column("data", Text, nullable=False),
    sqlite_autoincrement=True,
)

IMAGE_BLOB = Table(
    "image_blob",
    METADATA,
    Column("image", Integer, ForeignKey("image.id", ondelete="CASCADE"), nullable=False),
    Column("name", Text, nullable=False),
    Column("blob", String(100), ForeignKey("blob.id"), nullable=False, index=True),
    PrimaryKeyConstraint("image", "name"),
)

RESOURCE = Table(
    "resource",
    METADATA,
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
    Column("origin", Integer, ForeignKey("image.id"), nullable=True),
    Column("found", String(16), nullable=False),
    Column("tainted", Boolean, nullable=False),
    Column("run", Integer, nullable=False),
)

HOST = Table(
    "host",
    METADATA,
    Column("name", Text, primary_key=True),
    Column("host", Text, nullable=False),
    Column("machine_id", Text, nullable=False),
    Column("facts", Text, nullable=False),
)

RUN = Table(
    "run",
    METADATA,
    Column("id", Integer, primary_key=True),
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
    sqlite_autoincrement=True,
)

TASK = Table(
    "task",
    METADATA,
    Column("run", Integer, ForeignKey("run.id", ondelete="CASCADE"), nullable=False),
    Column("id", Text, nullable=False),
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
    PrimaryKeyConstraint("run", "id"),
)

# The before-images of a task: kept as long as the task.
TASK_IMAGE = Table(
    "task_image",
    METADATA,
    Column("run", Integer, nullable=False),
    Column("task", Text, nullable=False),
    Column("address", Text, nullable=False),
    Column("image", Integer, ForeignKey("image.id"), nullable=False, index=True),
    PrimaryKeyConstraint("run", "task", "address"),
    ForeignKeyConstraint(["run", "task"], ["task.run", "task.id"], ondelete="CASCADE"),
)

# A commit that changed resources. `since` is when its writer locked the state: one session, one `since`.
REVISION = Table(
    "revision",
    METADATA,
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
    Column("serial", BigInteger, ForeignKey("revision.serial", ondelete="CASCADE"), nullable=False),
    Column("address", Text, nullable=False),
    Column("before", Text, nullable=True),
    PrimaryKeyConstraint("serial", "address"),
)

# As alembic creates it. Read by hand: importing alembic takes longer than a plan may.
VERSION = Table(
    "alembic_version",
    MetaData(),
    Column("version_num", String(32), nullable=False),
    PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
)
