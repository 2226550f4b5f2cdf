"""The Lambda context object that handlers receive."""

from __future__ import annotations

import time
import uuid

from infra.local.settings import ACCOUNT, REGION


class LambdaContext:
    """What Lambda tells a handler about its invocation. Time runs by the machine's monotonic clock."""

    function_version = "$LATEST"
    log_stream_name = "local"
    identity = None
    client_context = None

    def __init__(self, function_name: str, timeout_s: float, memory_mb: int = 1024) -> None:
        self.function_name = function_name
        self.memory_limit_in_mb = memory_mb
        self.aws_request_id = str(uuid.uuid4())
        self.log_group_name = f"/aws/lambda/{function_name}"
        self.invoked_function_arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{function_name}"
        self._deadline = time.monotonic() + timeout_s

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until Lambda would end the invocation; never negative."""
        return max(0, int((self._deadline - time.monotonic()) * 1000))
