"""Lines for the terminal: what `triptych` prints where no JSON is asked for."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rag.encoders.registry import EncoderInfo
    from rag.schema import Answer, Hit

__all__ = ["answer_lines", "caption_lines", "encoder_lines", "eval_lines", "hit_lines", "report_lines", "status_lines"]

_WIDTH = 100


def _place(hit: Hit) -> str:
    page = f", page {hit.page}" if hit.page is not None else ""
    section = f" · {hit.section}" if hit.section else ""
    return f"{hit.source}{page}{section}"


def _wrapped(paragraph: str) -> list[str]:
    return textwrap.wrap(paragraph, _WIDTH, break_long_words=False, break_on_hyphens=False) or [""]


def hit_lines(hit: Hit, explain: bool = False) -> list[str]:
    """A hit in two to four lines; with `explain` one more line per leg."""
    words = (hit.caption or hit.text) if hit.modality == "image" else hit.text
    lines = [f"{hit.rank:>3}  {hit.score:+.3f}  {hit.modality:5}  {_place(hit)}"]
    if hit.image:
        lines.append(f"     picture: {hit.image}")
    if words.strip():
        lines += [f"     {line}" for line in textwrap.wrap(textwrap.shorten(words, 240, placeholder=" …"), _WIDTH - 5)]
    if explain:
        lines += [
            f"     {leg:8} raw {score.raw:+8.4f}  normalized {score.normalized:+8.4f}  weight {score.weight:6.3f}"
            f"  contribution {score.contribution:+8.4f}  rank {score.rank or '-'}"
            for leg, score in hit.legs.items()
        ]
    return lines


def answer_lines(answer: Answer) -> list[str]:
    """An answer, its citations and its pictures."""
    lines = [line for paragraph in answer.answer.splitlines() for line in _wrapped(paragraph)]
    if answer.citations:
        lines += ["", "Citations"]
        lines += [f"  {citation.marker} {_place(citation.hit)}" for citation in answer.citations]
    if unnamed := [image for image in answer.images if image not in answer.answer]:
        lines += ["", "Pictures", *(f"  {image}" for image in unnamed)]
    return lines


def report_lines(report: Mapping[str, Any]) -> list[str]:
    """An ingestion report in a few lines."""
    sources = ", ".join(f"{count} {name}" for name, count in report["sources"].items() if count) or "nothing to do"
    nodes = report["nodes"]
    return [
        f"{report['corpus']}: {sources}",
        f"{nodes['text']} passages and {nodes['image']} pictures in {report['seconds']:.1f} s,"
        f" encoder {report['encoder']}",
    ]


def caption_lines(report: Mapping[str, Any]) -> list[str]:
    """What a captioning run did, in a few lines."""
    left_out = [f"  {count} left out: {reason}" for reason, count in report["left_out"].items()]
    return [
        f"{report['captioned']} of {report['pictures']} pictures described by {report['model']}"
        f" ({report['asked']} asked, {report['reused']} known, {report['shortened']} shortened),"
        f" {report['kept']} had words, {report['seconds']:.1f} s",
        *left_out,
    ]


def status_lines(status: Mapping[str, Any]) -> list[str]:
    """What a corpus holds."""
    nodes = status["nodes"]
    vectors = ", ".join(f"{leg} {count}" for leg, count in status["vectors"].items())
    return [
        f"corpus   {status['corpus']}",
        f"engine   {status['engine']}",
        f"encoder  {status['encoder']}",
        f"sources  {status['sources']}",
        f"points   {status['points']} ({nodes['text']} passages, {nodes['image']} pictures)",
        f"vectors  {vectors}",
    ]


def encoder_lines(encoders: Iterable[EncoderInfo]) -> list[str]:
    """The encoders that have a name."""
    return [f"{info.name:12} {info.dim:>5}  {info.extra or '-':12} {info.summary}" for info in encoders]


def eval_lines(result: Mapping[str, Any]) -> list[str]:
    """Measures of a run, and of its slices."""
    lines = [f"{result['dataset']}, task {result['task']}: {result['queries']} queries"]
    for name, metrics in {"all": result["metrics"], **result["slices"]}.items():
        lines.append(f"{name:24} " + "  ".join(f"{measure} {value:.4f}" for measure, value in metrics.items()))
    return lines
