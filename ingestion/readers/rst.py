"""reStructuredText, parsed by docutils.

Directives and roles that docutils does not know, Sphinx's above all, keep their content: it is parsed as text of its
own.
"""

from __future__ import annotations

import re
import textwrap
from pathlib import Path
from typing import Any, Final

from ingestion.document import ParsedDocument, one_line
from ingestion.readers import html
from ingestion.readers._builder import Builder, resolve_link
from ingestion.readers._html_pictures import local
from ingestion.readers._links import address_suffix
from ingestion.readers._rst_tree import STUMBLES, parse
from ingestion.readers._tables import Cell, add_table, spread
from ingestion.readers.text import add_paragraphs, load_text, note_lost

_MAX_DEPTH: Final = 5
"""Unknown directives within unknown directives."""
_UNKNOWN: Final = re.compile(r"\.\. ([\w:+.-]+)::[ \t]*(.*)\n?((?:.*\n?)*)")
_ROLE: Final = re.compile(r"(?::[\w:+.-]+:)?`~?!?([^`<]*?)(?:\s*<[^`>]*>)?`(?:__?|:[\w:+.-]+:)?|[*|_]+")
_NAVIGATION: Final = frozenset(
    {"toctree", "include", "literalinclude", "index", "highlight", "currentmodule", "module", "default-domain"}
)
_DOCINFO: Final = ("author", "date", "version", "status", "organization", "copyright")


def read(path: Path, root: Path) -> ParsedDocument:
    """Raises SourceError where the file cannot be opened or is not text."""
    text = load_text(path)
    builder = Builder()
    note_lost(text, builder)
    reader = _Reader(builder, path.parent, root)
    try:
        tree = parse(text, path)
    except STUMBLES as exc:
        _unstructured(text, builder, exc)
        return builder.document(path.stem, "text/x-rst")
    reader.document(tree)
    title = one_line(tree.get("title", "")) or reader.first_heading() or path.stem
    return builder.document(title, "text/x-rst", reader.metadata)


def linked(path: Path, root: Path) -> tuple[Path, ...]:
    """The local pictures that the document shows."""
    from docutils import nodes

    try:
        tree = parse(load_text(path), path)
    except STUMBLES:
        return ()
    addresses = (node["uri"] for node in tree.findall(nodes.image))
    found = (resolve_link(uri, path.parent, root) for uri in addresses)
    return tuple(file for file in found if isinstance(file, Path))


def _unstructured(text: str, builder: Builder, exc: BaseException) -> None:
    builder.omit("structure", f"docutils does not parse it ({type(exc).__name__}: {exc}); it is kept as plain text")
    add_paragraphs(text, builder)


class _Reader:
    """One pass over a tree of docutils."""

    def __init__(self, builder: Builder, base: Path, root: Path) -> None:
        self.builder, self.base, self.root = builder, base, root
        self.metadata: dict[str, Any] = {}
        self.told: set[str] = set()
        self.level = 0
        self.depth = 0

    def first_heading(self) -> str:
        """The words of the first heading."""
        return next((b.text for b in self.builder.items if getattr(b, "kind", "") == "heading"), "")  # type: ignore[union-attr,]

    def document(self, tree: Any) -> None:
        """The whole tree; the title of the document is its outermost section."""
        if tree.get("title"):
            self.level = 1
        self.children(tree)

    def children(self, node: Any) -> None:
        """What `node` holds, in its order."""
        for child in node.children:
            self.node(child)

    def node(self, node: Any) -> None:
        """One body element, by the method of its name where it has one."""
        name = type(node).__name__
        if method := getattr(self, f"on_{name}", None):
            method(node)
        elif name in ("comment", "target", "substitution_definition", "pending", "meta", "decoration"):
            return
        elif any(isinstance(child, str) or _is_inline(child) for child in node.children):
            self.builder.text(self.words(node))
            self.pictures(node)
        else:
            self.children(node)

    def on_section(self, node: Any) -> None:
        """A section, one level below the one around it."""
        self.level += 1
        self.children(node)
        self.level -= 1

    def on_topic(self, node: Any) -> None:
        """A topic; what would be a table of contents is none of the text."""
        if "contents" not in node.get("classes", ()):
            self.children(node)

    def on_title(self, node: Any) -> None:
        """The title of a section, a table or a topic."""
        if type(node.parent).__name__ in ("section", "document"):
            self.builder.heading(self.words(node), max(self.level, 1))
        else:
            self.builder.text(self.words(node))

    def on_docinfo(self, node: Any) -> None:
        """The fields under the title."""
        for field in node.children:
            name = type(field).__name__
            if name in _DOCINFO:
                self.metadata[name] = one_line(field.astext())
            elif name == "authors":
                self.metadata["author"] = [one_line(author.astext()) for author in field.children]
            elif name == "field" and len(field.children) == 2:
                self.builder.text(f"{field.children[0].astext()}: {one_line(field.children[1].astext())}")

    def on_literal_block(self, node: Any) -> None:
        """Code, doctests and literal text."""
        self.builder.text(node.astext(), "code")

    on_doctest_block = on_math_block = on_literal_block

    def on_bullet_list(self, node: Any, indent: int = 0) -> None:
        """A list; an item's first paragraph carries its mark."""
        start = int(node.get("start", 1)) if type(node).__name__ == "enumerated_list" else 0
        for number, item in enumerate(node.children, start or 1):
            mark = f"{number}. " if start else "- "
            for child in item.children:
                name = type(child).__name__
                if name in ("bullet_list", "enumerated_list"):
                    self.on_bullet_list(child, indent + 1)
                elif name == "paragraph":
                    self.builder.text(f"{'  ' * indent}{mark}{self.words(child).strip()}", "list")
                    self.pictures(child)
                    mark = "  "
                else:
                    self.node(child)

    on_enumerated_list = on_bullet_list

    def on_figure(self, node: Any) -> None:
        """A picture with its caption; the legend follows it."""
        parts = {type(child).__name__: child for child in node.children}
        caption = self.words(parts["caption"]) if "caption" in parts else ""
        self.pictures(node, caption)
        if "legend" in parts:
            self.children(parts["legend"])

    def on_image(self, node: Any) -> None:
        """A picture that stands by itself."""
        self.picture(node, "")

    def on_table(self, node: Any) -> None:
        """A table, with its title."""
        from docutils import nodes

        title = next((self.words(child) for child in node.children if isinstance(child, nodes.title)), "")
        rows = [
            [Cell(self.words(e, " "), e.get("morecols", 0) + 1, e.get("morerows", 0) + 1) for e in row.children]
            for row in node.findall(nodes.row)
        ]
        add_table(self.builder, spread(rows), title)
        self.pictures(node)

    def on_line_block(self, node: Any) -> None:
        """Lines that stay lines."""
        from docutils import nodes

        self.builder.text("\n".join(self.words(line) for line in node.findall(nodes.line)))

    def on_footnote(self, node: Any) -> None:
        """A footnote or citation, where it stands."""
        label, *rest = [one_line(child.astext()) for child in node.children] or [""]
        self.builder.text(f"[{label}] {' '.join(rest)}", "notes")

    on_citation = on_footnote

    def on_raw(self, node: Any) -> None:
        """HTML is read as HTML; what is meant for printers is left out."""
        if "html" in node.get("format", "").split():
            html.add_html(html.parse(node.astext()), self.builder, local(self.builder, self.base, self.root))

    def on_system_message(self, node: Any) -> None:
        """What docutils did not understand: the content of an unknown directive is text like any other."""
        told = node.children[0].astext() if node.children else ""
        source = node.children[-1].astext() if len(node.children) > 1 else ""
        match = _UNKNOWN.match(source)
        if "directive disabled" in told or "deactivated" in told:
            self.builder.omit("an included file", "files that a document names are not read into it")
        elif match and "Unknown directive" in told:
            self.unknown(match[1], match[2], match[3])
        elif match and node.get("level", 0) >= 3:
            self.builder.text(source, "code")

    def unknown(self, name: str, argument: str, body: str) -> None:
        """The argument and the content of a directive, without its options."""
        if name in _NAVIGATION or self.depth >= _MAX_DEPTH:
            return
        lines = textwrap.dedent(body).split("\n")
        while lines and re.match(r":[\w-]+:|\s*$", lines[0]):
            lines.pop(0)
        self.builder.text(argument)
        try:
            inner = parse("\n".join(lines), self.base / name)
        except STUMBLES as exc:
            _unstructured("\n".join(lines), self.builder, exc)
            return
        self.depth += 1
        level, self.level = self.level, self.level + 1 if inner.get("title") else self.level
        self.children(inner)
        self.level = level
        self.depth -= 1

    def pictures(self, node: Any, caption: str = "") -> None:
        """The pictures within `node`."""
        from docutils import nodes

        for image in node.findall(nodes.image):
            self.picture(image, caption)

    def picture(self, image: Any, caption: str) -> None:
        """One picture; a substitution's name stands in for its alt text only where there is no other."""
        alt = image.get("alt", "")
        self.builder.linked_picture(image.get("uri", ""), self.base, self.root, alt, caption)

    def words(self, node: Any, between: str = "\n") -> str:
        """The text of a paragraph: links with their address, unknown roles as their words, pictures left to others."""
        if isinstance(node, str):
            return str(node)
        name = type(node).__name__
        if name == "problematic":
            return _ROLE.sub(lambda match: match[1] or "", node.astext())
        if name in ("image", "system_message", "footnote_reference"):
            return f"[{node.astext()}]" if name == "footnote_reference" else ""
        parts = [self.words(child, between) for child in node.children]
        if name == "reference":
            words = "".join(parts)
            return words + address_suffix(words, node.get("refuri", ""), self.told)
        blocks = any(not isinstance(child, str) and not _is_inline(child) for child in node.children)
        return (between if blocks else "").join(filter(None, parts))


def _is_inline(node: Any) -> bool:
    from docutils import nodes

    return isinstance(node, nodes.Inline | nodes.Text | nodes.image)
