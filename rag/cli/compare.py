"""`triptych eval compare`, `gate` and `report`: what recorded runs tell together."""

from __future__ import annotations

from pathlib import Path

import click

from rag.cli.options import FAILED, Number, json_option, print_json

measure_option = click.option(
    "--measure",
    "measures",
    multiple=True,
    metavar="NAME",
    help="A measure that the runs have recorded (repeatable).",
)
seed_option = click.option("--seed", default=0, show_default=True, help="Of the random draws.")


@click.command("compare")
@click.argument("baseline", type=click.Path(path_type=Path))
@click.argument("runs", nargs=-1, required=True, metavar="RUN…", type=click.Path(path_type=Path))
@measure_option
@click.option("--most", type=click.IntRange(min=0), default=3, show_default=True, help="Most changed queries to show.")
@click.option("--markdown", "form", flag_value="markdown", help="Print the table as Markdown.")
@click.option("--latex", "form", flag_value="latex", help="Print the table for a paper (booktabs).")
@seed_option
@json_option
def eval_compare(
    baseline: Path,
    runs: tuple[Path, ...],
    measures: tuple[str, ...],
    most: int,
    form: str | None,
    seed: int,
    as_json: bool,
) -> None:
    """Compare recorded runs with the first of them, query by query, with a test."""
    from evals import compare, tables

    comparison = compare.compare(compare.read((baseline, *runs)), measures, most=most, seed=seed)
    if as_json:
        print_json(comparison.to_json())
    elif form == "latex":
        click.echo(tables.comparison_latex(comparison))
    elif form == "markdown":
        click.echo(tables.comparison_markdown(comparison))
    else:
        click.echo("\n".join(tables.comparison_lines(comparison) + tables.change_lines(comparison)))


@click.command("gate")
@click.argument("baseline", type=click.Path(path_type=Path))
@click.argument("run", type=click.Path(path_type=Path))
@measure_option
@click.option(
    "--alpha",
    type=Number(0, 1, min_open=True, max_open=True),
    default=0.05,
    show_default=True,
    help="A fall counts where its corrected p is below this.",
)
@click.option("--tolerance", type=Number(min=0), default=0.0, show_default=True, help="A fall up to this is allowed.")
@seed_option
@json_option
@click.pass_context
def eval_gate(
    ctx: click.Context,
    baseline: Path,
    run: Path,
    measures: tuple[str, ...],
    alpha: float,
    tolerance: float,
    seed: int,
    as_json: bool,
) -> None:
    """Exit with 1 where a measure of RUN fell significantly below BASELINE [nDCG@10]."""
    from evals import compare, tables
    from evals.gate import gate

    verdict = gate(compare.read((baseline, run)), measures, alpha=alpha, tolerance=tolerance, seed=seed)
    if as_json:
        print_json(verdict.to_json())
    else:
        click.echo("\n".join(tables.gate_lines(verdict)))
    if not verdict.passed:
        ctx.exit(FAILED)


@click.command("report")
@click.argument("runs", nargs=-1, required=True, metavar="RUN…", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), required=True, metavar="FILE", help="The HTML file to write.")
@measure_option
@click.option("--most", type=click.IntRange(min=0), default=5, show_default=True, help="Most changed queries to show.")
@click.option(
    "--dataset",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="Where texts and pictures of the documents are [the folder that the runs were given].",
)
@seed_option
@json_option
def eval_report(
    runs: tuple[Path, ...],
    out: Path,
    measures: tuple[str, ...],
    most: int,
    dataset: Path | None,
    seed: int,
    as_json: bool,
) -> None:
    """Write one HTML file on recorded runs, the baseline first: figures, plots, queries and their hits."""
    from evals import compare
    from evals.report import write

    written = write(compare.read(runs), out, measures, most=most, folder=dataset, seed=seed)
    if written.note:
        click.echo(f"triptych: {written.note}; name the folder with --dataset", err=True)
    if as_json:
        print_json(written.to_json())
    else:
        click.echo(f"{written.path}: {written.runs} runs, {written.queries} queries, {written.bytes / 1000:.0f} kB")
