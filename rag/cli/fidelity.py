"""`triptych eval ingestion`: what the readers keep of files whose content is known."""

from __future__ import annotations

from pathlib import Path

import click

from rag.cli.options import Number, Progress, json_option, print_json


@click.command("ingestion")
@click.argument("source", type=click.Path(path_type=Path), metavar="MANIFEST.csv|FOLDER")
@click.option(
    "--groundtruth", type=click.Path(path_type=Path), metavar="DIR", help="Markdown files with the words of the files."
)
@click.option("--seconds", type=Number(min=0.1), default=120.0, show_default=True, help="A file may take at most.")
@click.option("--ocr", is_flag=True, help="Read what is only drawn: scanned pages, words in pictures.")
@json_option
def eval_ingestion(source: Path, groundtruth: Path | None, seconds: float, ocr: bool, as_json: bool) -> None:
    """Read every file and compare text and pictures with a manifest and a ground truth."""
    from evals.fidelity import entries, measure

    with Progress("files") as progress:
        result = measure(entries(source), groundtruth, seconds=seconds, ocr=ocr, progress=progress.count)
    if as_json:
        print_json(result.to_json())
    else:
        click.echo("\n".join(result.lines()))
