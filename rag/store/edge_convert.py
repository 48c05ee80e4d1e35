"""Words of `qdrant_client.models` in the words of `qdrant_edge`, and back.

The binding of qdrant-edge-py 0.9.0 reads `MatchValue(True)` as the integer 1, which matches no boolean. So every
boolean of a payload has a twin beside it, a keyword under `__bool__<key>`, which is what a match on a boolean asks for;
twins never leave the adapter.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timezone
from typing import Any

import qdrant_edge as edge
from qdrant_client import models

from rag.errors import StoreError

_TWIN = "__bool__"
_LAST_SEGMENT = re.compile(r'(?P<head>.*?\.?)(?P<quote>"?)(?P<name>[^."]+|(?<=")[^"]+)"?$')


def with_twins(payload: Mapping[str, Any]) -> dict[str, Any]:
    """The payload with a keyword twin beside each boolean, or list that holds booleans, at any depth of objects."""
    out: dict[str, Any] = {}
    for key, value in payload.items():
        out[key] = with_twins(value) if isinstance(value, dict) else value
        elements = value if isinstance(value, list) else [value]
        twins = [str(element).lower() for element in elements if isinstance(element, bool)]
        if twins:
            out[_TWIN + key] = twins
    return out


def without_twins(payload: Mapping[str, Any]) -> dict[str, Any]:
    """The payload as it was given: the inverse of `with_twins`."""
    return {
        key: without_twins(value) if isinstance(value, dict) else value
        for key, value in payload.items()
        if not key.startswith(_TWIN)
    }


def twin_path(path: str) -> str:
    """The payload path of the twin of a boolean's path: `a."b c"` gives `a."__bool__b c"`."""
    match = _LAST_SEGMENT.fullmatch(path)
    if match is None:
        raise StoreError(f"payload path {path!r}", "dotted keys, quoted where they hold more than letters and digits")
    quote = match["quote"]
    return f"{match['head']}{quote}{_TWIN}{match['name']}{quote}"


def is_twin(path: str) -> bool:
    """Whether a payload path is that of a twin."""
    match = _LAST_SEGMENT.fullmatch(path)
    return match is not None and match["name"].startswith(_TWIN)


def to_vector(vector: Any) -> Any:
    """A vector, a sparse vector or a mapping of names to them, as the engine takes it."""
    if isinstance(vector, models.SparseVector):
        return edge.SparseVector(indices=list(vector.indices), values=list(vector.values))
    if isinstance(vector, Mapping):
        return {name: to_vector(value) for name, value in vector.items()}
    return vector


def from_vector(vector: Any) -> Any:
    """The inverse of `to_vector`."""
    if isinstance(vector, edge.SparseVector):
        return models.SparseVector(indices=list(vector.indices), values=list(vector.values))
    if isinstance(vector, dict):
        return {name: from_vector(value) for name, value in vector.items()}
    return vector


def to_filter(condition: models.Filter | None) -> edge.Filter | None:
    """A filter with all that is nested in it; None stays None."""
    if condition is None:
        return None
    minimum = condition.min_should
    return edge.Filter(
        must=_conditions(condition.must),
        should=_conditions(condition.should),
        must_not=_conditions(condition.must_not),
        min_should=None
        if minimum is None
        else edge.MinShould(_conditions(minimum.conditions) or [], minimum.min_count),
    )


def to_params(params: models.SearchParams | None) -> edge.SearchParams | None:
    """Search parameters: `hnsw_ef`, `exact`, `indexed_only` and the corpus that IDF is computed over."""
    if params is None:
        return None
    corpus = params.idf.corpus if isinstance(params.idf, models.IdfCorpusParams) else None
    return edge.SearchParams(
        hnsw_ef=params.hnsw_ef,
        exact=bool(params.exact),
        indexed_only=bool(params.indexed_only),
        idf=None if corpus is None else edge.IdfParams(corpus=to_filter(corpus)),
    )


def to_selector(selection: Any) -> Any:
    """`with_payload` or `with_vectors` as the engine takes it."""
    if isinstance(selection, models.PayloadSelectorInclude):
        return edge.PayloadSelector.Include(selection.include)
    if isinstance(selection, models.PayloadSelectorExclude):
        return edge.PayloadSelector.Exclude(selection.exclude)
    return list(selection) if isinstance(selection, Sequence) else bool(selection)


def _conditions(conditions: Any) -> list[Any] | None:
    if conditions is None:
        return None
    return [_condition(item) for item in (conditions if isinstance(conditions, list) else [conditions])]


def _condition(condition: Any) -> Any:  # noqa: PLR0911 - one return a kind of condition
    if isinstance(condition, models.Filter):
        return to_filter(condition)
    if isinstance(condition, models.FieldCondition):
        return _field_condition(condition)
    if isinstance(condition, models.IsEmptyCondition):
        return edge.IsEmptyCondition(condition.is_empty.key)
    if isinstance(condition, models.IsNullCondition):
        return edge.IsNullCondition(condition.is_null.key)
    if isinstance(condition, models.HasIdCondition):
        return edge.HasIdCondition({point_id(one) for one in condition.has_id})
    if isinstance(condition, models.HasVectorCondition):
        return edge.HasVectorCondition(condition.has_vector)
    if isinstance(condition, models.NestedCondition):
        inner = to_filter(condition.nested.filter)
        return edge.NestedCondition(condition.nested.key, inner or edge.Filter())
    raise StoreError(f"condition {type(condition).__name__}", "conditions the embedded engine knows")


def point_id(given: Any) -> Any:
    """A whole number as it is, anything else as text."""
    return given if isinstance(given, int) else str(given)


def _field_condition(condition: models.FieldCondition) -> edge.FieldCondition:
    match = condition.match
    if isinstance(match, models.MatchValue) and isinstance(match.value, bool):
        twin = edge.MatchValue(str(match.value).lower())
        return edge.FieldCondition(twin_path(condition.key), match=twin)
    if condition.geo_bounding_box or condition.geo_radius or condition.geo_polygon:
        raise StoreError("a geographic condition", "conditions on words, numbers, booleans and dates")
    count = condition.values_count
    return edge.FieldCondition(
        condition.key,
        match=None if match is None else _match(match),
        range=None if condition.range is None else _range(condition.range),
        values_count=None
        if count is None
        else edge.ValuesCount(lt=count.lt, gt=count.gt, lte=count.lte, gte=count.gte),
        is_empty=condition.is_empty,
        is_null=condition.is_null,
    )


def _match(match: Any) -> Any:
    simple: dict[type, tuple[str, Any]] = {
        models.MatchValue: ("value", edge.MatchValue),
        models.MatchText: ("text", edge.MatchText),
        models.MatchTextAny: ("text_any", edge.MatchTextAny),
        models.MatchPhrase: ("phrase", edge.MatchPhrase),
        models.MatchPrefix: ("prefix", edge.MatchPrefix),
        models.MatchSubstring: ("substring", edge.MatchSubstring),
        models.MatchAny: ("any", edge.MatchAny),
        models.MatchExcept: ("except_", edge.MatchExcept),
    }
    if type(match) not in simple:
        raise StoreError(f"match {type(match).__name__}", "matches the embedded engine knows")
    attribute, wrap = simple[type(match)]
    return wrap(getattr(match, attribute))


def _range(bounds: Any) -> Any:
    if isinstance(bounds, models.Range):
        return edge.RangeFloat(gte=bounds.gte, gt=bounds.gt, lte=bounds.lte, lt=bounds.lt)
    return edge.RangeDateTime(
        gte=_instant(bounds.gte), gt=_instant(bounds.gt), lte=_instant(bounds.lte), lt=_instant(bounds.lt)
    )


def _instant(moment: datetime | date | None) -> str | None:
    if moment is None:
        return None
    if not isinstance(moment, datetime):
        moment = datetime(moment.year, moment.month, moment.day)
    return (moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)).isoformat()
