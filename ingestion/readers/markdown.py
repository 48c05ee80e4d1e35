"""Markdown: rendered to HTML by markdown-it, then read as HTML, so that raw HTML in it needs no second way.

Beyond CommonMark: tables, strikethrough, front matter, fenced divs (`::: name`, whose fences are dropped), and
attributes after a picture, as pandoc and kramdown write them: in `![caption](src){alt="words"}` the brackets hold the
caption.
"""

from __future__ import annotations

import datetime
import re
import sys
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote

from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock
from markdown_it.rules_inline import StateInline

from ingestion.document import ParsedDocument, one_line
from ingestion.readers import html
from ingestion.readers._builder import Builder
from ingestion.readers._html_pictures import Show, linked_in, local
from ingestion.readers.text import load_text, note_lost

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_FRONT_MATTER: Final = re.compile(r"\A\ufeff?---[ \t]*\n(.*?)^(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.S | re.M)
_TOML_MATTER: Final = re.compile(r"\A\ufeff?\+\+\+[ \t]*\n(.*?)^\+\+\+[ \t]*(?:\n|\Z)", re.S | re.M)
_MAX_MATTER: Final = 100_000
_MISTAGGED: Final = (AttributeError, LookupError, TypeError)
"""What PyYAML was seen to raise on a value that is not what its tag says: `!!bool x`."""
_MAX_BRACKETS: Final = 1000
_ATTRIBUTES: Final = re.compile(r"\{((?:[^{}\"']|\"[^\"]*\"|'[^']*')*)\}")
_ATTRIBUTE: Final = re.compile(r"([\w-]+)\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s\"']+))")
_DIV_FENCE: Final = re.compile(r":{3,}\s*(?:$|\{|[\w.-]+[^:]*:*\s*$)")


def read(path: Path, root: Path) -> ParsedDocument:
    """Raises SourceError where the file cannot be opened or is not text."""
    builder = Builder()
    text = load_text(path)
    note_lost(text, builder)
    body, metadata = _split_front_matter(text, builder)
    add_markdown(body, builder, local(builder, path.parent, root))
    title = metadata.pop("title", None)
    if not isinstance(title, str) or not one_line(title):
        title = next((block.text for block in builder.items if getattr(block, "kind", "") == "heading"), path.stem)  # type: ignore[union-attr]
    return builder.document(title, "text/markdown", metadata)


def add_markdown(text: str, builder: Builder, show: Show) -> None:
    """Add Markdown without front matter to `builder`, its pictures by `show`."""
    html.add_html(html.parse(_renderer().render(text)), builder, show)


def linked(path: Path, root: Path) -> tuple[Path, ...]:
    """The local pictures that the document shows."""
    body, _ = _split_front_matter(load_text(path), Builder())
    return local_pictures(body, path.parent, root)


def local_pictures(text: str, base: Path, root: Path) -> tuple[Path, ...]:
    """The local pictures that Markdown shows."""
    return linked_in(html.parse(_renderer().render(text)), base, root)


def _renderer() -> MarkdownIt:
    markdown = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    # data: pictures and file: addresses are ours to judge, in the resolver.
    markdown.validateLink = lambda url: True
    markdown.inline.ruler.after("image", "image_attributes", _image_attributes)
    markdown.block.ruler.before("fence", "div_fence", _div_fence, {"alt": ["paragraph", "blockquote", "list"]})
    markdown.add_render_rule("image", _render_image)
    return markdown


def _image_attributes(state: StateInline, silent: bool) -> bool:
    """`{key="value" .class #id}` right after a picture."""
    if state.src[state.pos] != "{" or state.pending or not state.tokens or state.tokens[-1].type != "image":
        return False
    match = _ATTRIBUTES.match(state.src, state.pos)
    if match is None:
        return False
    if not silent:
        for key, *values in _ATTRIBUTE.findall(match[1]):
            state.tokens[-1].meta[key.lower()] = "".join(values)
    state.pos = match.end()
    return True


def _div_fence(state: StateBlock, first: int, last: int, silent: bool) -> bool:
    """A line of three or more colons, alone or with a name."""
    line = state.src[state.bMarks[first] + state.tShift[first] : state.eMarks[first]]
    if not line.startswith(":::") or _DIV_FENCE.match(line.rstrip()) is None:
        return False
    if not silent:
        state.line = first + 1
    return True


def _render_image(self: Any, tokens: Any, index: int, options: Any, env: Any) -> str:
    """Attributes as pandoc means them: with `alt`, the brackets hold the caption (here the title)."""
    from markdown_it.common.utils import escapeHtml

    token = tokens[index]
    inner = self.renderInlineAsText(token.children or [], options, env)
    title = str(token.attrGet("title") or "")
    if "alt" in token.meta:
        alt, title = token.meta["alt"], inner or token.meta.get("title", title)
    else:
        alt, title = inner, token.meta.get("fig-cap") or token.meta.get("title") or title
    src = str(token.attrGet("src") or "")
    if not src.lower().startswith(("data:", "http:", "https:", "//")):
        src = unquote(src)
    return f'<img src="{escapeHtml(src)}" alt="{escapeHtml(alt)}" title="{escapeHtml(title)}">'


def _split_front_matter(text: str, builder: Builder) -> tuple[str, dict[str, Any]]:
    """The text without its front matter (YAML or TOML), and the front matter's scalars and lists of scalars."""
    text = text.replace("\r\n", "\n")
    match = _FRONT_MATTER.match(text) or _TOML_MATTER.match(text)
    if match is None:
        return text, {}
    body = text[match.end() :]
    try:
        fields = _toml(match[1]) if match.re is _TOML_MATTER else _yaml(match[1])
        if not isinstance(fields, dict):
            return (text, {}) if fields is not None else (body, {})
        named = {str(key): value for key, value in fields.items()}
    except ValueError as exc:
        builder.omit("front matter", str(exc).splitlines()[0])
        return body, {}
    plain = {key: _plain(value) for key, value in named.items()}
    for key, value in named.items():
        if plain[key] is None and value not in (None, [], {}):
            builder.omit(f"front matter {key}", "only scalars and lists of scalars become metadata")
    return body, {key: value for key, value in plain.items() if value is not None}


def _yaml(text: str) -> Any:
    """Raises ValueError where `text` is not YAML, or uses aliases: a few lines of them expand to gigabytes; or is
    nested in a way that the parser would take minutes for."""
    import yaml  # type: ignore[import-untyped]

    if len(text) > _MAX_MATTER or text.count("[") + text.count("{") > _MAX_BRACKETS:
        raise ValueError(f"more than {_MAX_MATTER} characters or {_MAX_BRACKETS} brackets")
    try:
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, Loader=yaml.SafeLoader)):
            raise ValueError("YAML with aliases is not read")
        return yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError, *_MISTAGGED) as exc:
        raise ValueError(f"not YAML ({type(exc).__name__}: {str(exc).partition(chr(10))[0]})") from exc


def _toml(text: str) -> Any:
    """Raises ValueError where `text` is not TOML."""
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as exc:
        raise ValueError(f"not TOML ({exc})") from exc


def _plain(value: Any) -> Any:
    """Scalars and lists of scalars, dates as ISO 8601; None for anything else."""
    if isinstance(value, datetime.date):
        return value.isoformat()
    if isinstance(value, datetime.time):
        return value.isoformat()
    if isinstance(value, str | int | float):
        return value
    if isinstance(value, list):
        return [item for item in map(_plain, value) if isinstance(item, str | int | float)] or None
    return None
