"""The built site: what it fetches, how docstrings render, search without a network."""

import re

import pytest

from tests.support import browser
from tests.support.pages import ROOT

SITE = ROOT / "build" / "docs"
PAGES = sorted(SITE.rglob("*.html"))
FETCHED = re.compile(r"<(?:script|img|iframe|link)\b[^>]*\b(?:src|href)=\"(\w+:)?//")
# what is left of a docstring whose sections or examples are not understood
UNREAD = re.compile(r"<blockquote|<p>(?:Args|Raises|Returns|Example|Attributes):")

pytestmark = pytest.mark.skipif(not PAGES, reason="`make docs` has not been run")


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
    asked = [p for p in chromium.problems if not p.startswith("request: file:")]
    assert not asked
