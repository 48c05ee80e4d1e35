"""Hits as lines: where each is, what it says or shows, and how its score came about."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rag.display.plain import columns, disarmed, plain, wrapped
from rag.display.view import View
from rag.errors import PictureError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rag.schema import Folded, Hit

__all__ = ["hit_lines", "place"]

_INDENT: Final = 5
_LINES: Final = 3
"""Lines of a passage or caption that are shown."""
_FOLDED: Final = 3
"""Hits that a better one stands for, as far as they are named."""
_PICTURE_COLUMNS: Final = 40
_COLOURS: Final = {"text": "green", "image": "magenta"}


def place(hit: Hit, view: View) -> str:
    """The source of a hit and its page."""
    page = f", page {hit.page}" if hit.page is not None else ""
    return f"{disarmed(view.path(hit.source))}{page}"


def hit_lines(hit: Hit, explain: bool = False, view: View | None = None) -> list[str]:
    """A hit: where it is, its section, its words (shortened) and its picture; with `explain` how it was scored."""
    view = view or View()
    lines = [view.styled(plain(hit.section), "dim")] if hit.section else []
    lines += wrapped(_words(hit), view.width - _INDENT, _LINES) if _words(hit) else []
    if hit.image:
        lines.append(view.styled(disarmed(view.path(hit.image)), "cyan"))
        lines += _shown(hit, view)
    for said, folded in (("like this", hit.similar), ("of this document", hit.grouped)):
        lines += [f"also {said}: {_folded(folded, view)}"] if folded else []
    if explain and (hit.legs or hit.adjustments):
        lines += _table(hit, view)
    return [_head(hit, view), *(" " * _INDENT + line for line in lines)]


def _folded(folded: Sequence[Folded], view: View) -> str:
    shown = [
        f"{disarmed(view.path(one.source))}{'' if one.page is None else f', page {one.page}'}"
        for one in folded[:_FOLDED]
    ]
    return ", ".join(shown) + (f" and {len(folded) - _FOLDED} more" if len(folded) > _FOLDED else "")


def _head(hit: Hit, view: View) -> str:
    modality = view.styled(f"{hit.modality:5}", _COLOURS[hit.modality])
    sure = "" if hit.confidence is None else f"{hit.confidence:>4.0%}  "
    return f"{hit.rank:>3}  {hit.score:+.4f}  {sure}{modality}  {view.styled(place(hit, view), 'bold')}"


def _words(hit: Hit) -> str:
    """The caption of a picture, or a passage without the heading that its section names already."""
    words = (hit.caption or hit.text) if hit.modality == "image" else hit.text
    heading = hit.section.rpartition(" › ")[2]
    first, _, rest = words.strip().partition("\n")
    return plain(rest if heading and rest.strip() and first.strip() == heading else words)


def _shown(hit: Hit, view: View) -> list[str]:
    if view.pictures is None or "://" in hit.image:
        return []
    from rag.display.inline import inline
    from rag.pictures import open_picture

    try:
        picture = open_picture(hit.image)
    except PictureError as exc:
        return [view.styled(plain(str(exc)), "red")]
    return inline(picture, view.pictures, min(_PICTURE_COLUMNS, view.width - _INDENT))


def _table(hit: Hit, view: View) -> Iterator[str]:
    """One row per leg and adjustment; the last column adds up to the score."""
    names = {name: plain(name) for name in hit.adjustments}
    first = max(map(columns, [*hit.legs, *names.values(), "= score"]))
    yield view.styled(
        f"{'leg':{first}}  {'rank':>4}  {'raw':>9}  {'normalized':>10}  {'weight':>6}  contribution", "dim"
    )
    for leg, score in hit.legs.items():
        yield (
            f"{leg:{first}}  {score.rank or '-':>4}  {score.raw:>+9.4f}  {score.normalized:>+10.4f}"
            f"  {score.weight:>6.3f}  {score.contribution:>+12.4f}"
        )
    for name, added in hit.adjustments.items():
        yield f"{names[name]}{' ' * (first - columns(names[name]))}  {'':4}  {'':9}  {'':10}  {'':6}  {added:>+12.4f}"
    yield view.styled(f"{'= score':{first}}  {'':4}  {'':9}  {'':10}  {'':6}  {hit.score:>+12.4f}", "bold")
