"""The `triptych` command."""

from rag.cli.app import cli, main

__all__ = ["cli", "main"]
