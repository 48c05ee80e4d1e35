"""Which files of a folder are left out: patterns of the command and of `.triptychignore` files, as Git reads them."""

from __future__ import annotations

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
    (only what matches one is read), relative to the folder that was given, outweigh all of them."""

    def __init__(self, exclude: Sequence[str] = (), include: Sequence[str] = ()) -> None:
        self._exclude, self._include = _spec(exclude, "--exclude"), _spec(include, "--include")
        self._wanted = bool(include)
        self._files: dict[Path, GitIgnoreSpec] = {}

    def enter(self, folder: Path) -> None:
        """Read the folder's `.triptychignore`, if it has one. Folders are entered from above."""
        path = folder / IGNORE_FILE
        try:
            lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
        except (OSError, UnicodeDecodeError) as exc:
            raise InputError(f"{path} cannot be read ({exc})", "a text file in UTF-8", "correct or remove it") from exc
        if lines:
            self._files[folder] = _spec(lines, str(path))

    def reason(self, path: Path, root: Path, *, folder: bool) -> str:
        """Why a path below `root` is left out; empty where it is not."""
        end = "/" if folder else ""
        own = path.relative_to(root).as_posix() + end
        if self._exclude.match_file(own):
            return "excluded by --exclude"
        if self._wanted and not folder and not self._include.match_file(own):
            return "not among --include"
        for above in path.parents:
            if (spec := self._files.get(above)) is not None:
                ignored = spec.check_file(path.relative_to(above).as_posix() + end).include
                if ignored is not None:
                    return f"excluded by {above / IGNORE_FILE}" if ignored else ""
            if above == root:
                break
        return ""


def _spec(lines: Sequence[str], where: str) -> GitIgnoreSpec:
    try:
        return GitIgnoreSpec.from_lines(lines)
    except GitIgnorePatternError as exc:
        raise InputError(f"a pattern of {where}: {exc}", "patterns as in .gitignore", "correct it") from exc
