"""Fidelity of ingestion: what the readers keep of files whose content is known.

A manifest says which files there are, how many pictures each holds and which cannot be read; a folder of ground truth
holds the words of some of them as Markdown. Each file is read in a process of its own kind, with a time limit: a file
that crashes its reader or never ends is one failed file, not the end of the run.
"""

from __future__ import annotations

import csv
import textwrap
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from evals.reading import Kept, Readers
from evals.words import common_share, markdown_text
from ingestion.ocr import require
from rag.errors import InputError

__all__ = ["Entry", "Fidelity", "Outcome", "entries", "measure", "truths"]

BELOW: Final = 0.90
"""Files that keep a smaller share of the ground truth's words are listed one by one."""


@dataclass(frozen=True)
class Entry:
    """A file to be read, and what is known of it."""

    path: Path
    name: str
    """As the manifest has it: relative to the folder."""
    kind: str
    pictures: int | None = None
    """How many pictures it holds; None where nobody counted."""
    root: Path | None = None
    """The folder that bounds what the file may link to; None: its own."""
    note: str = ""
    """Why it cannot be read, or only in part; empty where it should be read."""


@dataclass(frozen=True)
class Outcome:
    """What became of a file. `share` is that of the ground truth's words, None without ground truth."""

    entry: Entry
    error: str = ""
    pictures: int = 0
    junk: int = 0
    """Pictures that a documented rule left out."""
    lost: int = 0
    """Pictures that the reader named, with the reason why it has none of their pixels."""
    share: float | None = None

    @property
    def agrees(self) -> bool:
        """Whether a failure was foreseen by the manifest. What was read always agrees: a note may be too dark."""
        return not self.error or bool(self.entry.note)

    @property
    def missing(self) -> int:
        """Pictures that the manifest counts and that are neither found nor named as junk."""
        if self.entry.pictures is None or self.error:
            return 0
        return max(self.entry.pictures - self.pictures - self.junk, 0)

    def to_json(self) -> dict[str, Any]:
        """The outcome as `triptych eval ingestion --json` prints it."""
        return {
            "file": self.entry.name,
            "format": self.entry.kind,
            "error": self.error,
            "agrees": self.agrees,
            "note": self.entry.note,
            "pictures": {"found": self.pictures, "expected": self.entry.pictures, "junk": self.junk, "lost": self.lost},
            "words": self.share,
        }


@dataclass(frozen=True)
class Fidelity:
    """The outcomes of all files, in the order of the manifest."""

    outcomes: tuple[Outcome, ...]

    def by_format(self) -> dict[str, dict[str, Any]]:
        """Counts and shares of each format, and of `all` of them."""
        groups: dict[str, list[Outcome]] = defaultdict(list)
        for outcome in self.outcomes:
            groups[outcome.entry.kind].append(outcome)
        return {kind: _summary(groups[kind]) for kind in sorted(groups)} | {"all": _summary(self.outcomes)}

    def to_json(self) -> dict[str, Any]:
        """The measurement as `triptych eval ingestion --json` prints it."""
        return {"formats": self.by_format(), "files": [outcome.to_json() for outcome in self.outcomes]}

    def lines(self) -> list[str]:
        """The table of the formats, then every file that needs a look."""
        head = (
            f"{'format':10} files added failed unforeseen |"
            " pictures expected junk lost missing | truths  median     p10"
        )
        rows = [_row(kind, summary) for kind, summary in self.by_format().items()]
        told = [*self._failures(), *self._poor(), *self._missing()]
        return [head, *rows, *([""] if told else []), *told]

    def _failures(self) -> Iterable[str]:
        for one in self.outcomes:
            if one.error:
                why = textwrap.shorten(one.error, 160, placeholder=" …")
                note = f" [manifest: {one.entry.note}]" if one.entry.note else ""
                yield f"failed{'' if one.agrees else ', unforeseen'}: {one.entry.name}: {why}{note}"
            elif one.entry.note:
                yield f"added, though the manifest notes a defect: {one.entry.name} [{one.entry.note}]"

    def _poor(self) -> Iterable[str]:
        poor = [one for one in self.outcomes if one.share is not None and one.share < BELOW]
        for one in sorted(poor, key=lambda one: one.share or 0.0):
            yield f"words {one.share:.3f}: {one.entry.name}"

    def _missing(self) -> Iterable[str]:
        for one in self.outcomes:
            if one.missing:
                found = f"pictures {one.pictures} of {one.entry.pictures}, {one.junk} junk, {one.lost} lost"
                yield f"{found}: {one.entry.name}"


def _summary(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    shares = [one.share for one in outcomes if one.share is not None]
    return {
        "files": len(outcomes),
        "added": sum(not one.error for one in outcomes),
        "failed": sum(bool(one.error) for one in outcomes),
        "unforeseen": sum(not one.agrees for one in outcomes),
        "pictures": {
            "found": sum(one.pictures for one in outcomes),
            "expected": sum(one.entry.pictures or 0 for one in outcomes),
            "junk": sum(one.junk for one in outcomes),
            "lost": sum(one.lost for one in outcomes),
            "missing": sum(one.missing for one in outcomes),
        },
        "words": {
            "files": len(shares),
            "median": round(float(np.median(shares)), 4) if shares else None,
            "p10": round(float(np.percentile(shares, 10)), 4) if shares else None,
        },
    }


def _row(kind: str, summary: Mapping[str, Any]) -> str:
    pictures, words = summary["pictures"], summary["words"]
    shares = "       -       -" if words["median"] is None else f"{words['median']:8.3f}{words['p10']:8.3f}"
    return (
        f"{kind:10} {summary['files']:5} {summary['added']:5} {summary['failed']:6} {summary['unforeseen']:10} |"
        f" {pictures['found']:8} {pictures['expected']:8} {pictures['junk']:4} {pictures['lost']:4}"
        f" {pictures['missing']:7} |"
        f" {words['files']:6}{shares}"
    )


def entries(source: str | Path) -> list[Entry]:
    """The files of a manifest (CSV with the column `path`, relative to it; `type`, `pictures`, `status` and `note` are
    optional), or all files below a folder but hidden ones.

    Raises InputError where there is no such file or folder, or the manifest has no column `path`.
    """
    source = Path(source)
    if source.is_dir():
        return list(_files(source))
    try:
        with source.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file)
            if "path" not in (rows.fieldnames or ()):
                raise InputError(f"{source} has no column path", "a CSV file with a head row", "add the column")
            return [_entry(source.parent, row) for row in rows]
    except (OSError, UnicodeDecodeError, csv.Error) as exc:
        raise InputError(
            f"{source} cannot be read ({exc})", "a manifest in CSV, or a folder", "check the path"
        ) from exc


def _files(folder: Path) -> Iterable[Entry]:
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        if path.is_file() and not any(part.startswith(".") for part in name.parts):
            yield Entry(path, name.as_posix(), path.suffix.lower().lstrip(".") or "-", root=folder)


def _entry(folder: Path, row: Mapping[str, str | None]) -> Entry:
    name, pictures = row["path"] or "", row.get("pictures") or ""
    status, note = (row.get("status") or "ok").strip(), (row.get("note") or "").strip()
    if pictures and not pictures.isdigit():
        raise InputError(f"pictures of {name} are {pictures!r}", "a whole number, or nothing", "correct the manifest")
    return Entry(
        folder / name,
        name,
        (row.get("type") or Path(name).suffix.lower().lstrip(".") or "-").strip(),
        int(pictures) if pictures else None,
        folder,
        note if status == "ok" else note or status,
    )


def truths(folder: str | Path) -> Callable[[Entry], tuple[Path, ...]]:
    """A function that finds the ground truth of a file below `folder`.

    Of `a/b/x.pdf` it is `x.pdf.md`, else `x.md`, else all `x.*.md` (transcriptions of one picture by several hands).
    Where the ground truth is sorted into folders, the first of them must also be one that the file lies in.

    Raises InputError where there is no such folder.
    """
    root = Path(folder)
    if not root.is_dir():
        raise InputError(f"there is no folder {root}", "a folder of Markdown files", "check the path")
    known = sorted(root.rglob("*.md"))

    def found(entry: Entry) -> tuple[Path, ...]:
        parents = set(Path(entry.name).parts[:-1])
        near = [path for path in known if len(up := path.relative_to(root).parts) == 1 or up[0] in parents]
        stem = entry.path.stem
        for wanted in (f"{entry.path.name}.md", f"{stem}.md"):
            if exact := tuple(path for path in near if path.name == wanted):
                return exact
        return tuple(path for path in near if path.name.startswith(f"{stem}."))

    return found


def measure(
    files: Sequence[Entry],
    groundtruth: str | Path | None = None,
    *,
    seconds: float = 120.0,
    ocr: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Fidelity:
    """Read all files, each for at most `seconds`, and compare them with what is known of them.

    Raises MissingExtra where `ocr` is wanted and the extra is not installed.
    """
    if ocr:
        require()
    find = truths(groundtruth) if groundtruth is not None else lambda _: ()
    outcomes = []
    with Readers(seconds, ocr) as readers:
        for number, entry in enumerate(files, 1):
            outcomes.append(_outcome(entry, readers.read(entry.path, entry.root), find(entry)))
            if progress:
                progress(number, len(files))
    return Fidelity(tuple(outcomes))


def _outcome(entry: Entry, kept: Kept | str, truths: Sequence[Path]) -> Outcome:
    if isinstance(kept, str):
        return Outcome(entry, error=kept, share=0.0 if truths and not entry.note else None)
    shares = [
        common_share(markdown_text(truth.read_text(encoding="utf-8", errors="replace")), kept.text) for truth in truths
    ]
    share = max((share for share in shares if share is not None), default=None)
    return Outcome(entry, pictures=kept.pictures, junk=kept.junk, lost=kept.lost, share=share)
