"""The filter language as frozen data. What is built here can be compiled: nonsense is refused by the constructors.

Meaning, the same on every engine and in `matches`:
- A field that holds a list satisfies a comparison if any of its elements does.
- `!=` and `not in` are the complements of `=` and `in`: points that lack the field satisfy them.
- `contains` is a substring of the field's words (of any element), upper and lower case as written.
- `exists` is a value that is neither null nor an empty list.
- A date stands for its whole day: `=` is any moment of it, `<=` up to its end, `>` after its end.
- Numbers compare by value (1 = 1.0), and never with words, booleans or dates.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from rag.errors import FilterError
from rag.store.values import parse_instant

Operator = Literal["=", "!=", "<", "<=", ">", ">=", "contains"]
OPERATORS: Final = ("=", "!=", "<", "<=", ">", ">=", "contains")
ORDERINGS: Final = ("<", "<=", ">", ">=")
KEYWORDS: Final = frozenset({"and", "or", "not", "in", "contains", "exists", "true", "false"})
_NAME = re.compile(r"[^\W\d][\w.-]*")


@dataclass(frozen=True)
class Date:
    """A date or time in ISO 8601. A date is its whole day; without a zone it is UTC."""

    text: str

    def __post_init__(self) -> None:
        if parse_instant(self.text) is None:
            raise FilterError(f"{self.text!r} is no date", "dates such as 2024-01-31 or 2024-01-31T12:00:00Z")
        object.__setattr__(self, "text", self.text.replace(" ", "T"))

    @property
    def span(self) -> tuple[datetime, datetime]:
        """First and last microsecond, UTC."""
        span = parse_instant(self.text)
        if span is None:
            raise FilterError(f"{self.text!r} is no date")
        return span

    def __str__(self) -> str:
        return self.text


Value = str | int | float | bool | Date


class FilterExpr:
    """Any expression of the language; `str()` writes it back."""

    __slots__ = ()


@dataclass(frozen=True)
class Comparison(FilterExpr):
    """`field op value`. Orderings take numbers and dates (ISO words become dates), `contains` takes words."""

    field: str
    op: Operator
    value: Value

    def __post_init__(self) -> None:
        _require_field(self.field)
        _require_finite(self.value)
        if self.op not in OPERATORS:
            raise FilterError(f"operator {self.op!r}", ", ".join(OPERATORS))
        if self.op in ORDERINGS and isinstance(self.value, str):
            object.__setattr__(self, "value", Date(self.value))
        if self.op in ORDERINGS and isinstance(self.value, bool):
            raise FilterError(f"{self.field} {self.op} {write_value(self.value)}", "= and != for true and false")
        if self.op == "contains" and not isinstance(self.value, str):
            raise FilterError(f"{self.field} contains {write_value(self.value)}", "words to look for, in quotes")

    def __str__(self) -> str:
        return f"{write_field(self.field)} {self.op} {write_value(self.value)}"


@dataclass(frozen=True)
class Membership(FilterExpr):
    """`field in (value, …)`: equal to any of them."""

    field: str
    values: tuple[Value, ...]

    def __post_init__(self) -> None:
        _require_field(self.field)
        if not self.values:
            raise FilterError(f"{self.field} in ()", "one value or more in the parentheses")
        for value in self.values:
            _require_finite(value)

    def __str__(self) -> str:
        return f"{write_field(self.field)} in ({', '.join(map(write_value, self.values))})"


@dataclass(frozen=True)
class Exists(FilterExpr):
    """`field exists`."""

    field: str

    def __post_init__(self) -> None:
        _require_field(self.field)

    def __str__(self) -> str:
        return f"{write_field(self.field)} exists"


@dataclass(frozen=True)
class Not(FilterExpr):
    """`not part`: the complement."""

    part: FilterExpr

    def __str__(self) -> str:
        return f"not {_operand(self.part)}"


@dataclass(frozen=True)
class And(FilterExpr):
    """All parts hold. No parts: everything matches."""

    parts: tuple[FilterExpr, ...]

    def __str__(self) -> str:
        return " and ".join(map(_operand, self.parts))


@dataclass(frozen=True)
class Or(FilterExpr):
    """Some part holds; there is at least one."""

    parts: tuple[FilterExpr, ...]

    def __post_init__(self) -> None:
        if not self.parts:
            raise FilterError("an `or` of nothing", "one alternative or more")

    def __str__(self) -> str:
        return " or ".join(map(_operand, self.parts))


def write_value(value: Value) -> str:
    """A value as the language writes it; words are always quoted."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _quoted(value)
    return str(value) if isinstance(value, Date) else repr(value)


def write_field(field: str) -> str:
    """A field's name as the language writes it, quoted where it would be read as something else."""
    return field if _NAME.fullmatch(field) and field.lower() not in KEYWORDS else _quoted(field)


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _operand(part: FilterExpr) -> str:
    return f"({part})" if isinstance(part, (And, Or)) else str(part)


def _require_field(field: str) -> None:
    if not field or '"' in field:
        raise FilterError(f"field {field!r}", "names without double quotes")


def _require_finite(value: Value) -> None:
    if isinstance(value, float) and not math.isfinite(value):
        raise FilterError(f"number {value}", "finite numbers")
