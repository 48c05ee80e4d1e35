"""Build the demo corpus: `python -m scripts.build_demo [FOLDER]`. The same versions give the same bytes.

The words are in `scripts/demo/content`, the pictures are drawn by `scripts/demo`; nothing comes from anywhere else.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from rag.demo import FILES
from scripts.demo import office, pdf, web
from scripts.demo.blocks import Block, Picture, parse
from scripts.demo.pictures import encoded, filename

CONTENT: Final = Path(__file__).parent / "demo" / "content"
WRITERS: Final[dict[str, Callable[[list[Block]], bytes]]] = {
    ".docx": office.docx,
    ".html": web.html,
    ".md": web.markdown,
    ".pdf": pdf.pdf,
    ".pptx": office.pptx,
}
DOCUMENTS: Final = (
    "birds-of-skarne.md",
    "getting-here.html",
    "island-guide.html",
    "keepers-handbook.docx",
    "lighthouse-history.pdf",
    "night-sky.md",
    "power-and-water.pptx",
    "round-walk.md",
    "signal-book.docx",
    "weather-year.pdf",
)
SIDECARS: Final = {
    "evening-light": (
        "The lighthouse of Skarne at dusk, seen from a boat: a white tower with two red bands on a dark headland, the "
        "keepers' cottage beside it with one lit window, the beam going out over the sea, and the sun on the horizon."
    ),
    "seal-count": (
        "Bar chart of the yearly seal count on Skarne: grey seals ashore in November, counted at five places at low "
        "water. The count is made by three people who walk the shore on the same day and compare notes in the Net Loft."
    ),
}
"""Pictures by themselves, each with its words in a text file of the same name."""
DESCRIBED: Final = {
    "ferry-patient-anna": (
        "The ferry Patient Anna on her way to Skarne: a dark blue hull with a red stripe, white cabins, a yellow "
        "funnel and a small brown flag at the mast."
    ),
}
"""Pictures by themselves, each with its words in its EXIF data."""


def build(folder: Path) -> None:
    """Write the corpus into `folder`, which is made if need be; files of the same names are overwritten."""
    (folder / "pictures").mkdir(parents=True, exist_ok=True)
    for name, data in corpus():
        (folder / name).write_bytes(data)


def corpus() -> Iterator[tuple[str, bytes]]:
    """Every file of the corpus: its path inside the folder and its bytes."""
    for document in DOCUMENTS:
        path = Path(document)
        blocks = parse((CONTENT / f"{path.stem}.md").read_text(encoding="utf-8"))
        yield document, WRITERS[path.suffix](blocks)
        if path.suffix in {".md", ".html"}:
            for block in blocks:
                if isinstance(block, Picture):
                    yield f"pictures/{filename(block.name)}", encoded(block.name)
    for name, words in SIDECARS.items():
        yield filename(name), encoded(name)
        yield f"{name}.txt", f"{words}\n".encode()
    for name, words in DESCRIBED.items():
        yield filename(name), encoded(name, words)


def main() -> None:
    """Build into the package, or into the folder that is named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=FILES)
    folder = parser.parse_args().folder
    build(folder)
    files = [path for path in folder.rglob("*") if path.is_file()]
    print(f"{len(files)} files, {sum(path.stat().st_size for path in files) / 1e6:.2f} MB, in {folder}")


if __name__ == "__main__":
    main()
