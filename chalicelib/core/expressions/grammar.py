"""cel-python's own grammar, driven by our tokens.

Only its grammar file is read: importing the package costs 120 ms and raises the process's recursion limit.
lark is imported on first use, since a cold start that compiles no expression must not pay for it.
"""

from __future__ import annotations

import importlib.util
import threading
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from chalicelib.core.errors import InvalidExpression

from . import tables
from .limits import Limits
from .names import shortened
from .tokens import Token, invalid, position, tokenize

_building = threading.Lock()


class _Parser(NamedTuple):
    parse: Any  # lark.Lark.parse
    make_token: Any  # lark.Token
    terminals: dict[str, str]  # An operator's text to the name that lark gave it


def parse(text: str, limits: Limits) -> Any:
    """Return the lark tree of the text, its tokens carrying `start_pos`; raises InvalidExpression."""
    tokens = tokenize(text, limits)
    with _building:
        parser = _parser()
    fed = [_lark_token(parser, token, text) for token in tokens]
    try:
        return parser.parse(fed)
    except Exception as error:  # lark leaks more than it documents; whatever it is, the text is to blame.
        raise _explain(error, text, tokens) from None


def _lark_token(parser: _Parser, token: Token, text: str) -> Any:
    line, column = position(text, token.offset)
    kind = parser.terminals.get(token.kind, token.kind)
    return parser.make_token(kind, token.value, start_pos=token.offset, line=line, column=column)


@cache
def _parser() -> _Parser:
    import lark
    from lark.lexer import PatternStr

    lexer, grammar = _passing_lexer(), _grammar_file().read_text(encoding="utf-8")
    built = tables.load(lexer, grammar) or _build(lexer, grammar)
    names = {t.pattern.value: t.name for t in built.terminals if isinstance(t.pattern, PatternStr)}
    return _Parser(built.parse, lark.Token, names)


def save_tables() -> Path:
    """Compute the parse tables for a deployment package; the file that holds them."""
    grammar = _grammar_file().read_text(encoding="utf-8")
    tables.save(_build(_passing_lexer(), grammar), grammar)
    return tables.FILE


def _passing_lexer() -> Any:
    from lark.lexer import Lexer

    class Passing(Lexer):  # type: ignore[misc]
        """Hands on the tokens that are given to parse() in place of a text."""

        def __init__(self, _configuration: Any) -> None:
            pass

        def lex(self, tokens: Any) -> Iterator[Any]:
            yield from tokens

    return Passing


def _build(lexer: Any, grammar: str) -> Any:
    import lark

    return lark.Lark(
        grammar,
        parser="lalr",
        start="expr",
        lexer=lexer,
        propagate_positions=True,
        maybe_placeholders=False,
        priority="invert",
    )


def _grammar_file() -> Path:
    found = importlib.util.find_spec("celpy")  # Finds a top-level package without importing it.
    if found is None or not found.submodule_search_locations:
        raise ModuleNotFoundError("cel-python is not installed", name="celpy")
    return Path(found.submodule_search_locations[0]) / "cel.lark"


def _explain(error: Exception, text: str, tokens: list[Token]) -> InvalidExpression:
    failed = getattr(error, "token", None)
    at = getattr(failed, "start_pos", None)
    index = next((i for i, token in enumerate(tokens) if token.offset == at), None)
    if index is None:
        return invalid(text, "the expression cannot be read", tokens[0].offset)
    token, before = tokens[index], tokens[index - 1] if index else None
    if getattr(failed, "type", "") == "$END":  # lark gives the end the place of the last token.
        return invalid(text, f"the expression ends too early, after {shortened(token.value)!r}", token.offset)
    message = f"unexpected {shortened(token.value)!r}"
    if before and before.kind == token.kind == "IDENT":
        message += (
            f"; is an operator missing before it, or quotes: '{shortened(before.value)} {shortened(token.value)}'?"
        )
    elif before and before.kind == "." and token.kind in ("INT_LIT", "FLOAT_LIT"):
        message += f"; an element of a list is read with [{shortened(token.value)}]"
    return invalid(text, message, token.offset)
