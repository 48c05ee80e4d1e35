"""Boosts: hits that satisfy a filter, and young ones, score higher."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from math import isfinite
from typing import Any, Final, TypeAlias

from llama_index.core.schema import BaseNode

from rag.errors import InputError
from rag.question import Question
from rag.ranking.fused import FusedNode
from rag.store.filters import FilterExpr, matches, parse_filter
from rag.store.values import parse_instant

__all__ = ["Boost", "FieldsOf", "Recency", "parse_boost", "parse_recency"]

FieldsOf: TypeAlias = Callable[[BaseNode], Mapping[str, Any]]
"""The fields of a stored node, as `NamedVectorStore.fields_of` gives them."""

_DAY: Final = timedelta(days=1)
_BOOST: Final = "as in --boost 'modality = image: 0.5'"
_RECENCY: Final = "as in --recency 30, --recency 30=0.5 or --recency published:365=0.5"


@dataclass(frozen=True)
class Boost:
    """Add `amount` (in units of the score, negative to lower) to every hit that satisfies an expression.

    The expression is one of the filter language, evaluated on what `fields_of` says that a filter would see. Told as
    the adjustment `boost: EXPR`. Every candidate is looked at, not only the first `k`. Raises InputError for an amount
    that is not finite.
    """

    expr: FilterExpr
    amount: float
    fields_of: FieldsOf

    def __post_init__(self) -> None:
        _require_finite(self.amount, _BOOST)

    def __call__(self, ranking: Sequence[FusedNode], question: Question) -> list[FusedNode]:
        """Raise what satisfies the expression."""
        name = f"boost: {self.expr}"
        return _sorted(
            [
                hit.adjusted(name, self.amount) if matches(self.expr, self.fields_of(hit.node)) else hit
                for hit in ranking
            ]
        )


@dataclass(frozen=True)
class Recency:
    """Add `amount` · 2^(−age / half-life) by the date in `field`: all of it now, half of it one half-life ago.

    Ages count from `now`, which is given, so that the same ranking comes out again; what is dated later counts as new.
    A list counts by its youngest date, and a date is the start of its day (UTC). A hit without a date gets nothing.
    Told as the adjustment `recency`. Raises InputError for a half-life of 0 days or less.
    """

    half_life: float
    """In days."""
    now: datetime
    """With its time zone."""
    amount: float = 1.0
    field: str = "ingested_at"

    def __post_init__(self) -> None:
        _require_finite(self.amount, _RECENCY)
        if not (isfinite(self.half_life) and self.half_life > 0):
            raise InputError(f"a half-life of {self.half_life} days", "allowed: numbers above 0", _RECENCY)

    def __call__(self, ranking: Sequence[FusedNode], question: Question) -> list[FusedNode]:
        """Raise what is young."""
        return _sorted([self._raised(hit) for hit in ranking])

    def _raised(self, hit: FusedNode) -> FusedNode:
        value = hit.node.metadata.get(self.field)
        spans = [parse_instant(one) for one in (value if isinstance(value, list) else [value]) if isinstance(one, str)]
        dates = [span[0] for span in spans if span]
        if not dates:
            return hit
        age = max(self.now.astimezone(timezone.utc) - max(dates), timedelta()) / _DAY
        return hit.adjusted("recency", self.amount * 2.0 ** -(age / self.half_life))


def parse_boost(text: str) -> tuple[FilterExpr, float]:
    """Parse `EXPR: AMOUNT`; the last colon parts them. Raises InputError, FilterError."""
    expression, colon, amount = text.rpartition(":")
    if not colon or not expression.strip():
        raise InputError(f"boost {text!r}", "allowed: EXPR: AMOUNT", _BOOST)
    return parse_filter(expression), _amount(amount, f"boost {text!r}", _BOOST)


def parse_recency(text: str, now: datetime) -> Recency:
    """Parse `[FIELD:]DAYS[=AMOUNT]`. Raises InputError."""
    field, _, rest = text.rpartition(":")
    days, sign, amount = rest.partition("=")
    given = f"recency {text!r}"
    half_life = _amount(days, given, _RECENCY)
    raised = _amount(amount, given, _RECENCY) if sign else 1.0
    return Recency(half_life, now, raised, field.strip() or "ingested_at")


def _amount(text: str, given: str, advice: str) -> float:
    try:
        return float(text)
    except ValueError as exc:
        raise InputError(f"{given}: {text.strip()!r} is no number", "allowed: finite numbers", advice) from exc


def _require_finite(amount: float, advice: str) -> None:
    if not isfinite(amount):
        raise InputError(f"a boost of {amount}", "allowed: finite numbers", advice)


def _sorted(ranking: list[FusedNode]) -> list[FusedNode]:
    """By falling score; equal scores in the order they came."""
    return sorted(ranking, key=lambda hit: -hit.total)
