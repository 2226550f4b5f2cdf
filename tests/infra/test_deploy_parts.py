"""The parts of deploying that speak to AWS, against an emulator."""

from __future__ import annotations

import io
import json
import uuid
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from botocore.session import Session

from infra.deploy import bucket, commands, drift, facts, inventory, mappings, record
from infra.deploy.account import Account
from infra.deploy.commands import Stage
from infra.deploy.destroy import Destroyer, forget_stage
from infra.deploy.facts import TableFacts
from infra.deploy.problems import DeployError
from infra.deploy.settings import StageSettings, load
from infra.deploy.terminal import Terminal
from infra.local import cloud
from infra.local.settings import ACCOUNT, REGION

pytestmark = pytest.mark.ministack
_A_STACK = json.dumps({"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}})


@pytest.fixture
def stage() -> str:
    return f"p{uuid.uuid4().hex[:8]}"


@pytest.fixture
def tables(account: Account, stage: str) -> dict[str, str]:
    """Four tables as a stack would have made them, by the names of the outputs."""
    found = {f"{name}TableName": f"stepwell-{stage}-{name.lower()}" for name in drift.TABLES}
    for table in found.values():
        account.client("dynamodb").create_table(
            TableName=table,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        )
    return found


def settings(stage: str, **changed: bool) -> StageSettings:
    return load("prod").model_copy(update={"stage": stage, **changed})


def seen(account: Account, table: str) -> TableFacts:
    found = facts._table(account, table)
    assert isinstance(found, TableFacts)
    return found


def test_what_was_switched_off_is_switched_on_once(account: Account, stage: str, tables: dict[str, str]) -> None:
    told = drift.mend(account, settings(stage), tables)
    assert len(told) == 3 * len(tables)
    for table in tables.values():
        assert seen(account, table) == TableFacts(table, "ACTIVE", "expires_at", True, True)
    assert drift.mend(account, settings(stage), tables) == []


def test_what_the_settings_do_not_want_is_switched_off(account: Account, stage: str, tables: dict[str, str]) -> None:
    drift.mend(account, settings(stage), tables)
    drift.mend(account, settings(stage, point_in_time_recovery=False, deletion_protection=False), tables)
    table = tables["RunsTableName"]
    assert seen(account, table) == TableFacts(table, "ACTIVE", "expires_at", False, False)


def test_a_bucket_goes_with_all_objects_versions_and_unfinished_uploads(account: Account, stage: str) -> None:
    s3, name = account.client("s3"), f"stepwell-{stage}-payloads"
    s3.create_bucket(Bucket=name)
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: s3.put_object(Bucket=name, Key=f"payloads/{n % 900}", Body=b"x"), range(1100)))
    s3.delete_object(Bucket=name, Key="payloads/7")
    s3.create_multipart_upload(Bucket=name, Key="payloads/large")
    assert bucket.delete(account, name) == 1101
    assert not bucket.exists(account, name)
    assert bucket.delete(account, name) == 0


@pytest.fixture
def make_function(account: Account) -> Callable[..., str]:
    """Makes a function as chalice does, with its tag; returns its ARN."""

    def make(name: str, stage: str, app: str = "stepwell") -> str:
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as code:
            code.writestr("app.py", "def handler(event, context): return None\n")
        arn: str = account.client("lambda").create_function(
            FunctionName=name,
            Runtime="python3.13",
            Handler="app.handler",
            Role=f"arn:aws:iam::{ACCOUNT}:role/{name}",
            Code={"ZipFile": archive.getvalue()},
            Tags={"aws-chalice": f"version=1.34.0:stage={stage}:app={app}"},
        )["FunctionArn"]
        return arn

    return make


@pytest.fixture
def queue_arn(account: Account, stage: str) -> str:
    url = account.client("sqs").create_queue(QueueName=f"stepwell-{stage}-events")["QueueUrl"]
    attributes = account.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    arn: str = attributes["Attributes"]["QueueArn"]
    return arn


def test_a_stage_is_found_by_names_and_tags_and_not_taken_for_another(
    account: Account, stage: str, make_function: Callable[..., str]
) -> None:
    ours = make_function(f"stepwell-{stage}", stage)
    tick = make_function(f"stepwell-{stage}-on_tick", stage)
    make_function(f"stepwell-{stage}-x", f"{stage}-x")  # The API's handler of a stage whose name begins like ours.
    make_function(f"stepwell-{stage}-theirs", stage, app="other")
    account.client("events").put_rule(Name=f"stepwell-{stage}-on_tick-event", ScheduleExpression="rate(1 minute)")
    account.client("iam").create_role(RoleName=f"stepwell-{stage}-on_tick", AssumeRolePolicyDocument="{}")
    found = inventory.take(account, stage)
    assert found.functions == {"api_handler": ours, "on_tick": tick}
    assert found.rules == {"on_tick": f"stepwell-{stage}-on_tick-event"}
    assert list(found.roles) == ["on_tick"]
    assert inventory.take(account, f"{stage}-none").is_empty()


def test_an_api_is_told_by_the_function_that_it_calls(
    account: Account, stage: str, make_function: Callable[..., str]
) -> None:
    arn = make_function(f"stepwell-{stage}", stage)
    gateway = account.client("apigateway")
    made = [gateway.create_rest_api(name="stepwell")["id"] for _ in range(2)]
    root = gateway.get_resources(restApiId=made[0])["items"][0]["id"]
    gateway.put_method(restApiId=made[0], resourceId=root, httpMethod="GET", authorizationType="NONE")
    uri = f"arn:aws:apigateway:{REGION}:lambda:path/2015-03-31/functions/{arn}/invocations"
    gateway.put_integration(
        restApiId=made[0], resourceId=root, httpMethod="GET", type="AWS_PROXY", integrationHttpMethod="POST", uri=uri
    )
    assert inventory.take(account, stage).rest_apis == (made[0],)


def test_a_mapping_reports_failures_from_the_moment_it_is_made(
    aws: cloud.Cloud, stage: str, make_function: Callable[..., str], queue_arn: str
) -> None:
    session = Session()
    session.set_credentials("test", "test")
    watched = Account(session, ACCOUNT, REGION, aws.endpoint)
    make_function(f"stepwell-{stage}-on_event", stage)
    mappings.watch(watched)
    client = session.create_client("lambda", region_name=REGION, endpoint_url=aws.endpoint)
    create: Any = client.create_event_source_mapping  # type: ignore[attr-defined]
    made = create(EventSourceArn=queue_arn, FunctionName=f"stepwell-{stage}-on_event", BatchSize=10)
    assert made["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    asked = watched.client("lambda").get_function_recursion_config(FunctionName=f"stepwell-{stage}-on_event")
    assert asked["RecursiveLoop"] == "Allow"


def test_a_mapping_made_by_a_plain_chalice_deploy_is_brought_there(
    account: Account, stage: str, make_function: Callable[..., str], queue_arn: str
) -> None:
    name = f"stepwell-{stage}-on_event"
    make_function(name, stage)
    client = account.client("lambda")
    uuid_ = client.create_event_source_mapping(EventSourceArn=queue_arn, FunctionName=name, BatchSize=10)["UUID"]
    told = mappings.prepare(account, stage, inventory.take(account, stage))
    assert len(told) == 1
    assert client.get_event_source_mapping(UUID=uuid_)["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert client.get_function_recursion_config(FunctionName=name)["RecursiveLoop"] == "Allow"
    assert mappings.prepare(account, stage, inventory.take(account, stage)) == []


def test_a_stage_is_taken_down_though_its_record_was_lost(
    account: Account,
    stage: str,
    make_function: Callable[..., str],
    queue_arn: str,
    tables: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", account.endpoint)  # Chalice makes its clients itself.
    name = f"stepwell-{stage}-on_event"
    make_function(name, stage)
    account.client("lambda").create_event_source_mapping(EventSourceArn=queue_arn, FunctionName=name, BatchSize=10)
    account.client("sqs").send_message(
        QueueUrl=account.client("sqs").get_queue_url(QueueName=f"stepwell-{stage}-events")["QueueUrl"],
        MessageBody="waits",
        DelaySeconds=600,
    )
    drift.mend(account, settings(stage), tables)
    (tmp_path / ".chalice").mkdir()
    (tmp_path / ".chalice" / "config.json").write_text(json.dumps({"stages": {stage: {}, "other": {"mine": 1}}}))
    work = Destroyer(account, stage, tmp_path, Terminal(out=io.StringIO()))
    assert work.waiting() == {f"stepwell-{stage}-events": 1}
    assert work.data() == ["tables: " + ", ".join(work.tables)]
    work.run(delete_data=True)
    assert work.left == []
    assert work.look().is_empty()
    assert work.data() == []
    assert record.read(tmp_path, stage) == []
    assert json.loads((tmp_path / ".chalice" / "config.json").read_text())["stages"] == {"other": {"mine": 1}}
    work.run(delete_data=True)
    assert work.left == []


def test_data_is_kept_unless_told_otherwise(
    account: Account, stage: str, tables: dict[str, str], tmp_path: Path
) -> None:
    work = Destroyer(account, stage, tmp_path, Terminal(out=io.StringIO()))
    work.run(delete_data=False)
    assert work.left == []
    assert all(seen(account, table).status == "ACTIVE" for table in tables.values())


def test_whoever_types_another_name_destroys_nothing_and_whoever_types_it_does(
    account: Account, stage: str, tables: dict[str, str], tmp_path: Path
) -> None:
    account.client("cloudformation").create_stack(StackName=f"stepwell-{stage}", TemplateBody=_A_STACK)
    asked, out = [], io.StringIO()

    def answering(answer: str) -> Stage:
        def ask(question: str) -> str:
            asked.append(question)
            return answer

        return Stage(account, settings(stage), tmp_path, Terminal(out=out, ask=ask))

    for wrong in ("", "yes", stage[:-1], stage.upper()):
        with pytest.raises(DeployError, match="nothing was deleted"):
            commands.destroy(answering(wrong), delete_data=True, yes=False, again="make destroy")
    assert all(seen(account, table).status == "ACTIVE" for table in tables.values())
    assert f"DELETED  tables: stepwell-{stage}-events" in out.getvalue()
    assert all(stage in question for question in asked)

    assert commands.destroy(answering(f"{stage}\n"), delete_data=True, yes=False, again="make destroy")
    assert Destroyer(account, stage, tmp_path, Terminal(out=out)).data() == []


def test_forgetting_a_stage_twice_changes_nothing(tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    forget_stage(file, "dev")
    file.write_text('{"stages": {"dev": {}}}')
    forget_stage(file, "dev")
    text = file.read_text()
    forget_stage(file, "dev")
    assert file.read_text() == text
