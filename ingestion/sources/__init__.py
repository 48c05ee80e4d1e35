"""Where documents come from beside files and folders: URLs, object stores, archives; one file a kind.

Each is opened only when the user gives it, never because a document names it. What is fetched or unpacked lies in a
temporary folder while the run lasts and is known by its true address: a URL, or `archive.zip!/inner/path`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit
from urllib.request import url2pathname

from ingestion.sources.archives import unpack
from ingestion.sources.limits import Access, Limits
from ingestion.sources.names import is_archive, member_path, printable
from ingestion.walk import Found, Survey, survey
from rag.errors import InputError, MissingExtra, SourceError, SourceGone

if TYPE_CHECKING:
    from pathlib import PurePosixPath

__all__ = ["INSIDE", "Access", "Limits", "gathered", "is_url"]
