"""The prompts, as template files."""
