"""What several folders of tests share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.postgres import Server, programs


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """A running PostgreSQL server; each process of pytest-xdist has its own."""
    found = programs()
    if found is None:
        pytest.skip("PostgreSQL is not installed; `make system` installs it")
    server = Server(found)
    try:
        server.start()
        try:
            yield server
        finally:
            server.stop("immediate")
    finally:
        server.remove()
