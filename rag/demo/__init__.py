"""The demo corpus: documents about an island that does not exist, and three questions that they answer.

`scripts/build_demo.py` makes the files.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

__all__ = ["FILES", "QUESTIONS", "DemoQuestion"]

FILES: Final = Path(__file__).parent / "files"


@dataclass(frozen=True)
class DemoQuestion:
    """A question, and what must be found to answer it."""

    question: str
    needs: Literal["passage", "picture", "both"]
    expect_sources: tuple[str, ...]
    """File names, each of which must be among the sources of the hits."""
    expect_words: tuple[str, ...]
    """Words of the passages or captions that are found; a fact that only the picture shows is not among them."""


QUESTIONS: Final = (
    DemoQuestion(
        question="Why are curtains drawn around the lens by day?",
        needs="passage",
        expect_sources=("lighthouse-history.pdf",),
        expect_words=("sunlight", "burning glass"),
    ),
    DemoQuestion(
        question="Which month has the tallest bar in the chart of rainfall at the weather station?",
        needs="picture",
        expect_sources=("weather-year.pdf",),
        expect_words=("Rainfall", "month by month"),
    ),
    DemoQuestion(
        question="Which signal flag calls the doctor, and what does it look like?",
        needs="both",
        expect_sources=("signal-book.docx",),
        expect_words=("Seal", "signal flags of Skarne"),
    ),
)
