"""Answers: material for the model, its citations checked, or quotations where there is no model."""

from rag.answer.answerer import Answerer
from rag.answer.draft import AnswerStream, AsyncAnswerStream
from rag.answer.judge import LLMJudge
from rag.answer.llm import load_llm

__all__ = ["AnswerStream", "Answerer", "AsyncAnswerStream", "LLMJudge", "load_llm"]
