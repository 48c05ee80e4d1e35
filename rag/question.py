"""What is asked: words, pictures and stored nodes, each with a weight."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite

from rag.errors import InputError
from rag.pictures import ImageInput

__all__ = ["Question", "Term"]


@dataclass(frozen=True)
class Term:
    """One part of a question: words, a picture, or the id of a stored node ("more like this"); exactly one of them.

    A negative weight leads away from it. Raises InputError.
    """

    text: str = ""
    image: ImageInput | None = None
    like: str = ""
    weight: float = 1.0

    def __post_init__(self) -> None:
        given = (bool(self.text.strip()), self.image is not None, bool(self.like))
        if sum(given) != 1:
            raise InputError("an empty question", "allowed: words, a picture, or both", "give QUERY or --image FILE")
        if any("\ud800" <= char <= "\udfff" for char in self.text):
            raise InputError("a question that is not UTF-8", "allowed: words in Unicode", "write it as UTF-8")
        if not isfinite(self.weight) or self.weight == 0:
            raise InputError(f"term weight {self.weight}", "allowed: numbers other than 0", "as in --term 0.5 sunset")


@dataclass(frozen=True)
class Question:
    """Words, a picture, or both, and further weighted terms. At least one term weighs more than 0."""

    text: str = ""
    image: ImageInput | None = None
    more: tuple[Term, ...] = ()

    def __post_init__(self) -> None:
        if not any(term.weight > 0 for term in self.terms):
            raise InputError(
                "a question that only says what is not wanted" if self.more else "an empty question",
                "allowed: words, a picture, or both",
                "give QUERY or --image FILE",
            )

    @property
    def terms(self) -> tuple[Term, ...]:
        """All parts, the words first."""
        words = (Term(text=self.text),) if self.text.strip() else ()
        picture = (Term(image=self.image),) if self.image is not None else ()
        return (*words, *picture, *self.more)
