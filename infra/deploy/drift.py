"""Brings back what CloudFormation does not look after: it changes a resource only when the template changes, takes
a table back into a stack as it finds it, and never sees what was switched off by hand."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from infra.deploy.account import Account
from infra.deploy.problems import code
from infra.deploy.settings import StageSettings

TABLES = ("Events", "Runs", "Pauses", "Timers", "Functions", "Limits")
TTL_ATTRIBUTE = "expires_at"


def mend(account: Account, settings: StageSettings, outputs: dict[str, str]) -> list[str]:
    """Switch on what the settings ask for; lines about what was changed."""
    dynamodb = account.client("dynamodb")
    told = []
    for table in TABLES:
        name = outputs[f"{table}TableName"]
        told += _expiry(dynamodb, name)
        told += _recovery(dynamodb, name, settings.point_in_time_recovery)
        told += protection(dynamodb, name, settings.deletion_protection)
    return told


def _expiry(dynamodb: Any, table: str) -> list[str]:
    found = dynamodb.describe_time_to_live(TableName=table)["TimeToLiveDescription"]
    if found["TimeToLiveStatus"] in ("ENABLED", "ENABLING"):
        return []  # Of another attribute, too: DynamoDB wants an hour between two changes, so `check` tells it.
    try:
        dynamodb.update_time_to_live(
            TableName=table, TimeToLiveSpecification={"Enabled": True, "AttributeName": TTL_ATTRIBUTE}
        )
    except ClientError as error:
        if code(error) != "ValidationException":
            raise
        return []  # Changed less than an hour ago: `check` tells it if it stays off.
    return [f"table {table}: expiry of items switched on"]


def _recovery(dynamodb: Any, table: str, wanted: bool) -> list[str]:
    backups = dynamodb.describe_continuous_backups(TableName=table)["ContinuousBackupsDescription"]
    status = backups.get("PointInTimeRecoveryDescription", {}).get("PointInTimeRecoveryStatus", "DISABLED")
    if (status == "ENABLED") is wanted:
        return []
    dynamodb.update_continuous_backups(
        TableName=table, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": wanted}
    )
    return [f"table {table}: point-in-time recovery switched {'on' if wanted else 'off'}"]


def protection(dynamodb: Any, table: str, wanted: bool) -> list[str]:
    """Protect a table from being deleted, or allow it."""
    found = dynamodb.describe_table(TableName=table)["Table"]
    if bool(found.get("DeletionProtectionEnabled")) is wanted:
        return []
    dynamodb.update_table(TableName=table, DeletionProtectionEnabled=wanted)
    return [f"table {table}: deletion protection switched {'on' if wanted else 'off'}"]
