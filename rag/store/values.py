"""The values metadata can hold, and the type of a field that holds them: shared by points, manifest and filters."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from typing import Any, Final

MIXED: Final = "mixed"
"""The type of a field whose values have no common one: every comparison is allowed, none is indexed."""

EXACT_FLOATS: Final = 2**53
"""Up to here 64-bit floats tell whole numbers apart."""

_ISO = re.compile(r"\d{4}-\d\d-\d\d(?P<time>[T ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?(?P<zone>Z|[+-]\d\d:\d\d)?)?")


def parse_instant(text: str) -> tuple[datetime, datetime] | None:
    """First and last microsecond that an ISO 8601 date or time names, in UTC; None where it is neither.

    A date names its whole day, a time names itself. Without a zone it is UTC, as Qdrant reads it.
    """
    match = _ISO.fullmatch(text)
    if match is None:
        return None
    padded = re.sub(r"\.(\d+)", lambda fraction: "." + fraction[1].ljust(6, "0"), text)
    try:
        start = datetime.fromisoformat(padded.replace("Z", "+00:00"))
        start = start.astimezone(timezone.utc) if start.tzinfo else start.replace(tzinfo=timezone.utc)
        whole_day = match["time"] is None
        return start, start + timedelta(days=1, microseconds=-1) if whole_day else start
    except (ValueError, OverflowError):
        return None


def type_of(value: Any) -> str | None:
    """The Qdrant index type of a metadata value; None for what says nothing (null, an empty list, an object)."""
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int):
        return "integer"
    if isinstance(value, float):
        return "float"
    if isinstance(value, str):
        return "datetime" if parse_instant(value) else "keyword"
    if isinstance(value, list):
        found: str | None = None
        for element in value:
            found = widen(found, type_of(element))
        return found
    return None


def widen(one: str | None, other: str | None) -> str | None:
    """The narrowest type that holds values of both; None is neutral."""
    if one == other or other is None:
        return one
    if one is None:
        return other
    pair = {one, other}
    if pair == {"integer", "float"}:
        return "float"
    if pair == {"keyword", "datetime"}:
        return "keyword"
    return MIXED


def field_path(field: str) -> str:
    """A field's name as a Qdrant payload path: quoted where a dot, a bracket or a space would be read as syntax."""
    return field if re.fullmatch(r"[\w-]+", field) else f'"{field}"'
