"""PowerPoint: a slide is a page, its title its section; text, tables, charts' numbers, pictures and speaker notes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from ingestion.document import ParsedDocument, one_line, tidy
from ingestion.readers import _zip
from ingestion.readers._builder import Builder, whole
from ingestion.readers._furniture import Furniture
from ingestion.readers._links import address_suffix
from ingestion.readers._office import (
    CX,
    DAMAGED,
    DIAGRAM,
    A,
    C,
    R,
    add_chart,
    add_diagram,
    add_newer_chart,
    core_metadata,
    damaged,
    open_package,
)
from ingestion.readers._omml import M, latex
from ingestion.readers._tables import Cell, add_table, spread

_MIME: Final = "application/vnd.openxmlformats-officedocument.presentationml.presentation"
_BLIP: Final = f".//{A}blip"
_P: Final = "{http://schemas.openxmlformats.org/presentationml/2006/main}"
_FOOTERS: Final = ("dt", "ftr", "hdr", "sldNum")
_ALTERNATIVES: Final = "{http://schemas.openxmlformats.org/markup-compatibility/2006}AlternateContent"


def read(path: Path, root: Path) -> ParsedDocument:
    """Raises SourceError where the file is encrypted or damaged."""
    import pptx
    from pptx.exc import PythonPptxError

    try:
        reader = _Reader(open_package(path, pptx.Presentation))
        titles = [reader.slide(slide, number) for number, slide in enumerate(reader.package.slides, 1)]
        reader.furniture.finish(len(titles))
        reader.count_unshown()
        metadata = core_metadata(reader.package.core_properties)
    except (*DAMAGED, PythonPptxError) as exc:
        raise damaged(path, "PowerPoint", exc) from exc
    title = metadata.pop("title", "")
    # What PowerPoint writes when nobody named the file.
    if title.lower() in ("", "powerpoint presentation", "powerpoint-präsentation", "presentation"):
        title = next(filter(None, titles), path.stem)
    return reader.builder.document(title, _MIME, metadata)


class _Reader:
    """One pass over a presentation."""

    def __init__(self, package: Any) -> None:
        self.package, self.builder = package, Builder()
        self.part: Any = None
        self.shown: set[str] = set()
        self.told: set[str] = set()
        self.furniture = Furniture(self.builder)

    def slide(self, slide: Any, number: int) -> str:
        """Add a slide and return its title."""
        from pptx.exc import PythonPptxError

        self.part, self.builder.page = slide.part, number
        self.builder.leave_sections()
        title_shape = slide.shapes.title
        title = ""
        if title_shape is not None and title_shape.has_text_frame:
            title = one_line(title_shape.text_frame.text.replace("\v", "\n"))
        self.builder.heading(title, 1)
        title_id = title_shape.shape_id if title else None
        for shape in slide.shapes:
            try:
                if _placeholder(shape) in _FOOTERS:
                    self.footer(shape)
                elif shape.shape_id != title_id:
                    self.shape(shape)
            except (LookupError, ValueError, AttributeError, TypeError, PythonPptxError) as exc:
                self.builder.omit(f"a shape of slide {number}", f"damaged ({type(exc).__name__}: {exc})")
        self.alternatives(slide.shapes._spTree)
        self.background(slide)
        if slide.has_notes_slide and (frame := slide.notes_slide.notes_text_frame) is not None:
            self.builder.text(frame.text.replace("\v", "\n"), "notes")
        self.comments()
        self.behind(slide)
        return title

    def behind(self, slide: Any) -> None:
        """What layout and master draw on the slide: its words where they are new, its pictures on the first slide that
        shows them. Their placeholders are only shown while someone edits."""
        layout = slide.slide_layout
        for owner, below in ((layout, slide), (layout.slide_master, layout)):
            if below.element.get("showMasterSp") in ("0", "false"):
                break
            name = str(owner.part.partname)
            if not self.furniture.is_new(name):
                continue
            self.part = owner.part
            with self.furniture.added(name):
                for shape in owner.shapes:
                    if not _placeholder(shape):
                        self.shape(shape)
                self.background(owner)

    def background(self, owner: Any) -> None:
        """The picture behind a slide, a layout or a master."""
        for blip in owner.element.iterfind(f"{_P}cSld/{_P}bg//{A}blip[@{R}embed]"):
            self.embedded(blip, f"behind slide {self.builder.page}", "")

    def shape(self, shape: Any) -> None:
        """Add one shape, and those in it where it is a group."""
        if hasattr(shape, "shapes"):
            for inner in shape.shapes:
                self.shape(inner)
        elif shape.element.tag.endswith("}pic"):
            self.picture(shape)
        elif getattr(shape, "has_table", False):
            self.table(shape.table)
        elif shape.element.tag.endswith("}graphicFrame"):
            self.drawn(shape)
        elif getattr(shape, "has_text_frame", False):
            self.frame(shape)
            if shape.element.find(_BLIP) is not None:
                self.picture(shape)

    def footer(self, shape: Any) -> None:
        """A date, a number or a line at the foot of the slide."""
        section = self.builder.section
        with self.furniture.added():
            self.shape(shape)
        self.builder.heading("".join(section), 1, keep=False)

    def frame(self, shape: Any) -> None:
        """A text frame: indented or numbered paragraphs, and those of a body with several, are a list."""
        paragraphs = [(self.words(p), p.level, p._p) for p in shape.text_frame.paragraphs]
        paragraphs = [entry for entry in paragraphs if entry[0]]
        listed = shape.is_placeholder and len(paragraphs) > 1
        count: dict[int, int] = {}
        for text, level, element in paragraphs:
            numbered = element.find(f"{A}pPr/{A}buAutoNum")
            bulleted = element.find(f"{A}pPr/{A}buChar") is not None
            if numbered is None:
                count.pop(level, None)
            else:
                start = numbered.get("startAt", "1")
                count[level] = count.get(level, whole(start, 1) - 1) + 1
            if numbered is not None or listed or level or bulleted:
                mark = f"{count[level]}." if numbered is not None else "-"
                self.builder.text(f"{'  ' * level}{mark} {text}", "list")
            else:
                self.builder.text(text)

    def words(self, paragraph: Any) -> str:
        """The words of a paragraph: a link with its address where that says more, a formula as LaTeX."""
        parts = []
        for child in paragraph._p:
            if child.tag in (f"{A}r", f"{A}fld"):
                words = child.findtext(f"{A}t") or ""
                link = child.find(f"{A}rPr/{A}hlinkClick")
                relation = self.part.rels.get(link.get(f"{R}id")) if link is not None else None
                target = relation.target_ref if relation is not None and relation.is_external else ""
                parts.append(words + address_suffix(words, target, self.told))
            elif child.tag == f"{A}br":
                parts.append("\n")
            elif child.tag == _ALTERNATIVES or child.tag.endswith("}m"):
                parts += [f" ${latex(math).strip()}$ " for math in child.iter(f"{M}oMath")]
        return tidy("".join(parts).replace("\v", "\n").replace("_x000D_", ""))

    def table(self, table: Any) -> None:
        """A table; what a merged cell says stands in all that it covers."""
        rows = [
            [
                Cell(one_line(cell.text_frame.text.replace("\v", " ")), cell.span_width, cell.span_height)
                for cell in row.cells
                if not cell.is_spanned
            ]
            for row in table.rows
        ]
        add_table(self.builder, spread(rows))

    def drawn(self, shape: Any) -> None:
        """A chart or a diagram, which PowerPoint draws from data; of an embedded object, its preview."""
        name = f"{shape.name} on slide {self.builder.page}"
        reference = next(shape.element.iter(f"{C}chart", DIAGRAM), None)
        if reference is None:
            if shape.element.find(_BLIP) is not None:
                self.picture(shape)
            self.builder.omit(name, "an embedded object, not read")
            return
        chart = reference.tag == f"{C}chart"
        try:
            tree = _zip.parse_xml(self.part.related_part(reference.get(f"{R}id" if chart else f"{R}dm")).blob)
        except (KeyError, AttributeError, ValueError):
            self.builder.omit(name, "the file does not hold its data")
            return
        (add_chart if chart else add_diagram)(self.builder, tree)
        self.builder.text(one_line(_alt(shape.element)), "caption")

    def alternatives(self, tree: Any) -> None:
        """Shapes that only newer programs know, which the library passes over: the words and pictures of the first
        choice."""
        for alternatives in tree.iter(_ALTERNATIVES):
            # Within a paragraph it is a formula, which `words` reads.
            if len(alternatives) == 0 or alternatives.getparent().tag == f"{A}p":
                continue
            for paragraph in alternatives[0].iter(f"{A}p"):
                parts = (t.text or "" for t in paragraph.iter(f"{A}t"))
                maths = (latex(math) for math in paragraph.iter(f"{M}oMath"))
                self.builder.text(" ".join([*parts, *maths]))
            for chart in alternatives[0].iter(f"{CX}chart"):
                self.newer_chart(chart, _alt(alternatives[0]))
            for part in (alternatives[0], *alternatives[1:2]):
                pictures = [blip for blip in part.iter(f"{A}blip") if blip.get(f"{R}embed")]
                for blip in pictures:
                    self.embedded(blip, f"on slide {self.builder.page}", _alt(part))
                if pictures:
                    break

    def newer_chart(self, chart: Any, alt: str) -> None:
        """A chart of a kind that came with Office 2016."""
        try:
            tree = _zip.parse_xml(self.part.related_part(chart.get(f"{R}id")).blob)
        except (KeyError, AttributeError, ValueError):
            self.builder.omit(f"a chart on slide {self.builder.page}", "the file does not hold its data")
            return
        add_newer_chart(self.builder, tree)
        self.builder.text(one_line(alt), "caption")

    def picture(self, shape: Any) -> None:
        """A picture with its description. Film posters and picture fills count; what is linked is not fetched."""
        alt, name = _alt(shape.element), f"{shape.name} on slide {self.builder.page}"
        blip = shape.element.find(_BLIP)
        if blip is None or not blip.get(f"{R}embed"):
            linked = blip.get(f"{R}link") if blip is not None else None
            self.builder.lost_picture(name, "linked, never fetched" if linked else "the file does not hold it", alt)
            return
        self.embedded(blip, name, alt)

    def embedded(self, blip: Any, name: str, alt: str) -> None:
        """The picture that the package holds for `blip`."""
        try:
            part = self.part.related_part(blip.get(f"{R}embed"))
        except (KeyError, AttributeError, ValueError):
            self.builder.lost_picture(name, "the file does not hold it", alt)
            return
        self.shown.add(str(part.partname).lstrip("/"))
        self.builder.picture(part.blob, name, alt)

    def comments(self) -> None:
        """Remarks on the slide, with who made them: where a slide has no room, its explanation stands there."""
        authors = {
            a.get("id"): a.get("name", "") for tree in self.authors() for a in tree.iter("{*}cmAuthor", "{*}author")
        }
        for tree in self.related("comments"):
            for comment in tree.iter("{*}cm"):
                words = comment.findtext("{*}text") or " ".join(t.text or "" for t in comment.iter(f"{A}t"))
                author = authors.get(comment.get("authorId"), "")
                self.builder.text(f"Comment{author and f' by {author}'}: {one_line(words)}" if words else "", "notes")

    def authors(self) -> Iterator[Any]:
        """The roots of the parts that say who commented."""
        for relation in self.package.part.rels.values():
            if relation.reltype.endswith(("/commentAuthors", "/authors")) and not relation.is_external:
                yield _zip.parse_xml(relation.target_part.blob)

    def related(self, kind: str) -> Iterator[Any]:
        """The roots of the parts that are related to the slide as `kind`."""
        for relation in self.part.rels.values():
            if relation.reltype.endswith(f"/{kind}") and not relation.is_external:
                yield _zip.parse_xml(relation.target_part.blob)

    def count_unshown(self) -> None:
        """Pictures of layouts that no slide has, and the thumbnail."""
        for part in self.package.part.package.iter_parts():
            name = str(part.partname).lstrip("/")
            if str(part.content_type).startswith("image/") and name not in self.shown:
                self.builder.junk(_zip.unshown_reason(name))


def _placeholder(shape: Any) -> str:
    """The kind of placeholder that a shape is; empty where it is none."""
    found = shape.element.xpath("./*/p:nvPr/p:ph")
    return (found[0].get("type") or "obj") if found else ""


def _alt(element: Any) -> str:
    properties = element.xpath(".//*[local-name()='cNvPr']")
    return (properties[0].get("descr") or properties[0].get("title") or "") if properties else ""
