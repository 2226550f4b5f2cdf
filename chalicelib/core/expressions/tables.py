"""The grammar's parse tables, kept in a file beside this one so that a cold start need not compute them.

The file is made when the deployment package is (infra/deploy), never committed, and only used if it was made by the
same lark from the same grammar; without it everything works, a tenth of a second later.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("grammar.json")


def _made_from(grammar: str) -> list[str]:
    import lark

    return [lark.__version__, hashlib.sha256(grammar.encode()).hexdigest()]


def save(built: Any, grammar: str, file: Path = FILE) -> None:
    """Write the tables of a lark.Lark that was built from this grammar."""
    from lark.grammar import Rule
    from lark.lexer import TerminalDef

    data, memo = built.memo_serialize([TerminalDef, Rule])
    # The lexer is a class of ours, which no file can hold: it is put back in load().
    data["options"]["lexer"] = data["parser"]["lexer_conf"]["lexer_type"] = None
    text = json.dumps({"made_from": _made_from(grammar), "data": data, "memo": memo}, separators=(",", ":"))
    file.write_text(text + "\n", encoding="utf-8")


def load(lexer: Any, grammar: str, file: Path = FILE) -> Any:
    """The lark.Lark that was saved, with this lexer; None when there is no file for this grammar and lark."""
    import lark

    try:
        kept = json.loads(file.read_text(encoding="utf-8"), object_hook=_numbered)
    except (OSError, ValueError):
        return None
    if not isinstance(kept, dict) or kept.get("made_from") != _made_from(grammar):
        return None
    data = kept["data"]
    data["options"]["lexer"] = data["parser"]["lexer_conf"]["lexer_type"] = lexer
    return lark.Lark.load({"data": data, "memo": kept["memo"]})


def _numbered(mapping: dict[str, Any]) -> dict[str | int, Any]:
    """JSON has no numbers as keys; lark's states and memo have."""
    return {int(key) if key.isdigit() else key: value for key, value in mapping.items()}
