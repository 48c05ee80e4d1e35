"""Markdown and HTML, which point at pictures beside them."""

from __future__ import annotations

from html import escape

from .blocks import Block, Bullets, Heading, Notes, Paragraph, Picture, Table, title
from .pictures import filename

_STYLE = """
    body { font: 18px/1.55 Georgia, serif; color: #22313f; background: #fbf8f1; margin: 2rem auto; max-width: 46rem; }
    h1, h2 { color: #1d3557; line-height: 1.2; }
    figure { margin: 1.5rem 0; }
    img { max-width: 100%; border-radius: 6px; }
    figcaption { color: #6b7885; font-style: italic; }
    td, th { padding: 0.3rem 1.2rem 0.3rem 0; text-align: left; border-bottom: 1px solid #dcdcd2; }
"""


def markdown(blocks: list[Block]) -> bytes:
    """A Markdown file; the caption is the title of the picture."""
    return ("\n\n".join(map(_markdown, blocks)) + "\n").encode()


def _markdown(block: Block) -> str:
    match block:
        case Heading(level, text):
            return f"{'#' * level} {text}"
        case Picture(name, alt, caption):
            return f'![{alt}](pictures/{filename(name)} "{caption}")'
        case Bullets(items):
            return "\n".join(f"- {item}" for item in items)
        case Table(rows):
            ruled = (rows[0], ("---",) * len(rows[0]), *rows[1:])
            return "\n".join("| " + " | ".join(row) + " |" for row in ruled)
        case Paragraph(text) | Notes(text):
            return text


def html(blocks: list[Block]) -> bytes:
    """A page of its own, with figures."""
    body = "\n".join(map(_html, blocks))
    page = f"""<!DOCTYPE html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <title>{escape(title(blocks))}</title>
  <style>{_STYLE}  </style>
</head>
<body>
<main>
{body}
</main>
</body>
</html>
"""
    return page.encode()


def _html(block: Block) -> str:
    match block:
        case Heading(level, text):
            return f"<h{level}>{escape(text)}</h{level}>"
        case Picture(name, alt):
            image = f'<img src="pictures/{filename(name)}" alt="{escape(alt)}">'
            return f"<figure>\n  {image}\n  <figcaption>{escape(block.figure)}</figcaption>\n</figure>"
        case Bullets(items):
            return "<ul>\n" + "\n".join(f"  <li>{escape(item)}</li>" for item in items) + "\n</ul>"
        case Table(rows):
            return "<table>\n" + "\n".join([_row("th", rows[0]), *(_row("td", row) for row in rows[1:])]) + "\n</table>"
        case Paragraph(text) | Notes(text):
            return f"<p>{escape(text)}</p>"


def _row(tag: str, cells: tuple[str, ...]) -> str:
    return "  <tr>" + "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in cells) + "</tr>"
