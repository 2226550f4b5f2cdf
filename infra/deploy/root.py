"""The stage's address without a path, which SDKs need: a small stack of its own, infra/root.yaml, made after chalice's
deployment, since it leads to what that made, and deleted before it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from botocore.exceptions import ClientError

from infra.deploy.account import Account, absent
from infra.deploy.policies import API, lambda_name
from infra.deploy.problems import DeployError
from infra.deploy.settings import StageSettings
from infra.deploy.stack import Stack
from infra.deploy.terminal import Terminal

TEMPLATE: Final = "infra/root.yaml"


@dataclass(frozen=True)
class Address:
    """Where a stage answers, without a slash at its end. ``host`` is what must be said as the host where the URL does
    not say it: an emulator's names are known to nobody else."""

    url: str
    host: str = ""

    def __str__(self) -> str:
        return self.url + (f" (Host: {self.host})" if self.host else "")


@dataclass(frozen=True)
class Roots:
    """What the stack has made; `url` and `domain` are None where there is none."""

    url: Address | None = None
    domain: Address | None = None
    dns: str = ""
    """The DNS record that the domain needs."""


def name(stage: str) -> str:
    """The stack's name: with a capital letter, which no stage's name has, so that it is no other stage's stack."""
    return f"stepwell-{stage}-Root"


@dataclass
class Root:
    """The root of one stage."""

    account: Account
    stage: str
    terminal: Terminal

    @property
    def stack(self) -> Stack:
        return Stack(self.account, name(self.stage), self.terminal)

    def bring_up(
        self, project: Path, settings: StageSettings, resources: Sequence[Mapping[str, Any]], api_stage: str, again: str
    ) -> Roots:
        """Make, change or delete the stack so that it is as the settings say. `resources` are chalice's record of what
        it deployed. Raises DeployError."""
        if not (settings.function_url or settings.domain_name):
            self.tear_down()
            return Roots()
        if self._has_lost_its_url():
            self.terminal.detail("the function was made anew and has no URL any more: the stack is made anew, too")
            self.stack.delete()
        outputs = self.stack.bring_up(
            (project / TEMPLATE).read_text(encoding="utf-8"),
            parameters(settings, resources, api_stage),
            {**settings.tags, "stepwell-stage": self.stage},
            again=again,
        )
        return roots(self.account, outputs)

    def roots(self) -> Roots:
        """What there is."""
        return roots(self.account, self.stack.outputs() or {})

    def tear_down(self) -> bool:
        """Delete the stack; whether there was one."""
        if self.stack.describe() is None:
            return False
        self.stack.delete()
        self.terminal.detail("the address at the root is gone")
        return True

    def _has_lost_its_url(self) -> bool:
        """CloudFormation does not look whether what it made is still there."""
        return "Url" in (self.stack.outputs() or {}) and function_url(self.account, self.stage) is None


def parameters(settings: StageSettings, resources: Sequence[Mapping[str, Any]], api_stage: str) -> dict[str, str]:
    """The parameters of infra/root.yaml. Raises DeployError where chalice has not deployed what it leads to."""
    found = {one["name"]: one for one in resources}
    if API not in found or "rest_api" not in found:
        raise DeployError(
            f"Stage {settings.stage} has no API yet that an address could lead to: "
            f"`make deploy STAGE={settings.stage}` makes it."
        )
    return {
        "Stage": settings.stage,
        "ApiFunctionArn": found[API]["lambda_arn"],
        "HasUrl": str(settings.function_url).lower(),
        "CorsOrigin": settings.cors_origin,
        "RestApiId": found["rest_api"]["rest_api_id"],
        "RestApiStage": api_stage,
        "DomainName": settings.domain_name,
        "CertificateArn": settings.domain_certificate_arn,
    }


def roots(account: Account, outputs: Mapping[str, str]) -> Roots:
    """The stack's outputs as addresses."""
    url, domain = outputs.get("Url", ""), outputs.get("DomainName", "")
    return Roots(
        url=_reached(account, url.rstrip("/")) if url else None,
        domain=Address(f"https://{domain}") if domain else None,
        dns=f"CNAME {domain} → {outputs['DomainTarget']}" if domain else "",
    )


def _reached(account: Account, url: str) -> Address:
    return Address(account.endpoint.rstrip("/"), urlsplit(url).netloc) if account.endpoint else Address(url)


def function_url(account: Account, stage: str) -> str | None:
    """How callers of the API function's URL prove who they are (NONE: not at all); None where it has no URL."""
    try:
        found = account.client("lambda").get_function_url_config(FunctionName=lambda_name(stage, API))
    except ClientError as error:
        if absent(error):
            return None
        raise
    kind: str = found["AuthType"]
    return kind


def mapped_apis(account: Account, domain: str) -> tuple[str, ...]:
    """The REST APIs that a domain's root leads to; none where there is no such domain."""
    try:
        mappings = list(account.pages("apigateway", "get_base_path_mappings", "items", domainName=domain))
    except ClientError as error:
        if absent(error):
            return ()
        raise
    return tuple(one["restApiId"] for one in mappings if one.get("basePath", "(none)") in ("(none)", ""))
