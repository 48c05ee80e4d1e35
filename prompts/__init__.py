"""The prompts, as template files beside this module. `$name` marks a placeholder, `$$` a dollar sign."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from string import Template

from rag.errors import InputError

__all__ = ["load", "names", "render"]


@cache
def names() -> tuple[str, ...]:
    """The names that `load` knows, sorted."""
    found = (item.name for item in files(__name__).iterdir())
    return tuple(sorted(name.removesuffix(".txt") for name in found if name.endswith(".txt")))


@cache
def load(name: str) -> str:
    """The template `name` as it stands in its file, without the final newline.

    Raises InputError for a name that is not in `names()`; a path is never followed.
    """
    if name not in names():
        raise InputError(f"no prompt named {name!r}", f"allowed: {', '.join(names())}", "check the name")
    return files(__name__).joinpath(f"{name}.txt").read_text(encoding="utf-8").rstrip("\n")


def render(name: str, values: Mapping[str, str]) -> str:
    """The template with exactly its placeholders filled.

    Values are data: they are put in once and never searched for placeholders, so `$question` within a document stays
    as it is. Raises InputError where a placeholder has no value, a value no placeholder, or the file a stray `$`.
    """
    template = Template(load(name))
    marks = list(template.pattern.finditer(template.template))
    wanted = {mark["named"] or mark["braced"] for mark in marks} - {None}
    if any(mark["invalid"] is not None for mark in marks):
        raise InputError(f"prompt {name!r} holds a stray $", "allowed: $name and $$", "write $$ for a dollar sign")
    if wanted != set(values):
        raise InputError(
            f"prompt {name!r} was given {sorted(values)}",
            f"allowed: exactly {sorted(wanted)}",
            "give every placeholder of the file a value and nothing else",
        )
    return template.substitute(values)
