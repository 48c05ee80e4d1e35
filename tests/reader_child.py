"""A process that reads files one by one and tells what reading did beside its result; `tests/test_fuzz_readers.py`.

An audit hook sees what Python opens, connects to and starts; what C libraries print is seen where it would arrive.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

MEMORY = 1536 << 20
"""Bytes that the process may write to."""
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT


class Watch:
    """What happens while a file is read."""

    def __init__(self, scratch: Path) -> None:
        self.scratch, self.on, self.seen = scratch, False, []  # type: ignore[var-annotated]

    def hook(self, event: str, args: tuple[Any, ...]) -> None:
        if not self.on:
            return
        if event == "open" and isinstance(args[0], str) and isinstance(args[2], int) and args[2] & _WRITING:
            if not args[0].startswith((str(self.scratch), os.devnull)):
                self.seen.append(f"wrote {args[0]}")
        elif event == "open" and isinstance(args[0], str) and args[0].startswith(("/etc/passwd", "/etc/x")):
            self.seen.append(f"read {args[0]}")
        elif event.startswith(
            ("socket.connect", "socket.getaddrinfo", "subprocess.", "os.system", "os.exec", "os.fork")
        ):
            self.seen.append(f"{event} {args[:2]!r}")


def main() -> None:
    """Answer each line on standard input (path, root) with a line of JSON."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    noise = tempfile.TemporaryFile()  # noqa: SIM115  # as long as the process
    for stream in (1, 2):
        os.dup2(noise.fileno(), stream)
    scratch = Path(tempfile.mkdtemp())
    tempfile.tempdir = str(scratch)
    watch = Watch(scratch)
    warnings.showwarning = lambda message, category, *_: watch.seen.append(f"warned {category.__name__}: {message}")
    warnings.simplefilter("always")
    from ingestion import frames
    from ingestion.readers import linked_files, read
    from rag.errors import TriptychError

    _limit()
    sys.addaudithook(watch.hook)
    answers.write("ready\n")
    for line in sys.stdin:
        path, root = map(Path, json.loads(line))
        watch.seen, watch.on, start, cpu = [], True, time.monotonic(), time.process_time()
        try:
            linked_files(path, root)
            document = read(path, root)
            frames.load(frames.dump(document))
            json.dumps(_texts(document), ensure_ascii=False).encode()
            outcome = "read"
        except TriptychError as exc:
            outcome = "refused"
            if "\n" in str(exc) or not str(exc).strip():
                watch.seen.append(f"said {str(exc)!r}")
            if len(str(exc)) > 2000:
                watch.seen.append(f"said {len(str(exc))} characters")
        except Exception as exc:  # noqa: BLE001  # whatever it is, it is what is looked for
            outcome = f"{type(exc).__name__}: {exc}"[:500]
        watch.on = False
        sys.stdout.flush()
        sys.stderr.flush()
        noise.seek(0)
        if printed := noise.read():
            watch.seen.append(f"printed {printed[:300]!r}")
            noise.seek(0)
            noise.truncate()
        watch.seen += [f"left {name}" for name in os.listdir(scratch)]
        told = {
            "outcome": outcome,
            "seen": watch.seen,
            "cpu": time.process_time() - cpu,
            "wall": time.monotonic() - start,
        }
        answers.write(json.dumps(told) + "\n")


def _texts(document: Any) -> list[Any]:
    """All that is stored of a document."""
    from ingestion.document import Block

    items = [
        [i.text, i.section] if isinstance(i, Block) else [i.alt, i.caption, i.name, i.keywords, i.ocr, i.section]
        for i in document.items
    ]
    return [
        document.title,
        dict(document.metadata),
        [str(w) for w in document.warnings],
        dict(document.left_out),
        items,
    ]


def _limit() -> None:
    if sys.platform == "linux":
        import resource

        resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


if __name__ == "__main__":
    main()
