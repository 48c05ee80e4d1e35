"""The answer without a language model: the documents' own sentences, and the pictures that go with the question."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log
from typing import Final

from prompts import load
from rag.answer.llm import EXTRACTIVE
from rag.answer.material import unmarked
from rag.schema import Answer, Citation, Hit

__all__ = ["content_words", "extract", "sentences"]

_OPENING: Final = "Extractive answer (no language model is configured):"
UNSURE: Final = 0.1
"""Where no hit is more confident than this the question is about something else: on two textbooks best hits of nearly
all foreign questions stay below (docs/retrieval.md)."""
_LONGEST: Final = 400
"""Characters of a quoted sentence."""
_NEAREST: Final = 3
"""A picture among this many first hits is shown although no word of the question goes with it: retrieval saw it."""
_ABBREVIATED = "".join(rf"(?<!\b{short}\.)" for short in ("Dr", "Mr", "Mrs", "Ms", "St", "Fig", "Eq", "No", "vs", "cf"))
_END = re.compile(rf"(?:(?<=[.!?])|(?<=[.!?][\"'”’)])){_ABBREVIATED}[^\S\n]+(?=[^\sa-z])|(?<=[。！？])|\s*\n\s*")
_STOP_WORDS: Final = frozenset(
    re.findall(
        r"\w+",
        """a about above after all also am an and any are as at be been before being below between both but by can could
        did do does doing down during each few for from further give had has have having he her here hers him his how i
        if in into is it its itself just me more most my no nor not of off on once only or other our out over own
        picture pictures please same she should show so some such tell than that the their them then there these they
        this those through to too under until up very was we were what when where which while who whom whose why will
        with would you your""",
    )
)


_FULL_STOP: Final = (".", "!", "?", "”", '"', "。")


@dataclass(frozen=True)
class _Sentence:
    text: str
    number: int
    words: frozenset[str]
    following: str
    """The next sentence of the same passage; empty at its end."""


def content_words(text: str) -> frozenset[str]:
    """The words that carry meaning: case-folded, without stop words (English), plural endings taken off."""
    words = re.findall(r"\w+", text.casefold())
    return frozenset(_singular(word) for word in words if word not in _STOP_WORDS)


def _singular(word: str) -> str:
    """Harman's S-stemmer (1991, JASIS 42(1)): how effective is suffixing?"""
    if len(word) < 4 or not word.endswith("s") or word.endswith(("ss", "us")):
        return word
    if word.endswith("ies") and not word.endswith(("eies", "aies")):
        return word[:-3] + "y"
    return word[:-1]


def sentences(text: str) -> list[str]:
    """`text` cut at line ends and after full stops, question and exclamation marks; blanks made single."""
    parts = (" ".join(part.split()) for part in _END.split(text))
    return [part for part in parts if part]


def extract(
    question: str,
    hits: Sequence[Hit],
    passages: Mapping[str, str],
    *,
    by_picture: bool = False,
    max_sentences: int = 3,
    max_pictures: int = 4,
) -> Answer:
    """Quote the sentences that share most with the question, each word weighted by its rarity among all sentences.

    A sentence of the n-th hit counts 10 / (9 + n) of that, for retrieval knows more than shared words. Deterministic;
    ties go to the better rank, then to the earlier sentence. Abstains where no word of any hit is a word of the
    question, or no hit is confident, except for a question `by_picture`, whose nearest pictures are the answer.
    """
    asked = content_words(question)
    if not by_picture and _about_something_else(hits):
        return Answer(question, load("abstention"), True, (), (), EXTRACTIVE)
    candidates = _candidates(hits, passages)
    weights = _weights(asked, [sentence.words for sentence in candidates])
    quoted = _best(candidates, weights, max_sentences)
    least = _score(quoted[0].words, quoted[0].number, weights) / 2 if quoted else 0.0
    shown = _pictures(hits, weights, least, max_pictures)
    supported = bool(quoted) or any(asked & _caption_words(hits[n - 1]) for n in shown) or (by_picture and bool(shown))
    if not supported and not shown:
        return Answer(question, load("abstention"), True, (), (), EXTRACTIVE)
    quotes = [f"“{_clipped(unmarked(text))}” [{sentence.number}]" for text, sentence in _with_following(quoted)]
    pictures = [_picture_line(n, hits[n - 1]) for n in shown]
    head = _OPENING if supported else f"{load('abstention')} The nearest pictures, found without any word in common:"
    listed = ["Pictures:", *pictures] if supported and pictures else pictures
    numbers = dict.fromkeys([*(sentence.number for sentence in quoted), *shown])
    return Answer(
        question,
        "\n".join([head, *quotes, *listed]),
        not supported,
        tuple(Citation(f"[{n}]", hits[n - 1]) for n in numbers),
        tuple(hits[n - 1].image for n in shown),
        EXTRACTIVE,
    )


def _about_something_else(hits: Sequence[Hit]) -> bool:
    """Whether every hit tells its confidence, and none is likely."""
    return bool(hits) and all(hit.confidence is not None and hit.confidence < UNSURE for hit in hits)


def _candidates(hits: Sequence[Hit], passages: Mapping[str, str]) -> list[_Sentence]:
    """The sentences of all passages, each once, under the number of the best hit that holds it."""
    found: dict[str, _Sentence] = {}
    for number, hit in enumerate(hits, 1):
        if hit.modality == "text":
            told = sentences(passages.get(hit.id) or hit.text)
            for text, following in zip(told, [*told[1:], ""], strict=True):
                found.setdefault(text.casefold(), _Sentence(text, number, content_words(text), following))
    return list(found.values())


def _weights(asked: frozenset[str], texts: Sequence[frozenset[str]]) -> dict[str, float]:
    """Inverse document frequency of each asked word, smoothed so that even a word of every sentence counts."""
    return {word: 1.0 + log((1 + len(texts)) / (1 + sum(word in text for text in texts))) for word in sorted(asked)}


def _best(candidates: Sequence[_Sentence], weights: Mapping[str, float], count: int) -> list[_Sentence]:
    """The `count` best sentences with at least half of the best one's score, best first."""
    scored = [(_score(sentence.words, sentence.number, weights), sentence) for sentence in candidates]
    ranked = sorted((pair for pair in scored if pair[0] > 0), key=lambda pair: -pair[0])[:count]
    return [sentence for score, sentence in ranked if score >= ranked[0][0] / 2]


def _with_following(quoted: Sequence[_Sentence]) -> list[tuple[str, _Sentence]]:
    """What is quoted of each sentence: the best one with the sentence after it, which often holds the reason."""
    texts = [sentence.text for sentence in quoted]
    if quoted and quoted[0].following.endswith(_FULL_STOP) and quoted[0].following not in texts:
        texts[0] = f"{texts[0]} {quoted[0].following}"
    return list(zip(texts, quoted, strict=True))


def _score(words: frozenset[str], number: int, weights: Mapping[str, float]) -> float:
    return sum(weight for word, weight in weights.items() if word in words) * 10 / (9 + number)


def _caption_words(hit: Hit) -> frozenset[str]:
    return content_words(f"{hit.caption} {hit.text}")


def _pictures(hits: Sequence[Hit], weights: Mapping[str, float], least: float, count: int) -> list[int]:
    """Numbers of the pictures to show: those whose words are worth `least` and half of the best picture's.

    Where no picture shares a word with the question and nothing is quoted, the nearest ones.
    """
    scores = {
        number: _score(_caption_words(hit), number, weights)
        for number, hit in enumerate(hits, 1)
        if hit.modality == "image" and hit.image
    }
    best = max(scores.values(), default=0.0)
    if best == 0.0:
        return [] if least else [number for number in scores if number <= _NEAREST][:count]
    worth = [number for number, score in scores.items() if score >= max(least, best / 2)]
    return sorted(worth, key=lambda number: (-scores[number], number))[:count]


def _picture_line(number: int, hit: Hit) -> str:
    caption = _clipped(unmarked(" ".join((hit.caption or hit.text).split())))
    return f"[{number}] {caption} ({hit.image})" if caption else f"[{number}] ({hit.image})"


def _clipped(text: str) -> str:
    if len(text) <= _LONGEST:
        return text
    return text[: _LONGEST - 1].rsplit(" ", 1)[0] + "…"
