"""A comparison in rows and columns: for the terminal, Markdown and LaTeX."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Final

from evals.compare import Change, Comparison, Difference
from evals.gate import Verdict

__all__ = [
    "change_lines",
    "comparison_latex",
    "comparison_lines",
    "comparison_markdown",
    "gate_lines",
    "legend",
    "mark",
    "p_value",
]

_HEADINGS: Final = ("measure", "run", "mean", "difference", "95 % interval", "p", "p (Holm)", "wins", "losses", "ties",
                    "effect")  # fmt: skip
_LEFT: Final = 2
"""Columns of words, which are set to the left; numbers stand to the right."""

_LEGEND: Final = (
    "Differences to {baseline}; p by a paired randomization test, * p < 0.05 and ** p < 0.01 after Holm's correction"
    " for {count}; interval by bootstrap; effect in standard deviations"
)


def mark(difference: Difference) -> str:
    """`**` below 0.01, `*` below 0.05 after correction, else nothing."""
    return "**" if difference.corrected < 0.01 else "*" if difference.corrected < 0.05 else ""


def p_value(p: float) -> str:
    """Four digits, and below them that it is smaller."""
    return "<0.0001" if p < 0.0001 else f"{p:.4f}"


def comparison_lines(comparison: Comparison) -> list[str]:
    """The table for a terminal, with its legend."""
    rows = [_HEADINGS, *_rows(comparison)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    table = [
        "  ".join(
            cell.ljust(width) if number < _LEFT else cell.rjust(width)
            for number, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    return [_title(comparison), "", *table, "", *textwrap.wrap(legend(comparison), 100)]


def comparison_markdown(comparison: Comparison) -> str:
    """The table as Markdown (GitHub's tables)."""

    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(cell.strip().replace("|", "\\|").replace("*", "\\*") for cell in cells) + " |"

    rule = "|" + "|".join(["---"] * _LEFT + ["---:"] * (len(_HEADINGS) - _LEFT)) + "|"
    rows = [line(_HEADINGS), rule, *map(line, _rows(comparison))]
    return "\n".join([f"{_title(comparison)}.", "", *rows, "", legend(comparison).replace("*", "\\*") + "."])


def comparison_latex(comparison: Comparison) -> str:
    """A table for a paper: a row a run, a column a measure; needs the package booktabs."""
    baseline, *others = comparison.runs
    rows = [(baseline, [f"{comparison.means[baseline][measure]:.4f}" for measure in comparison.measures])]
    for run in others:
        found = [comparison.of(run, measure) for measure in comparison.measures]
        rows.append((run, [f"{each.mean:.4f}" + _superscript(mark(each)) for each in found]))
    body = [" & ".join([_latex(run), *cells]) + r" \\" for run, cells in rows]
    caption = f"{_title(comparison)}; {legend(comparison, brief=True)}."
    return "\n".join(
        [
            r"\begin{table}",
            r"  \centering",
            rf"  \caption{{{_latex(caption)}}}",
            rf"  \begin{{tabular}}{{l{'r' * len(comparison.measures)}}}",
            r"    \toprule",
            "    " + " & ".join(["Run", *map(_latex, comparison.measures)]) + r" \\",
            r"    \midrule",
            *(f"    {line}" for line in body),
            r"    \bottomrule",
            r"  \end{tabular}",
            r"\end{table}",
        ]
    )


def change_lines(comparison: Comparison) -> list[str]:
    """The queries that changed most: their words, their picture, what either run ranks first; ✓ marks the relevant."""
    lines = []
    for run, sides in comparison.changes.items():
        for word, side in zip(("gained", "lost"), sides, strict=True):
            if side:
                lines += ["", f"{run}: {word} most by {comparison.measures[0]}"]
                lines += [line for change in side for line in _change_lines(comparison.runs[0], change)]
    return lines


def gate_lines(verdict: Verdict) -> list[str]:
    """One line a measure: what fell, by how much, how surely; or that nothing did."""
    comparison = verdict.comparison
    base, run = comparison.runs
    over = f"over {len(comparison.queries)} queries"
    if verdict.left_out:
        over += f" that both runs were asked ({verdict.left_out} others left out)"
    shown = verdict.falls or comparison.differences
    word = "fell" if verdict.falls else "held"
    return [
        f"{each.measure} {word}: {base} {each.baseline:.4f}, {run} {each.mean:.4f}"
        f" ({each.difference:+.4f}, p {p_value(each.corrected)}) {over}"
        for each in shown
    ]


def _change_lines(baseline: str, change: Change) -> list[str]:
    def ranked(top: tuple[str, ...]) -> str:
        return ", ".join(f"✓{document}" if document in change.relevant else document for document in top) or "nothing"

    words = textwrap.shorten(change.query.text, 160, placeholder=" …")
    lines = [f"  {change.difference:+.3f}  {change.baseline:.3f} → {change.score:.3f}  {change.query.id}"]
    if words:
        lines += [f"      {line}" for line in textwrap.wrap(words, 94)]
    if change.query.image:
        lines.append(f"      picture: {change.query.image}")
    return [*lines, f"      {baseline}: {ranked(change.baseline_top)}", f"      {change.run}: {ranked(change.top)}"]


def _rows(comparison: Comparison) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    baseline, *others = comparison.runs
    for measure in comparison.measures:
        rows.append((measure, baseline, f"{comparison.means[baseline][measure]:.4f}", *[""] * (len(_HEADINGS) - 3)))
        for run in others:
            found = comparison.of(run, measure)
            rows.append(
                (
                    measure,
                    run,
                    f"{found.mean:.4f}",
                    f"{found.difference:+.4f}{mark(found):2}",
                    f"[{found.low:+.4f}, {found.high:+.4f}]",
                    p_value(found.p),
                    p_value(found.corrected),
                    str(found.wins),
                    str(found.losses),
                    str(found.ties),
                    "-" if found.effect is None else f"{found.effect:+.2f}",
                )
            )
    return rows


def _title(comparison: Comparison) -> str:
    return f"{comparison.dataset}, task {comparison.task}: {len(comparison.queries)} queries"


def legend(comparison: Comparison, brief: bool = False) -> str:
    """What the marks and columns mean; `brief`: the marks alone."""
    count = len(comparison.differences)
    told = _LEGEND.format(baseline=comparison.runs[0], count="1 comparison" if count == 1 else f"{count} comparisons")
    if brief:
        return told.partition("; interval")[0].replace("Differences", "marks are of differences")
    return told


def _superscript(marks: str) -> str:
    return rf"\textsuperscript{{{marks}}}" if marks else ""


def _latex(text: str) -> str:
    """Text as LaTeX prints it."""
    signs = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"$<$", ">": r"$>$"}
    return "".join(signs.get(sign, "\\" + sign if sign in "&%$#_{}" else sign) for sign in text)
