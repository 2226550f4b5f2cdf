"""The environment, read."""

from __future__ import annotations

import pytest

from chalicelib import config
from chalicelib.config import ConfigurationError

NEEDED = {
    f"STEPWELL_{name}": "x"
    for name in (
        "TABLE_EVENTS",
        "TABLE_RUNS",
        "TABLE_PAUSES",
        "TABLE_TIMERS",
        "TABLE_FUNCTIONS",
        "TABLE_LIMITS",
        "QUEUE_EVENTS_URL",
        "QUEUE_WORK_URL",
        "DEAD_EVENTS_URL",
        "DEAD_WORK_URL",
        "BUCKET",
        "KEYS_PATH",
    )
}


def test_defaults() -> None:
    found = config.load(NEEDED)
    assert (found.stage, found.dev, found.keys_path, found.retention_days) == ("dev", False, "x", 30)
    assert found.max_receives == 10
    assert (found.hand_over_below_ms, found.retry_table_ms, found.partial_batches) == (15_000, None, False)


@pytest.mark.parametrize("name", sorted(NEEDED))
def test_what_is_missing_is_named(name: str) -> None:
    for value in ({}, {name: ""}):
        environment = {key: text for key, text in NEEDED.items() if key != name} | value
        with pytest.raises(ConfigurationError, match=f"{name} is not set: run `make dev`"):
            config.load(environment)


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("RETENTION_DAYS", "13", "at least 14"),
        ("RETENTION_DAYS", "1e3", "at least 14"),
        ("RETENTION_DAYS", "9" * 5000, "at least 14"),
        ("HAND_OVER_BELOW", "soon", "write numbers with units"),
        ("MAX_RECEIVES", "often", "must be a whole number"),
        ("RETRY_TABLE", "1s,,2s", "write numbers with units"),
        ("CLOCK_OFFSET_MS", "an hour", "must be a whole number"),
        ("CLOCK_OFFSET_MS", "²", "must be a whole number"),
        ("LAMBDA_APPS", "my-function", "must be ARNs of Lambda functions"),
    ],
)
def test_what_cannot_be_used_is_named(name: str, value: str, says: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"STEPWELL_{name}.*{says}"):
        config.load(NEEDED | {f"STEPWELL_{name}": value})


def test_apps_in_lambda_are_named_with_commas_between_them() -> None:
    arns = [f"arn:aws:lambda:eu-west-1:123456789012:function:{name}" for name in ("one", "two:live")]
    assert config.load(NEEDED).lambda_apps == ()
    assert config.load(NEEDED | {"STEPWELL_LAMBDA_APPS": ", ".join(arns)}).lambda_apps == tuple(arns)


def test_how_many_run_side_by_side_is_said_by_the_environment_or_by_nobody() -> None:
    assert config.max_concurrency("WORK", {"STEPWELL_MAX_CONCURRENCY_WORK": "5"}) == 5
    assert config.max_concurrency("EVENTS", {"STEPWELL_MAX_CONCURRENCY_WORK": "5"}) is None
    with pytest.raises(ConfigurationError, match="STEPWELL_MAX_CONCURRENCY_WORK is 'many': it must be a whole number"):
        config.max_concurrency("WORK", {"STEPWELL_MAX_CONCURRENCY_WORK": "many"})


def test_a_list_of_durations() -> None:
    assert config.load(NEEDED | {"STEPWELL_RETRY_TABLE": "1s,1m30s"}).retry_table_ms == (1_000, 90_000)


def test_development_needs_no_keys() -> None:
    environment = {key: text for key, text in NEEDED.items() if key != "STEPWELL_KEYS_PATH"}
    assert config.load(environment | {"STEPWELL_DEV": "1"}).keys_path == ""


def test_pages_of_other_origins_are_let_in_only_when_one_is_named() -> None:
    assert config.cors_origin({}) is None
    for origin in ("https://app.example.com", "http://localhost:3000"):
        assert config.cors_origin({"STEPWELL_CORS_ORIGIN": origin}) == origin
    for wrong in ("*", "app.example.com", "https://app.example.com/", "https://a.example, https://b.example"):
        with pytest.raises(ConfigurationError, match=r"STEPWELL_CORS_ORIGIN.*one origin"):
            config.cors_origin({"STEPWELL_CORS_ORIGIN": wrong})


def test_apps_may_be_called_in_networks_that_are_named() -> None:
    assert config.load(NEEDED).app_networks == ()
    found = config.load(NEEDED | {"STEPWELL_APP_NETWORKS": "10.0.0.0/16, fd00::/8"}).app_networks
    assert [str(network) for network in found] == ["10.0.0.0/16", "fd00::/8"]
    for wrong in ("10.0.0.1/16", "the-vpc"):
        with pytest.raises(ConfigurationError, match=r"STEPWELL_APP_NETWORKS is .*: it must be networks"):
            config.load(NEEDED | {"STEPWELL_APP_NETWORKS": wrong})


def test_an_exit_needs_a_bus() -> None:
    assert not config.load(NEEDED).exit
    with pytest.raises(ConfigurationError, match="STEPWELL_BUS is not set"):
        config.load(NEEDED | {"STEPWELL_EXIT": "1"})
    found = config.load(NEEDED | {"STEPWELL_EXIT": "1", "STEPWELL_BUS": "stepwell-dev"})
    assert (found.exit, found.bus) == (True, "stepwell-dev")


def test_in_lambda_nobody_is_let_in_without_a_key() -> None:
    with pytest.raises(ConfigurationError, match="STEPWELL_DEV is set in Lambda"):
        config.load({**NEEDED, "STEPWELL_DEV": "1", "AWS_LAMBDA_FUNCTION_NAME": "stepwell-prod"})
