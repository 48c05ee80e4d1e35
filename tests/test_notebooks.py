"""Notebooks run from top to bottom, offline, and show what they promise."""

import tempfile
from pathlib import Path

import pytest

NOTEBOOKS = sorted((Path(__file__).resolve().parents[1] / "notebooks").glob("*.ipynb"))


@pytest.fixture
def kernel(monkeypatch):
    """A kernel that is spoken to through files: of the ports that it would choose, another process may take one before
    it listens."""
    from traitlets.config import Config

    with tempfile.TemporaryDirectory(prefix="kernel") as folder:  # the path of a socket has at most 100 characters
        monkeypatch.setenv("IPYTHONDIR", folder)
        monkeypatch.setenv("JUPYTER_RUNTIME_DIR", folder)
        yield Config(KernelManager={"transport": "ipc", "connection_file": f"{folder}/kernel.json"})


@pytest.mark.slow
@pytest.mark.parametrize("file", NOTEBOOKS, ids=lambda file: file.stem)
def test_a_notebook_runs_without_an_error(file, kernel):
    import nbformat
    from nbclient import NotebookClient

    notebook, places = nbformat.read(file, as_version=4), {"metadata": {"path": str(file.parent)}}
    NotebookClient(notebook, timeout=600, startup_timeout=600, resources=places, config=kernel).execute()
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    assert not [output for output in outputs if output.output_type == "error"]
    if file.stem == "01_quickstart":
        pictures = [output for output in outputs if "image/png" in output.get("data", {})]
        assert len(pictures) == 2
    if file.stem == "02_evaluate":
        told = "".join(str(output.get("data", "")) for output in outputs)
        assert "| nDCG@10 | lexical |" in told
        assert "plots drawn inside: True" in told
