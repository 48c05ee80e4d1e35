"""The prompts are files; their placeholders are filled exactly, and values are data."""

from __future__ import annotations

import re

import pytest

import prompts
from rag.errors import InputError


def test_every_file_is_named_loads_and_has_well_formed_placeholders():
    """Every prompt file loads, is not empty, and can be filled with exactly its placeholders."""
    assert set(prompts.names()) >= {"answer_system", "answer_document", "answer_question", "abstention"}
    for name in prompts.names():
        wanted = set(re.findall(r"\$(\w+)", prompts.load(name)))
        filled = prompts.render(name, dict.fromkeys(wanted, "value"))
        assert filled.strip()
        assert "$" not in filled


@pytest.mark.parametrize("name", ["nothing", "", "../rag/errors", "answer_system.txt", "__init__"])
def test_an_unknown_prompt_is_refused_and_the_error_lists_the_known(name):
    """A name that is no prompt, a path included, is an error that says what there is."""
    with pytest.raises(InputError, match="allowed: abstention, answer_document"):
        prompts.load(name)


@pytest.mark.parametrize(
    "values",
    [{}, {"unopened": "0"}, {"unopened": "0", "question": "q", "nonce": "n"}, {"unopened": "0", "query": "q"}],
)
def test_a_missing_or_superfluous_value_is_refused(values):
    """Each placeholder needs a value and each value a placeholder."""
    with pytest.raises(InputError, match="exactly"):
        prompts.render("answer_question", values)


def test_values_are_never_searched_for_placeholders():
    """A document that spells a placeholder stays as it is."""
    text = "$question ${nonce} $$ {question} {{ question }}"
    values = {"nonce": "n", "number": "1", "heading": "$body", "body": text}
    assert prompts.render("answer_document", values) == f'<document-n number="1">\n$body\n{text}\n</document-n>'
