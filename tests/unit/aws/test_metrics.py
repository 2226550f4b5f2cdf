"""What is written for CloudWatch: lines in its embedded metric format."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from chalicelib.aws.metrics import write_emf
from chalicelib.core.metrics import Metric, Unit
from chalicelib.engine.metrics import Collected

ROOT = Path(__file__).parents[3]


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def check_shape(line: dict[str, Any]) -> None:
    """The embedded metric format, as CloudWatch describes it: what breaks one of these rules is dropped silently."""
    meta = line["_aws"]
    assert meta["Timestamp"] > 1_700_000_000_000
    [directive] = meta["CloudWatchMetrics"]
    assert directive["Namespace"] == "Stepwell"
    assert directive["Dimensions"] == [["service"]]
    assert isinstance(line["service"], str)
    assert 0 < len(directive["Metrics"]) <= 100
    for metric in directive["Metrics"]:
        value = line[metric["Name"]]
        assert metric["Unit"] in {unit.value for unit in Unit}
        assert all(isinstance(each, int | float) for each in value)
        assert 0 < len(value) <= 100


def test_sums_and_values_are_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    write_emf("stepwell-prod", {Metric.STEPS: 3, Metric.RUNS_FAILED: 1}, {Metric.EVENT_AGE: [12, 34.5]})

    [line] = lines(capsys)
    check_shape(line)
    assert (line["service"], line["Steps"], line["RunsFailed"], line["EventAge"]) == (
        "stepwell-prod",
        [3.0],
        [1.0],
        [12.0, 34.5],
    )
    units = {metric["Name"]: metric["Unit"] for metric in line["_aws"]["CloudWatchMetrics"][0]["Metrics"]}
    assert units == {"Steps": "Count", "RunsFailed": "Count", "EventAge": "Milliseconds"}


def test_every_metric_can_be_written(capsys: pytest.CaptureFixture[str]) -> None:
    write_emf("stepwell-dev", dict.fromkeys(Metric, 1), {})

    [line] = lines(capsys)
    check_shape(line)
    assert {metric.value for metric in Metric} <= set(line)


def test_the_lines_of_two_invocations_share_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    write_emf("stepwell-dev", {Metric.STEPS: 1}, {})
    write_emf("stepwell-dev", {Metric.RETRIES: 2}, {})

    first, second = lines(capsys)
    assert ("Steps" in first, "Retries" in first) == (True, False)
    assert ("Steps" in second, "Retries" in second) == (False, True)


def test_a_users_own_metrics_are_left_alone(capsys: pytest.CaptureFixture[str]) -> None:
    from aws_lambda_powertools import Metrics

    theirs = Metrics(namespace="Shop", service="checkout")
    theirs.add_metric(name="Orders", unit="Count", value=7)
    write_emf("stepwell-dev", {Metric.STEPS: 1}, {})
    theirs.flush_metrics()

    ours, other = lines(capsys)
    check_shape(ours)
    assert "Orders" not in ours
    assert (other["Orders"], "Steps" in other, other["service"]) == ([7.0], False, "checkout")


def test_as_many_values_as_are_kept_fit_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    collected = Collected()
    for value in range(1_000):
        collected.observe(Metric.EVENT_AGE, value)
        collected.count(Metric.STEPS)
    counts = collected.take()

    write_emf("stepwell-dev", counts.sums, counts.values)

    [line] = lines(capsys)
    check_shape(line)
    assert line["Steps"] == [1_000.0]
    assert line["EventAge"][-1] == 999.0
    assert not collected.take()


def test_names_are_cloudwatchs_and_told_apart() -> None:
    assert all(metric.value.isalpha() and metric.meaning for metric in Metric)
    assert len({metric.value.lower() for metric in Metric}) == len(Metric)


def test_powertools_is_loaded_when_there_is_something_to_tell() -> None:
    code = (
        "import sys; import chalicelib.wiring, chalicelib.deliveries; "
        "print([name for name in sys.modules if 'powertools' in name])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "[]"
