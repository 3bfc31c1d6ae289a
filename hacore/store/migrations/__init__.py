"""How older states get to today's schema, for alembic. `schema.upgrade` runs them."""
