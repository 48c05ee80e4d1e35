"""Real `triptych` processes without the seconds that importing takes: each is forked from one that has imported all.

Run as a script it reads lines of JSON, each the arguments of one command, and answers each with the process's id; the
statuses of those that have ended are told when asked with the id.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]


class Commands:
    """Starts `triptych` commands as processes of their own."""

    def __init__(self) -> None:
        self._server = subprocess.Popen(
            [sys.executable, __file__],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def start(self, *arguments: object) -> int:
        """Start a command; its process id."""
        return int(self._ask([str(argument) for argument in arguments]))

    def wait(self, pid: int) -> int:
        """Wait for a command; its exit status, negative for a signal."""
        return int(self._ask(pid))

    def close(self) -> None:
        """End the process that has imported all."""
        self._server.communicate()

    def _ask(self, question: Any) -> Any:
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        self._server.stdin.write(json.dumps(question) + "\n")
        self._server.stdin.flush()
        return json.loads(self._server.stdout.readline())


def _serve() -> None:
    import ingestion.pipeline  # noqa: F401
    import rag.corpus
    import rag.encoders.fake
    import rag.store.edge  # noqa: F401
    from rag.cli import cli

    # As in a terminal: what a shell starts in the background is started with the signal ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for line in sys.stdin:
        asked = json.loads(line)
        if isinstance(asked, int):
            answer = os.waitstatus_to_exitcode(os.waitpid(asked, 0)[1])
        elif not (answer := os.fork()):
            os.dup2(os.open(os.devnull, os.O_RDWR), 1)
            os.dup2(os.open(os.devnull, os.O_RDWR), 0)
            cli(asked)
        print(json.dumps(answer), flush=True)  # noqa: T201


if __name__ == "__main__":
    _serve()
