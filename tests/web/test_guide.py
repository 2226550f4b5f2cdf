"""docs/API.md tells every route."""

from __future__ import annotations

import re
from pathlib import Path

from chalicelib.web.table import ROUTES

GUIDE = (Path(__file__).parents[2] / "docs" / "API.md").read_text(encoding="utf-8")


def test_each_route_has_its_section() -> None:
    told = {
        re.sub(r"\{[a-z_]+\}", "{}", one)
        for heading in re.findall(r"^### (.+)$", GUIDE, re.M)
        for one in re.findall(r"`([A-Z]+ /[^`]*)`", heading)
    }
    there = {re.sub(r"\{[a-z_]+\}", "{}", route.name) for route in ROUTES}

    assert told == there
