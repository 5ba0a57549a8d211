"""Publishes files beside ``docs/``, and keeps the site from fetching anything.

On a code host the pages link to each other and to files of the repository by relative
paths; here these links are turned to where the files lie on the site.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from urllib.parse import urlsplit

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

PAGES = {
    "README.md": "readme.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
}
"""Pages of the site by their place in the repository; others lie in ``docs/``."""

WORKER = ("https://unpkg.com/iframe-worker/shim", "javascripts/file_worker.js")
"""A script that the theme fetches for pages that are opened as files, and ours."""

# the target of a link or an image, in Markdown and in HTML
_TARGET = re.compile(r"(\]\(|\bsrc=\")([^)\s\"#:]+)(?=[)#\"])")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the pages outside of ``docs/``, and files there that a page links to."""
    root = Path(config.config_file_path).parent
    own = [file.src_uri for file in files.documentation_pages()]
    pages = {place: f"docs/{place}" for place in own}
    pages |= {place: source for source, place in PAGES.items()}
    linked = set()
    for place, source in pages.items():
        text = (root / source).read_text()
        linked |= {_find(source, target) for _, target in _TARGET.findall(text)}
        if source in PAGES:
            files.append(File.generated(config, place, content=text))
    for target in sorted(linked - PAGES.keys()):
        if not target.startswith("docs/") and (root / target).is_file():
            copied = str(root / target)
            files.append(File.generated(config, target, abs_src_path=copied))
    return files


def _find(source: str, target: str) -> str:
    """The path from the root of the repository of what a page there links to."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(source), target))


def on_page_markdown(
    markdown: str, page: Page, config: MkDocsConfig, files: Files
) -> str:
    """Turns links between the pages and files to their places on the site."""
    here = page.file.src_uri
    sources = {place: source for source, place in PAGES.items()}
    source = sources.get(here, f"docs/{here}")

    def turn(match: re.Match[str]) -> str:
        target = _find(source, match.group(2))
        place = PAGES.get(target, target.removeprefix("docs/"))
        turned = posixpath.relpath(place, posixpath.dirname(here) or ".")
        return match.group(1) + turned

    return _TARGET.sub(turn, markdown)


def on_post_page(output: str, page: Page, config: MkDocsConfig) -> str:
    """Puts our script in the place of one that a page would fetch."""
    up = posixpath.relpath(".", posixpath.dirname(page.file.dest_uri) or ".")
    return _replace_worker(output, up)


def on_post_template(output: str, template_name: str, config: MkDocsConfig) -> str:
    """Does so in the page that a server shows in place of one that is not there."""
    if template_name != "404.html":
        return output
    return _replace_worker(output, urlsplit(config.site_url or "").path.rstrip("/"))


def _replace_worker(output: str, root: str) -> str:
    fetched, own = WORKER
    if fetched not in output:
        raise PluginError(f"The theme no longer asks for {fetched}; see WORKER.")
    return output.replace(fetched, f"{root}/{own}")
