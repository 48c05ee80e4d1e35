"""What Word, PowerPoint and Excel files share: opening the package safely, charts, and the errors of damaged ones."""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from textwrap import shorten
from typing import Any, Final

from lxml import etree

from ingestion.document import one_line
from ingestion.readers import _zip
from ingestion.readers._builder import Builder, whole
from ingestion.readers._tables import add_table
from rag.errors import SourceError

# What python-docx, python-pptx, openpyxl, zipfile and lxml were seen to raise on damaged packages, besides OSError.
DAMAGED: Final = (
    *(OSError, LookupError, ValueError, AttributeError, TypeError, AssertionError, RuntimeError, EOFError, SyntaxError),
    *(zipfile.BadZipFile, zlib.error, etree.LxmlError),
)

A: Final = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
C: Final = "{http://schemas.openxmlformats.org/drawingml/2006/chart}"
CX: Final = "{http://schemas.microsoft.com/office/drawing/2014/chartex}"
"""The charts of Office 2016: waterfalls, funnels, histograms, maps and their like."""
DIAGRAM: Final = "{http://schemas.openxmlformats.org/drawingml/2006/diagram}relIds"
R: Final = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}"
_STRICT: Final = b"http://purl.oclc.org/ooxml/"
_MAX_POINTS: Final = 2000
_PLOT: Final = re.compile(r"(area|line|stock|radar|scatter|pie|doughnut|bar|surface|bubble)(?:3D)?Chart")


def open_package(path: Path, opener: Callable[[Any], Any]) -> Any:
    """The package that `opener` makes of `path`.

    Raises SourceError where it is encrypted, unpacks to too much or declares XML entities, one of DAMAGED or the
    opener's own errors where it is damaged.
    """
    with _zip.opened(path) as archive:
        _zip.refuse_doctypes(archive, path)
        strict = "_rels/.rels" in archive.namelist() and _STRICT in archive.read("_rels/.rels")
    return opener(_transitional(path) if strict else str(path))


def _transitional(path: Path) -> BytesIO:
    """A copy of a Strict Open XML package with the namespaces of the Transitional form, which is all the libraries
    know."""
    copy = BytesIO()
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(copy, "w", zipfile.ZIP_DEFLATED) as target:
        for info in source.NameToInfo.values():  # a part that is there twice once, as every reader sees it
            data = source.read(info)
            if info.filename.endswith((".xml", ".rels")):
                data = re.sub(_STRICT + rb"(\w+)/", rb"http://schemas.openxmlformats.org/\1/2006/", data)
            target.writestr(info.filename, data)
    copy.seek(0)
    return copy


def damaged(path: Path, kind: str, exc: BaseException) -> SourceError:
    """The error for a package that cannot be understood."""
    return SourceError(
        f"{path} is not a readable {kind} file ({shorten(str(exc), 300)})", advice="repair it or save it again"
    )


def core_metadata(properties: Any) -> dict[str, Any]:
    """Author, subject and keywords of a package, as far as given and legible."""
    found: dict[str, Any] = {}
    for key in ("title", "author", "subject", "keywords", "language"):
        try:
            value = getattr(properties, key.replace("author", "creator") if not hasattr(properties, key) else key)
        except DAMAGED:
            continue
        if value and str(value).strip():
            found[key] = str(value).strip()
    return found


def add_chart(builder: Builder, space: Any) -> None:
    """A chart as a table, from what its part remembers of the data: its title, then a line for each category.

    `space`: the root of the chart part. The libraries know only some kinds of plot; the cached points are the same
    for all.
    """
    title = one_line("".join(t.text or "" for t in space.iterfind(f"{C}chart/{C}title//{A}t")))
    titles = [one_line("".join(t.text or "" for t in axis.iter(f"{A}t"))) for axis in space.iter(f"{C}title")]
    axes = ", ".join(dict.fromkeys(name for name in titles if name and name != title))
    names: list[str] = []
    columns: list[dict[int, str]] = []
    categories: dict[int, str] = {}
    for number, series in enumerate(space.iter(f"{C}ser"), 1):
        names.append(" ".join(_points(series.find(f"{C}tx")).values()) or f"Series {number}")
        categories |= _points(series.find(f"{C}cat")) or _points(series.find(f"{C}xVal"))
        columns.append(_points(series.find(f"{C}val")) or _points(series.find(f"{C}yVal")))
    indexes = sorted({*categories, *(index for column in columns for index in column)})
    rows = [["", *names]] if indexes else []
    rows += [
        [categories.get(index, str(index + 1)), *(column.get(index, "") for column in columns)] for index in indexes
    ]
    plots = (_PLOT.fullmatch(plot.tag.removeprefix(C)) for plot in space.iterfind(f"{C}chart/{C}plotArea/{C}*"))
    kinds = [f"{plot[1]} chart" for plot in plots if plot]
    told = " – ".join(filter(None, (title, axes)))
    kind = ", ".join(dict.fromkeys(kinds))
    add_table(builder, rows, f"{told} ({kind})" if told and kind else told or kind)


def add_newer_chart(builder: Builder, space: Any) -> None:
    """A chart of Office 2016 as a table, likewise. `space`: the root of its part ([MS-ODRAWXML], 2.24.3)."""
    title = one_line("".join(t.text or "" for t in space.iterfind(f"{CX}chart/{CX}title//{A}t")))
    for data in space.iterfind(f"{CX}chartData/{CX}data"):
        columns = []
        for dimension in (one for one in data if one.tag in (f"{CX}strDim", f"{CX}numDim")):
            levels = [_newer_points(level) for level in dimension.iterfind(f"{CX}lvl")]
            columns += [levels[0]] if dimension.tag == f"{CX}numDim" and levels else levels[::-1]
        indexes = sorted({index for column in columns for index in column})
        add_table(builder, [[column.get(index, "") for column in columns] for index in indexes], title)
        title = ""
    builder.text(title, "caption")


def _newer_points(level: Any) -> dict[int, str]:
    points = ((whole(point.get("idx", ""), -1), point.text or "") for point in level.iterfind(f"{CX}pt"))
    return dict(sorted((index, _number(text)) for index, text in points if index >= 0)[:_MAX_POINTS])


def _points(source: Any | None) -> dict[int, str]:
    """The cached points of a reference or a literal by their index."""
    if source is None:
        return {}
    found: dict[int, str] = {}
    for point in source.iter(f"{C}pt"):
        index, value = whole(point.get("idx", "0"), -1), point.findtext(f"{C}v") or ""
        if index >= 0 and len(found) < _MAX_POINTS:
            text = _number(value)
            found[index] = f"{found[index]} {text}" if index in found else text
    direct = source.findtext(f"{C}v")
    return found or ({0: direct} if direct else {})


def _number(value: str) -> str:
    """7.4999999999 as 7.5; anything else as it stands."""
    try:
        return f"{float(value):.10g}" if re.fullmatch(r"-?\d+\.\d{9,}(?:[eE][-+]?\d+)?", value) else value
    except ValueError:
        return value


def add_diagram(builder: Builder, data: Any) -> None:
    """The words of a SmartArt diagram, from the root of its data part, as a list in the order of its points."""
    for point in data.iter("{http://schemas.openxmlformats.org/drawingml/2006/diagram}pt"):
        for paragraph in point.iter(f"{A}p"):
            words = one_line("".join(t.text or "" for t in paragraph.iter(f"{A}t")))
            builder.text(f"- {words}" if words else "", "list")
