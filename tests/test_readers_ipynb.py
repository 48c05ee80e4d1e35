"""The notebook reader: cells in order, outputs as text and pictures, pictures of Markdown cells."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from ingestion.readers import ipynb, linked_files, read
from rag.errors import SourceError
from tests.document_files import png, shown, told, write

PNG = base64.b64encode(png()).decode()


def notebook(path: Path, *cells: dict[str, Any], **about: Any) -> Path:
    return write(path, json.dumps({"cells": list(cells), "metadata": about, "nbformat": 4}))


def code(source: str, *outputs: dict[str, Any]) -> dict[str, Any]:
    return {"cell_type": "code", "source": source.splitlines(keepends=True), "outputs": list(outputs)}


def test_cells_and_their_outputs_are_read_in_order(tmp_path: Path):
    path = notebook(
        tmp_path / "a.ipynb",
        {"cell_type": "markdown", "source": ["# Rain\n", "\n", "It *rained*."]},
        code(
            "plot()\nprint(1)",
            {"output_type": "stream", "text": ["\x1b[31m1\x1b[0m\n"]},
            {"output_type": "display_data", "data": {"image/png": PNG, "text/plain": "<Figure size 6x4 with 1 Axes>"}},
            {"output_type": "execute_result", "data": {"text/plain": "42"}},
            {"output_type": "error", "ename": "ValueError", "evalue": "too wet", "traceback": ["…"]},
        ),
        {"cell_type": "raw", "source": "raw text"},
        kernelspec={"language": "python"},
        authors=[{"name": "Ann"}],
    )
    document = read(path)
    assert (document.title, document.metadata) == ("Rain", {"programming_language": "python", "author": "Ann"})
    assert shown(document) == [
        ("heading", "Rain"),
        ("paragraph", "It rained."),
        ("code", "plot()\nprint(1)"),
        ("code", "1"),
        ("PICTURE", ""),
        ("code", "42"),
        ("code", "ValueError: too wet"),
        ("paragraph", "raw text"),
    ]
    assert {item.section for item in document.items} == {("Rain",)}


def test_a_data_frame_is_a_table(tmp_path: Path):
    table = "<table><tr><th></th><th>mm</th></tr><tr><th>May</th><td>12</td></tr></table>"
    output = {"output_type": "execute_result", "data": {"text/html": table, "text/plain": "  mm\nMay 12"}}
    assert shown(read(notebook(tmp_path / "a.ipynb", code("df", output))))[1:] == [("table", "| mm\nMay | 12")]


def test_pictures_of_markdown_cells_are_attached_or_lie_beside_the_notebook(tmp_path: Path):
    write(tmp_path / "b.png", png("blue"))
    path = notebook(
        tmp_path / "a.ipynb",
        {
            "cell_type": "markdown",
            "source": "![Red](attachment:a.png) ![Blue](b.png) ![None](attachment:none.png) ![Out](../../x.png)",
            "attachments": {"a.png": {"image/png": PNG}},
        },
    )
    document = read(path)
    assert [picture.alt for picture in document.pictures] == ["Red", "Blue"]
    assert linked_files(path) == ((tmp_path / "b.png").resolve(),)
    assert "picture attachment:none.png: the notebook does not hold it" in told(document)
    assert "picture ../../x.png" in told(document)


def test_a_long_output_is_cut_and_told(tmp_path: Path):
    output = {"output_type": "stream", "text": "x" * (ipynb.MAX_OUTPUT + 5)}
    document = read(notebook(tmp_path / "a.ipynb", code("loop()", output)))
    assert told(document) == "5 characters of an output: longer than 10000"


def test_notebooks_of_the_third_format_are_read(tmp_path: Path):
    cells = [
        {"cell_type": "heading", "level": 1, "source": "Rain"},
        {"cell_type": "code", "input": "plot()", "outputs": [{"output_type": "display_data", "png": PNG}]},
    ]
    path = write(tmp_path / "a.ipynb", json.dumps({"worksheets": [{"cells": cells}], "nbformat": 3}))
    assert shown(read(path)) == [("heading", "Rain"), ("code", "plot()"), ("PICTURE", "")]


@pytest.mark.parametrize(
    "cell",
    [
        {"cell_type": "code", "source": None, "outputs": "nonsense"},
        {"cell_type": "code", "source": 5, "outputs": [5, {"output_type": "display_data", "data": []}]},
        {"cell_type": "markdown", "source": ["![x](attachment:a)", 5], "attachments": {"a": "x"}},
        {"cell_type": "code", "source": "", "outputs": [{"data": {"image/png": "%%%"}}]},
        {"cell_type": "heading", "source": "x", "level": "high"},
        "nonsense",
    ],
)
def test_a_damaged_cell_costs_no_other(tmp_path: Path, cell: Any):
    path = notebook(tmp_path / "a.ipynb", cell, {"cell_type": "raw", "source": "kept"})
    assert shown(read(path))[-1] == ("paragraph", "kept")


@pytest.mark.parametrize("content", ["{", "[]", "{}", "[" * 100_000])
def test_what_is_no_notebook_is_refused(tmp_path: Path, content: str):
    with pytest.raises(SourceError, match="notebook"):
        read(write(tmp_path / "a.ipynb", content))
