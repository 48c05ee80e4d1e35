"""Which files of a folder are left out: patterns of the command and of `.triptychignore` files, as Git reads them."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from pathspec import GitIgnoreSpec
from pathspec.patterns.gitignore import GitIgnorePatternError

from rag.errors import InputError

__all__ = ["IGNORE_FILE", "Patterns"]

IGNORE_FILE: Final = ".triptychignore"


class Patterns:
    """The rules below one folder. Those of a deeper `.triptychignore` outweigh those above it; `exclude` and `include`
    (only what matches one is read), relative to the folder that was given, outweigh all of them.

    As in Git a path is judged by the last pattern that matches it, and what lies in a folder that is left out is not
    looked at: folders are judged before what lies in them.
    """

    def __init__(self, exclude: Sequence[str] = (), include: Sequence[str] = ()) -> None:
        self._exclude, self._include = _spec(exclude, "--exclude"), _spec(include, "--include")
        self._wanted = bool(include)
        self._files: dict[Path, GitIgnoreSpec] = {}

    def enter(self, folder: Path) -> None:
        """Read the folder's `.triptychignore`, if it has one. Folders are entered from above."""
        path = folder / IGNORE_FILE
        try:
            lines = path.read_text(encoding="utf-8").splitlines() if os.path.isfile(path) else []
        except (OSError, UnicodeDecodeError) as exc:
            raise InputError(f"{path} cannot be read ({exc})", "a text file in UTF-8", "correct or remove it") from exc
        if lines:
            self._files[folder] = _spec(lines, str(path))

    def reason(self, path: Path, root: Path, *, folder: bool) -> str:
        """Why a path below `root` is left out; empty where it is not."""
        end = "/" if folder else ""
        own = path.relative_to(root).as_posix() + end
        if _verdict(self._exclude, own):
            return "excluded by --exclude"
        if self._wanted and not folder and not self._include.match_file(own):
            return "not among --include"
        for above in path.parents:
            if (spec := self._files.get(above)) is not None:
                ignored = _verdict(spec, path.relative_to(above).as_posix() + end)
                if ignored is not None:
                    return f"excluded by {above / IGNORE_FILE}" if ignored else ""
            if above == root:
                break
        return ""


def _verdict(spec: GitIgnoreSpec, path: str) -> bool | None:
    """Whether the last pattern that matches `path` itself leaves it out; None where none matches.

    `GitIgnoreSpec.check_file` also counts what matches a folder above the path, so that `*`, `!*/`, `!*.txt` would not
    bring back the texts in folders.
    """
    for pattern in reversed(spec.patterns):
        found = pattern.match_file(path)
        if found is not None and _itself(found.match, path):
            return pattern.include
    return None


def _itself(match: re.Match[str], path: str) -> bool:
    """Whether a match is of the path itself, not of a folder above it. The one group of pathspec's expressions is the
    slash that ends a folder's name; that of `*/` finds any, and one without a group, as of `a/**`, what follows."""
    last = len(path) - 1
    if match.lastindex is None:
        return match.end() <= last or not path.endswith("/")
    return match.start(match.lastindex) == last or match.re.search(path, last) is not None


def _spec(lines: Sequence[str], where: str) -> GitIgnoreSpec:
    try:
        return GitIgnoreSpec.from_lines(lines)
    except GitIgnorePatternError as exc:
        raise InputError(f"a pattern of {where}: {exc}", "patterns as in .gitignore", "correct it") from exc
