"""Database URLs: no password is shown, however it was written."""

from __future__ import annotations

import pytest

from hacore.urls import shown_url, url_secrets


@pytest.mark.parametrize(
    ("url", "shown", "secrets"),
    [
        ("sqlite:///state/web.db", "sqlite:///state/web.db", set()),
        ("postgresql://db/web", "postgresql://db/web", set()),
        ("postgresql://ops@db/web", "postgresql://ops@db/web", set()),
        ("postgresql://ops:s3cret@db/web", "postgresql://ops:***@db/web", {"s3cret"}),
        ("postgresql://ops:p%40ss@db/web", "postgresql://ops:***@db/web", {"p%40ss", "p@ss"}),
        ("postgresql://ops:a+b@db/web", "postgresql://ops:***@db/web", {"a+b", "a b"}),
        ("postgresql://ops:p@s/s@db:5432/web", "postgresql://ops:***@db:5432/web", {"p@s/s"}),
        ("postgresql://db/web?user=ops&password=s3cret", "postgresql://db/web?user=ops&password=***", {"s3cret"}),
        ("postgresql:///web?sslpassword=x&host=/run", "postgresql:///web?sslpassword=***&host=/run", {"x"}),
    ],
)
def test_passwords_are_found_and_not_shown(url: str, shown: str, secrets: set[str]) -> None:
    assert shown_url(url) == shown
    assert url_secrets(url) == secrets
