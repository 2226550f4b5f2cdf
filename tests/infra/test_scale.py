"""The tables of docs/SCALE.md are what `make bench-scale` prints."""

from __future__ import annotations

import pytest

from infra.local.settings import PROJECT
from tests.bench import scale

PAGE = (PROJECT / "docs" / "SCALE.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("title", "lines"), list(scale.tables()), ids=lambda value: value if isinstance(value, str) else ""
)
def test_the_page_has_each_table_as_it_is_printed(title: str, lines: list[str]) -> None:
    assert f"## {title}\n" in PAGE
    assert "\n".join(lines) in PAGE, "docs/SCALE.md differs from what make bench-scale prints"


def test_the_page_tells_of_each_limit_and_price_where_it_is_from() -> None:
    figures = [scale.TABLE_UNITS, scale.CONCURRENCY, scale.MAPPING_CONCURRENCY, scale.IN_FLIGHT, scale.GATEWAY_REQUESTS]
    sources = PAGE[PAGE.index("## Where the figures are from") :]
    for figure in figures:
        assert f"{figure:,}" in sources
    for price in ("$25.00", "$8.00", "$0.25", "$0.15", "$1.00", "$0.00001667"):
        assert price in sources
