"""Filter expressions as Qdrant filters and as LlamaIndex `MetadataFilters`, and from the latter.

Conditions are chosen for one meaning on every engine: numbers by `Range` (a match on an integer misses 1.0), words by
exact match, `contains` by `MatchSubstring` (`MatchText` means substring, tokens or a text index depending on version
and index), complements by `must_not` (`MatchExcept` misses points that lack the field).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from rag.errors import FilterError
from rag.store.filter_ast import And, Comparison, Date, Exists, FilterExpr, Membership, Not, Or
from rag.store.values import EXACT_FLOATS, field_path

if TYPE_CHECKING:
    from llama_index.core.vector_stores.types import MetadataFilter, MetadataFilters
    from qdrant_client import models

_BOUNDS: Final = {"<": "lt", "<=": "lte", ">": "gt", ">=": "gte"}


def to_qdrant(expr: FilterExpr) -> models.Filter:
    """The Qdrant filter of an expression."""
    from qdrant_client import models

    condition = _condition(expr)
    return condition if isinstance(condition, models.Filter) else models.Filter(must=[condition])


def _condition(expr: FilterExpr) -> Any:  # noqa: PLR0911 - one return a kind of expression
    from qdrant_client import models

    if isinstance(expr, Comparison):
        if expr.op == "!=":
            return models.Filter(must_not=[_condition(Comparison(expr.field, "=", expr.value))])
        return _comparison(expr)
    if isinstance(expr, Membership):
        words = [value for value in expr.values if isinstance(value, str)]
        if len(words) == len(expr.values):
            wanted = models.MatchAny(any=words)
            return models.FieldCondition(key=field_path(expr.field), match=wanted)
        return models.Filter(should=[_condition(Comparison(expr.field, "=", value)) for value in expr.values])
    if isinstance(expr, Exists):
        empty = models.IsEmptyCondition(is_empty=models.PayloadField(key=field_path(expr.field)))
        return models.Filter(must_not=[empty])
    if isinstance(expr, Not):
        return models.Filter(must_not=[_condition(expr.part)])
    if isinstance(expr, And):
        return models.Filter(must=[_condition(part) for part in expr.parts])
    if isinstance(expr, Or):
        return models.Filter(should=[_condition(part) for part in expr.parts])
    raise FilterError(f"expression {type(expr).__name__}", "what parse_filter returns")


def _comparison(expr: Comparison) -> models.FieldCondition:
    from qdrant_client import models

    key, value = field_path(expr.field), expr.value
    if isinstance(value, Date):
        return models.FieldCondition(key=key, range=models.DatetimeRange(**_span(expr.op, value)))
    if expr.op == "contains":
        return models.FieldCondition(key=key, match=models.MatchSubstring(substring=str(value)))
    if isinstance(value, (bool, str)) or (
        isinstance(value, int) and expr.op == "=" and EXACT_FLOATS <= abs(value) < 2**63
    ):
        return models.FieldCondition(key=key, match=models.MatchValue(value=value))
    bounds = {"gte": value, "lte": value} if expr.op == "=" else {_BOUNDS[expr.op]: value}
    return models.FieldCondition(key=key, range=models.Range(**bounds))


def _span(op: str, date: Date) -> dict[str, Any]:
    first, last = date.span
    if op == "=":
        return {"gte": first, "lte": last}
    return {_BOUNDS[op]: last if op in ("<=", ">") else first}


def to_llama_index(expr: FilterExpr) -> MetadataFilters:
    """The LlamaIndex filters of an expression; dates become bounds in ISO 8601."""
    from llama_index.core.vector_stores.types import FilterCondition, MetadataFilters

    translated = _llama(expr)
    if isinstance(translated, MetadataFilters):
        return translated
    return MetadataFilters(filters=[translated], condition=FilterCondition.AND)


def _llama(expr: FilterExpr) -> MetadataFilter | MetadataFilters:
    from llama_index.core.vector_stores.types import FilterCondition, FilterOperator, MetadataFilters

    def group(condition: FilterCondition, *parts: FilterExpr) -> MetadataFilters:
        return MetadataFilters(filters=[_llama(part) for part in parts], condition=condition)

    if isinstance(expr, Comparison):
        return _llama_comparison(expr)
    if isinstance(expr, Membership):
        return _llama_membership(expr, FilterOperator.IN)
    if isinstance(expr, Exists):
        empty = _metadata_filter(expr.field, FilterOperator.IS_EMPTY, None)
        return MetadataFilters(filters=[empty], condition=FilterCondition.NOT)
    if isinstance(expr, Not):
        return group(FilterCondition.NOT, expr.part)
    if isinstance(expr, And):
        return group(FilterCondition.AND, *expr.parts)
    if isinstance(expr, Or):
        return group(FilterCondition.OR, *expr.parts)
    raise FilterError(f"expression {type(expr).__name__}", "what parse_filter returns")


def _llama_comparison(expr: Comparison) -> MetadataFilter | MetadataFilters:
    from llama_index.core.vector_stores.types import FilterCondition, FilterOperator, MetadataFilters

    operators = {
        "=": FilterOperator.EQ,
        "!=": FilterOperator.NE,
        "<": FilterOperator.LT,
        "<=": FilterOperator.LTE,
        ">": FilterOperator.GT,
        ">=": FilterOperator.GTE,
        "contains": FilterOperator.TEXT_MATCH,
    }
    if not isinstance(expr.value, Date):
        return _metadata_filter(expr.field, operators[expr.op], expr.value)
    signs = {bound: operators[sign] for sign, bound in _BOUNDS.items()}
    bounds = _span("=" if expr.op == "!=" else expr.op, expr.value)
    filters: list[MetadataFilter | MetadataFilters] = [
        _metadata_filter(expr.field, signs[bound], moment.isoformat()) for bound, moment in bounds.items()
    ]
    both = MetadataFilters(filters=filters, condition=FilterCondition.AND)
    return MetadataFilters(filters=[both], condition=FilterCondition.NOT) if expr.op == "!=" else both


def _llama_membership(expr: Membership, op: Any) -> MetadataFilter | MetadataFilters:
    from llama_index.core.vector_stores.types import FilterCondition, MetadataFilters

    kinds = {type(value) for value in expr.values}
    if len(kinds) == 1 and kinds <= {str, int, float}:
        return _metadata_filter(expr.field, op, list(expr.values))
    parts = [_llama(Comparison(expr.field, "=", value)) for value in expr.values]
    return MetadataFilters(filters=parts, condition=FilterCondition.OR)


def _metadata_filter(field: str, op: Any, value: Any) -> MetadataFilter:
    from llama_index.core.vector_stores.types import MetadataFilter

    # LlamaIndex's validation admits no booleans, though its stores compare them well
    if isinstance(value, bool):
        return MetadataFilter.model_construct(key=field, value=value, operator=op)
    return MetadataFilter(key=field, value=value, operator=op)


def from_llama_index(filters: MetadataFilters) -> FilterExpr:
    """The expression of LlamaIndex filters; no filters at all match everything.

    CONTAINS and ANY ask whether a list has an element, ALL whether it has them all, TEXT_MATCH for a substring.
    Raises FilterError for what the language cannot say: TEXT_MATCH_INSENSITIVE, values of the wrong kind.
    """
    from llama_index.core.vector_stores.types import FilterCondition, MetadataFilters

    parts = tuple(
        from_llama_index(part) if isinstance(part, MetadataFilters) else _from_one(part) for part in filters.filters
    )
    if not parts:
        return And(())
    if filters.condition == FilterCondition.NOT:
        return Not(parts[0] if len(parts) == 1 else Or(parts))
    if len(parts) == 1:
        return parts[0]
    return Or(parts) if filters.condition == FilterCondition.OR else And(parts)


def _from_one(given: MetadataFilter) -> FilterExpr:
    from llama_index.core.vector_stores.types import FilterOperator

    op, key, value = given.operator or FilterOperator.EQ, given.key, given.value
    comparisons: dict[FilterOperator, Any] = {
        FilterOperator.EQ: "=",
        FilterOperator.NE: "!=",
        FilterOperator.LT: "<",
        FilterOperator.LTE: "<=",
        FilterOperator.GT: ">",
        FilterOperator.GTE: ">=",
        FilterOperator.CONTAINS: "=",
        FilterOperator.TEXT_MATCH: "contains",
    }
    if op == FilterOperator.IS_EMPTY:
        return Not(Exists(key))
    if op in comparisons:
        if not isinstance(value, (str, int, float, bool)):
            raise FilterError(f"filter {key} {op.value} {value!r}", "one value", "use in, any or all for lists")
        return Comparison(key, comparisons[op], value)
    given_values = value if isinstance(value, list) else [value]
    values = tuple(one for one in given_values if isinstance(one, (str, int, float, bool)))
    if len(values) != len(given_values):
        raise FilterError(f"filter {key} {op.value} {value!r}", "a list of words or numbers")
    if op in (FilterOperator.IN, FilterOperator.ANY):
        return Membership(key, values)
    if op == FilterOperator.NIN:
        return Not(Membership(key, values))
    if op == FilterOperator.ALL:
        return And(tuple(Comparison(key, "=", one) for one in values))
    raise FilterError(f"filter operator {op.value}", "the others of LlamaIndex", "use text_match, with case as written")
