"""Claim check: text that is too large for an item or a message lies in S3 under the hash of its content, so storing
it twice changes nothing."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.aws.dynamo import translate
from chalicelib.aws.marshalling import Item

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_s3 import S3Client

# A write unit per KB makes larger items dearer than an object.
INLINE_BYTES = 32 * 1024
_SUFFIX = "_at"
_KEY = re.compile(r"payloads/[0-9a-f]{64}")


def is_key(text: str) -> bool:
    """Whether this is a key that `put` gave."""
    return _KEY.fullmatch(text) is not None


class Payloads:
    """Text by reference. The client is made when it is first needed: most runs never do."""

    def __init__(self, client: Callable[[], S3Client], bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    def put(self, text: str) -> str:
        """Store the text; its key."""
        body = text.encode()
        key = f"payloads/{hashlib.sha256(body).hexdigest()}"
        try:
            self._client().put_object(Bucket=self._bucket, Key=key, Body=body, ContentType="application/json")
        except (ClientError, BotoCoreError) as error:
            raise translate(error) from error
        return key

    def get(self, key: str) -> str:
        """Raises InfrastructureError, also when the object is gone."""
        try:
            answer = self._client().get_object(Bucket=self._bucket, Key=key)
            return answer["Body"].read().decode()
        except (ClientError, BotoCoreError) as error:
            raise translate(error) from error

    def address(self, key: str, seconds: int) -> str:
        """A URL under which anybody may read the text for so long."""
        try:
            return str(
                self._client().generate_presigned_url(
                    "get_object", Params={"Bucket": self._bucket, "Key": key}, ExpiresIn=seconds
                )
            )
        except (ClientError, BotoCoreError) as error:
            raise translate(error) from error

    def fields(self, name: str, text: str) -> Item:
        """The attribute `name` with the text, or `name_at` with its key."""
        if len(text) <= INLINE_BYTES and len(text.encode()) <= INLINE_BYTES:
            return {name: text}
        return {name + _SUFFIX: self.put(text)}

    def read(self, item: Item, name: str) -> str | None:
        """The text of such an attribute. The key goes first: an update that puts `name` only where it is absent does
        not see that `name_at` is there."""
        key = item.get(name + _SUFFIX)
        if key is not None:
            return self.get(str(key))
        return str(item[name]) if name in item else None
