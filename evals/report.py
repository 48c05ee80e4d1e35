"""A report on recorded runs: one HTML file that needs nothing else, neither a network nor JavaScript."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from jinja2 import DictLoader, Environment, StrictUndefined
from markupsafe import Markup

from evals import plots
from evals.compare import Comparison, compare
from evals.documents import Documents
from evals.record import RunRecord
from evals.tables import legend, mark, p_value
from rag.errors import InputError

__all__ = ["Written", "command", "render", "write"]

_COLOURS: Final = 7
_PICTURED: Final = 500
"""With more queries than this the table of all queries shows no pictures: the file would grow large."""


@dataclass(frozen=True)
class Written:
    """A report that was written."""

    path: str
    runs: int
    queries: int
    bytes: int
    documents: bool
    """Whether texts and pictures of documents are shown; where not, `note` says why."""
    note: str

    def to_json(self) -> dict[str, Any]:
        """As `triptych eval report --json` prints it."""
        return asdict(self)


def write(
    records: Mapping[str, RunRecord],
    out: str | Path,
    measures: Sequence[str] = (),
    *,
    most: int = 5,
    folder: str | Path | None = None,
    seed: int = 0,
) -> Written:
    """Write the report on runs, the baseline first. Raises InputError as `evals.compare.compare` does, or for `out`."""
    comparison = compare(records, measures, most=most, seed=seed)
    first = next(iter(records.values()))
    documents = Documents.read(folder or first.folder, first.task, first.digest)
    page = render(records, comparison, documents).encode()
    try:
        Path(out).write_bytes(page)
    except OSError as exc:
        raise InputError(f"{out} cannot be written ({exc.strerror})", advice="choose another file with --out") from exc
    return Written(str(out), len(records), len(comparison.queries), len(page), bool(documents), documents.note)


def render(records: Mapping[str, RunRecord], comparison: Comparison, documents: Documents) -> str:
    """The report as HTML. Whatever comes from the data is escaped."""
    colours = {run: number % _COLOURS for number, run in enumerate(records)}
    baseline = comparison.runs[0]
    return _environment().get_template("report.html").render(
        records=records,
        baseline=baseline,
        first=records[baseline],
        comparison=comparison,
        documents=documents,
        colours=colours,
        rows=_rows(records, comparison),
        pictured=len(comparison.queries) <= _PICTURED,
        legend=legend(comparison),
        interval_plot=plots.intervals(comparison.differences, colours) if comparison.differences else "",
        histograms={
            run: plots.histogram(comparison.of(run, comparison.measures[0])) for run in comparison.runs[1:]
        },
        counted=any("queries" in values for record in records.values() for values in record.slices.values()),
        slice_plot=_slice_plot(records, comparison, colours),
        latency_plot=_latency_plot(records, colours),
        commands={run: command(record, run) for run, record in records.items()},
    )  # fmt: skip


def command(record: RunRecord, name: str = "run") -> str:
    """The command that repeats a run and records it as `name`.json, for a POSIX shell."""
    settings = record.settings
    if file := settings.get("run"):
        words = ["triptych", "eval", "score", record.folder, str(file), "--task", record.task]
    else:
        words = ["triptych", "eval", "run", record.folder, "--task", record.task]
        if encoder := str(settings.get("encoder", "")).partition(" (")[0]:
            words += ["--encoder", encoder]
        for option, key in (("--weights", "weights"), ("--depths", "depths")):
            if legs := settings.get(key):
                words += [option, ",".join(f"{leg}={number:g}" for leg, number in legs.items())]
        for option, key in (("--fusion", "fusion"), ("-k", "k"), ("--depth", "depth")):
            words += [option, str(settings[key])] if settings.get(key) is not None else []
        if sample := settings.get("sample"):
            words += ["--sample", str(sample), "--seed", str(settings.get("seed", 0))]
    if measures := settings.get("measures"):
        words += ["--measures", ",".join(measures)]
    fields = dict.fromkeys(part.partition("=")[0] for part in record.slices)
    words += [word for field in fields if field not in ("type", "modality") for word in ("--slice", field)]
    return shlex.join([*words, "--record", f"{name}.json"])


@cache
def _environment() -> Environment:
    folder = files("evals") / "templates"
    sources = {name: (folder / name).read_text(encoding="utf-8") for name in ("report.html", "parts.html")}
    environment = Environment(
        loader=DictLoader(sources), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters.update(mark=mark, p_value=p_value, plain=_plain)
    # Ours, not data: they go between <style> and <script> as they are.
    environment.globals["style"] = Markup((folder / "report.css").read_text(encoding="utf-8"))
    environment.globals["script"] = Markup((folder / "report.js").read_text(encoding="utf-8"))
    return environment


def _plain(value: object) -> str:
    """A setting as a person reads it."""
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_plain(each)}" for key, each in value.items()) or "as set"
    if isinstance(value, list | tuple):
        return ", ".join(map(_plain, value))
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _rows(records: Mapping[str, RunRecord], comparison: Comparison) -> list[dict[str, Any]]:
    """The table of all queries: a query, its scores by the first measure, and the differences to the baseline."""
    measure = comparison.measures[0]
    rows = []
    for query in comparison.queries:
        scores = {run: record.scores[query.id][measure] for run, record in records.items()}
        base = scores[comparison.runs[0]]
        rows.append(
            {"query": query, "scores": scores, "moved": {run: scores[run] - base for run in comparison.runs[1:]}}
        )
    return rows


def _slice_plot(records: Mapping[str, RunRecord], comparison: Comparison, colours: Mapping[str, int]) -> Markup | str:
    measure = comparison.measures[0]
    groups: dict[str, dict[str, float]] = {}
    for run, record in records.items():
        for name, values in record.slices.items():
            if measure in values:
                count = f" ({values['queries']:.0f})" if "queries" in values else ""
                groups.setdefault(name + count, {})[run] = values[measure]
    return plots.bars(groups, colours, what=f"{measure} by slice", reach=1.0) if groups else ""


def _latency_plot(records: Mapping[str, RunRecord], colours: Mapping[str, int]) -> Markup | str:
    """Milliseconds a query: the median with a whisker to the 95th percentile, or the mean where there is no more."""
    middles: dict[str, float] = {}
    ends: dict[str, float] = {}
    for run, record in records.items():
        middle = record.seconds.get("p50", record.seconds.get("per_query"))
        if middle is not None:
            middles[run] = middle * 1000
            ends[run] = record.seconds.get("p95", middle) * 1000
    if not middles:
        return ""
    title = "a query"
    return plots.bars({title: middles}, colours, what="Latency in ms", form="{:.1f} ms", ends={title: ends})
