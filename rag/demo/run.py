"""`triptych demo`: ingest the shipped corpus and ask it three questions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from rag.corpus import Corpus
from rag.demo import FILES, QUESTIONS
from rag.display import answer_lines, report_lines

__all__ = ["run"]


def run(folder: Path, say: Callable[[str], None] | None = None) -> dict[str, Any]:
    """Ingest the demo files into `folder` and ask; `say` is told the story as it goes."""
    tell = say or (lambda _line: None)
    with Corpus.open(folder) as corpus:
        report = corpus.ingest(FILES).to_json()
        tell("\n".join(report_lines(report)))
        answers = []
        for question in QUESTIONS:
            answer = corpus.ask(question.question)
            tell(f"\nQuestion (needs {_needs(question.needs)}): {question.question}\n")
            tell("\n".join(answer_lines(answer)))
            answers.append({"needs": question.needs, **answer.to_json()})
    return {"ingest": report, "answers": answers}


def _needs(needs: str) -> str:
    return "a passage and a picture" if needs == "both" else f"a {needs}"
