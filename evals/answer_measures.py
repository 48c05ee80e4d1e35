"""Measures of one answer: citations, support, answer match. Pure: text in, numbers out.

The frame is ALCE's (Gao et al., arXiv 2305.14627): correctness of the answer, and citation recall and precision. ALCE
decides by an entailment model whether a passage supports a statement; here three other judges stand in for it, each
under a name of its own: the qrels (`citation_precision`, `citation_recall`), shared words (`lexical_support`), and,
where one is configured, a language model (`judged_support`, in `evals.judge`).
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from prompts import load
from rag.answer.citations import cited_numbers
from rag.answer.extractive import content_words, sentences
from rag.answer.llm import EXTRACTIVE
from rag.schema import Answer

__all__ = [
    "Statement",
    "citation_precision",
    "citation_recall",
    "contains_answer",
    "exact_match",
    "lexical_support",
    "normalized",
    "statements",
    "token_f1",
]

_MARKER = re.compile(r"\s*\[\d+\]")
_LEADING = re.compile(r"(?:\[\d+\]\s*)+")
_QUOTE = re.compile(r"“[^”]*”")
_ARTICLES = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation + "“”‘’„–—…")


@dataclass(frozen=True)
class Statement:
    """One sentence of an answer and the numbers that it cites."""

    text: str
    """Without markers."""
    cited: tuple[int, ...]


def statements(answer: Answer) -> tuple[Statement, ...]:
    """The sentences of an answer that claim something, in order; none where it abstained.

    A marker after a full stop belongs to the sentence before it. A quotation is one statement, however many sentences
    it holds. Of an extractive answer each line with a marker is one statement; the others are headings. The notice that
    an answer cites nothing is not part of it. A sentence without content words claims nothing.
    """
    if answer.abstained:
        return ()
    text = answer.answer.replace(load("unsupported"), "")
    for picture in answer.images:
        text = text.replace(f"({picture})", "")
    found: list[Statement] = []
    for line in text.splitlines():
        if answer.llm != EXTRACTIVE:
            found += _of_line(line)
        elif cited := cited_numbers(line):
            found.append(Statement(_MARKER.sub("", line).strip(), cited))
    return tuple(statement for statement in found if content_words(statement.text))


def _of_line(line: str) -> list[Statement]:
    quotes = _QUOTE.findall(line)
    # A quotation is put aside as one word, so that its own full stops do not end the statement.
    masked = _QUOTE.sub("\ue000", line)
    pieces: list[str] = []
    for piece in sentences(masked):
        leading = _LEADING.match(piece) if pieces else None
        if leading:
            pieces[-1] += f" {leading.group().strip()}"
        if rest := piece[leading.end() if leading else 0 :].strip():
            pieces.append(rest)
    waiting = iter(quotes)
    whole = [re.sub("\ue000", lambda _: next(waiting), piece) for piece in pieces]
    return [Statement(_MARKER.sub("", piece).strip(), cited_numbers(piece)) for piece in whole]


def citation_precision(cited: Collection[str], relevant: Collection[str]) -> float | None:
    """The share of the cited rows that the qrels call relevant; None where nothing is cited.

    ALCE's citation precision with the qrels in the place of entailment, over the answer's distinct citations.
    """
    return len(set(cited) & set(relevant)) / len(set(cited)) if cited else None


def citation_recall(cited: Collection[str], relevant: Collection[str], found: Collection[str]) -> float | None:
    """The share of the relevant rows that were found for the answer which it cites; None where none was found.

    Not ALCE's recall, which asks whether every statement is supported (that is `lexical_support` and
    `judged_support`): this one asks whether what was there to be cited was cited. What retrieval missed is not held
    against the answer.
    """
    there = set(relevant) & set(found)
    return len(there & set(cited)) / len(there) if there else None


def lexical_support(stated: Sequence[Statement], passages: Mapping[int, str]) -> float | None:
    """Mean over the statements of the share of a statement's content words that its cited passages hold; None for none.

    A statement without citation has 0. Shared words are no entailment: “is not” shares all of “is”. The measure finds
    statements that the cited passages do not speak of, and misses those that twist them. Stands where ALCE's citation
    recall has an entailment model.
    """
    if not stated:
        return None
    shares = []
    for statement in stated:
        words = content_words(statement.text)
        held = content_words(" ".join(passages.get(number, "") for number in statement.cited))
        shares.append(len(words & held) / len(words))
    return sum(shares) / len(shares)


def normalized(text: str) -> list[str]:
    """The tokens of a text as SQuAD's evaluation script compares them: lower case, no punctuation, no articles."""
    return _ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split()


def exact_match(answer: str, known: Collection[str]) -> float:
    """1 where the answer, normalized, is one of the known ones, else 0 (Rajpurkar et al., arXiv 1606.05250)."""
    return float(any(normalized(answer) == normalized(one) for one in known))


def contains_answer(answer: str, known: Collection[str]) -> float:
    """1 where the answer holds one of the known ones word for word, normalized, else 0 (ALCE's string match)."""
    whole = f" {' '.join(normalized(answer))} "
    return float(any(normalized(one) and f" {' '.join(normalized(one))} " in whole for one in known))


def token_f1(answer: str, known: Collection[str]) -> float:
    """The harmonic mean of precision and recall of the tokens, at the known answer where it is best (SQuAD)."""
    return max((_f1(normalized(answer), normalized(one)) for one in known), default=0.0)


def _f1(given: Sequence[str], known: Sequence[str]) -> float:
    if not given or not known:
        return float(not given and not known)
    shared = sum((Counter(given) & Counter(known)).values())
    return 2 * shared / (len(given) + len(known))
