"""A page of a PDF taken apart by PDFium: pieces of text, drawings, images. Nothing is interpreted here."""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from ctypes import c_float, c_int, c_uint, create_string_buffer
from functools import lru_cache
from typing import Any, Final

from pypdfium2 import PdfiumError, raw

from ingestion.readers._pdf_parts import Box, Drawing, Image, Piece

MAX_CHARACTERS: Final = 1_000_000
"""Of a page; about ten seconds. A page of small print has 10,000."""
MAX_OBJECTS: Final = 100_000
"""Of a page that are looked at; a map drawn of more is whole without them."""
MAX_SEGMENTS: Final = 2_000
"""Of a path that are looked at."""
_MAX_CLIP: Final = 512
"""Segments of a clip path that is looked at."""
_MAX_DEPTH: Final = 15

_GAP: Final = 1.5
"""Letter sizes. What stands further apart in a line are two pieces: cells of a table, or columns."""
_DIVIDING: Final = frozenset({0x02, 0xAD, 0xFFFE})
"""How PDFium tells a hyphen at the end of a line from others."""
_BOLD: Final = re.compile(r"bold|black|heavy|demi|cmbx|-b$", re.I)
_FIXED: Final = re.compile(r"mono|courier|consol|typewriter|cmtt|code", re.I)
_FIXED_FLAG: Final = 1
_HEAVY: Final = 600
_WHITE: Final = 250
_THIN: Final = 2.5
"""Points. A filled box that is thinner is a line."""


class Affine:
    """A map of the plane: (x, y) to (a·x + c·y + e, b·x + d·y + f), as PDF writes it."""

    def __init__(self, a: float, b: float, c: float, d: float, e: float, f: float) -> None:
        self.values = (a, b, c, d, e, f)

    def __call__(self, x: float, y: float) -> tuple[float, float]:
        a, b, c, d, e, f = self.values
        return a * x + c * y + e, b * x + d * y + f

    def after(self, first: Affine) -> Affine:
        """This map of what `first` makes."""
        a, b, c, d, e, f = first.values
        (x, y), origin = self(e, f), self(0.0, 0.0)
        (ax, ay), (cx, cy) = self(a, b), self(c, d)
        return Affine(ax - origin[0], ay - origin[1], cx - origin[0], cy - origin[1], x, y)

    def box(self, left: float, bottom: float, right: float, top: float) -> Box:
        """The box around the image of a rectangle."""
        corners = [self(x, y) for x in (left, right) for y in (bottom, top)]
        xs, ys = zip(*corners, strict=True)
        return Box(min(xs), min(ys), max(xs), max(ys))

    def quarters(self, x: float, y: float) -> int:
        """Quarters of a circle, clockwise on the display, from the right to where the vector (x, y) points."""
        a, b, c, d, _, _ = self.values
        return round(math.atan2(b * x + d * y, a * x + c * y) / (math.pi / 2)) % 4


def display(page: Any) -> Affine:
    """The map from the page's own coordinates to the displayed ones: its boxes and its rotation are applied."""
    width, height = page.get_size()
    fine = 1000
    x, y = c_int(), c_int()

    def at(px: float, py: float) -> tuple[float, float]:
        raw.FPDF_PageToDevice(page.raw, 0, 0, round(width * fine), round(height * fine), 0, px, py, x, y)
        return x.value / fine, y.value / fine

    (ox, oy), (ax, ay), (bx, by) = at(0, 0), at(100, 0), at(0, 100)
    return Affine((ax - ox) / 100, (ay - oy) / 100, (bx - ox) / 100, (by - oy) / 100, ox, oy)


def pieces(textpage: Any, shown: Affine, rules: Sequence[Box]) -> Iterator[Piece]:
    """The text of a page in the order of the file. Vertical `rules` divide pieces, as cells of a table."""
    reader = _Characters(textpage.raw, shown, rules)
    for index in range(min(raw.FPDFText_CountChars(textpage.raw), MAX_CHARACTERS)):
        if piece := reader.take(index):
            yield piece
    if piece := reader.finished():
        yield piece


class _Characters:
    """Puts characters together to pieces. Positions are in the page's own coordinates until a piece is finished."""

    def __init__(self, textpage: Any, shown: Affine, rules: Sequence[Box]) -> None:
        self.page, self.shown, self.rules = textpage, shown, rules
        self.rect, self.matrix = raw.FS_RECTF(), raw.FS_MATRIX()
        self.name, self.flags = create_string_buffer(128), c_int()
        self.clear()

    def clear(self) -> None:
        """Begin a piece."""
        self.text: list[str] = []
        self.left = self.bottom = self.right = self.top = 0.0
        self.last = (0.0, 0.0, 0.0, 0.0)
        self.sizes: Counter[float] = Counter()
        self.size = 0.0
        self.space = False
        self.lying = True
        self.bold = self.fixed = True

    def finished(self, divided: bool = False) -> Piece | None:
        """The piece gathered so far."""
        if not self.text:
            return None
        box = self.shown.box(self.left, self.bottom, self.right, self.top)
        size = self.sizes.most_common(1)[0][0]
        piece = Piece("".join(self.text), box, size, self.bold, self.fixed, divided, self.turn)
        self.clear()
        return piece

    def take(self, index: int) -> Piece | None:
        """Add a character; returns the piece that it does not belong to."""
        code = raw.FPDFText_GetUnicode(self.page, index)
        if code in _DIVIDING:
            return self.finished(divided=True)
        if code in (10, 13):
            return self.finished()
        if code < 32 or not raw.FPDFText_GetLooseCharBox(self.page, index, self.rect):
            return None
        character = chr(code)
        if character.isspace():
            self.space = True
            return None
        rect = self.rect
        left, bottom, right, top = rect.left, rect.bottom, rect.right, rect.top
        before = self.finished() if self.text and self.apart(left, bottom, right, top) else None
        if not self.text:
            self.start(index, top - bottom)
            self.left, self.bottom, self.right, self.top = left, bottom, right, top
        else:
            if self.space or (character.isdigit() and self.raised(bottom, top)):
                self.look(index, top - bottom)
                self.text.append(" ")
            self.left, self.bottom = min(self.left, left), min(self.bottom, bottom)
            self.right, self.top = max(self.right, right), max(self.top, top)
        if (
            (left, bottom, right, top) == self.last
            and not self.space
            and unicodedata.bidirectional(character) in ("R", "AL")
        ):
            self.text.insert(-1, character)  # PDFium turns round the letters of a ligature, such as lam-alef
        else:
            self.text.append(character)
        self.space = False
        self.sizes[self.size] += 1
        self.last = (left, bottom, right, top)
        return before

    def start(self, index: int, height: float) -> None:
        """Note where a piece begins and which way it runs."""
        self.look(index, height)
        self.lying = abs(self.matrix.a) >= abs(self.matrix.b)
        self.turn = self.shown.quarters(self.matrix.a, self.matrix.b)

    def look(self, index: int, height: float) -> None:
        """Note how the letters of a word look, by its first one. A piece is bold where all its words are."""
        self.size = self.letter_size(index, height)
        length = raw.FPDFText_GetFontInfo(self.page, index, self.name, len(self.name), self.flags)
        name = self.name.value if length <= len(self.name) else b""
        bold, fixed = _style(name)
        self.bold &= bold or raw.FPDFText_GetFontWeight(self.page, index) >= _HEAVY
        self.fixed &= fixed or bool(self.flags.value & _FIXED_FLAG)

    def letter_size(self, index: int, height: float) -> float:
        """Points, with the scale of the text's matrix, which the font's size alone leaves out."""
        size = raw.FPDFText_GetFontSize(self.page, index)
        if raw.FPDFText_GetMatrix(self.page, index, self.matrix):  # its angle is told wrongly by GetCharAngle
            size *= math.hypot(self.matrix.c, self.matrix.d)
        return round(size, 1) if 0.5 < size < 1000 else round(max(height, 1.0), 1)

    def raised(self, bottom: float, top: float) -> bool:
        """Whether small letters stand above the end of a word: the number of a note, no part of the word."""
        _, b, _, t = self.last
        word = "".join(self.text[-3:])
        return (
            self.lying
            and word.isalpha()
            and len(word) > 2
            and top - bottom < 0.8 * (t - b)
            and bottom - b > 0.15 * (t - b)
        )

    def apart(self, left: float, bottom: float, right: float, top: float) -> bool:
        """Whether a character cannot belong to the piece before it."""
        west, south, east, north = self.last
        if self.lying:
            gap, shift = max(left - east, west - right), abs(bottom + top - south - north)
        else:
            gap, shift = max(bottom - north, south - top), abs(left + right - west - east)
        if gap > _GAP * self.size or shift > 1.5 * self.size:
            return True
        return self.space and bool(self.rules) and self.ruled((west + east) / 2, (left + right) / 2, (bottom + top) / 2)

    def ruled(self, before: float, after: float, height: float) -> bool:
        """Whether a vertical line stands between two characters."""
        (x1, y), (x2, _) = self.shown(before, height), self.shown(after, height)
        left, right = min(x1, x2), max(x1, x2)
        return any(left < rule.left < right and rule.top <= y <= rule.bottom for rule in self.rules)


@lru_cache(maxsize=1024)
def _style(font: bytes) -> tuple[bool, bool]:
    """Whether a font's name says that it is bold, and that its letters have one width."""
    name = font.decode("utf-8", "ignore")
    return bool(_BOLD.search(name)), bool(_FIXED.search(name))


def objects(page: Any, shown: Affine) -> Iterator[Drawing | Image]:
    """The drawings and images of a page, those in forms too."""
    area = Box(0, 0, *page.get_size())
    for number, (handle, kind, place) in enumerate(_walk(page.raw, shown, 0, _Page)):
        if number >= MAX_OBJECTS:
            return
        if kind == raw.FPDF_PAGEOBJ_IMAGE:
            matrix = raw.FS_MATRIX()
            if raw.FPDFPageObj_GetMatrix(handle, matrix):
                axes = place.after(_affine(matrix)).values[:4]
                yield Image(_bounds(handle, place).common(area), handle, axes)
        elif kind == raw.FPDF_PAGEOBJ_SHADING:
            yield Drawing(_clip(handle, place, _bounds(handle, place).common(area)), "shading", filled=True)
        elif kind == raw.FPDF_PAGEOBJ_PATH and (drawing := _path(handle, place, area)):
            yield drawing


class _Page:
    count = raw.FPDFPage_CountObjects
    get = raw.FPDFPage_GetObject


class _Form:
    count = raw.FPDFFormObj_CountObjects
    get = raw.FPDFFormObj_GetObject


def _walk(
    parent: Any, place: Affine, depth: int, access: type[_Page] | type[_Form]
) -> Iterator[tuple[Any, int, Affine]]:
    for index in range(max(access.count(parent), 0)):
        handle = access.get(parent, index)
        if not handle:
            raise PdfiumError("an object of the page cannot be read")
        kind = raw.FPDFPageObj_GetType(handle)
        if kind == raw.FPDF_PAGEOBJ_FORM:
            matrix = raw.FS_MATRIX()
            if depth < _MAX_DEPTH and raw.FPDFPageObj_GetMatrix(handle, matrix):
                inner = place.after(_affine(matrix))
                yield from _walk(handle, inner, depth + 1, _Form)
        else:
            yield handle, kind, place


def _affine(matrix: Any) -> Affine:
    return Affine(matrix.a, matrix.b, matrix.c, matrix.d, matrix.e, matrix.f)


def _bounds(handle: Any, place: Affine) -> Box:
    left, bottom, right, top = c_float(), c_float(), c_float(), c_float()
    if not raw.FPDFPageObj_GetBounds(handle, left, bottom, right, top):
        return Box(0, 0, 0, 0)
    return place.box(left.value, bottom.value, right.value, top.value)


def _path(handle: Any, place: Affine, area: Box) -> Drawing | None:
    """A path that shows on white paper; None for others."""
    fill, stroke = c_int(), c_int()
    if not raw.FPDFPath_GetDrawMode(handle, fill, stroke):
        return None
    filled, stroked = fill.value != 0, stroke.value != 0
    if not (filled and _inked(handle, raw.FPDFPageObj_GetFillColor)) and not (
        stroked and _inked(handle, raw.FPDFPageObj_GetStrokeColor)
    ):
        return None
    box = _clip(handle, place, _bounds(handle, place).common(area))
    if box.right < box.left or box.bottom < box.top:
        return None
    if filled and min(box.width, box.height) <= _THIN:
        return Drawing(box, "ruled", (_flat(box),), filled=True)
    matrix = raw.FS_MATRIX()
    placed = raw.FPDFPageObj_GetMatrix(handle, matrix)
    strokes = _strokes(handle, place.after(_affine(matrix))) if placed else None
    return Drawing(box, "shape" if strokes is None else "ruled", strokes or (), filled)


def _clip(handle: Any, place: Affine, box: Box) -> Box:
    """What clip paths leave of a box, told by the boxes around them."""
    clip = raw.FPDFPageObj_GetClipPath(handle)
    x, y = c_float(), c_float()
    for path in range(max(raw.FPDFClipPath_CountPaths(clip), 0) if clip else 0):
        segments = raw.FPDFClipPath_CountPathSegments(clip, path)
        points = []
        for number in range(segments if segments <= _MAX_CLIP else 0):
            if raw.FPDFPathSegment_GetPoint(raw.FPDFClipPath_GetPathSegment(clip, path, number), x, y):
                points.append(place(x.value, y.value))
        if points:
            xs, ys = zip(*points, strict=True)
            box = box.common(Box(min(xs), min(ys), max(xs), max(ys)))
    return box


def _flat(box: Box) -> Box:
    x, y = box.centre
    return Box(box.left, y, box.right, y) if box.width >= box.height else Box(x, box.top, x, box.bottom)


def _inked(handle: Any, colour: Any) -> bool:
    red, green, blue, alpha = (c_uint() for _ in range(4))
    if not colour(handle, red, green, blue, alpha):
        return True
    return alpha.value > 0 and min(red.value, green.value, blue.value) < _WHITE


def _strokes(handle: Any, place: Affine) -> tuple[Box, ...] | None:
    """The lines of a path where all are horizontal or vertical; None where one is not."""
    x, y = c_float(), c_float()
    at = first = (0.0, 0.0)
    found = []
    for index in range(min(raw.FPDFPath_CountSegments(handle), MAX_SEGMENTS)):
        segment = raw.FPDFPath_GetPathSegment(handle, index)
        kind = raw.FPDFPathSegment_GetType(segment)
        if kind == raw.FPDF_SEGMENT_BEZIERTO or not raw.FPDFPathSegment_GetPoint(segment, x, y):
            return None
        to = place(x.value, y.value)
        steps = [(at, to)] if kind == raw.FPDF_SEGMENT_LINETO else []
        if kind == raw.FPDF_SEGMENT_MOVETO:
            first = to
        if raw.FPDFPathSegment_GetClose(segment):
            steps.append((to, first))
        for (ax, ay), (bx, by) in steps:
            if min(abs(ax - bx), abs(ay - by)) > 0.5:
                return None
            found.append(Box(min(ax, bx), min(ay, by), max(ax, bx), max(ay, by)))
        at = to
    return tuple(found)
