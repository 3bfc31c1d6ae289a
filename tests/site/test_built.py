"""The built site: each link and anchor exists, nothing is loaded from elsewhere, and a browser opens each page."""

from __future__ import annotations

import functools
import http.server
import json
import shutil
import threading
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit

import pytest

from tests.site.browser import Browser

ROOT = Path(__file__).resolve().parents[2]
SITE = ROOT / "site"
pytestmark = pytest.mark.site


class Reader(HTMLParser):
    """The ids of a page, its links, and what it loads."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.ids |= {found["id"] or ""} if "id" in found else set()
        if tag == "a" and found.get("href"):
            self.links.append(found["href"] or "")
        if tag in ("script", "img", "iframe", "source") and found.get("src"):
            self.loads.append(found["src"] or "")
        if tag == "link" and "canonical" not in (found.get("rel") or "") and found.get("href"):
            self.loads.append(found["href"] or "")


@functools.cache
def pages() -> dict[str, Reader]:
    """Every page, by its path below the site: `/cli/`."""
    found = sorted(SITE.rglob("*.html"))
    return {"/" + p.relative_to(SITE).as_posix().removesuffix("index.html"): Reader(p.read_text()) for p in found}


def test_the_site_has_its_pages() -> None:
    assert {"/", "/cli/", "/errors/", "/command-reference/", "/rules/", "/adr/", "/security/", "/404.html"} <= set(
        pages()
    )


def test_each_internal_link_leads_somewhere() -> None:
    wrong = []
    for at, page in pages().items():
        for link in page.links:
            target = urlsplit(urljoin(f"http://site{at}", link))
            if target.netloc != "site" or target.scheme != "http":
                continue
            path = unquote(target.path)
            if path in pages():
                anchor = unquote(target.fragment)
                if anchor and anchor not in pages()[path].ids and anchor != "__skip":
                    wrong.append(f"{at}: {link}: no such heading")
            elif not (SITE / path.lstrip("/")).is_file():
                wrong.append(f"{at}: {link}: no such page")
    assert wrong == []


def test_no_page_loads_anything_from_elsewhere() -> None:
    loads = {(at, load) for at, page in pages().items() for load in page.loads if urlsplit(load).netloc}
    assert loads == set()


def test_what_is_searched_has_each_page() -> None:
    index = json.loads((SITE / "search" / "search_index.json").read_text())
    found = {"/" + urlsplit(entry["location"]).path for entry in index["docs"]}
    assert set(pages()) - {"/404.html"} == found


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """No line for each request."""


@pytest.fixture
def address() -> Iterator[str]:
    """The site, served on the loopback."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(SITE)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


SEARCH = """
new Promise((found) => {
  const field = document.querySelector('input.md-search__input');
  document.querySelector('#__search').checked = true;
  field.focus();
  field.value = WORD;
  field.dispatchEvent(new Event('input', {bubbles: true}));
  field.dispatchEvent(new KeyboardEvent('keyup', {bubbles: true}));
  const timer = setInterval(() => {
    const links = [...document.querySelectorAll('a.md-search-result__link')].map((link) => link.href);
    if (links.length) { clearInterval(timer); found(links); }
  }, 50);
})
"""


@pytest.mark.skipif(shutil.which("chromium") is None, reason="there is no browser here")
def test_a_browser_opens_each_page_without_an_error(tmp_path: Path, address: str) -> None:
    wrong = []
    with Browser(tmp_path / "profile") as browser:
        for at in pages():
            browser.open(address + at)
            assert browser.value("document.querySelectorAll('article').length") == 1, at
            wrong += [f"{at}: {problem}" for problem in browser.problems]
            wrong += [f"{at} asks {url}" for url in browser.requests if not url.startswith((address, "data:", "blob:"))]
    assert wrong == []


@pytest.mark.skipif(shutil.which("chromium") is None, reason="there is no browser here")
def test_search_and_the_dark_page_work(tmp_path: Path, address: str) -> None:
    with Browser(tmp_path / "profile") as browser:
        browser.open(address + "/")
        found = browser.value(SEARCH.replace("WORD", json.dumps("members-differ")))
        assert any("/rules/" in link for link in found)
        assert browser.value("document.body.dataset.mdColorScheme") == "default"
        browser.value("document.querySelector('input[name=__palette][data-md-color-scheme=slate]').click()")
        assert browser.value("document.body.dataset.mdColorScheme") == "slate"
        assert browser.problems == []
