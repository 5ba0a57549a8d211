"""The built site: what it fetches, how docstrings render, search without a network."""

import contextlib
import functools
import html.parser
import http.server
import os
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from tests.support import browser
from tests.support.pages import ROOT

SITE = ROOT / "build" / "docs"
PAGES = sorted(SITE.rglob("*.html"))
FETCHED = re.compile(r"<(?:script|img|iframe|link)\b[^>]*\b(?:src|href)=\"(\w+:)?//")
# what is left of a docstring whose sections or examples are not understood
UNREAD = re.compile(r"<blockquote|<p>(?:Args|Raises|Returns|Example|Attributes):")

pytestmark = pytest.mark.skipif(not PAGES, reason="`make docs` has not been run")


class Targets(html.parser.HTMLParser):
    """The links and anchors of a page."""

    def __init__(self, text: str):
        super().__init__()
        self.links: list[str] = []
        self.anchors: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        for name, value in attrs:
            if name in ("href", "src") and value:
                self.links.append(value)
            elif name == "id" and value:
                self.anchors.add(value)


@functools.cache
def targets(page: Path) -> Targets:
    return Targets(page.read_text())


def dead_links(page: Path) -> Iterator[str]:
    """Links of a page that lead nowhere, or out of a folder that the site lies in."""
    for link in targets(page).links:
        parts = urlsplit(link)
        if parts.scheme:
            continue  # elsewhere; the network is not asked
        target = page
        if parts.path:
            target = Path(os.path.normpath(page.parent / unquote(parts.path)))
        inside = not parts.path.startswith("/") and target.is_relative_to(SITE)
        if not inside or not target.exists():
            yield link
        elif parts.fragment and target.suffix == ".html":
            anchor = unquote(parts.fragment)
            if anchor not in targets(target).anchors:
                yield link


def test_no_link_is_dead_in_any_folder():
    # a server shows the last one at any address: its links begin at the root
    pages = [page for page in PAGES if page.name != "404.html"]
    assert sum(len(targets(page).links) for page in pages) > 1000
    dead = {str(page.relative_to(SITE)): sorted(dead_links(page)) for page in pages}
    assert not {page: links for page, links in dead.items() if links}


@pytest.fixture
def address(tmp_path):
    """Address of the site in a folder of a server."""
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "folder").symlink_to(SITE)

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments):
            super().__init__(*arguments, directory=str(tmp_path))

        def log_message(self, *_):
            """Prints nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    with contextlib.closing(server.socket):
        yield f"http://127.0.0.1:{server.server_port}/a/folder"
        server.shutdown()
    thread.join()


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    with browser.start(tmp_path_factory.mktemp("browser")) as started:
        yield started


def test_nothing_is_fetched_from_elsewhere():
    for page in PAGES:
        assert not FETCHED.search(page.read_text()), page


def test_docstrings_are_understood():
    reference = [page for page in PAGES if page.parent.name == "api"]
    assert len(reference) > 5
    for page in reference:
        assert not UNREAD.search(page.read_text()), page


@pytest.mark.parametrize(("width", "dark"), [(390, True), (1280, False)])
def test_search_finds_without_a_server(chromium, width, dark):
    chromium.open(SITE / "api" / "rendering.html", width, dark=dark)
    check_search(chromium)
    asked = [p for p in chromium.problems if not p.startswith("request: file:")]
    assert not asked


def test_search_finds_in_a_folder_of_a_server(chromium, address):
    chromium.problems.clear()
    chromium.open(f"{address}/api/rendering.html", 1280)
    check_search(chromium)
    asked = [p for p in chromium.problems if not p.startswith(f"request: {address}/")]
    assert not [problem for problem in asked if "blob:" not in problem]


def check_search(chromium):
    """Searches on the page that is open."""
    assert chromium.evaluate("document.documentElement.scrollWidth <= innerWidth")
    chromium.evaluate(
        "document.querySelector('#__search').click();"
        "const query = document.querySelector('.md-search__input');"
        "query.focus(); query.value = 'azimuth';"
        "query.dispatchEvent(new Event('keyup'));"
        "query.dispatchEvent(new Event('input'))"
    )
    results = "[...document.querySelectorAll('.md-search-result__item')]"
    chromium.wait(f"{results}.length > 2")
    titles = chromium.evaluate(f"{results}.map(e => e.textContent).join()")
    assert "Coming from another renderer" in titles
