"""The stage's part of .chalice/config.json and its policy files: made from settings and stack alone, so that a new
stage needs no hand edits and a plain `chalice deploy` deploys what `make deploy` does.

Where chalice 1.34 looks: memory, timeout and policy file under `lambda_functions.<name>`; architecture, endpoint and
compression at the stage; environment variables and tags at the stage, too (they are merged, and app.py is loaded with
them). `autogen_policy` must be off, or the policies are made from app.py alone.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from infra.deploy import user_policy
from infra.deploy.policies import FUNCTIONS, policies
from infra.deploy.settings import SettingsError, StageSettings

API_STAGE: Final = "api"
"""The REST API's stage: the path that its own address ends with."""
# From this size on API Gateway compresses answers, in bytes.
_COMPRESS_FROM = 1024
# Lambda's limit for all of a function's environment variables, in bytes.
MAX_ENVIRONMENT_BYTES: Final = 4096


def environment(settings: StageSettings, outputs: Mapping[str, str]) -> dict[str, str]:
    """What chalicelib/config.py reads, and the user's own. STEPWELL_PARTIAL_BATCHES is not here: it holds only while
    the event source mappings report batch item failures, which a plain `chalice deploy` does not see to."""
    found = {
        **settings.environment,
        "STEPWELL_STAGE": settings.stage,
        "STEPWELL_TABLE_EVENTS": outputs["EventsTableName"],
        "STEPWELL_TABLE_RUNS": outputs["RunsTableName"],
        "STEPWELL_TABLE_PAUSES": outputs["PausesTableName"],
        "STEPWELL_TABLE_TIMERS": outputs["TimersTableName"],
        "STEPWELL_TABLE_FUNCTIONS": outputs["FunctionsTableName"],
        "STEPWELL_TABLE_LIMITS": outputs["LimitsTableName"],
        "STEPWELL_QUEUE_EVENTS_URL": outputs["EventsQueueUrl"],
        "STEPWELL_QUEUE_WORK_URL": outputs["WorkQueueUrl"],
        "STEPWELL_DEAD_EVENTS_URL": outputs["EventsDeadQueueUrl"],
        "STEPWELL_DEAD_WORK_URL": outputs["WorkDeadQueueUrl"],
        "STEPWELL_BUCKET": outputs["PayloadBucketName"],
        "STEPWELL_BUS": outputs["EventBusName"],
        "STEPWELL_KEYS_PATH": outputs["KeysPath"],
        "STEPWELL_RETENTION_DAYS": str(settings.retention_days),
        "STEPWELL_MAX_RECEIVES": str(settings.receive_count),
        "STEPWELL_HAND_OVER_BELOW": f"{settings.hand_over_below_s}s",
        "STEPWELL_MAX_CONCURRENCY_EVENTS": str(settings.events_max_concurrency),
        "STEPWELL_MAX_CONCURRENCY_WORK": str(settings.work_max_concurrency),
        "STEPWELL_LOG_LEVEL": settings.log_level,
    }
    if settings.bus_exit:
        found["STEPWELL_EXIT"] = "1"
    if settings.cors_origin:
        found["STEPWELL_CORS_ORIGIN"] = settings.cors_origin
    if settings.app_networks:
        found["STEPWELL_APP_NETWORKS"] = ",".join(settings.app_networks)
    if settings.lambda_apps:
        found["STEPWELL_LAMBDA_APPS"] = ",".join(settings.lambda_apps)
    return found


def policy_file(stage: str, function: str) -> str:
    """The name of a function's policy file in .chalice."""
    return f"policy-{stage}-{function}.json"


def stage_entry(settings: StageSettings, outputs: Mapping[str, str]) -> dict[str, Any]:
    """What .chalice/config.json says of the stage. Raises SettingsError."""
    variables = environment(settings, outputs)
    # What `make deploy` adds has its place, too.
    size = sum(len(f"{name}{value}".encode()) for name, value in variables.items()) + len("STEPWELL_PARTIAL_BATCHES1")
    if size > MAX_ENVIRONMENT_BYTES:
        raise SettingsError(
            f"the environment variables of stage {settings.stage!r} have {size:,} bytes together; Lambda allows "
            f"{MAX_ENVIRONMENT_BYTES:,}: shorten [stages.{settings.stage}.environment] in infra/settings.toml"
        )
    timeouts = {
        "api_handler": settings.api_timeout_s,
        "on_event": settings.events_timeout_s,
        "on_work": settings.work_timeout_s,
        "on_tick": settings.tick_timeout_s,
        "on_collect": settings.collect_timeout_s,
    }
    memory = {
        "api_handler": settings.api_memory_mb,
        "on_event": settings.events_memory_mb,
        "on_work": settings.work_memory_mb,
        "on_tick": settings.tick_memory_mb,
        "on_collect": settings.collect_memory_mb,
    }
    return {
        "api_gateway_endpoint_type": settings.api_endpoint_type,
        "api_gateway_stage": API_STAGE,
        "autogen_policy": False,
        "environment_variables": variables,
        "lambda_architecture": settings.architecture,
        "lambda_functions": {
            name: {
                "iam_policy_file": policy_file(settings.stage, name),
                "lambda_memory_size": memory[name],
                "lambda_timeout": timeouts[name],
            }
            for name in FUNCTIONS
        },
        "minimum_compression_size": _COMPRESS_FROM,
        "tags": {**settings.tags, "stepwell-stage": settings.stage},
    }


def write(project_dir: Path, stage: str, settings: StageSettings, outputs: Mapping[str, str]) -> None:
    """Write the stage's policies and its entry in .chalice/config.json. Other stages, hand-made keys at the top, and
    keys of the stage that are none of ours (a custom domain, subnets) stay. Raises SettingsError and PolicyError."""
    if not stage == settings.stage == outputs["Stage"]:
        raise SettingsError(
            f"the stage is {stage!r}, but the settings are those of {settings.stage!r} "
            f"and the stack is that of {outputs['Stage']!r}"
        )
    chalice = project_dir / ".chalice"
    path = chalice / "config.json"
    config = _read(path)
    documents = policies(outputs, user_policy.load(project_dir), settings.lambda_apps)
    entry = stage_entry(settings, outputs)
    chalice.mkdir(exist_ok=True)
    # The entry last: it names the policies.
    for name, document in documents.items():
        _save(chalice / policy_file(stage, name), document)
    stages = config.setdefault("stages", {})
    stages[stage] = _merged(stages.get(stage, {}), entry)
    _save(path, config)


def _read(path: Path) -> dict[str, Any]:
    try:
        config: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {"version": "2.0", "app_name": "stepwell"}
    except (OSError, ValueError) as error:
        raise SettingsError(f"{path} cannot be read: {error}") from None
    stages = config.get("stages", {}) if isinstance(config, dict) else None
    if not isinstance(stages, dict) or not all(isinstance(one, dict) for one in stages.values()):
        raise SettingsError(f'{path} must be an object whose "stages" are objects')
    return config


def _merged(found: dict[str, Any], entry: dict[str, Any]) -> dict[str, Any]:
    functions = found.get("lambda_functions", {})
    ours = {name: {**functions.get(name, {}), **one} for name, one in entry["lambda_functions"].items()}
    return {**found, **entry, "lambda_functions": {**functions, **ours}}


def _save(path: Path, document: dict[str, Any]) -> None:
    """Whole or not at all: a plain `chalice deploy` must never read half a file."""
    half = path.with_name(path.name + ".new")
    half.write_text(json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")
    os.replace(half, path)
