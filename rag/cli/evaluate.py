"""`triptych eval …`: offline retrieval evaluation."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rag.cli.options import (
    FAILED,
    Command,
    Failure,
    Progress,
    fusion_option,
    json_option,
    open_corpus,
    print_json,
    weights_option,
    where_option,
)

if TYPE_CHECKING:
    from evals.runner import EvalResult

measures_option = click.option(
    "--measures", default="", metavar="NAME,…", help="nDCG@k, R@k (recall), hit@k, P@k, AP, RR@k, Rprec, Judged@k."
)
slice_option = click.option(
    "--slice", "slices", multiple=True, metavar="FIELD", help="Measure each value of a field apart (repeatable)."
)
lenient_option = click.option("--lenient", is_flag=True, help="Drop judgements of queries and rows that do not exist.")


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
@click.option(
    "--record",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write the whole run, with all that repeats it, as one JSON file.",
)
@measures_option
@slice_option
@click.option("--depth", type=click.IntRange(min=1), help="Candidates that each leg contributes [100].")
@click.option("--sample", type=click.IntRange(min=1), metavar="N", help="Ask only N of the queries.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of the sample.")
@click.option(
    "--cache",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Where vectors are kept, by content [embeddings in the --corpus folder].",
)
@lenient_option
@json_option
def eval_run(
    folder: str,
    task: str,
    run_file: Path | None,
    per_query: Path | None,
    record: Path | None,
    measures: str,
    slices: tuple[str, ...],
    sample: int | None,
    lenient: bool,
    as_json: bool,
    **search: Any,
) -> None:
    """Index a dataset folder, ask its queries, and print the measures."""
    from evals.runner import evaluate as run_evaluation

    with Progress("rows") as progress:
        result = run_evaluation(
            folder,
            task,
            measure=measures,
            by=slices,
            sample=sample or 0,
            strict=not lenient,
            progress=progress.count,
            **search,
        )
    result.write(run_file, per_query)
    if record:
        result.to_record().save(record)
    if unopened := result.settings["unopened_pictures"]:
        click.echo(f"triptych: {unopened} pictures cannot be opened; they are found by their words alone", err=True)
    if unasked := result.settings["unopened_queries"]:
        click.echo(f"triptych: {unasked} queries have pictures that cannot be opened; they count as 0", err=True)
    _print(result, as_json)


def _print(result: EvalResult, as_json: bool) -> None:
    if as_json:
        print_json(result.to_json())
    else:
        from rag.display import eval_lines

        click.echo("\n".join([*eval_lines(result.to_json()), *filter(None, [result.cost_line()])]))


@evaluate.command("score")
@click.argument("folder")
@click.argument("run_file", type=click.Path(path_type=Path))
@click.option("--task", default="", metavar="NAME", help="A task of the dataset; may be left out where there is one.")
@click.option("--record", type=click.Path(path_type=Path), metavar="FILE", help="Write it as a run of our own.")
@click.option("--per-query", type=click.Path(path_type=Path), metavar="FILE", help="Write the scores of each query.")
@measures_option
@slice_option
@lenient_option
@json_option
def eval_score(
    folder: str,
    run_file: Path,
    task: str,
    record: Path | None,
    per_query: Path | None,
    measures: str,
    slices: tuple[str, ...],
    lenient: bool,
    as_json: bool,
) -> None:
    """Measure another system's ranking, a file in TREC form, on a dataset folder."""
    from evals.runner import score_run

    result = score_run(folder, run_file, task, measure=measures, by=slices, strict=not lenient)
    result.write(None, per_query)
    if record:
        result.to_record().save(record)
    _print(result, as_json)


@evaluate.command("check")
@click.argument("folder")
@click.option("--task", default="", metavar="NAME", help="One task [all of them].")
@json_option
def eval_check(folder: str, task: str, as_json: bool) -> None:
    """Say what a dataset folder holds and what is wrong with it; status 1 if anything is."""
    from evals.datasets import check, check_lines

    checks = check(folder, task)
    if as_json:
        print_json({"folder": folder, "tasks": [one.to_json() for one in checks]})
    else:
        click.echo("\n".join(check_lines(checks)))
    if wrong := sum(len(one.problems) for one in checks):
        raise Failure(f"{folder}: {wrong} problems; correct the files")


@evaluate.command("build")
@click.argument("out", type=click.Path(path_type=Path))
@where_option
@click.option("--sample", type=click.IntRange(min=1), metavar="N", help="At most N queries of a type [all].")
@click.option("--seed", type=int, default=0, show_default=True, help="Of the samples.")
@click.option("--llm", metavar="NAME", help="Have this model write questions too.")
@click.option(
    "--questions",
    type=click.IntRange(min=1),
    default=50,
    show_default=True,
    metavar="N",
    help="How many it is asked for.",
)
@json_option
def eval_build(
    out: Path,
    corpus: Path | None,
    qdrant: str | None,
    collection: str | None,
    sample: int | None,
    seed: int,
    llm: str | None,
    questions: int,
    as_json: bool,
) -> None:
    """Make a dataset folder of an ingested corpus: captions find pictures, headings find passages."""
    from evals.build import build, build_lines, writer

    with open_corpus(corpus, qdrant, collection, create=False) as opened, Progress("questions") as progress:
        model = writer(opened.settings, llm) if llm else None
        built = build(
            opened, out, sample=sample or 0, seed=seed, llm=model, questions=questions, progress=progress.count
        )
    if as_json:
        print_json(built.to_json())
    else:
        click.echo("\n".join(build_lines(built)))


measure_option = click.option(
    "--measure",
    "measures",
    multiple=True,
    metavar="NAME",
    help="A measure that the runs have recorded (repeatable).",
)
seed_option = click.option("--seed", default=0, show_default=True, help="Of the random draws.")


@evaluate.command("compare")
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


@evaluate.command("gate")
@click.argument("baseline", type=click.Path(path_type=Path))
@click.argument("run", type=click.Path(path_type=Path))
@measure_option
@click.option(
    "--alpha",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=0.05,
    show_default=True,
    help="A fall counts where its corrected p is below this.",
)
@click.option(
    "--tolerance", type=click.FloatRange(min=0), default=0.0, show_default=True, help="A fall up to this is allowed."
)
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


@evaluate.command("report")
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


@evaluate.command("tune")
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


@evaluate.command("peers")
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


@evaluate.command("answers")
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
