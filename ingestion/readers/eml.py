"""E-mail as files (RFC 5322, MIME) and saved web archives: headers, the body with its pictures, and the attachments,
each read by its own reader.
"""

from __future__ import annotations

import contextlib
import dataclasses
import re
from collections.abc import Iterator, Sequence
from email.message import Message
from email.parser import BytesParser
from email.policy import EmailPolicy
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote

from ingestion.document import Omission, ParsedDocument, one_line
from ingestion.readers import html
from ingestion.readers._builder import Builder
from ingestion.readers.text import decode
from ingestion.remote import asked
from ingestion.rooms import rooms
from rag.errors import SourceError

MAX_DEPTH: Final = 5
"""Messages within messages. Further ones are named as left out."""
MAX_PARTS: Final = 500
MAX_HEADER: Final = 10_000
"""Characters."""
_SIGNATURES: Final = ("application/pgp-signature", "application/pkcs7-signature", "application/x-pkcs7-signature")
_SUFFIXES: Final = {"text/plain": ".txt", "text/html": ".html", "text/csv": ".csv", "text/markdown": ".md"}
# What the header parser of the standard library was seen to raise on malformed headers.
_MALFORMED: Final = (ValueError, LookupError, AttributeError, TypeError, AssertionError, RecursionError)


class _Bounded(EmailPolicy):
    """Headers are parsed as far as MAX_HEADER: the parser's time grows with the square of their length, and 100 kB of
    encoded words take it a gigabyte. One that it cannot parse says nothing."""

    def header_fetch_parse(self, name: str, value: str) -> Any:
        """The header's value, cut."""
        try:
            return super().header_fetch_parse(name, value[:MAX_HEADER])
        except _MALFORMED:
            return ""


_POLICY: Final = _Bounded()


def read(path: Path, root: Path) -> ParsedDocument:
    """Raises SourceError where the file cannot be opened or has no headers."""
    try:
        message = BytesParser(policy=_POLICY).parsebytes(path.read_bytes())
    except OSError as exc:
        raise SourceError(f"{path} cannot be opened ({exc.strerror or exc})") from exc
    if not message.keys():
        raise SourceError(f"{path} is not an e-mail message", "files that begin with headers are allowed")
    builder = Builder()
    _Mail(builder, message, 0, [0]).add()
    headers = _headers(message)
    title = headers.pop("subject", "")
    mime = "multipart/related" if path.suffix.lower() in (".mht", ".mhtml") else "message/rfc822"
    return builder.document(title or path.stem, mime, headers | ({"subject": title} if title else {}))


def _headers(message: Message) -> dict[str, Any]:
    """From, to, cc, date (ISO 8601) and subject, as far as given; several addressees as a list."""
    found: dict[str, Any] = {}
    for name in ("from", "subject"):
        if value := _header(message, name):
            found[name] = value
    for name in ("to", "cc"):
        people = [one_line(person) for person in re.split(r",(?=[^,]*@)", _header(message, name)) if person.strip()]
        if people:
            found[name] = people[0] if len(people) == 1 else people
    with contextlib.suppress(*_MALFORMED):
        found["date"] = parsedate_to_datetime(_header(message, "date")).isoformat()
    return found


def _header(message: Message, name: str) -> str:
    try:
        return one_line(str(message.get(name) or ""))
    except _MALFORMED:
        return ""


class _Mail:
    """One message, and those within it."""

    def __init__(self, builder: Builder, message: Message, depth: int, parts: list[int]) -> None:
        self.builder, self.message, self.depth, self.parts = builder, message, depth, parts
        self.pictures: dict[str, Message] = {}
        self.shown: set[int] = set()

    def add(self) -> None:
        """Who wrote to whom, the body, then the pictures that the body does not show, then the attachments."""
        headers = _headers(self.message)
        for name, value in self.message.raw_items():
            if len(value) > MAX_HEADER:
                self.builder.omit(
                    f"the end of the header {one_line(name)[:40]}", f"longer than {MAX_HEADER} characters"
                )
        self.builder.heading(headers.get("subject", ""), self.depth + 1)
        shown = {key: ", ".join(value) if isinstance(value, list) else value for key, value in headers.items()}
        lines = [f"{key.capitalize()}: {shown[key]}" for key in ("from", "to", "cc", "date") if shown.get(key)]
        self.builder.text("\n".join(lines))
        bodies: list[Message] = []
        attached: list[Message] = []
        for part in self.leaves(self.message):
            name = part.get_content_type()
            self.know(part)
            is_body = name in ("text/plain", "text/html") and part.get_content_disposition() != "attachment"
            (bodies if is_body and not part.get_filename() else attached).append(part)
        for part in bodies:
            self.body(part)
        waiting = [part for part in attached if id(part) not in self.shown]
        # Pictures first: what follows an attached file would stand in its section.
        for part in sorted(waiting, key=lambda part: part.get_content_maintype() != "image"):
            self.attachment(part)

    def know(self, part: Message) -> None:
        """Remember under which names the body may show a picture."""
        if part.get_content_maintype() == "image":
            for header, prefix in (("content-id", "cid:"), ("content-location", "")):
                if name := _header(part, header).strip("<>"):
                    self.pictures[prefix + name] = part

    def leaves(self, part: Message, depth: int = 0) -> Iterator[Message]:
        """The parts that hold something; of alternatives the page, else the last that is text."""
        if self.parts[0] >= MAX_PARTS or depth > 20:
            self.builder.omit("parts of the message", f"more than {MAX_PARTS}, or nested deeper than 20")
            return
        self.parts[0] += 1
        inner = part.get_payload() if part.is_multipart() else None
        if not isinstance(inner, list) or part.get_content_type() == "message/rfc822":
            yield part
            return
        chosen = [one for one in inner if isinstance(one, Message)]
        if part.get_content_type() == "multipart/alternative":
            chosen = _best(chosen)
        for one in chosen:
            yield from self.leaves(one, depth + 1)

    def body(self, part: Message) -> None:
        """A text of the message itself."""
        text = _text(part)
        if part.get_content_type() == "text/html":
            html.add_html(html.parse(text), self.builder, self.show)
            return
        for paragraph in re.split(r"\n[ \t]*\n", text.replace("\r\n", "\n")):
            self.builder.text(paragraph)

    def show(self, sources: Sequence[str], alt: str, caption: str) -> None:
        """A picture of the body: another part of the message, or data; nothing is fetched."""
        for src in sources:
            name = unquote(src) if src[:4].lower() == "cid:" else src
            part = self.pictures.get("cid:" + name[4:] if name[:4].lower() == "cid:" else name)
            if part is not None:
                self.shown.add(id(part))
                self.builder.picture(_data(part), name, alt, caption)
                return
            if src[:5].lower() == "data:":
                self.builder.linked_picture(src, Path(), Path(), alt, caption)
                return
        src = sources[-1] if sources else ""
        remote = src.lower().startswith(("http:", "https:", "//"))
        self.builder.lost_picture(
            src, "remote, never fetched" if remote else "the message does not hold it", alt, caption
        )

    def attachment(self, part: Message) -> None:
        """An attachment as a section of its own."""
        kind, name = part.get_content_type(), _filename(part)
        if kind == "message/rfc822":
            self.nested(part)
        elif kind in _SIGNATURES:
            self.builder.omit(f"attachment {name}", "a signature")
        elif kind in ("application/pkcs7-mime", "application/pgp-encrypted"):
            self.builder.omit(f"attachment {name}", "encrypted")
        elif part.get_content_maintype() == "image" and part.get_content_disposition() != "attachment":
            self.builder.picture(_data(part), name)
        elif name.lower().endswith(".eml"):
            self.nested_bytes(_data(part), name)
        else:
            self.file(name, _data(part))

    def nested(self, part: Message) -> None:
        inner = part.get_payload()
        if isinstance(inner, list) and inner and isinstance(inner[0], Message):
            self.inner(inner[0])
        elif data := _data(part):
            self.nested_bytes(data, _filename(part))

    def nested_bytes(self, data: bytes, name: str) -> None:
        message = BytesParser(policy=_POLICY).parsebytes(data)
        if message.keys():
            self.inner(message)
        else:
            self.builder.omit(f"attachment {name}", "not an e-mail message")

    def inner(self, message: Message) -> None:
        """A message within this one."""
        if self.depth >= MAX_DEPTH:
            self.builder.omit("a message within messages", f"nested deeper than {MAX_DEPTH}")
            return
        _Mail(self.builder, message, self.depth + 1, self.parts).add()

    def file(self, name: str, data: bytes) -> None:
        """A file, read as if it lay in a folder by itself."""
        from ingestion.readers import read as read_file

        # A picture that is fetched tells the sender that the message was read, and where.
        with rooms() as room, asked(None):
            folder = room()
            path = folder / name
            path.write_bytes(data)
            try:
                document = read_file(path, folder)
            except SourceError as exc:
                self.builder.omit(f"attachment {name}", str(exc).replace(str(path), name))
                return
        self.builder.heading(f"Attachment: {name}", self.depth + 2)
        self.place(document, name)

    def place(self, document: ParsedDocument, name: str) -> None:
        """The items of an attached document, under the section that is open."""
        for item in document.items:
            self.builder.items.append(dataclasses.replace(item, section=(*self.builder.section, *item.section)))
        self.builder.warnings += [Omission(f"{name}: {warning.what}", warning.reason) for warning in document.warnings]


def _best(parts: list[Message]) -> list[Message]:
    """Of several forms of the same, the page (it has the pictures), else the last text, else the last."""
    for wanted in ("text/html", "multipart/related", "multipart/mixed", "text/plain"):
        for part in reversed(parts):
            if part.get_content_type() == wanted and (part.is_multipart() or _text(part).strip()):
                return [part]
    return parts[-1:]


def _data(part: Message) -> bytes:
    """The bytes of a part, whatever its transfer encoding; damaged base64 gives what can be decoded."""
    data = part.get_payload(decode=True)
    return data if isinstance(data, bytes) else b""


def _text(part: Message) -> str:
    data = _data(part)
    charset = str(part.get_content_charset() or "")
    try:
        return data.decode(charset) if charset and charset != "us-ascii" else decode(data)
    except (LookupError, ValueError):
        return data.decode("utf-8", "replace")


def _filename(part: Message) -> str:
    """A name that is only a name, with a suffix that tells the kind."""
    try:
        given = part.get_filename() or ""
    except _MALFORMED:
        given = ""
    name = re.sub(r"[^\w.\- ()]", "_", re.split(r"[/\\]", one_line(given))[-1]).strip(". ")[-100:]
    if not name:
        name = "unnamed"
    if "." not in name:
        name += _SUFFIXES.get(part.get_content_type(), "")
    return name
