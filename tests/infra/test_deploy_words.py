"""What whoever deploys is told when something is not as it should be: words, never a traceback."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from botocore import exceptions as aws

from infra.deploy.problems import DeployError, explain
from infra.local import cloud

PROJECT = Path(__file__).resolve().parents[2]


def answer(code: str, message: str = "said") -> aws.ClientError:
    return aws.ClientError({"Error": {"Code": code, "Message": message}}, "CreateTable")


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (DeployError("mend it"), "mend it"),
        (answer("AccessDenied"), "AWS refused CreateTable: said\nThe credentials lack a permission"),
        (answer("UnauthorizedOperation"), "lack a permission"),
        (answer("ExpiredToken"), "have expired"),
        (answer("InvalidClientTokenId"), "does not know these credentials"),
        (answer("ThrottlingException"), "Wait a minute"),
        (answer("LimitExceeded", "too many"), "AWS answered CreateTable with LimitExceeded: too many"),
        (aws.NoRegionError(), "No AWS region is chosen"),
        (aws.NoCredentialsError(), "Set AWS_PROFILE"),
        (aws.ProfileNotFound(profile="x"), "list-profiles"),
        (aws.EndpointConnectionError(endpoint_url="https://x"), "cannot be reached"),
        (aws.WaiterError("TableNotExists", "Max attempts exceeded", {}), "did not finish in time"),
    ],
)
def test_what_aws_says_is_told_with_what_to_do(error: BaseException, says: str) -> None:
    assert says in str(explain(error))


def test_a_fault_of_ours_is_not_hidden() -> None:
    assert explain(ValueError("oops")) is None
    assert explain(aws.ParamValidationError(report="x")) is None


def run(*words: str, **env: str) -> subprocess.CompletedProcess[str]:
    """The command, with an environment that knows no AWS but what is given."""
    clean = cloud.clean_environment(os.environ) | {
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    return subprocess.run(
        [sys.executable, "-m", "infra.deploy", *words],
        cwd=PROJECT,
        env={**clean, **env},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


TEST = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": "us-east-1"}


def test_without_credentials_it_says_how_to_get_some() -> None:
    told = run("check", AWS_REGION="us-east-1")
    assert told.returncode == 1
    assert "There are no AWS credentials" in told.stderr
    assert "Traceback" not in told.stderr


def test_without_a_region_it_says_so() -> None:
    told = run("check", AWS_ACCESS_KEY_ID="test", AWS_SECRET_ACCESS_KEY="test")
    assert told.returncode == 1
    assert "No AWS region is chosen" in told.stderr


def test_a_stage_that_cannot_be_is_refused_before_aws_is_asked() -> None:
    told = run("deploy", "--stage", "No_Stage")
    assert told.returncode == 1
    assert "the stage 'No_Stage' is not a good name" in told.stderr


def test_a_command_that_is_none_is_a_wrong_call() -> None:
    assert run("deplow").returncode == 2


@pytest.mark.ministack
def test_a_stage_that_is_not_there_is_told(aws: cloud.Cloud) -> None:
    told = run("check", "--stage", "nowhere", **TEST, AWS_ENDPOINT_URL=aws.endpoint)
    assert told.returncode == 1
    assert "There is no stage nowhere in account 000000000000, us-east-1" in told.stderr
    told = run("destroy", "--stage", "nowhere", "--yes", **TEST, AWS_ENDPOINT_URL=aws.endpoint)
    assert (told.returncode, told.stdout[:24]) == (0, "There is no stage nowher")


@pytest.mark.ministack
def test_nothing_is_destroyed_where_nobody_can_be_asked(aws: cloud.Cloud) -> None:
    told = run("destroy", "--stage", "dev", **TEST, AWS_ENDPOINT_URL=aws.endpoint)
    assert told.returncode == 1
    assert "say --yes" in told.stderr
    assert "kept     tables: stepwell-dev-events" in told.stdout


@pytest.mark.ministack
def test_keys_are_made_shown_and_rotated_by_hand(aws: cloud.Cloud) -> None:
    env = {**TEST, "AWS_ENDPOINT_URL": aws.endpoint}
    for _ in range(2):
        assert run("keys", "add", "event", "--stage", "rotated", **env).returncode == 0
    new, old = run("keys", "show", "event", "--stage", "rotated", **env).stdout.split()
    listed = run("keys", "--stage", "rotated", **env).stdout
    assert new not in listed
    assert old[-6:] in listed
    assert run("keys", "remove", "event", old[-6:], "--stage", "rotated", **env).returncode == 0
    assert run("keys", "show", "event", "--stage", "rotated", **env).stdout.split() == [new]
    told = run("keys", "remove", "event", new[-6:], "--stage", "rotated", **env)
    assert (told.returncode, "This is the last key" in told.stderr) == (1, True)
