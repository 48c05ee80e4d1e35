"""Language models by name: any OpenAI-compatible endpoint, OpenAI itself, or none."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit, urlunsplit

from rag.errors import InputError, LLMError

if TYPE_CHECKING:
    from llama_index.core.llms import LLM
    from openai import APIStatusError

__all__ = ["EXTRACTIVE", "OPENAI_URL", "llm_errors", "load_llm"]

EXTRACTIVE: Final = "extractive"
"""The name of the answer without a language model."""
OPENAI_URL: Final = "https://api.openai.com/v1"
_NO_KEY: Final = "none"
"""Sent where an endpoint needs no key, so that LlamaIndex does not send it the OPENAI_API_KEY of the environment."""
_RETRIES: Final = 1
"""LlamaIndex multiplies its own attempts with those of the openai client: 1 gives two HTTP requests, 3 gives twelve."""
_OVERFLOW = re.compile(
    r"context.{0,20}(length|window|size)|maximum.{0,20}(length|tokens|context)|too (long|many tokens)", re.I
)
_EXCERPT: Final = 200
"""Characters of a server's own words that an error repeats."""


def load_llm(
    name: str,
    *,
    base_url: str = "",
    api_key: str = "",
    timeout: float = 60,
    context_window: int = 8192,
    multimodal: bool = True,
) -> LLM | None:
    """The language model `name`, or None for "" and "extractive".

    `base_url` names any OpenAI-compatible endpoint (Ollama, vLLM, llama.cpp, LM Studio, …); without it the model is
    OpenAI's own, with `api_key` or the environment's OPENAI_API_KEY, which is never sent elsewhere. `timeout` is in
    seconds and holds for each of at most two attempts; `context_window` is in tokens. No request is made yet.
    Raises InputError for a URL, key, timeout or window that cannot be used.
    """
    name, base_url = name.strip(), base_url.strip()
    if name in ("", EXTRACTIVE):
        return None
    if base_url:
        _check_url(base_url)
        api_key = api_key or _NO_KEY
    else:
        api_key = api_key or os.environ.get("OPENAI_API_KEY", "")
        if not api_key:
            raise InputError(
                f"language model {name!r} without a key and without a base URL",
                "allowed: an OpenAI key, or the base URL of an OpenAI-compatible endpoint",
                f"set OPENAI_API_KEY, give a base URL, or use {EXTRACTIVE!r}, which needs neither",
            )
    _check_positive("timeout in seconds", timeout)
    _check_positive("context window in tokens", context_window)
    from rag.answer.chat_model import ChatModel

    try:
        return ChatModel(
            model=name,
            api_base=base_url or OPENAI_URL,
            api_key=api_key,
            is_chat_model=True,
            temperature=0.0,
            timeout=timeout,
            max_retries=_RETRIES,
            reuse_client=False,  # a kept async client is bound to one event loop: the next loop would send twice
            context_window=context_window,
            multimodal=multimodal,
            additional_kwargs={"stream_options": {"include_usage": True}},
        )
    except ValueError as exc:
        raise InputError(
            f"language model {name!r} cannot be used: {_excerpt(str(exc), api_key)}",
            "allowed: models with a chat-completions endpoint",
            "choose another model",
        ) from exc


def _check_url(url: str) -> None:
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise InputError(
            f"base URL {_shown(url)!r} of the language model",
            "allowed: http://… or https://…, for example http://localhost:11434/v1",
            "correct the URL",
        )


def _check_positive(what: str, value: float) -> None:
    if not value > 0:
        raise InputError(f"{what} {value!r}", "allowed: more than 0", "give a larger one")


@contextmanager
def llm_errors(model: str, base_url: str, api_key: str = "") -> Iterator[None]:
    """Turn what the openai client raises into one LLMError that names model and URL, and never the key."""
    import httpx
    import openai

    given = f"language model {model!r} at {_shown(base_url)}"
    try:
        yield
    except (openai.APITimeoutError, httpx.TimeoutException) as exc:
        raise LLMError(
            f"{given} did not answer in time",
            "allowed: an answer within the timeout",
            "raise the timeout, or send less (fewer passages, fewer pictures)",
        ) from exc
    except openai.APIStatusError as exc:
        raise _status_error(exc, given, api_key) from exc
    except (openai.APIConnectionError, httpx.HTTPError) as exc:
        raise LLMError(
            f"{given} cannot be reached or broke off ({_excerpt(str(exc.__cause__ or exc), api_key)})",
            "allowed: a running OpenAI-compatible server",
            "start the server or correct the base URL (it usually ends in /v1)",
        ) from exc
    except openai.OpenAIError as exc:
        raise LLMError(
            f"{given} failed ({_excerpt(str(exc), api_key)})",
            "allowed: a chat completion",
            "try again, or try another model",
        ) from exc
    except (AttributeError, IndexError, TypeError, json.JSONDecodeError) as exc:
        # LlamaIndex reads choices[0].message unseen: a page of HTML or an empty list of choices ends here.
        raise LLMError(
            f"{given} answered something that is not a chat completion ({_excerpt(str(exc), api_key)})",
            "allowed: the OpenAI chat-completions format",
            "correct the base URL (it usually ends in /v1)",
        ) from exc


def _status_error(exc: APIStatusError, given: str, api_key: str) -> LLMError:
    status, message = exc.status_code, _message(exc)
    said = _excerpt(message, api_key)
    if status in (401, 403):  # the server's words are left out: some repeat parts of the key
        return LLMError(
            f"{given} refused the key ({status})", "allowed: a key that the endpoint accepts", "check the key"
        )
    if status == 404:
        return LLMError(
            f"{given} was not found ({status}: {said})",
            "allowed: a model that the endpoint serves",
            "check the model's name, and the base URL (it usually ends in /v1)",
        )
    if status == 413 or (status in (400, 422, 500) and _OVERFLOW.search(message)):
        return LLMError(
            f"{given} was sent more than its context holds ({status}: {said})",
            "allowed: a prompt within the model's context window",
            "lower the token budget or the number of pictures",
        )
    if status == 429:
        return LLMError(f"{given} is busy or the quota is used up (429: {said})", advice="wait, or raise the quota")
    if status >= 500:
        return LLMError(f"{given} failed ({status}: {said})", advice="look at the server's log, or try again")
    return LLMError(
        f"{given} refused the request ({status}: {said})",
        "allowed: a chat model; pictures only where the model takes them",
        "check the model, and declare it text-only if it takes no pictures",
    )


def _message(exc: APIStatusError) -> str:
    """The server's own words, if it speaks the OpenAI format; else what the client makes of them."""
    body = exc.body
    return str(body["message"]) if isinstance(body, dict) and "message" in body else exc.message


def _excerpt(text: str, api_key: str) -> str:
    """A short line of foreign text without the key and without control characters."""
    if api_key and api_key != _NO_KEY:
        text = text.replace(api_key, "…")
    line = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return line if len(line) <= _EXCERPT else line[: _EXCERPT - 1] + "…"


def _shown(url: str) -> str:
    """`url` without user name, password and query."""
    try:
        parts = urlsplit(url)
        host = parts.netloc.rpartition("@")[2]
        return urlunsplit((parts.scheme, host, parts.path, "", ""))
    except ValueError:
        return "(an address that cannot be read)"
