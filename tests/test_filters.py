"""The filter language: what it accepts, what it means, and what it becomes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag.errors import FilterError
from rag.store.filters import (
    And,
    Comparison,
    Date,
    Exists,
    Membership,
    Not,
    Or,
    check,
    from_llama_index,
    matches,
    parse_filter,
    to_llama_index,
    to_qdrant,
)

ROOT = Path(__file__).resolve().parents[1]
FIELDS = {"title": "keyword", "page": "integer", "size": "float", "done": "bool", "made": "datetime", "any": "mixed"}

WORDS = st.sampled_from(["Results", "results", "a b", "", 'say "hi"', "back\\slash", "ü, (x)", "not", "2024-01-05"])
DATES = st.sampled_from(["2024-01-05", "2024-01-05T12:00:00Z", "2024-01-06T01:00:00+02:00", "2023-12-31"]).map(Date)
NUMBERS = st.integers(-3, 3) | st.sampled_from([-1.5, 0.5, 2.0])
VALUES = {"title": WORDS, "page": NUMBERS, "size": NUMBERS, "done": st.booleans(), "made": DATES}


@st.composite
def one_field_expressions(draw):
    field = draw(st.sampled_from(sorted(VALUES)))
    value = VALUES[field]
    ops = ["=", "!="] + (["<", "<=", ">", ">="] if field in ("page", "size", "made") else [])
    kinds = [
        st.builds(Comparison, st.just(field), st.sampled_from(ops), value),
        st.builds(Membership, st.just(field), st.lists(value, min_size=1, max_size=3).map(tuple)),
        st.builds(Exists, st.just(field)),
    ]
    if field == "title":
        kinds.append(st.builds(Comparison, st.just(field), st.just("contains"), value))
    return draw(st.one_of(kinds))


EXPRESSIONS = st.recursive(
    one_field_expressions(),
    lambda inner: (
        st.builds(Not, inner)
        | st.builds(And, st.lists(inner, min_size=2, max_size=3).map(tuple))
        | st.builds(Or, st.lists(inner, min_size=2, max_size=3).map(tuple))
    ),
    max_leaves=6,
)
STORED_DATES = st.sampled_from(["2024-01-05", "2024-01-05T12:00:00Z", "2024-01-06T00:00:00+02:00", "2023-12-31"])


def lists_of(values):
    return values | st.lists(values, max_size=3) | st.none()


PAYLOADS = st.fixed_dictionaries(
    {},
    optional={
        "title": lists_of(WORDS),
        "page": lists_of(st.integers(-3, 3)),
        "size": lists_of(NUMBERS),
        "done": lists_of(st.booleans()),
        "made": lists_of(STORED_DATES),
    },
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("modality = image", Comparison("modality", "=", "image")),
        ('title == "a \\"b\\""', Comparison("title", "=", 'a "b"')),
        ("title <> 'x'", Comparison("title", "!=", "x")),
        ("page>=3", Comparison("page", ">=", 3)),
        ("size < -1.5e3", Comparison("size", "<", -1500.0)),
        ("done = TRUE", Comparison("done", "=", True)),
        ("made > 2024-01-05", Comparison("made", ">", Date("2024-01-05"))),
        ('made > "2024-01-05"', Comparison("made", ">", Date("2024-01-05"))),
        ("made = 2024-01-05T10:30:00+02:00", Comparison("made", "=", Date("2024-01-05T10:30:00+02:00"))),
        ("page in (1, 2)", Membership("page", (1, 2))),
        ("page NOT IN (1)", Not(Membership("page", (1,)))),
        ("title contains Results", Comparison("title", "contains", "Results")),
        ("title contains 2024", Comparison("title", "contains", "2024")),
        ("title not contains x", Not(Comparison("title", "contains", "x"))),
        ("title exists", Exists("title")),
        ("exists title", Exists("title")),
        ("not title exists", Not(Exists("title"))),
        ('"my field" = 1', Comparison("my field", "=", 1)),
        ('"in" = 1', Comparison("in", "=", 1)),
        ("source = docs/a.md", Comparison("source", "=", "docs/a.md")),
    ],
)
def test_each_form_of_the_language_parses_to_its_expression(text, expected):
    assert parse_filter(text) == expected


def test_not_binds_tighter_than_and_which_binds_tighter_than_or():
    a, b, c = (Exists(name) for name in "abc")
    assert parse_filter("not a exists and b exists or c exists") == Or((And((Not(a), b)), c))
    assert parse_filter("a exists and (b exists or c exists)") == And((a, Or((b, c))))


@pytest.mark.parametrize(
    ("text", "column"),
    [
        ("", 1),
        ("page", 5),
        ("page = ", 8),
        ("page = 3 page = 4", 10),
        ("page = 3 and", 13),
        ("(page = 3", 10),
        ("page in 3", 9),
        ("page in (", 10),
        ("page in ()", 10),
        ("page ~ 3", 6),
        ('title = "x', 9),
        ("= 3", 1),
        ("title < x", 9),
        ("done >= true", 9),
        ("size = 1e999", 8),
        ("page = 3)", 9),
    ],
)
def test_a_syntax_error_names_the_column_in_one_line(text, column):
    with pytest.raises(FilterError, match=rf"column {column}\b") as told:
        parse_filter(text)
    assert "\n" not in str(told.value)


def test_nesting_without_end_is_an_error_of_ours():
    with pytest.raises(FilterError, match="nested"):
        parse_filter("(" * 5000 + "a = 1" + ")" * 5000)
    with pytest.raises(FilterError, match="nested"):
        parse_filter("not " * sys.getrecursionlimit() + "a = 1")


@given(st.text(alphabet="ab ()\"'\\=<>!,andornti1.-", max_size=30))
@settings(max_examples=150)
def test_any_text_parses_or_raises_filter_error(text):
    try:
        expr = parse_filter(text)
    except FilterError:
        return
    assert parse_filter(str(expr)) == expr


@given(EXPRESSIONS)
@settings(max_examples=150)
def test_an_expression_written_out_parses_back(expr):
    assert parse_filter(str(expr)) == expr


@given(EXPRESSIONS, PAYLOADS)
@settings(max_examples=150)
def test_llama_index_filters_mean_the_same_as_the_expression_they_came_from(expr, payload):
    assert matches(from_llama_index(to_llama_index(expr)), payload) == matches(expr, payload)


@given(EXPRESSIONS, PAYLOADS)
@settings(max_examples=150)
def test_qdrants_own_python_evaluation_agrees_with_matches(expr, payload):
    from qdrant_client.local.payload_filters import check_filter

    assert check_filter(to_qdrant(expr), payload, point_id=1, has_vector={}) == matches(expr, payload)


@given(EXPRESSIONS, PAYLOADS)
@settings(max_examples=150)
def test_an_expression_on_fields_of_its_types_passes_the_check_and_keeps_its_meaning(expr, payload):
    assert matches(check(expr, FIELDS), payload) == matches(expr, payload)


@pytest.mark.parametrize(
    ("text", "payload", "expected"),
    [
        ("tags = a", {"tags": ["b", "a"]}, True),
        ("tags != a", {"tags": ["b", "a"]}, False),
        ("tags != a", {}, True),
        ("page != 3", {"page": None}, True),
        ("page < 3", {}, False),
        ("page = 1", {"page": 1.0}, True),
        ("page = 1", {"page": True}, False),
        ("page = 1", {"page": "1"}, False),
        ("done = false", {"done": 0}, False),
        ("title contains result", {"title": "Results"}, False),
        ("title contains sult", {"title": ["x", "Results"]}, True),
        ("tags exists", {"tags": []}, False),
        ("tags exists", {"tags": ""}, True),
        ("made = 2024-01-05", {"made": "2024-01-05T23:59:59Z"}, True),
        ("made = 2024-01-05", {"made": "2024-01-06T01:00:00+02:00"}, True),
        ("made <= 2024-01-05", {"made": "2024-01-05T23:00:00"}, True),
        ("made > 2024-01-05", {"made": "2024-01-05T23:00:00"}, False),
        ("made > 2024-01-05", {"made": "yesterday"}, False),
    ],
)
def test_the_meaning_of_lists_absence_types_and_dates(text, payload, expected):
    assert matches(parse_filter(text), payload) is expected


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("pgae = 3", "did you mean page"),
        ("colour = red", "title"),
        ("page = three", "whole numbers"),
        ("title = 3", 'quote it: "3"'),
        ("title in (x, 3)", "words"),
        ("done = 1", "true or false"),
        ("made = yesterday", "dates"),
        ("title > 2024-01-01", "words"),
        ("page contains 3", "contains"),
        ("not (page = 1 or size = big)", "numbers"),
        ("colour exists", "unknown field"),
    ],
)
def test_what_cannot_match_is_refused_and_says_what_could(text, told):
    with pytest.raises(FilterError, match=told):
        check(parse_filter(text), FIELDS)


def test_quoted_dates_become_dates_on_date_fields_only():
    assert check(parse_filter('made = "2024-01-05"'), FIELDS) == Comparison("made", "=", Date("2024-01-05"))
    assert check(parse_filter('title = "2024-01-05"'), FIELDS) == Comparison("title", "=", "2024-01-05")


def test_operators_of_llama_index_mean_what_its_documentation_says():
    from llama_index.core.vector_stores.types import FilterOperator, MetadataFilter, MetadataFilters

    def one(op, value):
        return from_llama_index(MetadataFilters(filters=[MetadataFilter(key="t", value=value, operator=op)]))

    assert one(FilterOperator.CONTAINS, "a") == Comparison("t", "=", "a")
    assert one(FilterOperator.ANY, ["a", "b"]) == Membership("t", ("a", "b"))
    assert one(FilterOperator.ALL, ["a", "b"]) == And((Comparison("t", "=", "a"), Comparison("t", "=", "b")))
    assert one(FilterOperator.IN, "a,b") == Membership("t", ("a,b",))
    assert one(FilterOperator.NIN, ["a"]) == Not(Membership("t", ("a",)))
    assert one(FilterOperator.IS_EMPTY, None) == Not(Exists("t"))
    assert from_llama_index(MetadataFilters(filters=[])) == And(())
    with pytest.raises(FilterError, match="text_match_insensitive"):
        one(FilterOperator.TEXT_MATCH_INSENSITIVE, "a")
    with pytest.raises(FilterError, match="one value"):
        one(FilterOperator.EQ, ["a"])


def test_the_pure_part_loads_neither_qdrant_nor_llama_index():
    code = "import sys; from rag.store import parse_filter; parse_filter('a = 1'); print(sorted(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT).stdout
    assert "'qdrant_client'" not in loaded
    assert "'llama_index'" not in loaded
