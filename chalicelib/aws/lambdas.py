"""Lambda functions of the account, invoked by their ARN."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from botocore.exceptions import BotoCoreError, ClientError, ConnectTimeoutError, ReadTimeoutError

from chalicelib.core.sdk_protocol.lambda_event import Invoked, NotInvoked

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

# Clients for so many timeouts are kept.
_KEPT: Final = 4
_HINTS: Final = {
    "AccessDeniedException": "name it in lambda_apps (infra/settings.toml) and deploy",
    "ResourceNotFoundException": "was it deleted or renamed?",
    "TooManyRequestsException": "it runs as often side by side as it may",
    "RequestTooLargeException": "keep large data elsewhere and send references",
}


class Lambdas:
    """Implements drivers.aws_lambda.Invoker. `client` makes a client with a read timeout in seconds, which botocore
    takes for a client and not for a request."""

    def __init__(self, client: Callable[[int], LambdaClient]) -> None:
        self._make = client
        self._clients: dict[int, LambdaClient] = {}
        self._lock = threading.Lock()

    def invoke(self, arn: str, payload: bytes, *, timeout_ms: int) -> Invoked:
        """Run the function and wait for its answer, at most so long and at least nine tenths of it.

        Raises NotInvoked.
        """
        seconds = rounded_s(timeout_ms)
        try:
            answer = self._client(seconds).invoke(FunctionName=arn, InvocationType="RequestResponse", Payload=payload)
            body = answer["Payload"].read()
        except ReadTimeoutError:
            text = f"{arn} did not answer within {seconds} s, when the time of this invocation ends"
            raise NotInvoked("AppTimeout", f"{text}: make the step shorter, or give Stepwell more time") from None
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "Unknown")
            hint = f" ({_HINTS[code]})" if code in _HINTS else ""
            raise NotInvoked("AppUnreachable", f"{arn} cannot be invoked{hint}: {error}") from error
        except (BotoCoreError, ConnectTimeoutError, OSError) as error:
            raise NotInvoked("AppUnreachable", f"{arn} cannot be invoked: {error}") from error
        return Invoked(body, failed="FunctionError" in answer)

    def _client(self, seconds: int) -> LambdaClient:
        with self._lock:
            if seconds not in self._clients:
                if len(self._clients) == _KEPT:
                    self._clients.pop(next(iter(self._clients)))
                self._clients[seconds] = self._make(seconds)
            return self._clients[seconds]


def rounded_s(timeout_ms: int) -> int:
    """A timeout in whole seconds, at most a tenth and a second shorter: few different ones, so that clients, and with
    them connections, are used again from step to step."""
    seconds = max(1, timeout_ms // 1000)
    return seconds - seconds % max(1, seconds // 10)
