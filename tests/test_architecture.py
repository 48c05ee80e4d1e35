"""The import arrows point one way, each heavy library has one home, and `--help` imports none of them."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("rag", "ingestion", "prompts", "evals")
FILES = [file for package in PACKAGES for file in sorted((ROOT / package).rglob("*.py"))]

# A room may import what stands below it, never what stands above; rooms of equal height do not know each other.
HEIGHT = {
    "errors": 0,
    "schema": 0,
    "prompts": 1,
    "settings": 1,
    "pictures": 1,
    "fusion": 1,
    "calibration": 1,
    "question": 2,
    "encoders": 2,
    "store": 2,
    "location": 3,
    "ranking": 3,
    "query": 3,
    "answer": 3,
    "ingestion": 3,
    "retriever": 4,
    "corpus": 5,
    "display": 5,
    "lettering": 6,
    "sheet": 7,
    "evals": 6,
    "demo": 6,
    "bench": 7,
    "server": 7,
    "cli": 8,
}
HOMES = {
    "torch": ("rag/encoders/",),
    "transformers": ("rag/encoders/",),
    "onnxruntime": ("rag/encoders/",),
    "qdrant_client": ("rag/store/",),
    "qdrant_edge": ("rag/store/",),
    "click": ("rag/cli/",),
    "ir_measures": ("evals/metrics.py",),
    "pyarrow": ("evals/formats/mteb.py",),
    "jinja2": ("evals/report.py",),
    "pypdfium2": (
        "ingestion/readers/pdf.py",
        *(f"ingestion/readers/_pdf_{part}.py" for part in ("page", "pictures", "annots")),
    ),
    "docx": ("ingestion/readers/docx.py",),
    "pptx": ("ingestion/readers/pptx.py",),
    "openpyxl": ("ingestion/readers/xlsx.py",),
    "docutils": ("ingestion/readers/_rst_tree.py", "ingestion/readers/rst.py"),
    "resvg_py": ("rag/pictures/svg.py",),
    "pillow_heif": ("rag/pictures/opening.py",),
    "rapidocr": ("ingestion/ocr.py",),
    "metafile_render": ("ingestion/readers/_emf.py",),
    "markdown_it": ("ingestion/readers/markdown.py",),
    "watchfiles": ("ingestion/watch.py",),
    "pathspec": ("ingestion/patterns.py",),
    "httpcore": ("ingestion/sources/web.py", "ingestion/sources/wire.py"),
    "fsspec": ("ingestion/sources/stores.py",),
}


def modules_imported(file: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def room(module: str) -> str | None:
    parts = module.split(".")
    if parts[0] == "rag":
        return parts[1] if len(parts) > 1 and parts[1] in HEIGHT else None
    return parts[0] if parts[0] in PACKAGES else None


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_no_import_points_up(file):
    here = room(".".join(file.relative_to(ROOT).with_suffix("").parts))
    if here is None:
        assert file == ROOT / "rag" / "__init__.py"
        return
    rooms = {other for module in modules_imported(file) if (other := room(module)) and other != here}
    assert not {other for other in rooms if HEIGHT[other] >= HEIGHT[here]}


@pytest.mark.parametrize("library", HOMES)
def test_a_heavy_library_has_one_home(library):
    users = {
        file.relative_to(ROOT).as_posix()
        for file in FILES
        if any(module.split(".")[0] == library for module in modules_imported(file))
    }
    assert users
    assert {user for user in users if not user.startswith(HOMES[library])} == set()


def test_help_imports_nothing_heavy():
    code = (
        "import sys\n"
        "from rag.cli import cli\n"
        "cli(['--help'], standalone_mode=False)\n"
        "heavy = {'torch', 'transformers', 'llama_index', 'qdrant_client', 'onnxruntime', 'numpy', 'pydantic'}\n"
        "print(sorted(heavy & {name.split('.')[0] for name in sys.modules}))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.splitlines()[-1] == "[]"


def test_every_public_name_can_be_imported():
    import rag

    assert rag.__all__ == sorted(rag.__all__)
    for name in rag.__all__:
        assert getattr(rag, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        rag.nonsense  # noqa: B018


def test_the_tree_of_errors_is_drawn_as_it_is():
    from rag import errors

    drawn = errors.__doc__ or ""
    for name in errors.__all__:
        assert name in drawn
        assert issubclass(getattr(errors, name), errors.TriptychError)
    assert errors.__all__ == sorted(errors.__all__)


def test_an_error_is_one_line_with_what_was_given_what_is_allowed_and_what_to_do():
    from rag.errors import TriptychError

    assert str(TriptychError("k = 0", "allowed: 1 or\n more.", "give -k 5")) == "k = 0; allowed: 1 or more; give -k 5"


def test_no_file_names_a_machine():
    words = ("/" + "work/", "/" + "tmp/", "/" + "root/", "/home" + "/")
    for file in [*FILES, *ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("notebooks/*.ipynb")]:
        text = file.read_text(encoding="utf-8")
        assert not [word for word in words if word in text], file
