"""A contact sheet: the pictures among the hits, side by side, each with its rank, score, caption and source."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from PIL import Image, ImageDraw

from rag.display.plain import plain
from rag.errors import InputError, PictureError
from rag.lettering import Lettering
from rag.pictures import open_picture

if TYPE_CHECKING:
    from rag.schema import Hit

__all__ = ["check_target", "contact_sheet", "write_sheet"]

SUFFIXES: Final = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp", ".gif", ".pdf")
"""What a sheet may be written as, as far as this Pillow can."""
MOST: Final = 400
"""More pictures than this on one sheet are refused: JPEG ends at 65,535 pixels of height, and eyes earlier."""

_ACROSS: Final = 4
_CARD: Final = (320, 384)
_BOX: Final = (288, 216)
"""Pixels that a picture may take on its card."""
_ENLARGE: Final = 3
"""A picture smaller than the box is enlarged at most this many times."""
_PAD, _GAP, _MARGIN = 16, 20, 32
_SMOOTH: Final = 4
_CAPTION_LINES: Final = 3

_PAGE, _PAPER, _EDGE = "#eef0f3", "#ffffff", "#d5d9df"
_INK, _SOFT, _LOST = "#1f2328", "#667080", "#f5f6f8"


def contact_sheet(hits: Sequence[Hit], title: str = "") -> Image.Image:
    """The pictures among the hits in rows of four, best first, under the title, as RGB.

    Transparency lies on white; a picture that cannot be opened, or lies behind a URL (never fetched), is an empty
    frame with its path. Raises InputError where no hit is a picture, or more than `MOST` are.
    """
    shown = [hit for hit in hits if hit.image]
    if not shown:
        raise InputError(
            f"no picture is among the {len(hits)} hits",
            "a sheet shows pictures only",
            "search with --modality image, or a larger -k",
        )
    if len(shown) > MOST:
        raise InputError(f"{len(shown)} pictures for one sheet", f"at most {MOST}", "ask for fewer with -k")
    across = min(_ACROSS, len(shown))
    top = _MARGIN + (48 if title.strip() else 0)
    width = 2 * _MARGIN + across * _CARD[0] + (across - 1) * _GAP
    rows = -(-len(shown) // across)
    sheet = Image.new("RGB", (width, top + rows * (_CARD[1] + _GAP) - _GAP + _MARGIN), _PAGE)
    page = _Page(sheet, Lettering([title, *(word for hit in shown for word in (_words(hit), hit.source, hit.image))]))
    page.write((_MARGIN, _MARGIN - 4), page.letters.lines(title, 26, width - 2 * _MARGIN, 1)[0], 26, _INK)
    for number, hit in enumerate(shown):
        row, column = divmod(number, across)
        at = (_MARGIN + column * (_CARD[0] + _GAP), top + row * (_CARD[1] + _GAP))
        page.card(hit, at)
    return sheet


def check_target(file: Path) -> None:
    """Raise InputError unless a sheet can be written there, as far as can be told before."""
    Image.init()
    known = Image.registered_extensions()
    allowed = [suffix for suffix in SUFFIXES if known.get(suffix) in Image.SAVE]
    if file.suffix.lower() not in allowed:
        raise InputError(
            f"a sheet cannot be written as {plain(str(file))!r}",
            f"allowed: {', '.join(allowed)}",
            "as in --sheet hits.png",
        )
    if not file.parent.is_dir():
        raise InputError(f"there is no folder {file.parent} for the sheet", advice="make it first, or name another")
    if file.is_dir():
        raise InputError(f"{file} is a folder", "allowed: the name of a file", "name another")


def write_sheet(hits: Sequence[Hit], file: Path, title: str = "") -> int:
    """Write the contact sheet of the hits; returns the number of pictures on it. Raises InputError."""
    check_target(file)
    sheet = contact_sheet(hits, title)
    try:
        sheet.save(file)
    except (OSError, ValueError) as exc:
        raise InputError(
            f"{file} cannot be written ({exc})", advice="name another file, or ask for fewer with -k"
        ) from exc
    return sum(1 for hit in hits if hit.image)


def _words(hit: Hit) -> str:
    return hit.caption or hit.text


class _Page:
    """A sheet that is drawn on. Places are the left upper corner, in pixels, unless an anchor says otherwise."""

    def __init__(self, sheet: Image.Image, letters: Lettering) -> None:
        self.sheet, self.letters = sheet, letters
        self._draw = ImageDraw.Draw(sheet)

    def write(self, at: tuple[float, float], words: str, size: int, colour: str, anchor: str = "la") -> None:
        """One line of words; `anchor` as in Pillow's "Text anchors"."""
        self._draw.text(at, words, colour, self.letters.font(size), anchor=anchor)

    def card(self, hit: Hit, at: tuple[int, int]) -> None:
        """Picture, rank and score, words, source."""
        left, top = at[0] + _PAD, at[1] + _PAD
        inner = _CARD[0] - 2 * _PAD
        self._framed(at, _CARD, 10, _PAPER)
        self._picture(hit.image, (left, top))
        line = top + _BOX[1] + 12
        rank = str(hit.rank)
        wide = max(26, int(self.letters.width(rank, 14)) + 14)
        self._rounded((left, line), (wide, 24), 12, _INK)
        self.write((left + wide / 2, line + 12), rank, 14, _PAPER, "mm")
        self.write((left + inner, line + 12), f"{hit.score:+.4f}", 14, _SOFT, "rm")
        for words in self.letters.lines(_words(hit), 16, inner, _CAPTION_LINES):
            line += 22
            self.write((left, line + 10), words, 16, _INK)
        page = f", page {hit.page}" if hit.page is not None else ""
        room = inner - int(self.letters.width(page, 13)) - 1
        source = self.letters.lines(Path(hit.source).name or hit.source, 13, room, 1)[0]
        self.write((left, at[1] + _CARD[1] - _PAD), source + page, 13, _SOFT, "ls")

    def _picture(self, image: str, at: tuple[int, int]) -> None:
        try:
            picture = None if "://" in image else open_picture(image)
        except PictureError:
            picture = None
        if picture is None:
            self._framed(at, _BOX, 6, _LOST)
            for number, words in enumerate(self.letters.lines(image, 13, _BOX[0] - 24, 8)):
                self.write((at[0] + 12, at[1] + 14 + 18 * number), words, 13, _SOFT)
            return
        scale = min(_BOX[0] / picture.width, _BOX[1] / picture.height, _ENLARGE)
        size = max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
        x, y = at[0] + (_BOX[0] - size[0]) // 2, at[1] + (_BOX[1] - size[1]) // 2
        self._draw.rectangle((x - 1, y - 1, x + size[0], y + size[1]), outline=_EDGE)
        self.sheet.paste(picture.resize(size, Image.Resampling.LANCZOS), (x, y))

    def _framed(self, at: tuple[int, int], size: tuple[int, int], radius: int, colour: str) -> None:
        self._rounded(at, size, radius, _EDGE)
        self._rounded((at[0] + 1, at[1] + 1), (size[0] - 2, size[1] - 2), radius - 1, colour)

    def _rounded(self, at: tuple[int, int], size: tuple[int, int], radius: int, colour: str) -> None:
        """A rounded rectangle with smooth edges: Pillow draws hard ones, so it is drawn larger and scaled down."""
        large = (size[0] * _SMOOTH, size[1] * _SMOOTH)
        mask = Image.new("L", large)
        ImageDraw.Draw(mask).rounded_rectangle((0, 0, large[0] - 1, large[1] - 1), radius * _SMOOTH, 255)
        self.sheet.paste(colour, (*at, at[0] + size[0], at[1] + size[1]), mask.resize(size, Image.Resampling.BOX))
