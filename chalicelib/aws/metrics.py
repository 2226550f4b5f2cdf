"""Metrics as CloudWatch reads them from the log (EMF), written by Powertools. Imported when there is something to
tell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from aws_lambda_powertools.metrics import EphemeralMetrics

from chalicelib.core.metrics import NAMESPACE, Metric


def write_emf(service: str, sums: Mapping[Metric, int], values: Mapping[Metric, Sequence[float]]) -> None:
    """Write one line to standard output. `service` is the only dimension: each further one multiplies the price."""
    # Not the class that users' functions know: that one shares what it holds with everybody.
    metrics = EphemeralMetrics(namespace=NAMESPACE, service=service)
    for metric, total in sums.items():
        metrics.add_metric(name=metric.value, unit=metric.unit.value, value=total)
    for metric, each in values.items():
        for value in each:
            metrics.add_metric(name=metric.value, unit=metric.unit.value, value=value)
    metrics.flush_metrics()
