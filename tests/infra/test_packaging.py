"""What chalice packages for Lambda agrees with pyproject.toml."""

from __future__ import annotations

import json
import tomllib

from infra.local.settings import PROJECT


def test_lambda_gets_the_project_s_dependencies_without_chalice() -> None:
    with (PROJECT / "pyproject.toml").open("rb") as handle:
        wanted = tomllib.load(handle)["project"]["dependencies"]
    lines = (PROJECT / "requirements.txt").read_text().splitlines()
    listed = [line for line in lines if line and not line.startswith("#")]
    assert sorted(listed) == sorted(one for one in wanted if not one.startswith("chalice"))
    assert not any(line.startswith("boto") for line in listed)


def test_chalice_s_configuration_is_readable() -> None:
    config = json.loads((PROJECT / ".chalice" / "config.json").read_text())
    assert (config["version"], config["app_name"]) == ("2.0", "stepwell")
    assert "dev" in config["stages"]
