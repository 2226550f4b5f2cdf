"""The guides name what exists, and docs/OPERATIONS.md says what to do for each alarm."""

from __future__ import annotations

import re

from chalicelib.core.metrics import Metric
from infra.local.settings import PROJECT, TEMPLATE

GUIDE = (PROJECT / "docs" / "OPERATIONS.md").read_text(encoding="utf-8")
ALARMS = re.findall(r'AlarmName: !Sub "stepwell-\$\{Stage\}-([a-z-]+)"', TEMPLATE.read_text(encoding="utf-8"))


def test_each_alarm_has_a_section() -> None:
    told = [name.strip() for heading in re.findall(r"^### (.+)$", GUIDE, re.M) for name in heading.split(",")]

    assert len(ALARMS) > 20
    assert sorted(told) == sorted(ALARMS)


def test_each_alarm_s_description_names_its_section() -> None:
    described = re.findall(r"docs/OPERATIONS\.md, ([a-z-]+)\.", TEMPLATE.read_text(encoding="utf-8"))

    assert sorted(described) == sorted(ALARMS)


def test_what_alarms_and_metrics_cost_is_told_for_as_many_as_there_are() -> None:
    cost = (PROJECT / "docs" / "COST.md").read_text(encoding="utf-8")

    assert f"| {len(ALARMS)} alarms | | {len(ALARMS) * 0.10:.2f} |" in cost
    assert f"| the {len(Metric)} custom metrics, if all of them occur | | {len(Metric) * 0.30:.2f} |" in cost


def test_every_make_target_that_the_guides_name_exists() -> None:
    targets = set(re.findall(r"^([a-z0-9-]+):", (PROJECT / "Makefile").read_text(encoding="utf-8"), re.M))
    guides = [*(PROJECT / "docs").glob("*.md"), PROJECT / "README.md", PROJECT / "CONTRIBUTING.md"]

    named = {(guide.name, name) for guide in guides for name in re.findall(r"`make ([a-z0-9-]+)", guide.read_text())}

    assert named, "the guides name commands"
    assert not {one for one in named if one[1] not in targets}


def test_every_page_that_the_guides_link_exists() -> None:
    for guide in [*(PROJECT / "docs").glob("*.md"), PROJECT / "README.md", PROJECT / "CONTRIBUTING.md"]:
        for link in re.findall(r"\]\(([^)#]+\.[a-z]+)(?:#[^)]*)?\)", guide.read_text(encoding="utf-8")):
            assert link.startswith("http") or (guide.parent / link).is_file(), f"{guide.name} links {link}"
