"""PowerPoint: a slide is a page, its title its section; text, tables, charts' numbers, pictures and speaker notes."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from ingestion.document import ParsedDocument, one_line, tidy
from ingestion.readers._builder import Builder
from ingestion.readers._office import DAMAGED, core_metadata, damaged, open_package

_MIME: Final = "application/vnd.openxmlformats-officedocument.presentationml.presentation"
_A_BLIP: Final = ".//{http://schemas.openxmlformats.org/drawingml/2006/main}blip"
_R: Final = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}"


def read(path: Path, root: Path) -> ParsedDocument:
    """Raises SourceError where the file is encrypted or damaged."""
    import pptx
    from pptx.exc import PythonPptxError

    builder = Builder()
    titles: list[str] = []
    try:
        package = open_package(path, pptx.Presentation)
        for number, slide in enumerate(package.slides, 1):
            builder.page = number
            titles.append(_slide(slide, builder))
        metadata = core_metadata(package.core_properties)
    except (*DAMAGED, PythonPptxError) as exc:
        raise damaged(path, "PowerPoint", exc) from exc
    title = metadata.pop("title", "")
    # What PowerPoint writes when nobody named the file.
    if title.lower() in ("", "powerpoint presentation", "powerpoint-präsentation", "presentation"):
        title = next(filter(None, titles), path.stem)
    return builder.document(title, _MIME, metadata)


def _slide(slide: Any, builder: Builder) -> str:
    """Add a slide and return its title."""
    builder.leave_sections()
    title_shape = slide.shapes.title
    title = one_line(title_shape.text_frame.text) if title_shape is not None and title_shape.has_text_frame else ""
    builder.heading(title, 1)
    title_id = title_shape.shape_id if title else None
    for shape in slide.shapes:
        if shape.shape_id != title_id:
            _shape(shape, slide, builder)
    if slide.has_notes_slide and (frame := slide.notes_slide.notes_text_frame) is not None:
        builder.text(frame.text.replace("\v", "\n"), "notes")
    return title


def _shape(shape: Any, slide: Any, builder: Builder) -> None:
    """Add one shape, and those in it where it is a group."""
    if hasattr(shape, "shapes"):
        for inner in shape.shapes:
            _shape(inner, slide, builder)
    elif shape.element.tag.endswith("}pic"):
        _picture(shape, slide, builder)
    elif getattr(shape, "has_table", False):
        rows = [" | ".join(one_line(cell.text_frame.text) for cell in row.cells) for row in shape.table.rows]
        builder.text("\n".join(row for row in rows if row.strip(" |")), "table")
    elif getattr(shape, "has_chart", False):
        _chart(shape, builder)
    elif getattr(shape, "has_text_frame", False):
        _text(shape, builder)
        if shape.element.find(_A_BLIP) is not None:
            _picture(shape, slide, builder)
    elif shape.element.tag.endswith("}graphicFrame"):
        builder.omit(f"{shape.name} on slide {builder.page}", "an embedded object or diagram, not read")


def _text(shape: Any, builder: Builder) -> None:
    """A text frame: indented paragraphs, and those of a body with several, are a list."""
    paragraphs = [(tidy(p.text.replace("\v", "\n")), p.level) for p in shape.text_frame.paragraphs]
    paragraphs = [(text, level) for text, level in paragraphs if text]
    listed = shape.is_placeholder and len(paragraphs) > 1
    for text, level in paragraphs:
        builder.text(f"{'  ' * level}- {text}" if listed or level else text, "list" if listed or level else "paragraph")


def _picture(shape: Any, slide: Any, builder: Builder) -> None:
    """A picture with its description. Film posters and picture fills count; what is linked is not fetched."""
    properties = shape.element.xpath(".//*[local-name()='cNvPr']")
    alt = (properties[0].get("descr") or properties[0].get("title") or "") if properties else ""
    name = f"{shape.name} on slide {builder.page}"
    blip = shape.element.find(_A_BLIP)
    embedded = blip.get(f"{_R}embed") if blip is not None else None
    if not embedded:
        linked = blip.get(f"{_R}link") if blip is not None else None
        builder.lost_picture(name, "linked, never fetched" if linked else "the file does not hold it", alt)
        return
    try:
        data = slide.part.related_part(embedded).blob
    except (KeyError, AttributeError, ValueError):
        builder.lost_picture(name, "the file does not hold it", alt)
        return
    builder.picture(data, name, alt)


def _chart(shape: Any, builder: Builder) -> None:
    """A chart as a table: its title, the categories, and one line for each series."""
    try:
        chart = shape.chart
        title = chart.chart_title.text_frame.text if chart.has_title and chart.chart_title.has_text_frame else ""
        lines = [one_line(title)] if title else []
        for plot in chart.plots:
            lines.append(" | ".join(["", *(str(category) for category in plot.categories)]).strip())
            for series in plot.series:
                values = ("" if value is None else f"{value:g}" for value in series.values)
                lines.append(" | ".join([one_line(str(series.name)), *values]))
    except DAMAGED as exc:
        builder.omit(f"chart {shape.name} on slide {builder.page}", f"its data cannot be read ({exc})")
        return
    builder.text("\n".join(lines), "table")
