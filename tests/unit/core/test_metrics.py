"""The metrics and their page."""

from __future__ import annotations

import re
from pathlib import Path

from chalicelib.core.metrics import Metric

PAGE = (Path(__file__).parents[3] / "docs" / "METRICS.md").read_text()
ROWS = dict(re.findall(r"^\| `(\w+)` \| (\w+) \|", PAGE, re.MULTILINE))


def test_the_page_has_each_metric_with_its_unit() -> None:
    assert {metric.value: metric.unit.value for metric in Metric} == ROWS


def test_the_page_tells_the_price_of_all_of_them() -> None:
    assert f"There are {len(Metric)} metrics" in PAGE
    assert f"${len(Metric) * 0.30:.2f} a month" in PAGE
