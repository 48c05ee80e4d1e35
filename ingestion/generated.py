"""Captions by a model, for stored pictures that nobody has described: written beside what is there, once a picture.

Nothing is read or embedded again but the new captions themselves. The store is their only cache: a picture that has
been described once, under whatever document, is not sent to the same model again.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol, TypeAlias

from llama_index.core.schema import BaseNode, ImageNode

from ingestion.document import one_line
from ingestion.nodes import caption_words
from ingestion.seams import Encoder
from rag.errors import LLMError, PictureError

__all__ = ["CaptionReport", "Captioner", "Verdict", "caption_pictures", "judge", "keep_generated"]

MAX_CHARACTERS: Final = 600
"""A longer answer is cut after its last whole sentence, or word."""
BATCH: Final = 16
"""Pictures whose captions are embedded and written together: what an interruption can lose."""
ROW: Final = 3
"""Failures of the model one after another that end the run: it is the server, not the picture."""

GENERATED: Final = "generated"
_REFUSAL: Final = re.compile(
    r"^\W*(?:(?:i['’]?m|i am) (?:sorry|afraid|unable|not able)|sorry\b|unfortunately\b|as an? (?:ai|language model)"
    r"|i (?:can['’]?t|cannot|can not|could not|couldn['’]?t|won['’]?t|do not|don['’]?t)\b"
    r"|(?:no|the) (?:image|picture) (?:was|is|has been)? ?(?:not )?(?:provided|attached|visible|available|loaded))",
    re.I,
)
_LEAD_IN: Final = re.compile(
    r"^\s*(?:sure[,!.]?\s*)?(?:here(?:'s| is) (?:a|the) (?:caption|description)[^:\n]*:|caption:)\s*", re.I
)

Progress: TypeAlias = Callable[[int, int], None]


class Captioner(Protocol):
    """A model that describes pictures."""

    @property
    def name(self) -> str:
        """What the payload calls it; two with one name are taken for the same."""

    def caption(self, image: str | Path) -> str:
        """What it says of a picture. Raises LLMError, or PictureError where the picture does not open."""


class CaptionStore(Protocol):
    """What is needed of rag.store.NamedVectorStore."""

    def add_captions(self, nodes: Sequence[ImageNode]) -> None:
        """Set caption, words and payload of stored pictures."""


@dataclass(frozen=True)
class Verdict:
    """An answer of the model as it is used. Without `caption`, `problem` says why; with one, what was done to it."""

    caption: str
    problem: str = ""


@dataclass(frozen=True)
class CaptionReport:
    """What became of the pictures that were looked at. All counts but `asked` are of points."""

    pictures: int = 0
    captioned: int = 0
    reused: int = 0
    """Among `captioned`: the same picture had been described before, or elsewhere in this run."""
    kept: int = 0
    """They have words already."""
    asked: int = 0
    """Questions to the model."""
    left_out: Mapping[str, int] = field(default_factory=dict)
    """Pictures without a caption after this run, by reason."""
    shortened: int = 0
    model: str = ""
    seconds: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """The report as the command line prints it."""
        return {
            **{name: getattr(self, name) for name in ("pictures", "captioned", "reused", "kept", "asked", "shortened")},
            "left_out": dict(self.left_out),
            "model": self.model,
            "seconds": round(self.seconds, 3),
        }


def judge(answer: str) -> Verdict:
    """What of a model's answer is a caption: no refusal, no lead-in, no markup, not too long. Pure."""
    text = one_line(_LEAD_IN.sub("", answer)).strip('*_`#"“” ')
    if not re.search(r"\w", text):
        return Verdict("", "the model said nothing")
    if _REFUSAL.match(text):
        return Verdict("", "the model refused")
    if len(text) <= MAX_CHARACTERS:
        return Verdict(text)
    cut = text[:MAX_CHARACTERS]
    end = max(cut.rfind(mark) for mark in (". ", "! ", "? "))
    return Verdict(cut[: end + 1] if end > 0 else cut.rpartition(" ")[0] or cut, "shortened")


def caption_pictures(
    nodes: Iterable[BaseNode],
    captioner: Captioner,
    *,
    store: CaptionStore,
    encoder: Encoder,
    known: Iterable[BaseNode] = (),
    overwrite: bool = False,
    progress: Progress | None = None,
) -> CaptionReport:
    """Describe the pictures among `nodes` that have no words but those drawn in them, and write what is said.

    `known` are stored nodes whose generated captions may be used again. `overwrite` describes anew what a model
    described before; what a document says is never replaced. What was written before an error stays.

    Raises LLMError after three failures in a row, and StoreError.
    """
    made = {} if overwrite else _made_by(captioner.name, known)
    pictures = sorted((node for node in nodes if isinstance(node, ImageNode)), key=_place)
    return _Run(captioner, store, encoder, made).run(pictures, overwrite, progress)


class _Run:
    """The state of one run."""

    def __init__(self, captioner: Captioner, store: CaptionStore, encoder: Encoder, made: dict[str, str]) -> None:
        self.captioner, self.store, self.encoder = captioner, store, encoder
        self.verdicts = {digest: Verdict(caption) for digest, caption in made.items()}
        self.left_out: Counter[str] = Counter()
        self.counts: Counter[str] = Counter()
        self.failed = 0

    def run(self, pictures: Sequence[ImageNode], overwrite: bool, progress: Progress | None) -> CaptionReport:
        """Go through the pictures."""
        started = time.monotonic()
        wanted = [node for node in pictures if _wants(node, overwrite)]
        pending: list[ImageNode] = []
        try:
            for done, node in enumerate(wanted, 1):
                if verdict := self.verdict(node):
                    pending.append(_captioned(node, verdict.caption, self.captioner.name))
                if len(pending) >= BATCH:
                    self.write(pending)
                if progress:
                    progress(done, len(wanted))
        finally:
            self.write(pending)
        return CaptionReport(
            *(len(pictures), self.counts["captioned"], self.counts["reused"], len(pictures) - len(wanted)),
            *(self.counts["asked"], dict(self.left_out), self.counts["shortened"], self.captioner.name),
            time.monotonic() - started,
        )

    def verdict(self, node: ImageNode) -> Verdict | None:
        """The caption of a picture, asked for once; None where there is none, which is counted."""
        digest = str(node.metadata.get("image_sha256") or node.node_id)
        if digest in self.verdicts:
            self.counts["reused"] += bool(self.verdicts[digest].caption)
        else:
            self.verdicts[digest] = self.ask(node)
        verdict = self.verdicts[digest]
        if not verdict.caption:
            self.left_out[verdict.problem] += 1
            return None
        self.counts["captioned"] += 1
        self.counts["shortened"] += bool(verdict.problem)
        return verdict

    def ask(self, node: ImageNode) -> Verdict:
        """One question to the model."""
        self.counts["asked"] += 1
        try:
            answer = self.captioner.caption(node.image_path or node.image_url or "")
        except PictureError:
            return Verdict("", "the picture cannot be opened")
        except LLMError as exc:
            self.failed += 1
            if self.failed >= ROW:
                raise
            return Verdict("", f"the model failed ({exc.given})")
        self.failed = 0
        return judge(answer)

    def write(self, pending: list[ImageNode]) -> None:
        """Embed and store the captions gathered so far."""
        if pending:
            vectors = self.encoder.encode_texts([caption_words(node) for node in pending])
            for node, vector in zip(pending, vectors.tolist(), strict=True):
                node.text_embedding = vector
            self.store.add_captions(pending)
            pending.clear()


def keep_generated(nodes: Iterable[BaseNode], stored: Iterable[BaseNode]) -> None:
    """Give pictures without words the captions that a model made for the same pictures among `stored`.

    A document that changed is read anew; its pictures are still those that were described.
    """
    made = {str(node.metadata.get("image_sha256")): node for node in stored if _is_generated(node)}
    for node in nodes:
        before = made.get(str(node.metadata.get("image_sha256"))) if isinstance(node, ImageNode) else None
        if before is not None and isinstance(node, ImageNode) and _wants(node, overwrite=False):
            _captioned(node, str(before.metadata["caption"]), str(before.metadata.get("caption_model", "")))


def _place(node: ImageNode) -> tuple[str, int]:
    return str(node.metadata.get("source", "")), int(node.metadata.get("position", 0))


def _wants(node: ImageNode, overwrite: bool) -> bool:
    """Whether nobody has said anything of the picture. Words drawn in it are not said of it."""
    source = node.metadata.get("caption_source")
    if source == GENERATED:
        return overwrite
    said = node.text.removesuffix(str(node.metadata.get("ocr", ""))).strip()
    return not said or source == "ocr"


def _made_by(name: str, nodes: Iterable[BaseNode]) -> dict[str, str]:
    return {
        str(node.metadata["image_sha256"]): str(node.metadata["caption"])
        for node in nodes
        if _is_generated(node) and node.metadata.get("caption_model") == name and node.metadata.get("image_sha256")
    }


def _is_generated(node: BaseNode) -> bool:
    return node.metadata.get("caption_source") == GENERATED and bool(node.metadata.get("caption"))


def _captioned(node: ImageNode, caption: str, model: str) -> ImageNode:
    """The node with a caption before the words that are drawn. Its id stays: it is made of what the document says."""
    drawn = str(node.metadata.get("ocr", ""))
    node.set_content("\n".join(filter(None, (caption, drawn))))
    node.metadata |= {"caption": caption, "caption_source": GENERATED, "caption_model": model}
    for hidden in (node.excluded_llm_metadata_keys, node.excluded_embed_metadata_keys):
        if "caption_model" not in hidden:
            hidden.append("caption_model")
    return node
