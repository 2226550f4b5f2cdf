"""The keys, two encrypted parameters of SSM."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.aws.dynamo import translate
from chalicelib.core.signing import KeySet, parse_event_keys, parse_signing_keys

if TYPE_CHECKING:
    from mypy_boto3_ssm import SSMClient


class SsmKeys:
    """Implements engine.operator_ports.Keys. The client is made when it is first needed."""

    def __init__(self, client: Callable[[], SSMClient], path: str) -> None:
        self._client = client
        self._events = f"{path}/event-keys"
        self._signing = f"{path}/signing-keys"

    def read(self) -> KeySet:
        try:
            answer = self._client().get_parameters(Names=[self._events, self._signing], WithDecryption=True)
        except (ClientError, BotoCoreError) as error:
            raise translate(error) from error
        # A parameter that does not exist holds no keys: nobody gets in.
        values = {parameter["Name"]: parameter["Value"] for parameter in answer["Parameters"]}
        event_keys, not_events = parse_event_keys(values.get(self._events, ""))
        signing_keys, not_signing = parse_signing_keys(values.get(self._signing, ""))
        return KeySet(event_keys, signing_keys, ignored=not_events + not_signing)
