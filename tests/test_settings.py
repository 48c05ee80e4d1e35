"""Settings come from arguments, then the environment, then triptych.toml, then the defaults."""

import pytest

from rag.errors import InputError
from rag.settings import Settings


def test_arguments_win_over_the_environment_and_the_environment_over_the_file(tmp_path, monkeypatch):
    (tmp_path / "triptych.toml").write_text('k = 3\ndepth = 7\nfusion = "rrf"\nweights = {text = 2.0}\n')
    monkeypatch.setenv("TRIPTYCH_CONFIG", str(tmp_path / "triptych.toml"))
    monkeypatch.setenv("TRIPTYCH_DEPTH", "9")
    settings = Settings.load(k=5)
    assert (settings.k, settings.depth, settings.fusion, settings.weights) == (5, 9, "rrf", {"text": 2.0})


def test_an_argument_that_is_none_counts_as_not_given(monkeypatch):
    monkeypatch.setenv("TRIPTYCH_COLLECTION", "notes")
    assert Settings.load(collection=None).collection == "notes"


@pytest.mark.parametrize(("text", "given"), [("k = 0", "k"), ("colour = 1", "colour"), ("k = ", "settings")])
def test_a_setting_that_cannot_be_used_is_told_in_one_line(tmp_path, monkeypatch, text, given):
    (tmp_path / "triptych.toml").write_text(text)
    monkeypatch.setenv("TRIPTYCH_CONFIG", str(tmp_path / "triptych.toml"))
    with pytest.raises(InputError, match=given) as caught:
        Settings.load()
    assert "\n" not in str(caught.value)


def test_a_key_never_shows_in_the_representation(monkeypatch):
    monkeypatch.setenv("TRIPTYCH_LLM_API_KEY", "secret-key")
    assert "secret-key" not in repr(Settings.load())


def test_the_key_of_openai_is_only_sent_to_openai(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "openai-key")
    assert Settings.load().openai_key() == "openai-key"
    assert Settings.load(llm_base_url="http://127.0.0.1:1/v1").openai_key() == ""


def test_an_empty_variable_counts_as_not_set(monkeypatch):
    monkeypatch.setenv("TRIPTYCH_CORPUS", "")
    assert str(Settings.load().corpus) == ".triptych"


def test_a_file_of_settings_that_is_named_must_be_there(tmp_path, monkeypatch):
    monkeypatch.setenv("TRIPTYCH_CONFIG", str(tmp_path / "none.toml"))
    with pytest.raises(InputError, match=r"none\.toml; allowed: a file that is there"):
        Settings.load()


@pytest.mark.parametrize(
    ("value", "told"),
    [('{"foo": 1}', r"setting weights\.foo .* or in TRIPTYCH_WEIGHTS$"), ("text=1", 'field "weights".*allowed: JSON')],
)
def test_a_variable_that_cannot_be_used_is_named_as_it_is_set(monkeypatch, value, told):
    monkeypatch.setenv("TRIPTYCH_WEIGHTS", value)
    with pytest.raises(InputError, match=told):
        Settings.load()


def test_an_unknown_setting_is_answered_with_those_there_are(tmp_path, monkeypatch):
    (tmp_path / "triptych.toml").write_text("colour = 1")
    monkeypatch.setenv("TRIPTYCH_CONFIG", str(tmp_path / "triptych.toml"))
    with pytest.raises(InputError, match=r"allowed: corpus, qdrant, "):
        Settings.load()


def test_the_file_in_the_folder_of_a_corpus_counts_least(tmp_path, monkeypatch):
    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus" / "triptych.toml").write_text('depth = 7\nfusion = "rrf"\nweights = {text = 2.0}\n')
    (tmp_path / "own.toml").write_text('fusion = "minmax"\n')
    assert Settings.load(corpus=tmp_path / "corpus").depth == 7
    assert Settings.load().depth == 50
    monkeypatch.setenv("TRIPTYCH_CONFIG", str(tmp_path / "own.toml"))
    monkeypatch.setenv("TRIPTYCH_DEPTH", "9")
    settings = Settings.load(corpus=str(tmp_path / "corpus"))
    assert (settings.depth, settings.fusion, settings.weights) == (9, "minmax", {"text": 2.0})


def test_the_file_of_a_corpus_cannot_say_where_documents_and_keys_are_sent(tmp_path):
    (tmp_path / "triptych.toml").write_text('llm_base_url = "http://elsewhere"\n')
    with pytest.raises(InputError, match=r"llm_base_url.*depth, depths, fusion, weights"):
        Settings.load(corpus=tmp_path)


def test_the_users_own_file_may_lie_in_the_corpus(tmp_path, monkeypatch):
    (tmp_path / "triptych.toml").write_text("k = 3\n")
    monkeypatch.setenv("TRIPTYCH_CONFIG", str(tmp_path / "triptych.toml"))
    assert Settings.load(corpus=tmp_path).k == 3
