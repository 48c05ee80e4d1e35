"""`triptych bench …`: measurements kept as commands."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from rag.cli.options import json_option, print_json

_runs_option = click.option("--runs", type=click.IntRange(min=1), default=5, show_default=True)
_encoder_option = click.option("--encoder", default="bundled", show_default=True, metavar="NAME")


@click.group()
def bench() -> None:
    """Measure on this machine; timings are noisy, compare medians of one run."""


@bench.command("start")
@_runs_option
@json_option
def bench_start(runs: int, as_json: bool) -> None:
    """Cold start: `triptych --help` and `triptych search` on the demo corpus, in fresh processes."""
    from rag.bench import cold_start

    _show(cold_start(runs), "seconds", "s", as_json)


@bench.command("encode")
@_encoder_option
@_runs_option
@json_option
def bench_encode(encoder: str, runs: int, as_json: bool) -> None:
    """Texts and pictures a second, in batches and one by one."""
    from rag.bench import encode

    _show(encode(encoder, runs), "per_second", "/s", as_json)


@bench.command("search")
@click.option("--corpus", type=click.Path(path_type=Path), help="A corpus [the demo corpus].")
@click.option(
    "--points",
    type=click.IntRange(min=100),
    help="Measure a synthetic corpus of this size, made in the folder --corpus or in a temporary one.",
)
@click.option("--questions", type=click.IntRange(min=1), default=100, show_default=True, help="With --points.")
@_runs_option
@json_option
def bench_search(corpus: Path | None, points: int | None, questions: int, runs: int, as_json: bool) -> None:
    """Milliseconds a question takes; with --points also each stage, and recall against exact search."""
    if points is None:
        from rag.bench import search

        _show(search(corpus, runs), "milliseconds", "ms", as_json)
        return
    from rag.bench.points import points as measure

    _show(measure(points, questions, corpus), "milliseconds", "ms", as_json)


@bench.command("ingest")
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path, exists=True))
@click.option("--files", type=click.IntRange(min=1), help="Ingest so many texts of one line, made in one folder.")
@_encoder_option
@json_option
def bench_ingest(paths: tuple[Path, ...], files: int | None, encoder: str, as_json: bool) -> None:
    """Files, pages, pictures and nodes a second, memory, and how long the encoder waits: PATHS, or the demo corpus."""
    from rag.bench import ingest

    _show(ingest(paths, encoder, files), "per_second", "/s", as_json)


def _show(measured: Mapping[str, Any], what: str, unit: str, as_json: bool) -> None:
    if as_json:
        print_json(measured)
        return
    told = ", ".join(f"{name} {value}" for name, value in measured.items() if not isinstance(value, dict))
    click.echo("\n".join([told, *(f"{name:24} {value:9.2f} {unit}" for name, value in measured[what].items())]))
    for part in ("stages", "recall@10"):
        for name, value in measured.get(part, {}).items():
            shown = (
                " ".join(f"{p} {ms:.2f} ms" for p, ms in value.items()) if isinstance(value, dict) else f"{value:.3f}"
            )
            click.echo(f"{part} {name}: {shown}")
