"""The measures of parts of a run: by type of query, by what is relevant, by a field of the dataset."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from evals.metrics import aggregate
from evals.schema import Dataset, Query
from rag.errors import InputError

__all__ = ["check_fields", "slices"]

NONE = "(none)"
"""The value of a query for which a field says nothing."""


def slices(
    dataset: Dataset, scores: Mapping[str, Mapping[str, float]], fields: Iterable[str] = ()
) -> dict[str, dict[str, float]]:
    """`NAME=VALUE` → measure → mean over the queries of that slice.

    By `type` and by `modality` (text, image or both: what the relevant rows are) where there is more than one value;
    by each of `fields`, the query's own or, where it has none of that name, those of its relevant rows. A query with
    several values counts in each of their slices. Raises InputError for a field that nothing has.
    """
    check_fields(dataset, fields)
    found: dict[str, dict[str, float]] = {}
    for name, values_of in (("type", _type), ("modality", _modality)):
        parts = _parts(dataset, values_of)
        if len(parts) > 1:
            found |= _means(name, parts, scores)
    for field in dict.fromkeys(fields):
        found |= _means(field, _parts(dataset, _by_field(field)), scores)
    return found


def check_fields(dataset: Dataset, fields: Iterable[str]) -> None:
    """Raise InputError for a field that no query and no relevant row has."""
    known = {name for query in dataset.queries for name in query.fields}
    known |= {name for row in dataset.rows for name in (*row.fields, *row.metadata)}
    for field in fields:
        if field not in known:
            raise InputError(
                f"no query and no row of {dataset.name} has a field {field!r}",
                f"allowed: {', '.join(sorted(known)) or 'nothing: it has no fields'}",
                "choose one with --slice",
            )


def _means(
    name: str, parts: Mapping[str, list[str]], scores: Mapping[str, Mapping[str, float]]
) -> dict[str, dict[str, float]]:
    return {
        f"{name}={value}": aggregate({query: scores[query] for query in queries})
        for value, queries in sorted(parts.items())
    }


def _parts(dataset: Dataset, values_of: Callable[[Dataset], Callable[[Query], list[str]]]) -> dict[str, list[str]]:
    of = values_of(dataset)
    parts: dict[str, list[str]] = {}
    for query in dataset.queries:
        for value in of(query):
            parts.setdefault(value, []).append(query.id)
    return parts


def _type(_dataset: Dataset) -> Callable[[Query], list[str]]:
    return lambda query: [query.type]


def _relevant(dataset: Dataset, query: Query) -> list[str]:
    return [document for document, grade in dataset.qrels[query.id].items() if grade > 0]


def _modality(dataset: Dataset) -> Callable[[Query], list[str]]:
    kinds = {row.id: row.modality for row in dataset.rows}

    def of(query: Query) -> list[str]:
        found = {kinds[document] for document in _relevant(dataset, query)}
        return ["both" if len(found) > 1 else str(next(iter(found)))]

    return of


def _by_field(field: str) -> Callable[[Dataset], Callable[[Query], list[str]]]:
    def values_of(dataset: Dataset) -> Callable[[Query], list[str]]:
        held = {row.id: {**row.fields, **row.metadata}.get(field) for row in dataset.rows}

        def of(query: Query) -> list[str]:
            own = query.fields.get(field)
            given = [own] if own is not None else [held[document] for document in _relevant(dataset, query)]
            values = {text for value in given for text in _texts(value)}
            return sorted(values) or [NONE]

        return of

    return values_of


def _texts(value: Any) -> list[str]:
    if value is None:
        return []
    return [str(item) for item in value] if isinstance(value, list | tuple) else [str(value)]
