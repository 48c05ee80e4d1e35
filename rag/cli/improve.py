"""`triptych eval tune`, `peers` and `answers`: better settings, other systems, answers."""

from __future__ import annotations

from pathlib import Path

import click

from rag.cli.options import Command, Progress, json_option, print_json


def _dataset_options(command: Command) -> Command:
    """A dataset folder, its task, and where its index is kept."""
    for decorate in (
        click.option("--encoder", metavar="NAME", help="Alias, Hugging Face id or folder [bundled]."),
        click.option(
            "--corpus",
            type=click.Path(path_type=Path),
            help="Where the index is kept; a second run reuses it [a temporary folder].",
        ),
        click.option("--task", default="", metavar="NAME", help="A task of dataset.toml."),
        click.argument("folder"),
    ):
        command = decorate(command)
    return command


_seed_option = click.option("--seed", type=int, default=0, show_default=True, help="Of whatever is drawn at random.")


@click.command("tune")
@_dataset_options
@_seed_option
@click.option(
    "--trials", type=click.IntRange(min=1), default=600, show_default=True, help="Settings that are tried at most."
)
@click.option(
    "--write",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write the settings (TOML); as triptych.toml in a corpus's folder they are its own.",
)
@json_option
def eval_tune(
    folder: str,
    task: str,
    corpus: Path | None,
    encoder: str | None,
    seed: int,
    trials: int,
    write: Path | None,
    as_json: bool,
) -> None:
    """Find weights, normalizer and depth on half of the queries; measure them on the other half."""
    from evals.tune import tune_folder, tune_lines

    with Progress("items") as progress:
        result = tune_folder(
            folder, task, corpus=corpus, encoder=encoder, seed=seed, trials=trials, progress=progress.count
        )
    if write:
        result.write(write)
        click.echo(f"triptych: wrote {write}; {result.verdict}", err=True)
    if as_json:
        print_json(result.to_json())
    else:
        click.echo("\n".join(tune_lines(result)))


@click.command("peers")
@_dataset_options
@_seed_option
@click.option("--markdown", type=click.Path(path_type=Path), metavar="FILE", help="Write the table as Markdown.")
@json_option
def eval_peers(
    folder: str,
    task: str,
    corpus: Path | None,
    encoder: str | None,
    seed: int,
    markdown: Path | None,
    as_json: bool,
) -> None:
    """Compare with LlamaIndex's multi-modal index, BM25, single legs and simpler fusions, in one run."""
    from evals.peers import peers_folder, peers_lines, peers_markdown

    with Progress("items") as progress:
        result = peers_folder(folder, task, corpus=corpus, encoder=encoder, seed=seed, progress=progress.count)
    if markdown:
        markdown.write_text(peers_markdown(result), encoding="utf-8")
    if as_json:
        print_json(result.to_json())
    else:
        click.echo("\n".join(peers_lines(result)))


@click.command("answers")
@_dataset_options
@_seed_option
@click.option("--llm", metavar="NAME", help="The model that answers [that of the settings, else extractive].")
@click.option("--judge", default="", metavar="NAME", help="A model that judges the answers [none].")
@click.option("--sample", type=click.IntRange(min=0), default=0, metavar="N", help="Ask N of the questions [all].")
@click.option(
    "--unanswerable",
    type=click.IntRange(min=0),
    default=0,
    metavar="N",
    help="Ask N of them again without the rows that answer them.",
)
@click.option(
    "--per-query", type=click.Path(path_type=Path), metavar="FILE", help="Write each answer, measured (JSON lines)."
)
@json_option
def eval_answers(
    folder: str,
    task: str,
    corpus: Path | None,
    encoder: str | None,
    seed: int,
    llm: str | None,
    judge: str,
    sample: int,
    unanswerable: int,
    per_query: Path | None,
    as_json: bool,
) -> None:
    """Ask the questions and measure the answers: citations, support, abstention, answer match."""
    from evals.answers import answers_folder, answers_lines

    with Progress("items") as progress:
        result = answers_folder(
            folder,
            task,
            corpus=corpus,
            encoder=encoder,
            llm=llm,
            judge=judge,
            sample=sample,
            unanswerable=unanswerable,
            seed=seed,
            progress=progress.count,
        )
    if per_query:
        result.write(per_query)
    if as_json:
        print_json(result.to_json())
    else:
        click.echo("\n".join(answers_lines(result)))


@click.command("confidence")
@_dataset_options
@click.option(
    "--foreign", required=True, metavar="FOLDER", help="Another dataset, whose questions have no answer here."
)
@click.option("--foreign-task", default="", metavar="NAME", help="A task of the other dataset.")
@click.option(
    "--sample", type=click.IntRange(min=1), default=300, show_default=True, help="Questions asked of either dataset."
)
@_seed_option
@json_option
def eval_confidence(
    folder: str,
    task: str,
    corpus: Path | None,
    encoder: str | None,
    foreign: str,
    foreign_task: str,
    sample: int,
    seed: int,
    as_json: bool,
) -> None:
    """Hold the confidence of hits against the judgements, and against questions that nothing here answers."""
    from evals.confidence import reliability_folder, reliability_lines

    with Progress("items") as progress:
        result = reliability_folder(
            folder,
            foreign,
            task=task,
            foreign_task=foreign_task,
            corpus=corpus,
            encoder=encoder,
            sample=sample,
            seed=seed,
            progress=progress.count,
        )
    if as_json:
        print_json(result.to_json())
    else:
        click.echo("\n".join(reliability_lines(result)))
