"""The forms of dataset folders, one file each, in the order in which they are tried."""

from __future__ import annotations

from typing import Final

from evals.formats.beir import BEIR
from evals.formats.captions import CAPTIONS
from evals.formats.folder import FOLDER
from evals.formats.found import Format, Found
from evals.formats.mteb import MTEB
from evals.formats.trec import TREC

__all__ = ["FORMATS", "Format", "Found"]

FORMATS: Final[tuple[Format, ...]] = (BEIR, FOLDER, TREC, MTEB, CAPTIONS)
