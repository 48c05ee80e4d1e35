"""`python -m rag.cli`."""

from rag.cli.app import main

main()
