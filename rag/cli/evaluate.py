"""`triptych eval …`: offline retrieval evaluation."""

from __future__ import annotations

from pathlib import Path

import click

from rag.cli.options import Progress, fusion_option, json_option, print_json, weights_option


@click.group("eval")
def evaluate() -> None:
    """Offline retrieval evaluation."""


@evaluate.command("run")
@click.argument("folder")
@click.option("--task", default="", metavar="NAME", help="A task of dataset.toml; may be left out where there is one.")
@click.option(
    "--corpus",
    type=click.Path(path_type=Path),
    help="Where the index is kept; a second run reuses it [a temporary folder].",
)
@click.option("--encoder", metavar="NAME", help="Alias, Hugging Face id or folder [bundled].")
@weights_option
@fusion_option
@click.option(
    "-k", type=click.IntRange(min=10), default=100, show_default=True, help="Length of the ranking of a query."
)
@click.option(
    "--run", "run_file", type=click.Path(path_type=Path), metavar="FILE", help="Write the ranking in TREC form."
)
@click.option(
    "--per-query", type=click.Path(path_type=Path), metavar="FILE", help="Write the scores of each query (JSON lines)."
)
@json_option
def eval_run(
    folder: str,
    task: str,
    corpus: Path | None,
    encoder: str | None,
    weights: dict[str, float],
    fusion: str | None,
    k: int,
    run_file: Path | None,
    per_query: Path | None,
    as_json: bool,
) -> None:
    """Index a dataset folder, ask its queries, and print the measures."""
    from evals.runner import evaluate as run_evaluation

    with Progress("rows") as progress:
        result = run_evaluation(
            folder, task, corpus=corpus, encoder=encoder, weights=weights, fusion=fusion, k=k, progress=progress.count
        )
    result.write(run_file, per_query)
    if unopened := result.settings["unopened_pictures"]:
        click.echo(f"triptych: {unopened} pictures cannot be opened; they are found by their words alone", err=True)
    if as_json:
        print_json(result.to_json())
    else:
        from rag.display import eval_lines

        click.echo("\n".join(eval_lines(result.to_json())))
