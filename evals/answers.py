"""Ask the questions of a dataset and measure the answers: citations, support, abstention, answer match, a judge's word.

What each measure is stands in `evals.answer_measures` and `evals.judge`.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from evals.answer_measures import (
    citation_precision,
    citation_recall,
    contains_answer,
    exact_match,
    lexical_support,
    statements,
    token_f1,
)
from evals.formats import FORMATS
from evals.offline import indexed
from rag.answer.llm import EXTRACTIVE
from rag.corpus import Corpus
from rag.errors import InputError
from rag.ranking import RankingOptions

if TYPE_CHECKING:
    from evals.judge import Judge
    from evals.schema import Dataset, Query
    from rag.schema import Answer, Hit

__all__ = ["AnswersResult", "Asked", "Scored", "answers_folder", "answers_lines", "measure", "questions"]

Progress = Callable[[int, int], None]

MEASURES: Final = (
    "citation_precision",
    "citation_recall",
    "lexical_support",
    "exact_match",
    "token_f1",
    "contains_answer",
    "faithfulness",
    "relevancy",
    "judged_support",
)


@dataclass(frozen=True)
class Asked:
    """A question to ask. `without` are rows that are kept from the index's sight, so that nothing answers it."""

    query: Query
    answerable: bool = True
    known: tuple[str, ...] = ()
    """The right answers, where the dataset knows them."""
    without: tuple[str, ...] = ()


@dataclass(frozen=True)
class Scored:
    """One answer and its measures; a measure that cannot be taken of it is absent."""

    query: str
    answerable: bool
    abstained: bool
    answer: str
    cited: tuple[str, ...]
    """Rows, in order of citation."""
    measures: Mapping[str, float]

    def to_json(self) -> dict[str, Any]:
        """The answer as a line of `--per-query` holds it."""
        return {
            "query": self.query,
            "answerable": self.answerable,
            "abstained": self.abstained,
            "answer": self.answer,
            "cited": list(self.cited),
            **self.measures,
        }


@dataclass(frozen=True)
class AnswersResult:
    """The answers of one run. A mean is over the answers that have the measure; `counts` says how many they are."""

    dataset: str
    task: str
    answers: tuple[Scored, ...]
    settings: Mapping[str, Any]

    @property
    def metrics(self) -> dict[str, float]:
        """Measure → mean, and the two rates of abstention.

        `wrong_abstention`: the share of the answerable questions that were not answered. `right_abstention`: the share
        of the unanswerable ones that were not. Each is absent where there are no such questions.
        """
        means = {name: sum(values) / len(values) for name in MEASURES if (values := self._values(name))}
        for name, answerable in (("wrong_abstention", True), ("right_abstention", False)):
            asked = [scored.abstained for scored in self.answers if scored.answerable == answerable]
            if asked:
                means[name] = sum(asked) / len(asked)
        return means

    @property
    def counts(self) -> dict[str, int]:
        """Answers that each mean is over; `answerable`, `unanswerable`."""
        answerable = sum(scored.answerable for scored in self.answers)
        taken = {name: len(values) for name in MEASURES if (values := self._values(name))}
        return {"answerable": answerable, "unanswerable": len(self.answers) - answerable, **taken}

    def _values(self, name: str) -> list[float]:
        return [scored.measures[name] for scored in self.answers if name in scored.measures]

    def to_json(self) -> dict[str, Any]:
        """The result as `triptych eval answers --json` prints it."""
        return {
            "dataset": self.dataset,
            "task": self.task,
            "metrics": self.metrics,
            "counts": self.counts,
            "settings": dict(self.settings),
        }

    def write(self, file: Path) -> None:
        """Write each answer with its measures as JSON lines."""
        lines = [json.dumps(scored.to_json(), ensure_ascii=False) + "\n" for scored in self.answers]
        try:
            file.write_text("".join(lines), encoding="utf-8")
        except OSError as exc:
            raise InputError(f"{file} cannot be written ({exc.strerror})", advice="choose another file") from exc


def questions(dataset: Dataset, *, sample: int = 0, unanswerable: int = 0, seed: int = 0) -> list[Asked]:
    """The questions to ask: those that rows answer, those marked `"answerable": false`, and, beyond these,
    `unanswerable` of the first kind again without the rows that the qrels call relevant.

    `sample` bounds the first two kinds each (0: all); the draws are seeded. That no row answers a question whose
    relevant rows are gone holds as far as the qrels are complete: a book may tell a thing twice.
    """
    chosen = dataset.sample(sample, seed) if sample else dataset
    asked = [Asked(query, known=_known(query)) for query in chosen.queries]
    draw = random.Random(seed)
    marked = _marked_unanswerable(dataset)
    if sample and sample < len(marked):
        marked = draw.sample(marked, sample)
    asked += [Asked(query, answerable=False) for query in marked]
    for query in draw.sample(chosen.queries, min(unanswerable, len(chosen.queries))):
        relevant = tuple(sorted(_relevant(dataset, query.id)))
        asked.append(Asked(query, answerable=False, without=relevant))
    return asked


def _known(query: Query) -> tuple[str, ...]:
    given = query.fields.get("answer")
    if isinstance(given, str):
        return (given,) if given.strip() else ()
    return tuple(str(one) for one in given) if isinstance(given, list) else ()


def _marked_unanswerable(dataset: Dataset) -> list[Query]:
    """Queries of the task that say of themselves that nothing answers them; `load` leaves them out."""
    form = next((form for form in FORMATS if form.fits(dataset.folder)), None)
    if form is None:
        return []
    queries = form.read(dataset.folder, dataset.task.name).queries
    return [query for query in queries if query.fields.get("answerable") is False]


def _relevant(dataset: Dataset, query: str) -> set[str]:
    return {row for row, grade in dataset.qrels.get(query, {}).items() if grade > 0}


def measure(
    dataset: Dataset,
    corpus: Corpus,
    asked: Sequence[Asked],
    *,
    llm: str | None = None,
    judge: Judge | None = None,
    progress: Progress | None = None,
) -> tuple[Scored, ...]:
    """Ask each question as `Corpus.ask` does, and measure what comes back. Raises LLMError where a model fails."""
    scored = []
    for number, one in enumerate(asked, 1):
        scored.append(_scored(one, _relevant(dataset, one.query.id), corpus, llm, judge))
        if progress:
            progress(number, len(asked))
    return tuple(scored)


def _scored(one: Asked, relevant: set[str], corpus: Corpus, llm: str | None, judge: Judge | None) -> Scored:
    query, filters = one.query, _filter(one)
    if not query.text.strip():
        raise InputError(
            f"query {query.id} is a picture alone",
            "allowed: questions in words",
            "choose a task whose queries have words",
        )
    plain = RankingOptions()  # duplicates are judged row by row
    answer = corpus.ask(query.text, image=query.image, filters=filters, llm=llm, ranking=plain)
    rows = tuple(dict.fromkeys(str(citation.hit.metadata["row"]) for citation in answer.citations))
    measures: dict[str, float | None] = {}
    if not answer.abstained:
        count = corpus.settings.passages
        found = corpus.search(query.text, image=query.image, k=count, filters=filters, ranking=plain)
        measures = _of_answer(answer, one, corpus, judge)
        if one.answerable:
            measures["citation_precision"] = citation_precision(rows, relevant)
            measures["citation_recall"] = citation_recall(rows, relevant, _rows(found))
    elif one.known:
        measures = {"exact_match": 0.0, "token_f1": 0.0, "contains_answer": 0.0}
    taken = {name: value for name, value in measures.items() if value is not None}
    return Scored(query.id, one.answerable, answer.abstained, answer.answer, rows, taken)


def _of_answer(answer: Answer, one: Asked, corpus: Corpus, judge: Judge | None) -> dict[str, float | None]:
    """The measures that need no qrels."""
    stated = statements(answer)
    passages = _passages(answer, corpus)
    measures: dict[str, float | None] = {"lexical_support": lexical_support(stated, passages)}
    said = " ".join(statement.text for statement in stated)
    if one.known:
        measures["exact_match"] = exact_match(said, one.known)
        measures["token_f1"] = token_f1(said, one.known)
        measures["contains_answer"] = contains_answer(said, one.known)
    if judge:
        measures |= judge.judge(one.query.text, said, stated, passages)
    return measures


def _passages(answer: Answer, corpus: Corpus) -> dict[int, str]:
    """The words of each cited hit by its number: the passage with its neighbours, or a picture's caption and text."""
    around = corpus.passages([citation.hit for citation in answer.citations])
    return {
        int(citation.marker.strip("[]")): "\n".join(
            dict.fromkeys(part for part in (around.get(citation.hit.id, ""), citation.hit.caption) if part)
        )
        for citation in answer.citations
    }


def _filter(one: Asked) -> str:
    """The query's own filter, and one that hides the rows it must do without."""
    hidden = ", ".join(json.dumps(row, ensure_ascii=False) for row in one.without)
    parts = [f"({one.query.filter})" if one.query.filter else "", f"source not in ({hidden})" if hidden else ""]
    return " and ".join(part for part in parts if part)


def _rows(hits: Sequence[Hit]) -> set[str]:
    return {str(hit.metadata["row"]) for hit in hits}


def answers_folder(
    folder: str | Path,
    task: str = "",
    *,
    corpus: str | Path | None = None,
    encoder: str | None = None,
    llm: str | None = None,
    judge: str = "",
    sample: int = 0,
    unanswerable: int = 0,
    seed: int = 0,
    progress: Progress | None = None,
) -> AnswersResult:
    """Index a dataset folder for a task, in `corpus` or in a temporary folder, ask its questions, measure the answers.

    `llm` and `judge` name language models at the endpoint of the settings; without `llm` the setting's model answers,
    or, where there is none, the extractive answer. Without `judge` no model judges.
    """
    from evals.judge import Judge

    with indexed(folder, task, corpus=corpus, encoder=encoder, progress=progress) as (dataset, opened):
        asked = questions(dataset, sample=sample, unanswerable=unanswerable, seed=seed)
        loaded = Judge.of(opened, judge) if judge else None
        answers = measure(dataset, opened, asked, llm=llm, judge=loaded, progress=progress)
        settings = {
            "encoder": str(opened.store.fingerprint),
            "llm": llm or opened.settings.llm or EXTRACTIVE,
            "judge": judge,
            "passages": opened.settings.passages,
            "sample": sample,
            "unanswerable": unanswerable,
            "seed": seed,
        }
    return AnswersResult(dataset.name, dataset.task.name, answers, settings)


def answers_lines(result: AnswersResult) -> list[str]:
    """The result for the terminal: each mean with the number of answers that it is over."""
    counts = result.counts
    over = {"wrong_abstention": counts["answerable"], "right_abstention": counts["unanswerable"], **counts}
    head = (
        f"{result.dataset}, task {result.task}: {len(result.answers)} questions, answered by {result.settings['llm']}"
    )
    lines = [f"  {name:20} {value:.4f}  of {over[name]}" for name, value in result.metrics.items()]
    return [head, *lines]
