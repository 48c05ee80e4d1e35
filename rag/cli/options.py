"""What the commands share: options, the form of failures, progress."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import wraps
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click

from rag.display.plain import disarmed
from rag.display.view import PICTURES
from rag.errors import TriptychError

if TYPE_CHECKING:
    from ingestion.pipeline import ProgressEvent
    from ingestion.workers import Readers
    from rag.corpus import Corpus
    from rag.question import Term
    from rag.settings import Settings

Command = TypeVar("Command", bound=Callable[..., Any])

DONE, FAILED, SOME_FAILED = 0, 1, 3


class Failure(click.ClickException):
    """What could not be done, in one line on stderr."""

    exit_code = FAILED

    def show(self, file: Any = None) -> None:
        """Print the line."""
        click.echo(f"triptych: {disarmed(self.message)}", err=True)


class Group(click.Group):
    """A group whose commands end in one line on stderr where the library refuses."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; map what the library raises."""
        try:
            return super().invoke(ctx)
        except (click.exceptions.Exit, click.Abort):
            raise
        except KeyboardInterrupt as exc:
            raise Failure("interrupted; what was stored until now stays; run the same command again to go on") from exc
        except TriptychError as exc:
            raise Failure(str(exc)) from exc
        except (OSError, RuntimeError, ValueError, TypeError, AttributeError, LookupError) as exc:
            if os.environ.get("TRIPTYCH_DEBUG") or isinstance(exc, BrokenPipeError):
                raise
            what = " ".join(f"{type(exc).__name__}: {exc}".split())
            raise Failure(f"{what}; this should not happen; run again with TRIPTYCH_DEBUG=1 and report it") from exc


def where_option(command: Command) -> Command:
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


class Number(click.FloatRange):
    """Numbers in a range. NaN compares with no bound, so click's own range lets it through."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The number; NaN is refused."""
        number = super().convert(value, param, ctx)
        if isnan(number):
            self.fail(f"{value} is not a number.", param, ctx)
        return number


def wait_option(told: str = "5", seconds: float | None = 5.0) -> Callable[[Command], Command]:
    """For how long a command waits for a corpus that another process holds; `told` is what the help says of it."""
    return click.option(
        "--wait",
        type=Number(min=0),
        default=seconds,
        metavar="SECONDS",
        help=f"Wait for another process that holds the corpus [{told}].",
    )


json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout.")
filter_option = click.option(
    "--filter", "filters", default="", metavar="EXPR", help="As in: modality = image and page >= 3"
)


def pairs(_ctx: click.Context, _param: click.Parameter, values: tuple[str, ...]) -> dict[str, Any]:
    """Parse KEY=VALUE; values that are JSON numbers, booleans or lists are typed."""
    pairs: dict[str, Any] = {}
    for value in values:
        key, sign, text = value.partition("=")
        if not sign or not key:
            raise click.BadParameter(f"{value!r} is not KEY=VALUE")
        try:
            pairs[key] = json.loads(text)
        except ValueError:  # no JSON, or a number of thousands of digits
            pairs[key] = text
    return pairs


def _legs_of(number: Callable[[str], float], value: str | None) -> dict[str, float]:
    """Parse image=1,caption=0.5."""
    found: dict[str, float] = {}
    for part in (value or "").split(","):
        name, _, text = part.partition("=")
        try:
            if part.strip():
                found[name.strip()] = number(text)
        except ValueError as exc:
            raise click.BadParameter(f"{part!r} is not LEG=NUMBER") from exc
    return found


weights_option = click.option(
    "--weights",
    callback=lambda _ctx, _param, value: _legs_of(float, value),
    metavar="LEG=N,…",
    help="As in image=1,caption=1,text=1,lexical=1",
)
depths_option = click.option(
    "--depths",
    callback=lambda _ctx, _param, value: _legs_of(int, value),
    metavar="LEG=N,…",
    help="Candidates of single legs, as in text=100,image=20",
)
pictures_option = click.option(
    "--pictures",
    type=click.Choice(PICTURES),
    default="auto",
    show_default=True,
    help="How a terminal is shown the pictures.",
)
sheet_option = click.option(
    "--sheet",
    type=click.Path(path_type=Path),
    metavar="FILE.png",
    help="Write the pictures among the hits to one sheet.",
)
fusion_option = click.option(
    "--fusion", metavar="NAME", help="calibrated, zscore, minmax, dbsf, rrf or rrf(K) [calibrated]."
)


def term_options(command: Command) -> Command:
    """Options that say more of a question than its words."""
    for option in (
        click.option(
            "--term",
            type=(float, str),
            multiple=True,
            metavar="WEIGHT WORDS",
            help="More words with a weight beside the question's 1, as in --term 0.5 sunset; may be repeated.",
        ),
        click.option("--minus", multiple=True, metavar="WORDS", help="Lead away from these words: a weight of -1."),
        click.option("--like", multiple=True, metavar="ID", help="More like the hit with this id; may be repeated."),
    ):
        command = option(command)
    return command


def terms_of(term: Sequence[tuple[float, str]], minus: Sequence[str], like: Sequence[str]) -> tuple[Term, ...]:
    """The terms that the options name."""
    from rag.question import Term

    return (
        *(Term(text=words, weight=weight) for weight, words in term),
        *(Term(text=words, weight=-1.0) for words in minus),
        *(Term(like=id_) for id_ in like),
    )


_RANKING = (
    click.option("--collapse/--no-collapse", default=None, help="Fold near-duplicates into the best of them [on]."),
    click.option(
        "--rerank",
        metavar="NAME",
        help="Let a model read the first hits and order them: `llm`, or a cross-encoder's folder or Hugging Face id.",
    ),
    click.option("--rerank-depth", type=click.IntRange(min=1), metavar="N", help="Hits that are reranked [50]."),
    click.option(
        "--boost",
        "boosts",
        multiple=True,
        metavar="EXPR:AMOUNT",
        help="Add to the score where a filter holds, as in 'modality = image: 0.5'; may be repeated.",
    ),
    click.option(
        "--recency",
        metavar="[FIELD:]DAYS[=AMOUNT]",
        help="Add AMOUNT [1] to what is new, half of it to what is DAYS old, by the date in FIELD [ingested_at].",
    ),
    click.option("--group", type=click.IntRange(min=1), metavar="N", help="At most N hits of each document."),
    click.option(
        "--mmr",
        type=Number(0, 1, min_open=True),
        metavar="LAMBDA",
        help="Maximal marginal relevance: 1 for relevance alone, lower for more variety, as in 0.7.",
    ),
    click.option(
        "--quota",
        metavar="MODALITY=N,…",
        help="Places among the hits: image=3 (at most), image=2.. (at least), image=2..4,text=3..",
    ),
)


def ranking_options(command: Command) -> Command:
    """Options of what happens after fusion; the command is given them together, as the mapping `ranking`."""

    @wraps(command)
    def gathered(**given: Any) -> Any:
        names = ("collapse", "rerank", "rerank_depth", "boosts", "recency", "group", "mmr", "quota")
        ranking = {name: value for name in names if (value := given.pop(name)) is not None}
        return command(**given, ranking=ranking)

    decorated: Any = gathered
    for option in reversed(_RANKING):
        decorated = option(decorated)
    return cast("Command", decorated)


def open_corpus(corpus: Path | None, qdrant: str | None, collection: str | None, **more: Any) -> Corpus:
    """The corpus that the options name."""
    from rag.corpus import Corpus

    return Corpus.open(corpus, qdrant=qdrant, collection=collection, **more)


def load_settings(corpus: Path | None, qdrant: str | None, collection: str | None) -> Settings:
    """The settings under the options that name a corpus."""
    from rag.settings import Settings

    return Settings.load(corpus=corpus, qdrant=qdrant, collection=collection)


@contextmanager
def reading(settings: Settings) -> Iterator[Readers]:
    """The readers that the settings ask for. One starts at once, beside the loading of the encoder and the engine."""
    from ingestion.workers import open_readers

    with open_readers(settings.reader_workers, settings.reader_timeout, settings.reader_memory) as readers:
        readers.warm()
        yield readers


@contextmanager
def stoppable() -> Iterator[None]:
    """A SIGTERM ends what is done here as Ctrl-C does."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def print_json(document: Mapping[str, Any]) -> None:
    """One JSON document on stdout, in UTF-8 whatever the terminal speaks."""
    click.echo(json.dumps(document, ensure_ascii=False, indent=2, default=str).encode("utf-8", "replace"))


class Progress:
    """A progress bar on stderr, shown where stderr is a terminal."""

    def __init__(self, unit: str) -> None:
        from tqdm import tqdm

        self._bar = tqdm(unit=f" {unit}", file=sys.stderr, disable=None, leave=False)

    def __call__(self, event: ProgressEvent) -> None:
        """Show that one more file is dealt with: files, their rate and the time left, nodes, and the file's name."""
        self._bar.set_postfix_str(f"{event.nodes} nodes, {Path(event.source).name[-40:]}", refresh=False)
        self.count(event.done, event.total)

    def count(self, done: int, total: int) -> None:
        """Show `done` of `total`."""
        self._bar.total = total
        self._bar.update(done - self._bar.n)

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *exc: object) -> None:
        self._bar.close()
