"""Every example of docs/filters.md is executed, on both engines."""

from __future__ import annotations

import doctest
import uuid
from datetime import date, datetime, timedelta, timezone
from pathlib import Path

import pytest
from llama_index.core.schema import TextNode

from rag.schema import Fingerprint
from rag.store import NamedVectorStore, parse_filter

PAGE = Path(__file__).resolve().parents[1] / "docs" / "filters.md"
NOTES = [
    {
        "author": "Ada",
        "year": 1843,
        "score": 4.5,
        "done": True,
        "made": date(2024, 2, 29),
        "tags": ["math", "loom"],
    },
    {
        "author": "Grace Hopper",
        "year": 1952,
        "score": 4,
        "done": False,
        "made": datetime(2024, 3, 1, 0, 30, tzinfo=timezone(timedelta(hours=2))),
        "tags": ["compiler"],
    },
    {"author": 'O\'Neil "Red"', "year": -44, "made": datetime(2024, 3, 1, 9, tzinfo=timezone.utc), "tags": []},
    {"score": -1, "done": True},
]


@pytest.mark.parametrize("engine", ["embedded", "memory"])
def test_every_example_of_the_page_on_filters_is_true(engine, tmp_path):
    where = {"path": tmp_path} if engine == "embedded" else {"url": ":memory:"}
    with NamedVectorStore.open(**where, fingerprint=Fingerprint("double", "0" * 64, 4, "none")) as store:
        store.add(
            [
                TextNode(id_=str(uuid.UUID(int=number)), text="", metadata=note, embedding=[1.0] * 4)
                for number, note in enumerate(NOTES, 1)
            ]
        )

        def find(asked):
            hits = store.ids(parse_filter(asked) if isinstance(asked, str) else asked)
            return sorted(uuid.UUID(id_).int for id_ in hits)

        text = PAGE.read_text(encoding="utf-8").replace("```", "")
        examples = doctest.DocTestParser().get_doctest(text, {"find": find}, PAGE.name, str(PAGE), 0)
        said: list[str] = []
        outcome = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(examples, out=said.append)
    assert outcome.attempted > 30
    assert outcome.failed == 0, "".join(said)
