"""Hostile variants of real files, by what the format is made of. Pure: the same draw gives the same bytes."""

from __future__ import annotations

import json
import re
import struct
import zipfile
import zlib
from collections.abc import Callable
from io import BytesIO
from random import Random
from typing import Any, Final

Change = Callable[[Random, bytes], bytes]

NUMBERS: Final = (0, 1, -1, 255, 32768, 65535, 2**31 - 1, 2**31, 2**32 - 1, -(2**31), 2**63, 10**20, 10**400)
ODD: Final = ("²", "⑤", "--5", "9" * 5000, "1e38", "0x10", "")
"""Where a number is expected: what `isdigit` takes for one and `int` does not, and the reverse."""
WORDS: Final = (
    *(
        "",
        "\0",
        "\ufffe",
        "\U0010ffff",
        "\u202e",
        "../../../../etc/passwd",
        "/etc/passwd",
        "C:\\x",
        "file:///etc/passwd",
    ),
    *(
        "http://127.0.0.1:9/x.png",
        "//127.0.0.1:9/x",
        "data:image/png;base64,AAAA",
        "data:,",
        "NaN",
        "1e999",
        "-0",
        "%s%n",
    ),
    *("A" * 5000, "(" * 500, "{{{{", "]]>", "<!--", "&lt;&#0;&#xD800;", "²", "٣", "true", "null", "#REF!", "http://["),
)
MARKS: Final = (
    *tuple("<>[](){}*_`|#=-+:;.,~^\\\"'!&$@%/ \t\n"),
    "<b>",
    "![",
    "](",
    "::",
    "|===",
    "----",
    "====",
    "> ",
    "- ",
)
REPEATS: Final = (2, 10, 100, 3000)


def mutated(draw: Random, data: bytes, kind: str) -> bytes:
    """`data`, a file of the suffix `kind`, after one to three changes."""
    for _ in range(draw.choice((1, 1, 2, 3))):
        data = draw.choice(changes_of(data, kind))(draw, data)
    return data


def changes_of(data: bytes, kind: str) -> tuple[Change, ...]:
    """The changes that fit: half of them know the format."""
    if zipfile.is_zipfile(BytesIO(data)):
        return (in_a_member, in_a_member, in_a_member, in_a_member, other_members, any_bytes)
    fitting = {"eml": (headers, words, any_bytes), "ipynb": (in_json, in_json, words, any_bytes)}
    fitting |= {
        "pdf": (objects, objects, any_bytes),
        "svg": (in_xml, in_xml, any_bytes),
        "html": (in_xml, words, any_bytes),
    }
    fitting |= {
        "png": (chunks, any_bytes),
        "tiff": (fields, any_bytes),
        **dict.fromkeys(("bmp", "jpeg", "avif"), (fields, any_bytes)),
    }
    fitting |= dict.fromkeys(("md", "rst", "adoc", "txt", "csv"), (words, words, any_bytes))
    return fitting.get(kind, (any_bytes,))


def _cut(draw: Random, data: bytes, most: int = 400) -> tuple[int, int]:
    start = draw.randrange(len(data) + 1)
    return start, min(len(data), start + draw.randrange(1, most))


def _flip(draw: Random, data: bytes) -> bytes:
    if not data:
        return data
    changed = bytearray(data)
    for _ in range(draw.choice((1, 2, 8, 40))):
        changed[draw.randrange(len(changed))] ^= 1 << draw.randrange(8)
    return bytes(changed)


def _truncate(draw: Random, data: bytes) -> bytes:
    return data[: draw.randrange(len(data) + 1)]


def _splice(draw: Random, data: bytes) -> bytes:
    (start, end), at = _cut(draw, data), draw.randrange(len(data) + 1)
    return data[:at] + data[start:end] + data[at:]


def _double(draw: Random, data: bytes) -> bytes:
    start, end = _cut(draw, data)
    return data[:start] + data[start:end] * draw.choice(REPEATS) + data[end:]


def _remove(draw: Random, data: bytes) -> bytes:
    start, end = _cut(draw, data)
    return data[:start] + data[end:]


def any_bytes(draw: Random, data: bytes) -> bytes:
    """A change that knows nothing of the format."""
    return draw.choice((_flip, _flip, _truncate, _splice, _double, _remove))(draw, data)


def fields(draw: Random, data: bytes) -> bytes:
    """A binary number replaced by one at the edge of its type."""
    if len(data) < 8:
        return data
    size, form = draw.choice(((1, "B"), (2, "<H"), (2, ">H"), (4, "<I"), (4, ">I")))
    at = draw.randrange(min(len(data) - size, draw.choice((64, 512, 1 << 30))))
    return data[:at] + struct.pack(form, draw.choice(NUMBERS[:9]) % (1 << 8 * size)) + data[at + size :]


def chunks(draw: Random, data: bytes) -> bytes:
    """A PNG with a chunk changed, doubled or removed; checksums are right."""
    parts, at = [], 8
    while at + 12 <= len(data):
        length = struct.unpack_from(">I", data, at)[0]
        parts.append((data[at + 4 : at + 8], data[at + 8 : at + 8 + length]))
        at += 12 + length
    if not parts:
        return any_bytes(draw, data)
    number = draw.randrange(len(parts))
    name, body = parts[number]
    parts[number] = (name, draw.choice((fields, _flip, _truncate))(draw, body) if body else b"\0" * draw.randrange(99))
    parts += draw.choices(parts, k=draw.choice((0, 0, 1, 50)))
    if draw.random() < 0.2:
        parts.insert(
            1,
            (
                draw.choice((b"zTXt", b"iCCP", b"iTXt", b"tEXt", b"eXIf", b"acTL")),
                b"a\0\0" + zlib.compress(b"\0" * 10**7),
            ),
        )
    head = data[:8]
    return head + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body)) for name, body in parts
    )


def words(draw: Random, data: bytes) -> bytes:
    """A text whose marks are repeated, nested or in the wrong place, or whose numbers are absurd."""
    text = data.decode("utf-8", "surrogateescape")
    at = draw.randrange(len(text) + 1)
    way = draw.randrange(6)
    if way == 0:
        text = text[:at] + draw.choice(MARKS) * draw.choice(REPEATS) + text[at:]
    elif way == 1:
        text = text[:at] + "".join(draw.choices(MARKS, k=draw.choice((5, 50, 1000)))) + text[at:]
    elif way == 2:
        text = text[:at] + draw.choice(WORDS) + text[at:]
    elif way == 3:
        lines = text.split("\n")
        line = draw.choice(lines)
        times = draw.choice(REPEATS)
        indented = draw.random() < 0.4
        lines[draw.randrange(len(lines)) : 0] = [
            " " * (n if indented else 0) + line for n in range(min(times, 300 if indented else times))
        ]
        text = "\n".join(lines)
    elif way == 4:
        text = _other_number(draw, text)
    else:
        start, end = _cut(draw, data)
        text = text[:start].rstrip("\n") + text[start:end].replace("\n", draw.choice((" ", "\r", "\0"))) + text[end:]
    return text.encode("utf-8", "surrogateescape")


def _other_number(draw: Random, text: str) -> str:
    found = list(re.finditer(r"\d+(\.\d+)?", text))
    if not found:
        return text
    number = draw.choice(found)
    return text[: number.start()] + str(draw.choice((*NUMBERS, *ODD))) + text[number.end() :]


def in_xml(draw: Random, data: bytes) -> bytes:
    """XML with values, elements or a prologue that no program writes."""
    text = data.decode("utf-8", "surrogateescape")
    values = list(re.finditer(r'="([^"]*)"', text))
    tags = list(re.finditer(r"<(/?)([\w:]+)[^>]*>", text))
    if not tags:
        return words(draw, data)
    way, tag = draw.randrange(9), draw.choice(tags)
    if way == 0 and values:
        one = draw.choice(values)
        value = draw.choice(
            (str(draw.choice((*NUMBERS, *ODD))), draw.choice(WORDS).replace('"', ""), draw.choice(values)[1])
        )
        text = text[: one.start(1)] + value + text[one.end(1) :]
    elif way == 1:
        text = text[: tag.start()] + text[tag.end() :]
    elif way == 2:
        other = draw.choice(tags)
        start, end = sorted((tag.start(), other.end()))
        text = text[:end] + text[start:end] * draw.choice((1, 2, 20)) + text[end:]
    elif way == 3:
        depth, name = draw.choice((20, 150, 250, 5000)), tag[2]
        text = text[: tag.start()] + f"<{name}>" * depth + "x" + f"</{name}>" * depth + text[tag.start() :]
    elif way == 4 and not tag[1]:
        more = "".join(f' a{n}="{n}"' for n in range(draw.choice((3, 5000))))
        text = text[: tag.end() - 1].rstrip("/") + more + text[tag.end() - 1 :]
    elif way == 5:
        body = re.sub(r"^\s*<\?xml[^>]*>", "", text)
        bomb = '<!ENTITY a "aaaaaaaaaa">' + "".join(
            f'<!ENTITY {chr(98 + n)} "{f"&{chr(97 + n)};" * 10}">' for n in range(9)
        )
        bomb += '<!ENTITY y SYSTEM "file:///etc/passwd"><!ENTITY % z SYSTEM "http://127.0.0.1:9/z">'
        text = f"<!DOCTYPE x [{bomb}]>" + body.replace(">x", ">&j;&y;x", 1).replace("</", "&j;&y;</", 1)
    elif way == 6:
        text = (
            text[: tag.end()]
            + draw.choice(("<!--x-->", "<?p i?>", "<![CDATA[<x>]]>", "&#38;", *WORDS))
            + text[tag.end() :]
        )
    elif way == 7:
        text = (
            text[: tag.start()]
            + text[tag.start() : tag.end()].replace(tag[2], draw.choice(tags)[2])
            + text[tag.end() :]
        )
    else:
        text = _other_number(draw, text)
    return text.encode("utf-8", "surrogateescape")


def in_a_member(draw: Random, data: bytes) -> bytes:
    """A package with one part changed, packed again with right checksums."""
    members = _members(data)
    names = [name for name, content in members if content]
    if not names:
        return any_bytes(draw, data)
    named = draw.choice([name for name in names if name.endswith((".xml", ".rels", "html", ".opf"))] or names)
    chosen = draw.choice((named, named, named, draw.choice(names)))
    way = draw.choice((in_xml, in_xml, in_xml, any_bytes)) if chosen == named else draw.choice((chunks, any_bytes))
    return _packed([(name, way(draw, content) if name == chosen else content) for name, content in members])


def other_members(draw: Random, data: bytes) -> bytes:
    """A package with parts removed, renamed, doubled or exchanged."""
    members = _members(data)
    if not members:
        return any_bytes(draw, data)
    number, other = draw.randrange(len(members)), draw.randrange(len(members))
    name, content = members[number]
    way = draw.randrange(4)
    if way == 0:
        del members[number]
    elif way == 1:
        members[number] = (
            draw.choice(("../../x", "/etc/x", "a\\b", name.upper(), "x" * 300, members[other][0])),
            content,
        )
    elif way == 2:
        members += [(name, members[other][1])]
    else:
        members[number], members[other] = (name, members[other][1]), (members[other][0], content)
    return _packed(members)


def _members(data: bytes) -> list[tuple[str, bytes]]:
    try:
        with zipfile.ZipFile(BytesIO(data)) as archive:
            return [(info.filename, archive.read(info)) for info in archive.infolist()]
    except (zipfile.BadZipFile, OSError, ValueError, EOFError, NotImplementedError, RuntimeError, zlib.error):
        return []


def _packed(members: list[tuple[str, bytes]]) -> bytes:
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            # A ZipInfo of its own: writestr(name) would warn of doubles.
            archive.filelist, known = [], archive.filelist
            archive.NameToInfo.pop(name, None)
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
            archive.filelist = known + archive.filelist
    return buffer.getvalue()


def in_json(draw: Random, data: bytes) -> bytes:
    """JSON with one value of another kind."""
    try:
        whole = json.loads(data)
    except (ValueError, RecursionError):
        return any_bytes(draw, data)
    places: list[tuple[Any, Any]] = []
    waiting = [whole]
    while waiting:
        one = waiting.pop()
        inner = list(one.items() if isinstance(one, dict) else enumerate(one)) if isinstance(one, dict | list) else []
        places += [(one, key) for key, _ in inner]
        waiting += [value for _, value in inner]
    if not places:
        return any_bytes(draw, data)
    holder, key = draw.choice(places)
    deep: Any = "x"
    for _ in range(draw.choice((1, 300))):
        deep = [deep]
    strange = (
        None,
        True,
        -1,
        1e308,
        [],
        {},
        "",
        [None],
        {"a": 1},
        "\ud800",
        "x" * 200_000,
        deep,
        draw.choice(WORDS),
        10**30,
    )
    holder[key] = (
        draw.choice(strange) if draw.random() < 0.7 else holder[draw.choice([k for h, k in places if h is holder])]
    )
    return json.dumps(whole).encode()


def headers(draw: Random, data: bytes) -> bytes:
    """A message with a header or a boundary that no program writes."""
    lines = data.split(b"\n")
    at = [number for number, line in enumerate(lines) if re.match(rb"[\w-]+:", line)]
    strange = (
        *(
            b"=?utf-8?q?=ZZ?= =?x?b?!!?=",
            b"=?utf-8?b?" + b"QUFB" * 500 + b"?=",
            b"a" * 3000,
            b"<" * 300,
            b"(" * 300,
            b"\xff\xfe",
        ),
        *(
            b", a@b" * 500,
            b'"' + b"\\" * 300,
            b'x; name="../../etc/passwd"',
            b"x; name*0*=utf-16'x'%ff",
            b"text/html; charset=\0",
        ),
        *(
            b"multipart/mixed; boundary=a",
            b"message/rfc822",
            b"text/plain; charset=utf-7",
            b"base64",
            b"x-uuencode",
            b"99 Foo 99999",
        ),
        *(
            b"text/plain; charset=rot13",
            b"text/plain; charset=idna",
            b"multipart/mixed",
            b"Mon, 99 Foo 99999 99:99:99 +9999",
        ),
    )
    number = draw.choice(at or [0])
    name = lines[number].partition(b":")[0]
    lines[number] = name + b": " + draw.choice(strange)
    if draw.random() < 0.3:
        lines[number:number] = [lines[number]] * draw.choice((2, 200))
    return b"\n".join(lines)


def objects(draw: Random, data: bytes) -> bytes:
    """A PDF with other numbers, names or references. Offsets are wrong then, and the parser mends them or not."""
    pattern = draw.choice(
        (rb"\d+", rb"\d+", rb"/[A-Z]\w*", rb"\d+ 0 R", rb"\b(?:endobj|stream|endstream|Tj|Tm|cm|re|Do|BT|ET)\b")
    )
    found = list(re.finditer(pattern, data))
    if not found:
        return any_bytes(draw, data)
    one = draw.choice(found)
    new = str(draw.choice(NUMBERS)).encode() if pattern == rb"\d+" else draw.choice(found)[0]
    times = draw.choice((1, 1, 1, 500)) if pattern != rb"\d+" else 1
    return data[: one.start()] + b" ".join([new] * times) + data[one.end() :]
