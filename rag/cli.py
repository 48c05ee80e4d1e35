"""The command line: parse, call one library function, print. `--help` imports nothing heavy."""

from __future__ import annotations

import gc
import json
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from rag import __version__
from rag.errors import InputError, TriptychError

if TYPE_CHECKING:
    from ingestion.pipeline import ProgressEvent
    from rag.corpus import Corpus
    from rag.schema import Hit

Command = TypeVar("Command", bound=Callable[..., Any])

DONE, FAILED, SOME_FAILED = 0, 1, 3


class _Failure(click.ClickException):
    exit_code = FAILED

    def show(self, file: Any = None) -> None:
        click.echo(f"triptych: {self.message}", err=True)


class _Group(click.Group):
    """A group whose commands end in one line on stderr where the library refuses."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (click.exceptions.Exit, click.Abort):
            raise
        except TriptychError as exc:
            raise _Failure(str(exc)) from exc
        except (OSError, RuntimeError, ValueError, TypeError, AttributeError, LookupError) as exc:
            if os.environ.get("TRIPTYCH_DEBUG") or isinstance(exc, BrokenPipeError):
                raise
            what = " ".join(f"{type(exc).__name__}: {exc}".split())
            raise _Failure(f"{what}; this should not happen; run again with TRIPTYCH_DEBUG=1 and report it") from exc


def _where(command: Command) -> Command:
    """Options that say which corpus is meant."""
    for option in (
        click.option(
            "--corpus",
            type=click.Path(path_type=Path),
            envvar="TRIPTYCH_CORPUS",
            help="Folder of the corpus [.triptych].",
        ),
        click.option("--qdrant", metavar="URL", help="Keep the vectors on a Qdrant server."),
        click.option("--collection", metavar="NAME", help="Collection on the server [triptych]."),
    ):
        command = option(command)
    return command


_json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout.")
_filter_option = click.option(
    "--filter", "filters", default="", metavar="EXPR", help="As in: modality = image and page >= 3"
)


def _pairs(_ctx: click.Context, _param: click.Parameter, values: tuple[str, ...]) -> dict[str, Any]:
    """Parse KEY=VALUE; values that are JSON numbers, booleans or lists are typed."""
    pairs: dict[str, Any] = {}
    for value in values:
        key, sign, text = value.partition("=")
        if not sign or not key:
            raise click.BadParameter(f"{value!r} is not KEY=VALUE")
        try:
            pairs[key] = json.loads(text)
        except json.JSONDecodeError:
            pairs[key] = text
    return pairs


def _weights(_ctx: click.Context, _param: click.Parameter, value: str | None) -> dict[str, float]:
    """Parse image=1,caption=0.5."""
    weights: dict[str, float] = {}
    for part in (value or "").split(","):
        name, _, number = part.partition("=")
        try:
            if part.strip():
                weights[name.strip()] = float(number)
        except ValueError as exc:
            raise click.BadParameter(f"{part!r} is not LEG=NUMBER") from exc
    return weights


_weights_option = click.option(
    "--weights", callback=_weights, metavar="LEG=N,…", help="As in image=1,caption=1,text=1,lexical=1"
)
_fusion_option = click.option("--fusion", metavar="NAME", help="zscore, minmax, dbsf, rrf or rrf(K) [zscore].")


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="triptych")
def cli() -> None:
    """Question answering over mixed documents: text and pictures in one ranking, offline by default."""


def _open(corpus: Path | None, qdrant: str | None, collection: str | None, **more: Any) -> Corpus:
    from rag.corpus import Corpus

    return Corpus.open(corpus, qdrant=qdrant, collection=collection, **more)


def _print_json(document: Mapping[str, Any]) -> None:
    click.echo(json.dumps(document, ensure_ascii=False, indent=2, default=str))


@cli.command()
@click.argument("paths", nargs=-1, required=True, metavar="PATH…")
@_where
@click.option("--encoder", metavar="NAME", help="Alias, Hugging Face id or folder; see `triptych encoders` [bundled].")
@click.option(
    "--metadata", multiple=True, callback=_pairs, metavar="KEY=VALUE", help="Stored with every node; may be repeated."
)
@click.option(
    "--remove-missing", is_flag=True, help="Remove sources below the given folders that are gone from the disk."
)
@_json_option
def ingest(
    paths: tuple[str, ...],
    corpus: Path | None,
    qdrant: str | None,
    collection: str | None,
    encoder: str | None,
    metadata: dict[str, Any],
    remove_missing: bool,
    as_json: bool,
) -> None:
    """Read files and folders into a corpus. What is unchanged is left alone."""
    for path in paths:
        if not Path(path).exists():
            raise InputError(f"there is no file or folder {path}", advice="check the path")
    with _open(corpus, qdrant, collection, encoder=encoder) as opened, _Progress("files") as progress:
        report = opened.ingest(*paths, metadata=metadata, remove_missing=remove_missing, progress=progress)
    document = report.to_json()
    if as_json:
        _print_json(document)
    else:
        from rag.display import report_lines

        click.echo("\n".join(report_lines(document)))
    for failure in document["failures"]:
        click.echo(f"triptych: {failure['source']}: {failure['message']}", err=True)
    sys.exit(SOME_FAILED if document["failures"] else DONE)


@cli.command()
@click.argument("query", default="")
@click.option("--image", metavar="FILE", help="Ask with a picture.")
@_where
@click.option("-k", type=click.IntRange(min=1), help="Number of hits [10].")
@_filter_option
@click.option("--modality", type=click.Choice(["text", "image"]), help="Only passages, or only pictures.")
@_weights_option
@_fusion_option
@click.option("--explain", is_flag=True, help="Show how each leg judged each hit.")
@_json_option
def search(
    query: str,
    image: str | None,
    corpus: Path | None,
    qdrant: str | None,
    collection: str | None,
    k: int | None,
    filters: str,
    modality: str | None,
    weights: dict[str, float],
    fusion: str | None,
    explain: bool,
    as_json: bool,
) -> None:
    """Rank passages and pictures for a question in words, as a picture, or both."""
    with _open(corpus, qdrant, collection, create=False) as opened:
        hits = opened.search(
            query, image=image, k=k, filters=filters, modality=modality or "", weights=weights, fusion=fusion
        )
    if as_json:
        _print_json({"query": query, "hits": [hit.to_json() for hit in hits]})
    else:
        _print_hits(hits, explain)


@cli.command()
@click.argument("question")
@click.option("--image", metavar="FILE", help="A picture that belongs to the question.")
@_where
@click.option("--llm", metavar="NAME", help="Name of the model; `extractive` quotes the documents without one.")
@click.option("-k", type=click.IntRange(min=1), help="Number of hits that the answer is given [8].")
@_filter_option
@_json_option
def ask(
    question: str,
    image: str | None,
    corpus: Path | None,
    qdrant: str | None,
    collection: str | None,
    llm: str | None,
    k: int | None,
    filters: str,
    as_json: bool,
) -> None:
    """Answer a question from the documents, with citations and pictures."""
    with _open(corpus, qdrant, collection, create=False) as opened:
        answer = opened.ask(question, image=image, k=k, filters=filters, llm=llm)
    if as_json:
        _print_json(answer.to_json())
    else:
        from rag.display import answer_lines

        click.echo("\n".join(answer_lines(answer)))


@cli.command()
@_where
@click.option("--sources", is_flag=True, help="List the sources too.")
@_json_option
def status(corpus: Path | None, qdrant: str | None, collection: str | None, sources: bool, as_json: bool) -> None:
    """Say what a corpus holds."""
    with _open(corpus, qdrant, collection, create=False) as opened:
        document = opened.status()
        names = sorted(opened.store.sources()) if sources else []
    if as_json:
        _print_json({**document, "source_names": names} if sources else document)
        return
    from rag.display import status_lines

    click.echo("\n".join([*status_lines(document), *names]))


@cli.command()
@click.argument("source")
@_where
@_json_option
def delete(source: str, corpus: Path | None, qdrant: str | None, collection: str | None, as_json: bool) -> None:
    """Remove a source and its nodes from a corpus."""
    with _open(corpus, qdrant, collection, create=False) as opened:
        removed = opened.delete(source)
    if as_json:
        _print_json({"source": source, "removed": removed})
    else:
        click.echo(f"removed {removed} nodes of {source}")


@cli.command()
@_json_option
def encoders(as_json: bool) -> None:
    """List the encoders that have a name."""
    from rag.display import encoder_lines
    from rag.encoders import describe

    if as_json:
        from dataclasses import asdict

        _print_json({"encoders": [asdict(info) for info in describe()]})
    else:
        click.echo("\n".join(encoder_lines(describe())))


@cli.command()
@click.option(
    "--corpus", type=click.Path(path_type=Path), default=".triptych-demo", show_default=True, help="Its folder."
)
@_json_option
def demo(corpus: Path, as_json: bool) -> None:
    """Ingest the corpus that ships with Triptych and ask it three questions."""
    from rag.demo.run import run

    document = run(corpus, None if as_json else click.echo)
    if as_json:
        _print_json(document)


@cli.group("eval")
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
@_weights_option
@_fusion_option
@click.option(
    "-k", type=click.IntRange(min=10), default=100, show_default=True, help="Length of the ranking of a query."
)
@click.option(
    "--run", "run_file", type=click.Path(path_type=Path), metavar="FILE", help="Write the ranking in TREC form."
)
@click.option(
    "--per-query", type=click.Path(path_type=Path), metavar="FILE", help="Write the scores of each query (JSON lines)."
)
@_json_option
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

    with _Progress("rows") as progress:
        result = run_evaluation(
            folder, task, corpus=corpus, encoder=encoder, weights=weights, fusion=fusion, k=k, progress=progress.count
        )
    result.write(run_file, per_query)
    if unopened := result.settings["unopened_pictures"]:
        click.echo(f"triptych: {unopened} pictures cannot be opened; they are found by their words alone", err=True)
    if as_json:
        _print_json(result.to_json())
    else:
        from rag.display import eval_lines

        click.echo("\n".join(eval_lines(result.to_json())))


@cli.group()
def bench() -> None:
    """Measure on this machine; timings are noisy, compare medians of one run."""


@bench.command("start")
@click.option("--runs", type=click.IntRange(min=1), default=5, show_default=True)
@_json_option
def bench_start(runs: int, as_json: bool) -> None:
    """Cold start: `triptych --help` and `triptych search` on the demo corpus, in fresh processes."""
    from rag.bench import cold_start

    document = cold_start(runs)
    if as_json:
        _print_json(document)
    else:
        click.echo(
            "\n".join(f"{name:32} {seconds:6.2f} s (median of {runs})" for name, seconds in document["seconds"].items())
        )


def _print_hits(hits: list[Hit], explain: bool) -> None:
    from rag.display import hit_lines

    click.echo("\n".join(line for hit in hits for line in hit_lines(hit, explain)) or "no hits")


class _Progress:
    """A progress bar on stderr, shown where stderr is a terminal."""

    def __init__(self, unit: str) -> None:
        from tqdm import tqdm

        self._bar = tqdm(unit=f" {unit}", file=sys.stderr, disable=None, leave=False)

    def __call__(self, event: ProgressEvent) -> None:
        self._bar.set_postfix_str(Path(event.source).name[-40:], refresh=False)
        self.count(event.done, event.total)

    def count(self, done: int, total: int) -> None:
        """Show `done` of `total`."""
        self._bar.total = total
        self._bar.update(done - self._bar.n)

    def __enter__(self) -> _Progress:
        return self

    def __exit__(self, *exc: object) -> None:
        self._bar.close()


def main() -> None:
    """Entry point of the `triptych` command."""
    # Importing makes many objects that live to the end: looking them over again and again is a sixth of a cold start.
    gc.set_threshold(100_000, 20, 100)
    cli()


if __name__ == "__main__":
    main()
