"""Answers, reports and measures as lines."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from rag.display.hits import place
from rag.display.plain import disarmed, plain, wrapped
from rag.display.view import View

if TYPE_CHECKING:
    from rag.encoders.registry import EncoderInfo
    from rag.schema import Answer

__all__ = ["answer_lines", "caption_lines", "encoder_lines", "eval_lines", "report_lines", "status_lines"]


def answer_lines(answer: Answer, view: View | None = None) -> list[str]:
    """An answer, its citations and its pictures."""
    view = view or View()
    lines = [line for paragraph in answer.answer.splitlines() for line in _indented(paragraph, view.width)]
    if answer.citations:
        lines += ["", "Citations"]
        for citation in answer.citations:
            section = f" · {plain(citation.hit.section)}" if citation.hit.section else ""
            lines.append(f"  {citation.marker} {place(citation.hit, view)}{section}")
    if unnamed := [image for image in answer.images if image not in answer.answer]:
        lines += ["", "Pictures", *(f"  {disarmed(view.path(image))}" for image in unnamed)]
    return lines


def _indented(paragraph: str, width: int) -> list[str]:
    """The paragraph in lines that all begin where it begins: lists and code keep their form."""
    lead = " " * min(len(paragraph) - len(paragraph.lstrip(" ")), width // 2)
    return [lead + line for line in wrapped(plain(paragraph), width - len(lead))]


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
    left_out = [f"  {count} left out: {plain(reason)}" for reason, count in report["left_out"].items()]
    return [
        f"{report['captioned']} of {report['pictures']} pictures described by {plain(report['model'])}"
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
