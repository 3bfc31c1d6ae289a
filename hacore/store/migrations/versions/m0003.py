"""Many states in one database: `state_id` begins each key; numbers of runs and images are counted in `meta`.

Keys change, which SQLite can do to a new table only: each table is copied aside, made again and filled. The state
that is there becomes the one without a name, with the id 1.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

# in the order of their references
_TABLES = ("blob", "host", "image", "run", "image_blob", "resource", "task", "task_image", "revision", "revision_row")
_OWN = ("meta", "lock")  # their id is that of the state


def upgrade() -> None:
    """Make all tables again, with the rows that are there."""
    runs, images = _highest("run"), _highest("image")
    columns = {name: _columns(name) for name in (*_TABLES, *_OWN)}
    for name in columns:
        op.execute(f"CREATE TABLE former_{name} AS SELECT * FROM {name}")  # noqa: S608 - our own names
    for name in (*reversed(_TABLES), *_OWN):
        op.drop_table(name)
    op.execute("DROP TABLE IF EXISTS lock_session")
    _create()
    for name in (*_TABLES, *_OWN):
        names = ", ".join(f'"{column}"' for column in columns[name])
        more, values = {
            "lock": ("", ""),
            "meta": (", name, runs, images, moved_to", f", '', {runs}, {images}, ''"),
        }.get(name, (", state_id", ", 1"))
        op.execute(f"INSERT INTO {name} ({names}{more}) SELECT {names}{values} FROM former_{name}")  # noqa: S608
        op.drop_table(f"former_{name}")


def _columns(table: str) -> list[str]:
    return [column["name"] for column in sa.inspect(op.get_bind()).get_columns(table)]


def _highest(table: str) -> int:
    """The highest number that the database has assigned, also to a row that was deleted since."""
    connection = op.get_bind()
    stored = connection.execute(sa.text(f"SELECT max(id) FROM {table}")).scalar() or 0  # noqa: S608
    if connection.dialect.name == "sqlite":
        query = "SELECT seq FROM sqlite_sequence WHERE name = :name"
        assigned = connection.execute(sa.text(query), {"name": table}).scalar() or 0
    elif connection.dialect.name == "postgresql":
        query = f"SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM {table}_id_seq"  # noqa: S608
        assigned = connection.execute(sa.text(query)).scalar() or 0
    else:
        assigned = 0
    return int(max(stored, assigned))


def _create() -> None:
    op.create_table(
        "blob",
        sa.Column("state_id", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("id", sa.String(100), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("coding", sa.String(16), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("state_id", "id"),
    )
    op.create_table(
        "host",
        sa.Column("state_id", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("machine_id", sa.Text(), nullable=False),
        sa.Column("facts", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("state_id", "name"),
    )
    op.create_table(
        "image",
        sa.Column("state_id", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("id", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("run", sa.Integer(), nullable=False),
        sa.Column("sensitive", sa.Boolean(), nullable=False),
        sa.Column("key_id", sa.String(16), nullable=False),
        sa.Column("data", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("state_id", "id"),
    )
    op.create_table(
        "lock",
        sa.Column("id", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("since", sa.Double(), nullable=False),
        sa.Column("pid", sa.BigInteger(), nullable=False),
        sa.Column("pid_started", sa.Text(), nullable=False),
        sa.Column("pid_space", sa.Text(), nullable=False),
        sa.Column("boot_id", sa.Text(), nullable=False),
        sa.Column("machine_id", sa.Text(), nullable=False),
        sa.Column("hostname", sa.Text(), nullable=False),
        sa.Column("token", sa.String(32), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "lock_session",
        sa.Column("state_id", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("token", sa.String(32), nullable=False),
        sa.Column("backend_pid", sa.Integer(), nullable=False),
        sa.Column("backend_start", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("state_id"),
    )
    op.create_table(
        "meta",
        sa.Column("id", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("lineage", sa.String(36), nullable=False),
        sa.Column("serial", sa.BigInteger(), nullable=False),
        sa.Column("key_id", sa.String(16), nullable=False),
        sa.Column("created", sa.Double(), nullable=False),
        sa.Column("runs", sa.BigInteger(), nullable=False),
        sa.Column("images", sa.BigInteger(), nullable=False),
        sa.Column("moved_to", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("name"),
    )
    op.create_table(
        "revision",
        sa.Column("state_id", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("serial", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("since", sa.Double(), nullable=False),
        sa.Column("run", sa.Integer(), nullable=True),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("state_id", "serial"),
    )
    op.create_table(
        "run",
        sa.Column("state_id", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("id", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("command", sa.String(16), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("started", sa.Double(), nullable=False),
        sa.Column("ended", sa.Double(), nullable=True),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("stack", sa.Text(), nullable=False),
        sa.Column("stack_digest", sa.Text(), nullable=False),
        sa.Column("on_failure", sa.String(16), nullable=False),
        sa.Column("undoes", sa.Text(), nullable=False),
        sa.Column("options", sa.Text(), nullable=False),
        sa.Column("summary", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("state_id", "id"),
    )
    op.create_table(
        "image_blob",
        sa.Column("state_id", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("image", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("blob", sa.String(100), nullable=False),
        sa.PrimaryKeyConstraint("state_id", "image", "name"),
        sa.ForeignKeyConstraint(["state_id", "image"], ["image.state_id", "image.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["state_id", "blob"], ["blob.state_id", "blob.id"]),
    )
    op.create_index("ix_image_blob_blob", "image_blob", ["state_id", "blob"])
    op.create_table(
        "resource",
        sa.Column("state_id", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("spec", sa.Text(), nullable=False),
        sa.Column("schema_version", sa.Integer(), nullable=False),
        sa.Column("attrs", sa.Text(), nullable=False),
        sa.Column("info", sa.Text(), nullable=False),
        sa.Column("sensitive", sa.Text(), nullable=False),
        sa.Column("needs", sa.Text(), nullable=False),
        sa.Column("claims", sa.Text(), nullable=False),
        sa.Column("hosts", sa.Text(), nullable=False),
        sa.Column("lifecycle", sa.Text(), nullable=False),
        sa.Column("loaded", sa.Text(), nullable=False),
        sa.Column("origin", sa.Integer(), nullable=True),
        sa.Column("found", sa.String(16), nullable=False),
        sa.Column("tainted", sa.Boolean(), nullable=False),
        sa.Column("run", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("state_id", "address"),
        sa.ForeignKeyConstraint(["state_id", "origin"], ["image.state_id", "image.id"]),
    )
    op.create_table(
        "revision_row",
        sa.Column("state_id", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("serial", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("before", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("state_id", "serial", "address"),
        sa.ForeignKeyConstraint(["state_id", "serial"], ["revision.state_id", "revision.serial"], ondelete="CASCADE"),
    )
    op.create_table(
        "task",
        sa.Column("state_id", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("run", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("op", sa.String(16), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("host", sa.Text(), nullable=True),
        sa.Column("addresses", sa.Text(), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("needs", sa.Text(), nullable=False),
        sa.Column("lane", sa.Integer(), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("before", sa.Text(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("started", sa.Double(), nullable=True),
        sa.Column("ended", sa.Double(), nullable=True),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("state_id", "run", "id"),
        sa.ForeignKeyConstraint(["state_id", "run"], ["run.state_id", "run.id"], ondelete="CASCADE"),
    )
    op.create_table(
        "task_image",
        sa.Column("state_id", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("run", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("task", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("image", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("state_id", "run", "task", "address"),
        sa.ForeignKeyConstraint(
            ["state_id", "run", "task"], ["task.state_id", "task.run", "task.id"], ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["state_id", "image"], ["image.state_id", "image.id"]),
    )
    op.create_index("ix_task_image_image", "task_image", ["state_id", "image"])
