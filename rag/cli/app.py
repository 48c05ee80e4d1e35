"""The command line: parse, call one library function, print. `--help` imports nothing heavy."""

from __future__ import annotations

import gc
import io
import os
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rag import __version__
from rag.cli.compare import eval_compare, eval_gate, eval_report
from rag.cli.evaluate import evaluate
from rag.cli.fidelity import eval_ingestion
from rag.cli.improve import eval_answers, eval_confidence, eval_peers, eval_tune
from rag.cli.measure import bench
from rag.cli.options import (
    DONE,
    SOME_FAILED,
    Group,
    Number,
    Progress,
    filter_option,
    fusion_option,
    json_option,
    load_settings,
    open_corpus,
    pairs,
    pictures_option,
    print_json,
    ranking_options,
    reading,
    sheet_option,
    stoppable,
    term_options,
    terms_of,
    wait_option,
    weights_option,
    where_option,
)
from rag.display.plain import disarmed
from rag.errors import InputError

if TYPE_CHECKING:
    from ingestion.pipeline import IngestReport
    from rag.schema import Hit


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="triptych")
def cli() -> None:
    """Question answering over mixed documents: text and pictures in one ranking, offline by default."""


for command in (
    *(eval_compare, eval_gate, eval_report, eval_tune),
    *(eval_peers, eval_answers, eval_confidence, eval_ingestion),
):
    evaluate.add_command(command)
cli.add_command(evaluate)
cli.add_command(bench)


@cli.command()
@click.argument("paths", nargs=-1, required=True, metavar="PATH…")
@where_option
@click.option("--encoder", metavar="NAME", help="Alias, Hugging Face id or folder; see `triptych encoders` [bundled].")
@click.option("--language", metavar="NAME", help="Of the documents, for stems and stop words [english].")
@click.option(
    "--metadata", multiple=True, callback=pairs, metavar="KEY=VALUE", help="Stored with every node; may be repeated."
)
@click.option(
    "--remove-missing",
    is_flag=True,
    help="Remove sources below the given folders that are gone, and given URLs that are.",
)
@click.option("--ocr/--no-ocr", default=None, help="Read the words in pictures and on scanned pages.")
@click.option(
    "--exclude", multiple=True, metavar="PATTERN", help="Leave out what matches, as in .gitignore; repeatable."
)
@click.option(
    "--include", multiple=True, metavar="PATTERN", help="Read only what matches, as in .gitignore; repeatable."
)
@wait_option("0; 60 with --watch", None)
@click.option("--archives", is_flag=True, help="Open zip and tar archives, given or below the given folders.")
@click.option(
    "--fetch-pictures/--no-fetch-pictures", default=None, help="Fetch pictures that documents show from the web."
)
@click.option("--allow-private", is_flag=True, help="Fetch URLs from loopback and private addresses too.")
@click.option("--watch", is_flag=True, help="Go on following the folders until interrupted; a report a round.")
@json_option
@stoppable()
def ingest(
    paths: tuple[str, ...],
    corpus: Path | None,
    qdrant: str | None,
    collection: str | None,
    encoder: str | None,
    language: str | None,
    metadata: dict[str, Any],
    remove_missing: bool,
    ocr: bool | None,
    exclude: tuple[str, ...],
    include: tuple[str, ...],
    archives: bool,
    fetch_pictures: bool | None,
    allow_private: bool,
    wait: float | None,
    watch: bool,
    as_json: bool,
) -> None:
    """Read files, folders and URLs into a corpus. What is unchanged is left alone."""
    from ingestion.sources import is_url

    for path in paths:
        if is_url(path):
            if watch:
                raise InputError(f"--watch {path}", "files and folders can be followed", "ingest the URL by itself")
        elif not os.path.exists(path):
            raise InputError(f"there is no file or folder {path}", advice="check the path")

    def show(report: IngestReport) -> None:
        document = report.to_json()
        if as_json:
            print_json(document)
        else:
            from rag.display import report_lines

            click.echo("\n".join(report_lines(document)))
        for failure in report.failures:
            click.echo(f"triptych: {disarmed(str(failure))}", err=True)

    patience = (60.0 if watch else 0.0) if wait is None else wait
    settings = load_settings(corpus, qdrant, collection)
    opening = partial(
        open_corpus, corpus, qdrant, collection, encoder=encoder, language=language, settings=settings, wait=patience
    )

    def once() -> bool:
        with (
            reading(settings) as readers,
            opening() as opened,
            Progress("files") as progress,
        ):
            report = opened.ingest(
                *paths,
                metadata=metadata,
                remove_missing=remove_missing,
                ocr=ocr,
                progress=progress,
                exclude=exclude,
                include=include,
                archives=archives,
                allow_private=allow_private or None,
                fetch_pictures=fetch_pictures,
                wait=patience,
                readers=readers,
                stopped=show,
                allow_empty=watch,
            )
        show(report)
        return bool(report.failures)

    if not watch:
        sys.exit(SOME_FAILED if once() else DONE)
    from ingestion.watch import follow

    follow(paths, once, ignore=settings.corpus)


@cli.command()
@click.argument("query", default="")
@click.option("--image", metavar="FILE", help="Ask with a picture.")
@term_options
@where_option
@wait_option()
@click.option("-k", type=click.IntRange(min=1), help="Number of hits [10].")
@filter_option
@click.option("--modality", type=click.Choice(["text", "image"]), help="Only passages, or only pictures.")
@weights_option
@fusion_option
@ranking_options
@click.option("--threshold", type=Number(0, 1), metavar="P", help="Leave out hits of lower confidence, as in 0.3 [0].")
@click.option("--explain", is_flag=True, help="Show how each leg judged each hit.")
@pictures_option
@sheet_option
@json_option
def search(
    query: str,
    image: str | None,
    term: tuple[tuple[float, str], ...],
    minus: tuple[str, ...],
    like: tuple[str, ...],
    corpus: Path | None,
    qdrant: str | None,
    collection: str | None,
    wait: float,
    k: int | None,
    filters: str,
    modality: str | None,
    weights: dict[str, float],
    fusion: str | None,
    ranking: dict[str, Any],
    threshold: float | None,
    explain: bool,
    pictures: str,
    sheet: Path | None,
    as_json: bool,
) -> None:
    """Rank passages and pictures for a question in words, as a picture, or both."""
    from rag.ranking import RankingOptions

    if sheet is not None:
        from rag.sheet import check_target

        check_target(sheet)
    with open_corpus(corpus, qdrant, collection, create=False, wait=wait) as opened:
        hits = opened.search(
            query,
            image=image,
            k=k,
            filters=filters,
            modality=modality or "",
            weights=weights,
            fusion=fusion,
            ranking=RankingOptions.of(opened.settings, **ranking),
            threshold=threshold,
            terms=terms_of(term, minus, like),
        )
    if as_json:
        print_json({"query": query, "hits": [hit.to_json() for hit in hits], "seconds": dict(hits.seconds)})
    else:
        _print_hits(hits, explain, pictures)
    if sheet is not None:
        from rag.sheet import write_sheet

        count = write_sheet(hits, sheet, query)
        click.echo(f"triptych: {count} picture{'s' * (count != 1)} on {sheet}", err=True)


@cli.command()
@click.argument("question")
@click.option("--image", metavar="FILE", help="A picture that belongs to the question.")
@where_option
@wait_option()
@click.option("--llm", metavar="NAME", help="Name of the model; `extractive` quotes the documents without one.")
@click.option("-k", type=click.IntRange(min=1), help="Number of hits that the answer is given [8].")
@filter_option
@ranking_options
@json_option
def ask(
    question: str,
    image: str | None,
    corpus: Path | None,
    qdrant: str | None,
    collection: str | None,
    wait: float,
    llm: str | None,
    k: int | None,
    filters: str,
    ranking: dict[str, Any],
    as_json: bool,
) -> None:
    """Answer a question from the documents, with citations and pictures."""
    from rag.ranking import RankingOptions

    with open_corpus(corpus, qdrant, collection, create=False, wait=wait) as opened:
        options = RankingOptions.of(opened.settings, **ranking)
        answer = opened.ask(question, image=image, k=k, filters=filters, llm=llm, ranking=options)
    if as_json:
        print_json(answer.to_json())
    else:
        from rag.display import View, answer_lines

        click.echo("\n".join(answer_lines(answer, View.of(sys.stdout, os.environ))))


@cli.command()
@where_option
@wait_option()
@click.option("--llm", metavar="NAME", help="A multimodal language model; default: the configured one.")
@click.option(
    "--model", default="", metavar="NAME", help="A captioning checkpoint on this machine instead (BLIP, GIT)."
)
@filter_option
@click.option("--overwrite", is_flag=True, help="Describe anew what a model described before.")
@json_option
def caption(
    corpus: Path | None,
    qdrant: str | None,
    collection: str | None,
    wait: float,
    llm: str | None,
    model: str,
    filters: str,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Have a model describe the pictures that nobody has described. Nothing else is embedded again."""
    with open_corpus(corpus, qdrant, collection, create=False, wait=wait) as opened, Progress("pictures") as progress:
        report = opened.caption(llm=llm, model=model, filters=filters, overwrite=overwrite, progress=progress.count)
    document = report.to_json()
    if as_json:
        print_json(document)
    else:
        from rag.display import caption_lines

        click.echo("\n".join(caption_lines(document)))
    sys.exit(SOME_FAILED if document["left_out"] else DONE)


@cli.command()
@where_option
@wait_option()
@click.option("--sources", is_flag=True, help="List the sources too.")
@json_option
def status(
    corpus: Path | None, qdrant: str | None, collection: str | None, wait: float, sources: bool, as_json: bool
) -> None:
    """Say what a corpus holds."""
    with open_corpus(corpus, qdrant, collection, create=False, wait=wait) as opened:
        document = opened.status()
        names = sorted(opened.store.sources()) if sources else []
    if as_json:
        print_json({**document, "source_names": names} if sources else document)
        return
    from rag.display import status_lines

    click.echo("\n".join([*status_lines(document), *map(disarmed, names)]))


@cli.command()
@click.argument("source")
@where_option
@wait_option()
@json_option
def delete(
    source: str, corpus: Path | None, qdrant: str | None, collection: str | None, wait: float, as_json: bool
) -> None:
    """Remove a source and its nodes from a corpus."""
    with open_corpus(corpus, qdrant, collection, create=False, wait=wait) as opened:
        removed = opened.delete(source)
    if as_json:
        print_json({"source": source, "removed": removed})
    else:
        click.echo(f"removed {removed} nodes of {source}")


@cli.command()
@json_option
def encoders(as_json: bool) -> None:
    """List the encoders that have a name."""
    from rag.display import encoder_lines
    from rag.encoders import describe

    if as_json:
        from dataclasses import asdict

        print_json({"encoders": [asdict(info) for info in describe()]})
    else:
        click.echo("\n".join(encoder_lines(describe())))


@cli.command()
@click.option(
    "--corpus", type=click.Path(path_type=Path), default=".triptych-demo", show_default=True, help="Its folder."
)
@json_option
def demo(corpus: Path, as_json: bool) -> None:
    """Ingest the corpus that ships with Triptych and ask it three questions."""
    from rag.demo.run import run

    document = run(corpus, None if as_json else click.echo)
    if as_json:
        print_json(document)


def _print_hits(hits: list[Hit], explain: bool, pictures: str) -> None:
    from rag.display import View, hit_lines

    view = View.of(sys.stdout, os.environ, pictures)
    click.echo("\n\n".join("\n".join(hit_lines(hit, explain, view)) for hit in hits) or "no hits")


def main() -> None:
    """Entry point of the `triptych` command."""
    # Importing makes many objects that live to the end: looking them over again and again is a sixth of a cold start.
    gc.set_threshold(100_000, 20, 100)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal that cannot show a letter shows a question mark
    cli()
