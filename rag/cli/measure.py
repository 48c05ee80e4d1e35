"""`triptych bench …`: measurements kept as commands."""

from __future__ import annotations

import click

from rag.cli.options import json_option, print_json


@click.group()
def bench() -> None:
    """Measure on this machine; timings are noisy, compare medians of one run."""


@bench.command("start")
@click.option("--runs", type=click.IntRange(min=1), default=5, show_default=True)
@json_option
def bench_start(runs: int, as_json: bool) -> None:
    """Cold start: `triptych --help` and `triptych search` on the demo corpus, in fresh processes."""
    from rag.bench import cold_start

    document = cold_start(runs)
    if as_json:
        print_json(document)
    else:
        click.echo(
            "\n".join(f"{name:32} {seconds:6.2f} s (median of {runs})" for name, seconds in document["seconds"].items())
        )
