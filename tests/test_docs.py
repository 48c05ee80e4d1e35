"""What the documents show is what there is: every command of the README is a real one, every file it names exists."""

import ast
import asyncio
import inspect
import re
import shlex
import shutil
from pathlib import Path

import click
import pytest

from rag.cli import cli

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "docs" / "architecture.md",
    ROOT / "docs" / "evaluation.md",
    ROOT / "docs" / "retrieval.md",
    ROOT / "docs" / "ranking.md",
    ROOT / "docs" / "cost.md",
    ROOT / "docs" / "ingestion.md",
    ROOT / "docs" / "llama-index.md",
    ROOT / "docs" / "filters.md",
]


def commands():
    for document in DOCUMENTS:
        for block in re.findall(r"```bash\n(.*?)```", document.read_text(encoding="utf-8"), re.S):
            for line in block.splitlines():
                if line.startswith("triptych "):
                    yield shlex.split(line, comments=True)[1:]


@pytest.mark.parametrize("arguments", list(commands()), ids=" ".join)
def test_a_command_in_the_documents_parses(arguments):
    command, context = cli, click.Context(cli, info_name="triptych")
    while isinstance(command, click.Group):
        name, command, arguments = command.resolve_command(context, arguments)
        context = click.Context(command, info_name=name, parent=context)
    assert command.parse_args(context, list(arguments)) == []


def test_every_command_is_in_the_readme():
    told = (ROOT / "README.md").read_text(encoding="utf-8")
    for name in cli.commands:
        assert f"triptych {name}" in told or f"make {name}" in told, name


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_a_link_in_the_documents_leads_to_a_file(document):
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", document.read_text(encoding="utf-8")):
        assert (document.parent / target).exists(), target


def test_every_extra_that_is_named_exists():
    wanted = set()
    for file in [*DOCUMENTS, *(ROOT / "rag").rglob("*.py"), *(ROOT / "evals").rglob("*.py")]:
        wanted |= set(re.findall(r"triptych-rag\[([a-z-]+)\]", file.read_text(encoding="utf-8")))
    extras = re.search(r"\[project.optional-dependencies\]\n(.*?)\n\[", (ROOT / "pyproject.toml").read_text(), re.S)
    assert wanted
    assert wanted <= set(re.findall(r"^([a-z-]+) = \[", extras.group(1), re.M))


def test_changelog_and_version_agree():
    from rag import __version__

    assert f"## {__version__}" in (ROOT / "CHANGELOG.md").read_text()
    assert f'version = "{__version__}"' in (ROOT / "pyproject.toml").read_text()


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_the_python_of_the_page_on_llama_index_runs(tmp_path, monkeypatch):
    from rag.demo import FILES
    from tests.test_llama_index import ScriptedLLM

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TRIPTYCH_ENCODER", "fake")
    (tmp_path / "docs").mkdir()
    for name in ("weather-year.pdf", "signal-book.docx"):
        shutil.copy(FILES / name, "docs")
    names = {"llm": ScriptedLLM("October [1].")}
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "llama-index.md").read_text(encoding="utf-8"), re.S)
    assert len(blocks) >= 6
    for block in blocks:
        code = compile(block, "docs/llama-index.md", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        done = eval(code, names)
        if inspect.iscoroutine(done):
            asyncio.run(done)
    names["corpus"].close()
