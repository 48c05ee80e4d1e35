"""What a filter expression means, in plain Python, and whether it can mean anything for given fields."""

from __future__ import annotations

import difflib
import operator
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from rag.errors import FilterError
from rag.store.filter_ast import And, Comparison, Date, Exists, FilterExpr, Membership, Not, Or, Value, write_value
from rag.store.values import EXACT_FLOATS, MIXED, parse_instant

_HOLDS: Final = {
    "keyword": "words",
    "text": "words",
    "uuid": "words",
    "integer": "whole numbers",
    "float": "numbers",
    "bool": "true or false",
    "datetime": "dates",
}
_ORDER: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "=": operator.eq,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def check(expr: FilterExpr, fields: Mapping[str, str]) -> FilterExpr:
    """The expression with ISO words on date fields turned into dates.

    `fields` names each known field and its type (keyword, integer, float, bool, datetime, mixed). Raises FilterError
    for a field that is not there or a value its type can never match.
    """
    if isinstance(expr, Comparison):
        kind = _kind(expr.field, fields)
        if expr.op == "contains" and kind not in ("keyword", "text", "uuid", MIXED):
            raise FilterError(
                f"{expr}: {expr.field} holds {_HOLDS[kind]}", "`contains` on fields that hold words", "use = or < >"
            )
        return replace(expr, value=_fitted(expr.field, expr.value, kind))
    if isinstance(expr, Membership):
        kind = _kind(expr.field, fields)
        return replace(expr, values=tuple(_fitted(expr.field, value, kind) for value in expr.values))
    if isinstance(expr, Exists):
        _kind(expr.field, fields)
        return expr
    if isinstance(expr, Not):
        return Not(check(expr.part, fields))
    if isinstance(expr, (And, Or)):
        return replace(expr, parts=tuple(check(part, fields) for part in expr.parts))
    raise FilterError(f"expression {type(expr).__name__}", "what parse_filter returns")


def matches(expr: FilterExpr, payload: Mapping[str, Any]) -> bool:  # noqa: PLR0911 - one return a kind of expression
    """Whether a payload satisfies an expression: the meaning that every engine must give it."""
    if isinstance(expr, Comparison):
        if expr.op == "!=":
            return not matches(replace(expr, op="="), payload)
        return any(_compare(element, expr.op, expr.value) for element in _elements(payload, expr.field))
    if isinstance(expr, Membership):
        elements = _elements(payload, expr.field)
        return any(_compare(element, "=", value) for element in elements for value in expr.values)
    if isinstance(expr, Exists):
        return payload.get(expr.field) not in (None, [])
    if isinstance(expr, Not):
        return not matches(expr.part, payload)
    if isinstance(expr, And):
        return all(matches(part, payload) for part in expr.parts)
    if isinstance(expr, Or):
        return any(matches(part, payload) for part in expr.parts)
    raise FilterError(f"expression {type(expr).__name__}", "what parse_filter returns")


def _kind(field: str, fields: Mapping[str, str]) -> str:
    if field in fields:
        return fields[field]
    near = difflib.get_close_matches(field, fields, n=1, cutoff=0.6)
    raise FilterError(
        f"filter on the unknown field {field!r}",
        f"fields here: {', '.join(sorted(fields)) or 'none'}",
        f"did you mean {near[0]}?" if near else "correct the field's name",
    )


def _fitted(field: str, value: Value, kind: str) -> Value:
    if kind == "datetime" and isinstance(value, str) and parse_instant(value):
        return Date(value)
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    fits = {
        "integer": number,
        "float": number,
        "bool": isinstance(value, bool),
        "datetime": isinstance(value, Date),
        MIXED: True,
    }.get(kind, isinstance(value, str))
    if not fits:
        advice = f'quote it: "{value}"' if _HOLDS.get(kind) == "words" else "compare with a value of that kind"
        raise FilterError(f"filter compares {field} with {write_value(value)}", f"{field} holds {_HOLDS[kind]}", advice)
    return value


def _elements(payload: Mapping[str, Any], field: str) -> list[Any]:
    value = payload.get(field)
    return value if isinstance(value, list) else [value]


def _compare(element: Any, op: str, value: Value) -> bool:
    if isinstance(value, Date):
        return _compare_date(element, op, value)
    if isinstance(value, bool):
        return element is value
    if isinstance(value, str):
        return isinstance(element, str) and (value in element if op == "contains" else element == value)
    return isinstance(element, (int, float)) and not isinstance(element, bool) and _compare_number(element, op, value)


def _compare_number(element: float, op: str, value: float) -> bool:
    """As engines do: as 64-bit floats, but whole numbers that those cannot tell apart are equal only if they are."""
    if op == "=" and isinstance(value, int) and abs(value) >= EXACT_FLOATS:
        return isinstance(element, int) and element == value
    return _ORDER[op](float(element), float(value))


def _compare_date(element: Any, op: str, value: Date) -> bool:
    moment = parse_instant(element) if isinstance(element, str) else None
    if moment is None:
        return False
    first, last = value.span
    if op == "=":
        return first <= moment[0] <= last
    return _ORDER[op](moment[0], last if op in ("<=", ">") else first)
