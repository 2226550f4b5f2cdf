"""What the kits of different releases keep in which way: this runs with the code of older ones, too."""

from __future__ import annotations

import functools
from typing import Any

from chalicelib.testing import Stepwell, cloud

try:
    from chalicelib.testing.session import kit_session
except ImportError:  # A kit whose AWS was moto's.
    kit_session = None  # type: ignore[assignment]


@functools.cache
def client(service: str) -> Any:
    """One that is answered as the kit's own are."""
    if kit_session is not None:
        return kit_session().create_client(service)
    import botocore.session

    return botocore.session.get_session().create_client(service, region_name=cloud.REGION)


def messages(kit: Stepwell, queue: str) -> list[tuple[float, str]]:
    """When each message of a queue can be seen, in milliseconds, and its body: those that are delayed or in flight,
    which SQS shows to nobody, too."""
    if kit_session is not None:
        (found,) = [one for one in kit._account.sqs.queues.values() if one.name == queue]
        return [(max(one.delayed_until_ms, one.hidden_until_ms), one.body) for one in found.messages()]
    from moto.core import DEFAULT_ACCOUNT_ID
    from moto.sqs.models import sqs_backends

    held = sqs_backends[DEFAULT_ACCOUNT_ID][cloud.REGION].queues[queue]._messages
    return [(max(one.delayed_until, one.visible_at), one.body) for one in held]
