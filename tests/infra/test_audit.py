"""Dependencies: those that are deployed are few, known and bounded; `make audit` never says more than it knows."""

from __future__ import annotations

import json
import sys
import tomllib
from typing import Any

import pytest
from packaging.requirements import Requirement

from infra import audit
from infra.local.settings import PROJECT

# All that is in the deployment package besides our own code. A new one is a decision: look at it, then name it here.
DEPLOYED = {
    "annotated-types",
    "aws-lambda-powertools",
    "cel-python",
    "cronsim",
    "google-re2",
    "jmespath",
    "lark",
    "pendulum",
    "pydantic",
    "pydantic-core",
    "python-dateutil",
    "pyyaml",
    "six",
    "typing-extensions",
    "typing-inspection",
    "tzdata",
}
# Data without code, which must be new.
UNBOUNDED = {"tzdata"}


def test_what_is_deployed_is_known() -> None:
    # Another Python needs fewer of them.
    assert audit.deployed() <= DEPLOYED
    assert len(audit.deployed()) > 5


def test_every_dependency_has_a_highest_version() -> None:
    with (PROJECT / "pyproject.toml").open("rb") as handle:
        project = tomllib.load(handle)["project"]
    texts = project["dependencies"] + project["optional-dependencies"]["dev"]
    for one in map(Requirement, texts):
        bounds = {part.operator for part in one.specifier}
        if one.name not in UNBOUNDED | {"packaging"}:
            assert bounds & {"==", "<", "~="}, one
        assert bounds & {"==", ">=", "~="}, one
        assert one.url is None, one


def told(answer: object, capsys: pytest.CaptureFixture[str], exit_code: int = 0) -> tuple[int, str]:
    """What the audit makes of an answer of pip-audit's."""
    text = answer if isinstance(answer, str) else json.dumps({"dependencies": answer, "fixes": []})
    code = audit.audit([sys.executable, "-c", f"import sys; print({text!r}); sys.exit({exit_code})"])
    return code, capsys.readouterr().out


CLEAN: dict[str, Any] = {"name": "pytest", "version": "9", "vulns": []}
HIT = {"name": "Pydantic", "version": "2.12", "vulns": [{"id": "GHSA-1", "fix_versions": ["2.13"]}]}


def test_nothing_found(capsys: pytest.CaptureFixture[str]) -> None:
    assert told([CLEAN], capsys) == (
        0,
        f"1 packages audited ({len(audit.deployed())} of them deployed), 0 vulnerable\n",
    )


def test_something_found(capsys: pytest.CaptureFixture[str]) -> None:
    code, out = told([CLEAN, HIT, {**HIT, "name": "pytest"}], capsys, exit_code=1)
    assert code == audit.FOUND
    assert "DEPLOYED  Pydantic 2.12  GHSA-1  fixed in: 2.13" in out
    assert "here alone  pytest" in out


@pytest.mark.parametrize("answer", ["", "no JSON", "[]", "{}", "null"])
def test_without_an_answer_nothing_was_audited(answer: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out = told(answer, capsys, exit_code=1)
    assert code == audit.NOT_AUDITED
    assert out.startswith("NOT AUDITED: ")


def test_a_deployed_package_that_was_passed_over_was_not_audited(capsys: pytest.CaptureFixture[str]) -> None:
    code, out = told([CLEAN, {"name": "pydantic", "skip_reason": "not on the index"}], capsys)
    assert code == audit.NOT_AUDITED
    assert "not audited: pydantic: not on the index" in out
