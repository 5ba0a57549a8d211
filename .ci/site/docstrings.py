"""Docstrings as Markdown: titles of examples, and names in backticks as links."""

from __future__ import annotations

import re
import textwrap
from typing import Any

import griffe

# a name in single backticks, as `render` or `jaxsoftras.Settings`; not ``code``
_NAME = re.compile(r"(?<!`)`((?:jaxsoftras\.)?[A-Za-z_][\w.]*)`(?!`)")
_EXAMPLE = re.compile(r"^Example:$", re.MULTILINE)


class Docstrings(griffe.Extension):
    """Prepares the docstrings of the package for mkdocstrings.

    A section ``Example:``, which it does not know, becomes ``Examples:``. Fields that
    have docstrings of their own become the section ``Attributes:`` of their class, with
    their defaults. A name in single backticks becomes a link where the object's class,
    its module or the package knows it and a page documents it; others stay code.
    """

    def on_package(self, *, pkg: griffe.Module, **kwargs: Any) -> None:
        """Rewrites all docstrings, when every name is known."""
        self._visit(pkg, pkg)

    def _visit(self, item: griffe.Object, package: griffe.Module) -> None:
        if item.docstring is not None:
            text = _EXAMPLE.sub("Examples:", item.docstring.value)
            item.docstring.value = _NAME.sub(
                lambda match: _link(match.group(1), item, package), text
            )
        for member in item.members.values():
            if not member.is_alias:
                self._visit(member, package)
        if item.is_class and item.docstring is not None:
            item.docstring.value += _describe_fields(item)


def _describe_fields(item: griffe.Object) -> str:
    """The section on those fields of a class that have docstrings, or nothing."""
    lines = []
    for name, field in item.members.items():
        if field.is_attribute and field.docstring is not None and name[0] != "_":
            text = textwrap.indent(field.docstring.value, " " * 8).strip()
            default = f" Default: ``{field.value}``." if field.value else ""
            lines.append(f"    {name}: {text}{default}")
    return "\n".join(["", "", "Attributes:", *lines]) if lines else ""


def _link(name: str, item: griffe.Object, package: griffe.Module) -> str:
    """A link to what a name in an object's docstring means, where the site has it."""
    path, code = _resolve(name, item, package), f"`{name}`"
    if path is None:
        return code
    return f'<autoref identifier="{path}" optional>{code}</autoref>'


def _resolve(name: str, item: griffe.Object, package: griffe.Module) -> str | None:
    """Full path of the object of the package that a name stands for."""
    parts = name.removeprefix("jaxsoftras.").split(".")
    for scope in _scopes(item, package):
        try:
            found = scope
            for part in parts:
                found = _final(found.members[part])
        except (KeyError, griffe.AliasResolutionError):  # the latter of other packages
            continue
        return found.path
    return None


def _scopes(item: griffe.Object, package: griffe.Module) -> list[griffe.Object]:
    """Objects whose members a docstring may name, the nearest first."""
    owner = item if item.is_class else item.parent
    scopes = [owner] if owner is not None and owner.is_class else []
    return [*scopes, item.module, package]


def _final(item: griffe.Object | griffe.Alias) -> griffe.Object:
    return item.final_target if item.is_alias else item
