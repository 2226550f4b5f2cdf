"""Takes a stage down: what runs always, what holds data only when told so. Repeatable after a failure at any point."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from infra.deploy import bucket, chalice_run, drift, inventory, keys, record
from infra.deploy.account import Account, absent
from infra.deploy.inventory import Inventory
from infra.deploy.key_store import KeyStore
from infra.deploy.policies import FUNCTIONS, lambda_name
from infra.deploy.problems import DeployError, explain
from infra.deploy.root import Root
from infra.deploy.stack import Stack
from infra.deploy.terminal import Terminal

TABLES = ("events", "runs", "pauses", "timers", "functions", "limits")
QUEUES = ("events", "work", "events-dead", "work-dead")


@dataclass
class Destroyer:
    """Takes down one stage. Names are told from the stage alone: the stack may be gone already."""

    account: Account
    stage: str
    project: Path
    terminal: Terminal
    left: list[str] = field(default_factory=list)
    """What could not be deleted, and why."""

    @property
    def stack(self) -> Stack:
        return Stack(self.account, f"stepwell-{self.stage}", self.terminal)

    @property
    def bucket(self) -> str:
        return f"stepwell-{self.stage}-payloads-{self.account.account_id}-{self.account.region}"

    @property
    def tables(self) -> list[str]:
        return [f"stepwell-{self.stage}-{name}" for name in TABLES]

    @property
    def log_groups(self) -> list[str]:
        return [f"/aws/lambda/{lambda_name(self.stage, name)}" for name in FUNCTIONS]

    def look(self) -> Inventory:
        """What there is of the Lambda side."""
        return inventory.take(self.account, self.stage, record.function_names(record.read(self.project, self.stage)))

    def waiting(self) -> dict[str, int]:
        """How many messages lie in each queue that has any."""
        sqs = self.account.client("sqs")
        found = {}
        for name in QUEUES:
            queue = f"stepwell-{self.stage}-{name}"
            try:
                url = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
                names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
                names.append("ApproximateNumberOfMessagesDelayed")
                numbers = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
            except ClientError as error:
                if absent(error):
                    continue
                raise
            count = sum(int(one) for one in numbers.values())
            if count:
                found[queue] = count
        return found

    def run(self, *, delete_data: bool) -> None:
        """Take everything down; what stays behind against our will is in `left`."""
        self.terminal.step("Functions, their API, addresses, schedules and roles")
        # What a domain leads to cannot be deleted: the addresses go first.
        if (
            self._try("the address at the root", self._delete_root)
            and self._try("the functions and what belongs to them", self._functions)
            and self._try("the stack", self._delete_stack)
        ):
            if delete_data:
                self._data()
            self._local_files()
        else:
            self.terminal.detail("the rest waits until this is gone")

    def _try(self, what: str, act: Callable[[], object]) -> bool:
        try:
            act()
        except (DeployError, ClientError, BotoCoreError) as error:
            self.left.append(f"{what}: {explain(error) or error}")
            return False
        return True

    def _delete_root(self) -> None:
        Root(self.account, self.stage, self.terminal).tear_down()

    def _functions(self) -> None:
        found = self.look()
        recorded = record.true_to(record.read(self.project, self.stage), found, self.stage)
        mappings, apis = record.surplus(recorded, found)
        for uuid in mappings:
            self.account.client("lambda").delete_event_source_mapping(UUID=uuid)
        for api in apis:
            self.account.client("apigateway").delete_rest_api(restApiId=api)
        if recorded:
            record.write(self.project, self.stage, recorded)
            chalice_run.delete(self.account, self.project, self.stage, self.terminal)
        else:
            self.terminal.detail("nothing there")

    def _delete_stack(self) -> None:
        self.terminal.step("The stack: queues, bus, alarms, logs")
        if self.stack.describe() is None:
            self.terminal.detail("nothing there")
            return
        self.stack.delete()
        self.terminal.detail("deleted")

    def _data(self) -> None:
        self.terminal.step("Data: tables, payloads, keys")
        for table in self.tables:
            self._try(f"the table {table}", lambda table=table: self._delete_table(table))  # type: ignore[misc]
        self._try(f"the bucket {self.bucket}", self._delete_bucket)
        for group in self.log_groups:
            self._try(f"the log group {group}", lambda group=group: self._delete_log_group(group))  # type: ignore[misc]
        for kind in keys.Kind:
            name = keys.parameter(self.stage, kind)
            self._try(f"the keys {name}", lambda kind=kind, name=name: self._delete_keys(kind, name))  # type: ignore[misc]

    def _delete_table(self, table: str) -> None:
        dynamodb = self.account.client("dynamodb")
        try:
            drift.protection(dynamodb, table, False)
            dynamodb.delete_table(TableName=table)
        except ClientError as error:
            if absent(error):
                return
            raise
        dynamodb.get_waiter("table_not_exists").wait(TableName=table)
        self.terminal.detail(f"table {table} deleted")

    def _delete_bucket(self) -> None:
        if not bucket.exists(self.account, self.bucket):
            return
        count = bucket.delete(self.account, self.bucket)
        self.terminal.detail(f"bucket {self.bucket} with {count} objects deleted")

    def _delete_log_group(self, group: str) -> None:
        try:
            self.account.client("logs").delete_log_group(logGroupName=group)
        except ClientError as error:
            if absent(error):
                return
            raise
        self.terminal.detail(f"log group {group} deleted")

    def _delete_keys(self, kind: keys.Kind, name: str) -> None:
        if KeyStore(self.account, self.stage).delete(kind):
            self.terminal.detail(f"keys {name} deleted")

    def data(self) -> list[str]:
        """What there is of the data, a line for each kind."""
        store = KeyStore(self.account, self.stage)
        kinds = {
            "tables": [name for name in self.tables if self._has_table(name)],
            "bucket": [self.bucket] if bucket.exists(self.account, self.bucket) else [],
            "keys": [keys.parameter(self.stage, kind) for kind in keys.Kind if store.read(kind)],
        }
        return [f"{kind}: {', '.join(names)}" for kind, names in kinds.items() if names]

    def _has_table(self, name: str) -> bool:
        try:
            self.account.client("dynamodb").describe_table(TableName=name)
        except ClientError as error:
            if absent(error):
                return False
            raise
        return True

    def _local_files(self) -> None:
        """The stage's part of .chalice; the record last, since it tells what to delete."""
        folder = self.project / ".chalice"
        forget_stage(folder / "config.json", self.stage)
        for name in FUNCTIONS:
            (folder / f"policy-{self.stage}-{name}.json").unlink(missing_ok=True)
        record.forget(self.project, self.stage)


def forget_stage(file: Path, stage: str) -> None:
    """Remove the stage from chalice's configuration, whole or not at all."""
    try:
        config: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return
    except ValueError as error:
        raise DeployError(f"{file} cannot be read: {error}") from None
    if config.get("stages", {}).pop(stage, None) is None:
        return
    half = file.with_name(file.name + ".new")
    half.write_text(json.dumps(config, indent=2, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")
    os.replace(half, file)
