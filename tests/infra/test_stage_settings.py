"""infra/settings.toml: a stage over the defaults, each value checked, and numbers that must fit each other."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from infra.deploy import settings
from infra.deploy.settings import PATH, SettingsError, load

DEFAULTS = PATH.read_text(encoding="utf-8").split("\n[stages.", 1)[0] + "\n"


def written(path: Path, stages: str = "", **default: str) -> Path:
    """A settings file: the project's defaults with some lines changed, and these stages."""
    lines = [
        f"{name} = {default.pop(name)}" if (name := line.split(" = ")[0]) in default else line
        for line in DEFAULTS.splitlines()
    ]
    head = lines.index("[default]") + 1
    lines[head:head] = [f"{name} = {value}" for name, value in default.items()]
    file = path / "settings.toml"
    file.write_text("\n".join(lines) + "\n" + stages, encoding="utf-8")
    return file


def refusal(file: Path, stage: str = "prod") -> str:
    with pytest.raises(SettingsError) as refused:
        load(stage, file)
    return str(refused.value)


def test_every_stage_of_the_project_s_file_can_be_used() -> None:
    stages = tomllib.loads(PATH.read_text(encoding="utf-8"))["stages"]
    assert [load(stage).stage for stage in [*stages, "a-new-stage"]] == [*stages, "a-new-stage"]


def test_every_setting_stands_in_the_defaults_with_its_reason() -> None:
    default = tomllib.loads(DEFAULTS)["default"]
    assert default.keys() == settings.StageSettings.model_fields.keys() - {"stage"}


def test_a_stage_is_laid_over_the_defaults(tmp_path: Path) -> None:
    file = written(tmp_path, "[stages.prod]\nwork_timeout_s = 300\nalarm_email = 'ops@example.com'\n")
    assert (load("prod", file).work_timeout_s, load("prod", file).alarm_email) == (300, "ops@example.com")
    assert load("other", file).work_timeout_s == 120


def test_a_stage_s_variables_and_tags_are_added_to_those_of_all_stages(tmp_path: Path) -> None:
    text = DEFAULTS.replace("[default.environment]", "[default.environment]\nA = 'all'\nB = 'all'")
    file = tmp_path / "settings.toml"
    file.write_text(text + "[stages.prod.environment]\nB = 'prod'\n[stages.prod.tags]\nteam = 'x'\n")
    assert load("prod", file).environment == {"A": "all", "B": "prod"}
    assert load("prod", file).tags == {"team": "x"}
    assert load("dev", file).environment == {"A": "all", "B": "all"}


def test_visibility_follows_from_the_timeout(tmp_path: Path) -> None:
    found = load("x", written(tmp_path, events_timeout_s="45", work_timeout_s="240"))
    parameters = found.parameters()
    assert (parameters["EventsVisibilitySeconds"], parameters["WorkVisibilitySeconds"]) == ("75", "270")
    assert (parameters["EventsTimeoutSeconds"], parameters["WorkTimeoutSeconds"]) == ("45", "240")


def test_parameters_are_texts_that_cloudformation_understands(tmp_path: Path) -> None:
    parameters = load("x", written(tmp_path, deletion_protection="false")).parameters()
    assert (parameters["DeletionProtection"], parameters["PointInTimeRecovery"]) == ("false", "true")
    assert all(isinstance(value, str) for value in parameters.values())


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("work_timeout_s", "29", "a whole number from 30 to 900"),
        ("work_timeout_s", "901", "a whole number from 30 to 900"),
        ("work_timeout_s", "60.5", "a whole number from 30 to 900"),
        ("work_timeout_s", "'60'", "a whole number from 30 to 900"),
        ("work_timeout_s", "true", "a whole number from 30 to 900"),
        ("tick_timeout_s", "60", "a whole number from 10 to 59"),
        ("api_timeout_s", "30", "a whole number from 5 to 29"),
        ("receive_count", "5", "a whole number from 6 to 100"),
        ("work_memory_mb", "64", "a whole number from 128 to 10240"),
        ("work_max_concurrency", "1", "a whole number from 2 to 1000"),
        ("retention_days", "13", "a whole number from 14 to 3650"),
        ("log_retention_days", "31", "one of 1, 3, 5, 7, 14, 30, 60"),
        ("deletion_protection", "'yes'", "true or false"),
        ("point_in_time_recovery", "1", "true or false"),
        ("alarm_email", "'ops'", "one address"),
        ("alarm_email", "'a@b.de, c@d.de'", "one address"),
        ("cors_origin", "'*'", "one origin such as https://app.example.com"),
        ("cors_origin", "'https://app.example.com/'", "one origin such as https://app.example.com"),
        ("app_networks", "'10.0.0.1/8'", "networks with commas between them"),
        ("app_networks", "'vpc'", "networks with commas between them"),
        ("architecture", "'arm'", "one of x86_64, arm64"),
        ("log_level", "'debug'", "one of DEBUG, INFO, WARNING, ERROR"),
        ("api_endpoint_type", "'PRIVATE'", "one of REGIONAL, EDGE"),
    ],
)
def test_a_value_that_is_not_allowed_is_named_with_what_is(tmp_path: Path, name: str, value: str, allowed: str) -> None:
    message = refusal(written(tmp_path, **{name: value}))
    assert f"[default] {name} is " in message
    assert f"it must be {allowed}" in message
    assert str(tmp_path / "settings.toml") in message


def test_the_table_that_has_the_value_is_named_and_all_problems_are_told_at_once(tmp_path: Path) -> None:
    message = refusal(written(tmp_path, "[stages.prod]\nreceive_count = 3\nspeed = 9\n", tick_timeout_s="0"))
    assert "[stages.prod] receive_count is 3: it must be a whole number from 6 to 100" in message
    assert "[stages.prod] speed: there is no such setting" in message
    assert "[default] tick_timeout_s is 0" in message


@pytest.mark.parametrize("stage", ["", "Prod", "1st", "a" * 18, "pro_d", "prod\n", "prod."])
def test_a_stage_s_name_must_be_good_for_every_resource(stage: str) -> None:
    assert "1 to 17 lower-case letters, digits and hyphens" in refusal(PATH, stage)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        (
            {"work_timeout_s": "30", "hand_over_below_s": "21"},
            "hand_over_below_s is 21: it must be at least 10 s below",
        ),
        ({"retention_days": "400"}, "payload_backstop_days is 800: it must be at least 426"),
        ({"events_timeout_s": "300"}, "alarm_events_age_s is 300: it must be at least .*330"),
        ({"work_timeout_s": "900"}, r"alarm_work_age_s is 1800: it must be at least 900 .*930"),
    ],
)
def test_numbers_that_do_not_fit_each_other_are_told(tmp_path: Path, changes: dict[str, str], says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        load("prod", written(tmp_path, **changes))


def test_numbers_that_just_fit_are_taken(tmp_path: Path) -> None:
    changes = {"work_timeout_s": "870", "retention_days": "374", "hand_over_below_s": "860"}
    assert load("prod", written(tmp_path, **changes)).work_visibility_s == 900


def test_a_setting_that_is_missing_is_named(tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text("\n".join(line for line in DEFAULTS.splitlines() if not line.startswith("log_level")))
    assert "[default] log_level is missing: one of DEBUG, INFO" in refusal(file)


@pytest.mark.parametrize(
    ("variables", "says"),
    [
        ("STEPWELL_DEV = '1'", "environment"),
        ("AWS_REGION = 'x'", "environment"),
        ("'a-b' = 'x'", "environment"),
        ("PORT = 80", "environment.PORT"),
    ],
)
def test_variables_that_are_the_platform_s_or_cannot_be_are_refused(tmp_path: Path, variables: str, says: str) -> None:
    message = refusal(written(tmp_path, f"[stages.prod.environment]\n{variables}\n"))
    assert f"[stages.prod] {says} is " in message


@pytest.mark.parametrize("tags", ["'aws:x' = 'y'", "'' = 'y'", "a = 'ü!'", f"a = '{'x' * 257}'"])
def test_tags_that_aws_refuses_are_refused_here(tmp_path: Path, tags: str) -> None:
    assert "[stages.prod] tags is " in refusal(written(tmp_path, f"[stages.prod.tags]\n{tags}\n"))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("x =", "is not TOML"),
        ("[defaults]\n", "'defaults' belongs to"),
        ("default = 1\n", "default must be a table"),
        ("[stages]\nprod = 1\n", "stages.prod must be a table"),
        (f"{DEFAULTS}[stages.prod]\nstage = 'x'\n", "the stage is named by"),
        (f"{DEFAULTS}[stages.prod]\nenvironment = 1\n", r"\[stages.prod\] environment is 1"),
    ],
)
def test_a_file_that_is_something_else_is_told_so(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "settings.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError, match=says):
        load("prod", file)


def test_a_file_that_cannot_be_read_is_told_so(tmp_path: Path) -> None:
    assert "cannot be read: No such file" in refusal(tmp_path / "settings.toml")
    (tmp_path / "settings.toml").write_bytes(b"\xff\xfe\x00")
    assert "is not TOML" in refusal(tmp_path / "settings.toml")


def test_the_comments_of_the_file_say_what_is_checked() -> None:
    """A bound that is written as `(low to high)` beside a setting is the one that is enforced."""
    bounds: dict[str, Any] = {
        name: field.description for name, field in settings.StageSettings.model_fields.items() if field.description
    }
    for name in ("events_timeout_s", "work_timeout_s", "tick_timeout_s", "collect_timeout_s", "api_timeout_s"):
        low, high = bounds[name].removeprefix("a whole number from ").split(" to ")
        line = next(line for line in DEFAULTS.splitlines() if line.startswith(name))
        assert f"({low} to {high}" in line
