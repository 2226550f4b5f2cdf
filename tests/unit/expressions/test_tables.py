"""The grammar's parse tables, as a deployment package carries them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from chalicelib.core.errors import InvalidExpression
from chalicelib.core.expressions import grammar, tables
from chalicelib.core.expressions.limits import Limits

TEXTS = [
    "event.data.id == async.data.id && (async.data.n in [1, 2.5, 'x'] || !has(async.data.y))",
    "async.data.items.exists(i, i.price * 2 > 10) ? 'yes' : \"no\" == async.name",
    "-1 < async.data.n && async.data['a b'] != null && size(async.data.l[0]) >= 0x10",
]
BROKEN = ["async.data.id ==", "a b", "(((", "x ? y", "1 +* 2"]


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Path]:
    """Tables in a file, and a parser that was read from it."""
    text = grammar._grammar_file().read_text(encoding="utf-8")
    file = tmp_path / "grammar.json"
    tables.save(grammar._build(grammar._passing_lexer(), text), text, file)
    yield file
    grammar._parser.cache_clear()


@pytest.mark.parametrize("text", TEXTS)
def test_tables_from_the_file_read_a_text_as_new_ones_do(
    text: str, kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    anew = grammar.parse(text, Limits())
    _use(kept, monkeypatch)

    assert grammar.parse(text, Limits()) == anew


@pytest.mark.parametrize("text", BROKEN)
def test_tables_from_the_file_explain_a_broken_text_as_new_ones_do(
    text: str, kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InvalidExpression) as anew:
        grammar.parse(text, Limits())
    _use(kept, monkeypatch)

    with pytest.raises(InvalidExpression) as read:
        grammar.parse(text, Limits())
    assert str(read.value) == str(anew.value)


@pytest.mark.parametrize(
    "content",
    ["", "[]", '{"made_from": ["0.0", "another grammar"]}', '{"made_from": null, "data": {}, "memo": {}}'],
)
def test_a_file_of_another_grammar_or_lark_is_not_used(content: str, tmp_path: Path) -> None:
    file = tmp_path / "grammar.json"
    file.write_text(content, encoding="utf-8")

    assert tables.load(grammar._passing_lexer(), "start: x", file) is None
    assert tables.load(grammar._passing_lexer(), "start: x", tmp_path / "missing") is None


def _use(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read = tables.load
    monkeypatch.setattr(tables, "load", lambda lexer, text: read(lexer, text, file))
    monkeypatch.setattr(grammar, "_build", None)  # Whatever parses now was read from the file.
    grammar._parser.cache_clear()
