"""`load_llm`: names and settings that work, and failures of the endpoint told in one line without the key."""

from __future__ import annotations

import re
import subprocess
import sys
import threading

import pytest

from rag.answer.answerer import Answerer
from rag.answer.llm import OPENAI_URL, load_llm
from rag.errors import InputError, LLMError
from rag.schema import Hit
from tests.openai_server import KEY, MODEL, OpenAIServer, Reply
from tests.patience import LONG, until

HITS = [Hit(1, "a", 1.0, "text", "The sky is blue.", "", "", "a.md", None, "")]


def ask(url: str, **changes):
    llm = load_llm(**{"name": MODEL, "base_url": url, "api_key": KEY, "timeout": LONG, **changes})
    return Answerer(llm).answer("What colour is the sky?", HITS)


def failure(url: str, **changes) -> str:
    """The one line that asking ends in; it never holds the key."""
    with pytest.raises(LLMError) as caught:
        ask(url, **changes)
    line = str(caught.value)
    assert "\n" not in line
    assert changes.get("api_key", KEY) not in line
    assert caught.value.__cause__ is not None
    return line


@pytest.mark.parametrize("name", ["", "extractive", "  "])
def test_no_name_is_no_model(name):
    """An empty name and `extractive` load nothing."""
    assert load_llm(name) is None


def test_importing_the_answerer_loads_no_frame():
    """`import rag.answer` and an extractive answer load neither llama_index nor openai."""
    code = (
        "import sys; from rag.answer.answerer import Answerer; from rag.answer.llm import load_llm;"
        "Answerer(load_llm('')).answer('q', []);"
        "print({'llama_index', 'openai', 'httpx', 'torch'} & {name.split('.')[0] for name in sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "set()"


def test_openai_itself_needs_a_key(monkeypatch):
    """Without base URL a key must come from the argument or the environment; the error says what to do."""
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(InputError, match=r"without a key.*allowed:.*set OPENAI_API_KEY"):
        load_llm("gpt-4o")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-from-environment")
    assert load_llm("gpt-4o").api_key == "sk-from-environment"
    assert load_llm("a-model-of-tomorrow", api_key="sk-given").api_base == OPENAI_URL


def test_the_openai_key_of_the_environment_never_goes_to_another_endpoint(monkeypatch):
    """A base URL without key is sent a placeholder, not OPENAI_API_KEY."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-private")
    with OpenAIServer(["Blue [1]."], key="none") as server:
        assert ask(server.url, api_key="").answer == "Blue [1]."
    assert server.keys == ["none"]


@pytest.mark.parametrize("url", ["localhost:8000", "ftp://host/v1", "http://", "http://host:99999/v1", "http://[::1"])
def test_a_base_url_that_is_none_is_refused(url):
    """Only http and https URLs with a host are base URLs."""
    with pytest.raises(InputError, match="allowed: http://"):
        load_llm("m", base_url=url)


@pytest.mark.parametrize("changes", [{"timeout": 0}, {"timeout": -1}, {"context_window": 0}])
def test_a_timeout_or_window_of_nothing_is_refused(changes):
    """Timeout and context window are more than 0."""
    with pytest.raises(InputError, match="allowed: more than 0"):
        load_llm("m", base_url="http://localhost:1/v1", **changes)


def test_a_model_without_chat_completions_is_refused():
    """A model that LlamaIndex knows to lack the endpoint is refused before anything is sent."""
    with pytest.raises(InputError, match=r"gpt-5\.2-pro.*allowed: models with a chat-completions endpoint"):
        load_llm("gpt-5.2-pro", api_key="sk-given")


def test_a_refused_connection_names_the_url_without_its_password():
    """No server at the URL: one line with URL and next step; user name and password stay out of it."""
    line = failure("http://someone:secret@127.0.0.1:9/v1")
    assert "http://127.0.0.1:9/v1 cannot be reached" in line
    assert "start the server or correct the base URL" in line
    assert "secret" not in line


def test_a_wrong_key_is_named_as_such_and_never_repeated():
    """401 says that the key was refused; the server's words, which hold the key, are left out."""
    with OpenAIServer(["never"]) as server:
        assert "refused the key (401)" in failure(server.url, api_key="sk-a-wrong-key")
    assert server.calls == 0


def test_an_unknown_model_is_named():
    """404 names model and URL and says what to check."""
    with OpenAIServer(["never"]) as server:
        line = failure(server.url, name="no-such-model")
    assert "'no-such-model'" in line
    assert server.url in line
    assert "check the model's name" in line


def test_a_url_without_v1_is_told_how_to_end():
    """A base URL that leads nowhere is a 404 whose advice is the usual ending."""
    with OpenAIServer(["never"]) as server:
        assert "usually ends in /v1" in failure(server.url.removesuffix("/v1"))


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (Reply(status=400, error="This model's maximum context length is 512 tokens.", code="x"), "context holds"),
        (Reply(status=400, error="prompt is too long: 900 tokens > 512"), "lower the token budget"),
        (Reply(status=413, error="payload"), "context holds"),
        (Reply(status=400, error="this model takes no images"), "text-only"),
        (Reply(status=403, error=f"{KEY} may not"), r"refused the key \(403\)"),
        (Reply(status=418, error=f"teapot {KEY}\nboils"), "teapot … boils"),
        (Reply(raw="<html>a page</html>"), "not a chat completion"),
        (Reply(raw=""), "not a chat completion"),
    ],
)
def test_what_the_server_refuses_is_told_in_one_line(reply, expected):
    """Every kind of refusal has its own line, asked once, the server's words in it and the key not."""
    with OpenAIServer([reply]) as server:
        assert re.search(expected, failure(server.url))
    assert server.calls == 1


@pytest.mark.parametrize(("status", "expected"), [(429, "quota"), (500, "server's log"), (503, "server's log")])
def test_a_passing_failure_is_tried_twice_and_no_more(status, expected):
    """Busy and broken servers are asked once more; then the line says so."""
    with OpenAIServer([Reply(status=status, error="not now")]) as server:
        assert expected in failure(server.url)
    assert server.calls == 2


def test_a_second_attempt_that_works_is_an_answer():
    """One hiccup is not seen by the user."""
    with OpenAIServer([Reply(status=503, error="hiccup"), "Blue [1]."]) as server:
        assert ask(server.url).answer == "Blue [1]."


def test_a_server_that_does_not_answer_is_given_up():
    """After the timeout, twice, the line says that no answer came in time."""
    with OpenAIServer([Reply("late", wait=threading.Event())]) as server:
        assert "did not answer in time" in failure(server.url, timeout=0.2)
        until(lambda: server.calls == 2)  # a busy server takes a request that was given up already
    assert server.calls == 2


def test_a_stream_that_breaks_off_is_an_error_and_has_no_answer():
    """What came before the break is yielded; then LLMError, and there is no Answer."""
    with OpenAIServer([Reply(pieces=["Blue ", "sky "], break_off=True)]) as server:
        llm = load_llm(MODEL, base_url=server.url, api_key=KEY, timeout=LONG)
        stream = Answerer(llm).stream("Which colour?", HITS)
        assert next(stream) == "Blue"
        with pytest.raises(LLMError, match="broke off"):
            list(stream)
        with pytest.raises(RuntimeError, match="read the stream to its end"):
            _ = stream.answer


async def test_async_failures_are_told_in_the_same_line():
    """achat and astream_chat map errors as chat does."""
    with OpenAIServer(["never"]) as server:
        answerer = Answerer(load_llm(MODEL, base_url=server.url, api_key="sk-a-wrong-key", timeout=LONG))
        with pytest.raises(LLMError, match="refused the key"):
            await answerer.aanswer("Which colour?", HITS)
        with pytest.raises(LLMError, match="refused the key"):
            await anext(answerer.astream("Which colour?", HITS))
