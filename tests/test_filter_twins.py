"""Every engine gives a filter the meaning that `matches` states in plain Python, over documents nobody chose."""

from __future__ import annotations

import random
import uuid
from datetime import date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from llama_index.core.schema import ImageNode, TextNode

from rag.schema import Fingerprint
from rag.store import NamedVectorStore
from rag.store.filters import (
    And,
    Comparison,
    Date,
    Exists,
    FilterExpr,
    Membership,
    Not,
    Or,
    matches,
)
from rag.store.values import EXACT_FLOATS

DIM = 4
DOCUMENTS = 1000
PRINT = Fingerprint("double", "0" * 64, DIM, "none")

WORDS = [
    "Results",
    "results",
    "",
    "ü 日本 🪐",
    'say "hi"',
    "it's",
    "back\\slash",
    "a, b",
    "(x)",
    "not",
    "true",
    "3",
    "a.b",
]
PARTS = ["esult", "ü", "日", '"', "'", "\\", ", ", "", "E", "hi"]
INTEGERS = [-3, -1, 0, 1, 2, 3, 1_000_000, -(2**40), 2**53 + 1]
FLOATS = [-1.5, -0.0, 0.5, 1.0, 2.0, 1e300, -1e-300]
ZONES = [None, timezone.utc, timezone(timedelta(hours=2)), timezone(timedelta(hours=-9, minutes=-30))]
DAY = date(2024, 2, 29)
MOMENTS: list[date | datetime] = [DAY + timedelta(days=number) for number in range(-2, 3)]
MOMENTS += [datetime(2024, 2, 29, *time, tzinfo=zone) for time in [(0, 0), (12, 0, 1), (23, 59, 59)] for zone in ZONES]
MOMENTS += [datetime(2024, 2, 29, 23, 59, 59, 999_999, tzinfo=timezone.utc), datetime(1969, 12, 31, 23)]

FIELDS: dict[str, list[Any]] = {
    "word": WORDS,
    "number": INTEGERS,
    "ratio": [*FLOATS, *INTEGERS],
    "done": [True, False],
    "made": MOMENTS,
    "two words": WORDS,
    "ünï.cöde": ["x", "y", "ü"],
    "any": [*WORDS[:4], *INTEGERS[:5], *FLOATS[2:4], True, False, *MOMENTS[:3]],
    "page": INTEGERS[:7],
}


def documents() -> list[TextNode]:
    """Each field single, in a list (also empty, also with null), null, or missing."""
    rng = random.Random(4)

    def value(values: list[Any]) -> Any:
        shape = rng.random()
        if shape < 0.65:
            return rng.choice(values)
        if shape < 0.9:
            return rng.choices(values, k=rng.randint(0, 2))
        return rng.choice([None, [None], [rng.choice(values), None]])

    nodes = []
    for number in range(1, DOCUMENTS + 1):
        metadata = {name: value(values) for name, values in FIELDS.items() if rng.random() < 0.6}
        common = {"id_": str(uuid.UUID(int=number)), "text": "moon", "metadata": metadata, "embedding": [1.0] * DIM}
        nodes.append(ImageNode(**common, image_path="a.png") if rng.random() < 0.3 else TextNode(**common))
    return nodes


class Stores:
    """The same documents on the embedded engine, without and with payload indexes, and in memory."""

    def __init__(self, folder: Path) -> None:
        self.engines = [
            NamedVectorStore.open(path=folder / "plain", fingerprint=PRINT),
            NamedVectorStore.open(path=folder / "indexed", fingerprint=PRINT),
            NamedVectorStore.open(url=":memory:", fingerprint=PRINT),
        ]
        nodes = documents()
        for store in self.engines:
            store.add(nodes)
        self.engines[1].optimize(index_fields=True)
        self.payloads = {
            node.node_id: {
                **node.model_dump(mode="json")["metadata"],
                "modality": "image" if isinstance(node, ImageNode) else "text",
            }
            for node in nodes
        }

    def expect_all_to_mean(self, asked: Any, expr: FilterExpr) -> None:
        plain = {id_ for id_, payload in self.payloads.items() if matches(expr, payload)}
        for store in self.engines:
            hits = store.ids(asked)
            assert hits == plain, (
                f"{self.engines.index(store)} of {expr}: {[self.payloads[id_] for id_ in hits ^ plain][:3]}"
            )


@pytest.fixture(scope="module")
def stores(tmp_path_factory):
    made = Stores(tmp_path_factory.mktemp("filters"))
    yield made
    for store in made.engines:
        store.close()


def dates() -> st.SearchStrategy[Date]:
    return st.sampled_from(MOMENTS).map(lambda moment: Date(moment.isoformat()))


def values_of(field: str) -> st.SearchStrategy[Any]:
    plain = [value for value in FIELDS[field] if not isinstance(value, date)]
    kinds = [st.sampled_from(plain)] if plain else []
    if field in ("number", "ratio", "page"):
        kinds += [st.integers(-4, 4), st.floats(-4, 4, allow_nan=False, width=16)]
    return st.one_of(*kinds, *([dates()] if field in ("made", "any") else []))


def _has_order(value: Any) -> bool:
    """Beyond 2⁵³ the engine's index of whole numbers is exact, and its scan is not."""
    if isinstance(value, int):
        return not isinstance(value, bool) and abs(value) <= EXACT_FLOATS
    return isinstance(value, (float, Date))


@st.composite
def one_field(draw) -> FilterExpr:
    field = draw(st.sampled_from(sorted(FIELDS)))
    value = values_of(field)
    kinds = [
        st.builds(Comparison, st.just(field), st.sampled_from(["=", "!="]), value),
        st.builds(Membership, st.just(field), st.lists(value, min_size=1, max_size=4).map(tuple)),
        st.builds(Exists, st.just(field)),
        st.builds(Comparison, st.just("modality"), st.sampled_from(["=", "!="]), st.sampled_from(["text", "image"])),
    ]
    if field in ("word", "two words", "any"):
        kinds.append(st.builds(Comparison, st.just(field), st.just("contains"), st.sampled_from(PARTS)))
    ordered = value.filter(_has_order)
    if field in ("number", "ratio", "made", "page", "any"):
        kinds.append(st.builds(Comparison, st.just(field), st.sampled_from(["<", "<=", ">", ">="]), ordered))
    return draw(st.one_of(kinds))


EXPRESSIONS = st.recursive(
    one_field(),
    lambda inner: st.one_of(
        st.builds(Not, inner),
        st.builds(And, st.lists(inner, min_size=2, max_size=3).map(tuple)),
        st.builds(Or, st.lists(inner, min_size=2, max_size=3).map(tuple)),
    ),
    max_leaves=3,
)
SHARED = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]


@pytest.mark.slow
@given(EXPRESSIONS)
@settings(max_examples=500, suppress_health_check=SHARED)
def test_a_random_filter_finds_what_plain_python_finds_on_every_engine(stores, expr):
    stores.expect_all_to_mean(expr, expr)
