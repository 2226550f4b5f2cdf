"""Empties and deletes the payload bucket."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from botocore.exceptions import ClientError

from infra.deploy.account import Account, absent
from infra.deploy.problems import DeployError

BATCH = 1000
"""How many objects S3 deletes in one request."""


def exists(account: Account, bucket: str) -> bool:
    """Whether it is there, and ours."""
    try:
        account.client("s3").head_bucket(Bucket=bucket, ExpectedBucketOwner=account.account_id)
    except ClientError as error:
        if absent(error):
            return False
        raise
    return True


def delete(account: Account, bucket: str) -> int:
    """Delete all objects with all their versions, unfinished uploads, and the bucket; how many objects there were.

    Nothing where there is no such bucket. Raises DeployError naming an object that stays.
    """
    if not exists(account, bucket):
        return 0
    s3 = account.client("s3")
    for upload in account.pages("s3", "list_multipart_uploads", "Uploads", Bucket=bucket):
        s3.abort_multipart_upload(Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"])
    count = 0
    for some in _batches(_versions(account, bucket)):
        answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": some, "Quiet": True})
        for error in answer.get("Errors", []):
            raise DeployError(f"{error.get('Key')} cannot be deleted from {bucket}: {error.get('Message')}")
        count += len(some)
    s3.delete_bucket(Bucket=bucket)
    return count


def _versions(account: Account, bucket: str) -> Iterator[dict[str, str]]:
    for page in account.client("s3").get_paginator("list_object_versions").paginate(Bucket=bucket):
        for one in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]:
            yield {"Key": one["Key"], "VersionId": one["VersionId"]}


def _batches(items: Iterable[Any]) -> Iterator[list[Any]]:
    rest = iter(items)
    while some := list(islice(rest, BATCH)):
        yield some
