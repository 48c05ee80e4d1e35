"""The filter language's parser: text in, `FilterExpr` out, errors with the column they are at.

expr    = all { "or" all }          all   = part { "and" part }
part    = "not" part | "(" expr ")" | "exists" field | field test
test    = op value | ["not"] "in" "(" value { "," value } ")" | ["not"] "contains" value | ["not"] "exists"
op      = "=" | "==" | "!=" | "<>" | "<" | "<=" | ">" | ">="
value   = "…" | '…' | number | true | false | ISO date | bare word
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, NoReturn, cast

from rag.errors import FilterError
from rag.store.filter_ast import And, Comparison, Date, Exists, FilterExpr, Membership, Not, Operator, Or, Value
from rag.store.values import parse_instant

_TOKEN = re.compile(
    r"""(?P<punctuation>[(),])|(?P<op><=|>=|!=|<>|==|=|<|>)"""
    r"""|(?P<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|(?P<word>[^\s(),=!<>"']+)""",
    re.DOTALL,
)
_INTEGER = re.compile(r"[+-]?\d+")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_ALIASES: Final = {"==": "=", "<>": "!="}
_DEEPEST: Final = 100
_EXAMPLE: Final = 'write filters like: modality = image and (page >= 3 or section contains "Results")'


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str
    column: int
    """1-based."""

    @property
    def keyword(self) -> str:
        return self.text.lower() if self.kind in ("word", "punctuation") else ""


def parse_filter(text: str) -> FilterExpr:
    """Parse an expression of the filter language. Raises FilterError, which names the column."""
    parser = _Parser(text)
    expr = parser.expression(0)
    if parser.next.kind != "end":
        parser.fail("`and`, `or` or the end")
    return expr


def _tokens(text: str) -> list[_Token]:
    tokens: list[_Token] = []
    position = 0
    while True:
        position += len(text[position:]) - len(text[position:].lstrip())
        if position == len(text):
            return [*tokens, _Token("end", "", position + 1)]
        match = _TOKEN.match(text, position)
        if match is None:
            problem = "a quote that is not closed" if text[position] in "\"'" else f"{text[position]!r}"
            raise FilterError(f"filter {text!r} has {problem} at column {position + 1}", advice=_EXAMPLE)
        tokens.append(_Token(str(match.lastgroup), match[0], position + 1))
        position = match.end()


class _Parser:
    def __init__(self, text: str) -> None:
        self._text, self._tokens, self._at = text, _tokens(text), 0

    @property
    def next(self) -> _Token:
        return self._tokens[self._at]

    def expression(self, depth: int) -> FilterExpr:
        parts = [self._all(depth)]
        while self._accept("or"):
            parts.append(self._all(depth))
        return parts[0] if len(parts) == 1 else Or(tuple(parts))

    def fail(self, allowed: str) -> NoReturn:
        found = self.next
        what = "ends" if found.kind == "end" else f"has {found.text!r}"
        raise FilterError(f"filter {self._text!r} {what} at column {found.column}", f"there: {allowed}", _EXAMPLE)

    def _all(self, depth: int) -> FilterExpr:
        parts = [self._part(depth)]
        while self._accept("and"):
            parts.append(self._part(depth))
        return parts[0] if len(parts) == 1 else And(tuple(parts))

    def _part(self, depth: int) -> FilterExpr:
        if depth > _DEEPEST:
            raise FilterError(f"filter nested deeper than {_DEEPEST}", advice="write it flatter")
        if self._accept("not"):
            return Not(self._part(depth + 1))
        if self._accept("("):
            inner = self.expression(depth + 1)
            self._expect(")")
            return inner
        if self._accept("exists"):
            return Exists(self._field())
        return self._test(self._field())

    def _test(self, field: str) -> FilterExpr:
        if self.next.kind == "op":
            op = self._advance().text
            return self._comparison(field, cast(Operator, _ALIASES.get(op, op)))
        negated = self._accept("not")
        test: FilterExpr
        if self._accept("in"):
            test = Membership(field, self._values())
        elif self._accept("contains"):
            test = self._comparison(field, "contains")
        elif self._accept("exists"):
            test = Exists(field)
        else:
            self.fail("= != < <= > >=, in, not in, contains, exists")
        return Not(test) if negated else test

    def _comparison(self, field: str, op: Operator) -> Comparison:
        token = self.next
        bare_words = op == "contains" and token.kind == "word"
        value = self._advance().text if bare_words else self._value()
        try:
            return Comparison(field, op, value)
        except FilterError as exc:
            raise FilterError(f"{exc.given} at column {token.column}", exc.allowed, exc.advice) from exc

    def _values(self) -> tuple[Value, ...]:
        self._expect("(")
        values = [self._value()]
        while self._accept(","):
            values.append(self._value())
        self._expect(")")
        return tuple(values)

    def _field(self) -> str:
        token = self.next
        if token.kind == "string":
            name = _unquoted(self._advance().text)
            if not name or '"' in name:
                raise FilterError(f"field {name!r} at column {token.column}", "names without double quotes")
            return name
        if token.kind != "word" or token.keyword in ("and", "or", "in", "contains"):
            self.fail("a field")
        return self._advance().text

    def _value(self) -> Value:
        token = self.next
        if token.kind == "string":
            return _unquoted(self._advance().text)
        if token.kind != "word" or token.keyword in ("and", "or", "not", "in", "contains", "exists"):
            self.fail("a value (quote words that mean something else)")
        return _literal(self._advance())

    def _accept(self, keyword: str) -> bool:
        if self.next.keyword == keyword:
            self._at += 1
            return True
        return False

    def _expect(self, punctuation: str) -> None:
        if not self._accept(punctuation):
            self.fail(f"`{punctuation}`")

    def _advance(self) -> _Token:
        self._at += 1
        return self._tokens[self._at - 1]


def _unquoted(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text[1:-1], flags=re.DOTALL)


def _literal(token: _Token) -> Value:
    word = token.text
    if word.lower() in ("true", "false"):
        return word.lower() == "true"
    if _INTEGER.fullmatch(word) and len(word) < 20:
        return int(word)
    if _NUMBER.fullmatch(word):
        number = float(word)
        if number in (float("inf"), float("-inf")):
            raise FilterError(f"number {word} at column {token.column}", "finite numbers")
        return number
    return Date(word) if parse_instant(word) else word
