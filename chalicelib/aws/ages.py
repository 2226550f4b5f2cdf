"""How old the oldest message of each queue is: CloudWatch knows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.aws.dynamo import translate
from chalicelib.engine.ports import QueueName

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient

# SQS tells its figures once a minute, and CloudWatch has them some minutes later.
_LOOK_BACK_MS = 15 * 60_000


class CloudWatchAges:
    """Implements engine.operator_ports.Ages. The client is made when it is first needed."""

    def __init__(self, client: Callable[[], CloudWatchClient], urls: Mapping[QueueName, str]) -> None:
        self._client = client
        self._names = {queue: url.rsplit("/", 1)[-1] for queue, url in urls.items()}

    def oldest_s(self, now_ms: int) -> dict[QueueName, int]:
        queues = list(self._names)
        queries: list[Any] = [
            {
                "Id": f"q{index}",
                "MetricStat": {
                    "Metric": {
                        "Namespace": "AWS/SQS",
                        "MetricName": "ApproximateAgeOfOldestMessage",
                        "Dimensions": [{"Name": "QueueName", "Value": self._names[queue]}],
                    },
                    "Period": 60,
                    "Stat": "Maximum",
                },
            }
            for index, queue in enumerate(queues)
        ]
        try:
            answer = self._client().get_metric_data(
                MetricDataQueries=queries,
                StartTime=datetime.fromtimestamp((now_ms - _LOOK_BACK_MS) / 1000, tz=UTC),
                EndTime=datetime.fromtimestamp(now_ms / 1000, tz=UTC),
                ScanBy="TimestampDescending",
            )
        except (ClientError, BotoCoreError) as error:
            raise translate(error) from error
        # The newest first.
        latest = {result["Id"]: result["Values"][0] for result in answer["MetricDataResults"] if result["Values"]}
        return {queue: round(latest[f"q{index}"]) for index, queue in enumerate(queues) if f"q{index}" in latest}
