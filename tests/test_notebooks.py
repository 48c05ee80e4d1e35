"""Notebooks run from top to bottom, offline, and show what they promise."""

from pathlib import Path

import pytest

NOTEBOOKS = sorted((Path(__file__).resolve().parents[1] / "notebooks").glob("*.ipynb"))


@pytest.mark.slow
@pytest.mark.parametrize("file", NOTEBOOKS, ids=lambda file: file.stem)
def test_a_notebook_runs_without_an_error(file):
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read(file, as_version=4)
    NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(file.parent)}}).execute()
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    assert not [output for output in outputs if output.output_type == "error"]
    if file.stem == "01_quickstart":
        pictures = [output for output in outputs if "image/png" in output.get("data", {})]
        assert len(pictures) == 2
    if file.stem == "02_evaluate":
        told = "".join(str(output.get("data", "")) for output in outputs)
        assert "| nDCG@10 | lexical |" in told
        assert "plots drawn inside: True" in told
