"""The address at the root: infra/root.yaml, and how it comes and goes in an emulator."""

from __future__ import annotations

import http.client
import io
import json
import re
import uuid
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import pytest
from cfnlint.decode import cfn_yaml  # type: ignore[import-untyped]

from infra.deploy import directions, root, settings, smoke
from infra.deploy.account import PROJECT, Account
from infra.deploy.problems import DeployError
from infra.deploy.root import Address, Root, Roots
from infra.deploy.settings import StageSettings
from infra.deploy.terminal import Terminal
from infra.local.settings import ACCOUNT

BODY: dict[str, Any] = cfn_yaml.load(str(PROJECT / root.TEMPLATE))
ECHO = """
import json
def handler(event, context):
    return {"statusCode": 200, "headers": {"x-kept": "yes"}, "body": json.dumps(event)}
"""


def test_its_name_is_no_other_stage_s_stack() -> None:
    assert root.name("dev") == "stepwell-dev-Root"
    assert not re.fullmatch(settings.STAGE, root.name("dev").removeprefix("stepwell-"))


def test_every_parameter_is_given_and_no_other() -> None:
    resources = [{"name": "api_handler", "lambda_arn": "arn"}, {"name": "rest_api", "rest_api_id": "id"}]
    given = root.parameters(settings.load("prod"), resources, "api")
    assert given.keys() == BODY["Parameters"].keys()
    assert (given["ApiFunctionArn"], given["RestApiId"], given["HasUrl"]) == ("arn", "id", "true")


def test_the_url_is_open_for_the_api_asks_for_keys_itself_and_has_both_permissions_that_it_needs() -> None:
    resources = BODY["Resources"]
    assert resources["Url"]["Properties"]["AuthType"] == "NONE"
    permissions = [one["Properties"] for one in resources.values() if one["Type"] == "AWS::Lambda::Permission"]
    assert [(one["Action"], one["Principal"]) for one in permissions] == [
        ("lambda:InvokeFunctionUrl", "*"),
        ("lambda:InvokeFunction", "*"),
    ]
    # Without these anybody could call the function by Lambda's own API.
    assert permissions[0]["FunctionUrlAuthType"] == "NONE"
    assert permissions[1]["InvokedViaFunctionUrl"] is True


def test_before_there_is_an_api_it_is_told_what_makes_one() -> None:
    with pytest.raises(DeployError, match="`make deploy STAGE=prod` makes it"):
        root.parameters(settings.load("prod"), [], "api")


@pytest.mark.parametrize(
    ("roots", "base", "told"),
    [
        (Roots(), "https://rest/api", "with a path, which SDKs drop"),
        (Roots(url=Address("https://url")), "https://url", "REST API    https://rest/api"),
        (
            Roots(Address("https://url"), Address("https://events.example.com"), "CNAME events.example.com → d-1.aws"),
            "https://events.example.com",
            "DNS record  CNAME events.example.com → d-1.aws",
        ),
    ],
)
def test_the_best_address_is_told_first(roots: Roots, base: str, told: str) -> None:
    terminal = Terminal(out=io.StringIO())
    api = Address("https://rest/api")
    directions.tell(terminal, settings.load("prod"), "eu-west-1", {}, roots, api)
    assert isinstance(terminal.out, io.StringIO)
    said = terminal.out.getvalue()
    assert directions.base(roots, api).url == base
    assert f"address     {base}\n" in said
    assert f"export BASE={base}\n" in said
    assert told in said
    assert ("INNGEST_BASE_URL=$BASE" in said) is (roots != Roots())


@dataclass
class Ground:
    """A stage of which chalice has deployed the API: a function that answers with what it gets, and a REST API."""

    account: Account
    root: Root
    settings: StageSettings
    resources: list[dict[str, str]]

    def up(self, **changed: Any) -> Roots:
        chosen = StageSettings.model_validate(self.settings.model_dump() | changed)
        return self.root.bring_up(PROJECT, chosen, self.resources, "api", "make deploy STAGE=x")

    def said(self) -> str:
        assert isinstance(self.root.terminal.out, io.StringIO)
        return self.root.terminal.out.getvalue()

    def make_function(self) -> str:
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as code:
            code.writestr("app.py", ECHO)
        arn: str = self.account.client("lambda").create_function(
            FunctionName=f"stepwell-{self.settings.stage}",
            Runtime="python3.13",
            Handler="app.handler",
            Role=f"arn:aws:iam::{ACCOUNT}:role/any",
            Code={"ZipFile": archive.getvalue()},
        )["FunctionArn"]
        return arn


@pytest.fixture
def ground(account: Account) -> Iterator[Ground]:
    stage = f"r{uuid.uuid4().hex[:8]}"
    made = Ground(account, Root(account, stage, Terminal(out=io.StringIO())), settings.load(stage), [])
    api = account.client("apigateway").create_rest_api(name="stepwell")["id"]
    made.resources += [
        {"name": "api_handler", "lambda_arn": made.make_function()},
        {"name": "rest_api", "rest_api_id": api},
    ]
    yield made
    made.root.tear_down()


def ask(address: Address, method: str, target: str, body: bytes, headers: dict[str, str]) -> tuple[int, Any, Any]:
    """Over HTTP, by an address as it is told."""
    parts = urlsplit(address.url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=20)
    try:
        connection.request(method, target, body, {"Host": address.host, **headers})
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), json.loads(answer.read())
    finally:
        connection.close()


DOMAIN = {
    "domain_name": "events.example.com",
    "domain_certificate_arn": "arn:aws:acm:us-east-1:000000000000:certificate/1-2-3",
}


@pytest.mark.ministack
def test_what_is_sent_to_the_url_arrives_as_it_was_sent(ground: Ground) -> None:
    url = ground.up().url
    assert url is not None
    sent = {
        "Authorization": "Bearer signkey-prod-1",
        "Content-Type": "application/json; charset=utf-8",
        "X-Inngest-Signature": "t=1&s=2",
        "X-Inngest-Expected-Server-Kind": "cloud",
    }
    body = '{"a": "é %2F"}'.encode()
    status, headers, event = ask(url, "POST", "/v1/a%2Fb%20c%25/%C3%A9?x=1&x=%2F&y=", body, sent)
    assert (status, headers["x-kept"]) == (200, "yes")
    assert event["rawPath"] == "/v1/a%2Fb%20c%25/%C3%A9"
    assert event["rawQueryString"] == "x=1&x=%2F&y="
    assert {name.lower(): value for name, value in sent.items()}.items() <= event["headers"].items()
    assert (event["body"].encode(), event["isBase64Encoded"]) == (body, False)


@pytest.mark.ministack
def test_it_may_be_made_again_changed_and_taken_away(ground: Ground) -> None:
    first = ground.up()
    assert first.domain is None
    assert ground.up() == first == ground.root.roots()
    assert ground.said().endswith("nothing to change\n")
    both = ground.up(**DOMAIN)
    assert (both.url, both.domain) == (first.url, Address("https://events.example.com"))
    assert both.dns.startswith("CNAME events.example.com → ")
    assert root.mapped_apis(ground.account, "events.example.com") == (ground.resources[1]["rest_api_id"],)
    assert ground.up(function_url=False, **DOMAIN).url is None
    assert root.function_url(ground.account, ground.settings.stage) is None
    assert ground.up(function_url=False) == Roots()
    assert root.mapped_apis(ground.account, "events.example.com") == ()
    assert ground.root.stack.describe() is None
    assert ground.root.tear_down() is False


@pytest.mark.ministack
def test_pages_of_the_one_origin_may_call_it(ground: Ground) -> None:
    ground.up(cors_origin="https://app.example.com")
    name = f"stepwell-{ground.settings.stage}"
    found = ground.account.client("lambda").get_function_url_config(FunctionName=name)
    assert found["Cors"]["AllowOrigins"] == ["https://app.example.com"]
    assert {"authorization", "content-type"} <= set(found["Cors"]["AllowHeaders"])


@pytest.mark.ministack
def test_a_function_that_was_made_anew_gets_its_url_again(ground: Ground) -> None:
    before = ground.up()
    client = ground.account.client("lambda")
    name = f"stepwell-{ground.settings.stage}"
    client.delete_function_url_config(FunctionName=name)
    client.delete_function(FunctionName=name)
    ground.make_function()
    assert root.function_url(ground.account, ground.settings.stage) is None
    after = ground.up()
    assert "the stack is made anew" in ground.said()
    assert after.url is not None
    assert after.url != before.url
    assert root.function_url(ground.account, ground.settings.stage) == "NONE"


@pytest.mark.ministack
def test_a_creation_that_failed_is_told_and_can_be_repeated(ground: Ground) -> None:
    good = ground.resources[0]
    ground.resources[0] = {**good, "lambda_arn": good["lambda_arn"] + "-not-there"}
    with pytest.raises(DeployError, match=r"(?s)What failed:.*Url.*run `make deploy STAGE=x` again"):
        ground.up()
    ground.resources[0] = good
    assert ground.up().url is not None


def test_the_rest_api_s_own_address_has_its_stage(account: Account) -> None:
    real = Account(account.session, ACCOUNT, "eu-west-1", "")
    assert str(smoke.address(real, "abc", "api")) == "https://abc.execute-api.eu-west-1.amazonaws.com/api"
