"""`triptych eval …`: offline retrieval evaluation."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rag.cli.options import (
    Failure,
    Progress,
    depths_option,
    fusion_option,
    json_option,
    open_corpus,
    print_json,
    wait_option,
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
@click.option("--depth", type=click.IntRange(min=1), help="Candidates that each leg contributes [50].")
@depths_option
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
@wait_option()
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
    wait: float,
    sample: int | None,
    seed: int,
    llm: str | None,
    questions: int,
    as_json: bool,
) -> None:
    """Make a dataset folder of an ingested corpus: captions find pictures, headings find passages."""
    from evals.build import build, build_lines, writer

    with open_corpus(corpus, qdrant, collection, create=False, wait=wait) as opened, Progress("questions") as progress:
        model = writer(opened.settings, llm) if llm else None
        built = build(
            opened, out, sample=sample or 0, seed=seed, llm=model, questions=questions, progress=progress.count
        )
    if as_json:
        print_json(built.to_json())
    else:
        click.echo("\n".join(build_lines(built)))
