"""What ministack lacks of the AWS that a deployment meets, put right from outside. Only the launcher uses it.

Each patch says which gap it closes; one that ministack closes itself may go.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote

JOURNAL = "EMULATOR_JOURNAL"
"""The variable that names the file where each delivery from a queue to a function is written down."""
# What Lambda's Python runtimes bring along.
_SDK = ("boto3", "botocore", "s3transfer", "jmespath", "dateutil", "urllib3", "six")
Answer = tuple[int, dict[str, str], bytes]


def close_gaps() -> None:
    """Patch the emulator in this process. Before it starts to serve; its environment must be set."""
    _import_rest_apis()
    _switch_compression_off()
    _let_invocations_end()
    _be_ready_at_once()
    _read_conditions_once()
    _count_loopback_as_tls()
    _authorize_each_parameter()
    _authorize_batches_as_what_they_do()
    _take_buckets_back()
    _compare_by_conditions()
    _keep_paths_of_function_urls()
    _run_functions_by_themselves(Path(os.environ["STATE_DIR"]).with_name("runtime"))
    if JOURNAL in os.environ:
        _write_deliveries(Path(os.environ[JOURNAL]))


def _import_rest_apis() -> None:
    """ministack has an importer of OpenAPI documents, but no route to it: ImportRestApi and PutRestApi, by which
    chalice makes its API and renews it."""
    from ministack.services import apigateway_v1 as gateway

    served: Callable[..., Awaitable[Answer]] = gateway.handle_request

    async def handle_request(
        method: str, path: str, headers: Any, body: bytes, query_params: Mapping[str, list[str]]
    ) -> Answer:
        parts = path.strip("/").split("/")
        if method == "POST" and parts == ["restapis"] and _one(query_params, "mode") == "import":
            kind = _one(query_params, "endpointConfigurationTypes") or "EDGE"
            api_id = _imported(gateway, json.loads(body), {"endpointConfiguration": {"types": [kind]}})
            return await served("GET", f"/restapis/{api_id}", headers, b"", {})
        if method == "PUT" and len(parts) == 2 and parts[0] == "restapis" and parts[1] in gateway._rest_apis:
            _overwrite(gateway, parts[1], json.loads(body))
            return await served("GET", path, headers, b"", {})
        return await served(method, path, headers, body, query_params)

    gateway.handle_request = handle_request


def _switch_compression_off() -> None:
    """chalice patches an API's minimum compression size to the empty string, which is "off" on AWS. ministack stores
    the string, and then boto3 cannot read the API any more."""
    from ministack.services import apigateway_v1 as gateway

    update: Callable[[str, dict[str, Any]], Answer] = gateway._update_rest_api

    def update_rest_api(api_id: str, data: dict[str, Any]) -> Answer:
        for operation in data.get("patchOperations", []):
            if operation.get("path") == "/minimumCompressionSize":
                operation["value"] = int(operation["value"]) if operation.get("value") else None
        return update(api_id, data)

    gateway._update_rest_api = update_rest_api


def _one(query_params: Mapping[str, list[str]], name: str) -> str | None:
    """A parameter's first value."""
    return next(iter(query_params.get(name, [])), None)


def _imported(gateway: Any, document: dict[str, Any], more: dict[str, Any]) -> str:
    """A new API made from an OpenAPI document: its id."""
    binary = document.get("x-amazon-apigateway-binary-media-types", [])
    api_id: str = gateway._import_rest_api(document, {"binaryMediaTypes": binary, **more})
    return api_id


def _overwrite(gateway: Any, api_id: str, document: dict[str, Any]) -> None:
    """The API's resources become the document's; its id, stages, deployments and tags stay."""
    made = _imported(gateway, document, {})
    gateway._resources[api_id] = gateway._resources[made]
    gateway._authorizers_v1[api_id] = gateway._authorizers_v1[made]
    for name in ("name", "version", "binaryMediaTypes"):
        gateway._rest_apis[api_id][name] = gateway._rest_apis[made][name]
    gateway._delete_rest_api(made)


def _let_invocations_end() -> None:
    """When a function's code or configuration changes, ministack kills its processes even in mid-invocation. On AWS
    an invocation that has begun ends where it began, and only later ones meet the new code."""
    from ministack.core import lambda_runtime as runtime
    from ministack.services import lambda_svc

    invalidate, release = runtime.invalidate_worker, runtime.release_worker

    def invalidate_worker(func_name: str, qualifier: str | None = None, **scope: Any) -> None:
        busy = _leased(runtime, func_name)
        for worker in busy:
            worker.outdated = True
        with runtime._lock:
            for pool in runtime._workers.values():
                pool[:] = [worker for worker in pool if worker not in busy]
        invalidate(func_name, qualifier=qualifier, **scope)

    def release_worker(worker: Any) -> None:
        release(worker)
        if getattr(worker, "outdated", False):
            runtime.kill_workers([worker])

    for module in (runtime, lambda_svc):
        module.invalidate_worker = invalidate_worker
        module.release_worker = release_worker


def _be_ready_at_once() -> None:
    """Not a gap but a matter of time: ministack leaves a changed function pending for half a second, and a chalice
    that meets a pending function looks again after five seconds, twice for each function."""
    from ministack.services import lambda_svc

    def settle(func_name: str, _delay_s: float) -> None:
        config = lambda_svc._functions[func_name]["config"]
        config |= {"State": "Active", "LastUpdateStatus": "Successful"}
        config |= dict.fromkeys(("StateReason", "StateReasonCode"), "")

    lambda_svc._schedule_state_transition = settle


def _read_conditions_once() -> None:
    """Not a gap but a matter of time, too: ministack parses a query's condition anew for each item of the partition,
    which may be a line of thousands."""
    from ministack.services import dynamodb

    tokens: Callable[[str], list[Any]] = dynamodb._tokenize
    read = lru_cache(maxsize=1024)(lambda expression: tuple(tokens(expression)))
    dynamodb._tokenize = lambda expression: list(read(expression))
    dynamodb._condition_syntax_error = lru_cache(maxsize=1024)(dynamodb._condition_syntax_error)


def _count_loopback_as_tls() -> None:
    """Where policies are enforced, a bucket that wants TLS would refuse everybody: we speak plain HTTP to our own
    machine, and policies are to say what they say on AWS."""
    from ministack.core import iam_evaluator

    pin = iam_evaluator.pin_request_origin
    iam_evaluator.pin_request_origin = lambda source_ip, _secure: pin(source_ip, True)


def _authorize_each_parameter() -> None:
    """AWS authorizes GetParameters for each parameter that is asked for; ministack for "*", which a policy that names
    its parameters does not allow."""
    from ministack.core import iam_actions, iam_evaluator

    extract, enforce = iam_actions.extract_resource_arn, iam_evaluator.enforce
    further: ContextVar[tuple[str, ...]] = ContextVar("further", default=())

    def extract_resource_arn(
        service: str, method: str, path: str, headers: Any, body: bytes, params: Any, region: str, account: str
    ) -> str:
        found: str = extract(service, method, path, headers, body, params, region, account)
        names = json.loads(body).get("Names", []) if service == "ssm" and body else []
        arns = [f"arn:aws:ssm:{region}:{account}:parameter/{name.lstrip('/')}" for name in names] or [found]
        further.set(tuple(arns[1:]))
        return arns[0]

    def enforce_all(key: str, action: str, service: str, region: str, **more: Any) -> Any:
        denied = enforce(key, action, service, region, **more)
        for arn in further.get() if service == "ssm" else ():
            denied = denied or enforce(key, action, service, region, **{**more, "resource_arn": arn})
        return denied

    iam_actions.extract_resource_arn = extract_resource_arn
    iam_evaluator.enforce = enforce_all


def _take_buckets_back() -> None:
    """A change set that imports a bucket is refused by ministack, since a bucket of that name is there already."""
    from ministack.services import cloudformation
    from ministack.services.cloudformation import changesets

    deploy = changesets._deploy_stack_async

    def deploy_stack(stack_name: str, *rest: Any, imports: Any = None, **more: Any) -> Any:
        if imports:
            cloudformation._stacks[stack_name]["_disable_validation"] = True
        return deploy(stack_name, *rest, imports=imports, **more)

    changesets._deploy_stack_async = deploy_stack


def _compare_by_conditions() -> None:
    """A change set compares what two templates really make; ministack compares resources whose condition is false, too,
    and so misses that one comes or goes."""
    from ministack.services.cloudformation import changesets

    resolve, evaluate = changesets._resolve_props_for_diff, changesets._evaluate_conditions

    def resolve_props_for_diff(template: Any, params: Any, *rest: Any) -> Any:
        resolved = resolve(template, params, *rest)
        holds = {**evaluate(template, params), None: True} if template else {}
        kept = {n: one for n, one in resolved.get("Resources", {}).items() if holds[one.get("Condition")]}
        return {**resolved, "Resources": kept} if resolved else resolved

    changesets._resolve_props_for_diff = resolve_props_for_diff


def _keep_paths_of_function_urls() -> None:
    """A function's URL hands over the path as it was sent, percent-encoded; ministack hands it over decoded."""
    from ministack import app
    from ministack.services import lambda_svc

    sent: ContextVar[str] = ContextVar("sent", default="")
    execute_api, build = app._handle_execute_api_request, lambda_svc._build_function_url_event

    # The last one to be asked before function URLs are, and it is told the path as it was sent.
    async def handle_execute_api_request(*rest: Any, raw_path: str | None = None, **more: Any) -> Any:
        sent.set(raw_path or "")
        return await execute_api(*rest, raw_path=raw_path, **more)

    def build_function_url_event(
        url_id: str, account: str, region: str, method: str, path: str, *rest: Any, **more: Any
    ) -> Any:
        raw = sent.get()
        kept = raw if unquote(raw) == path else path
        return build(url_id, account, region, method, kept, *rest, **more)

    app._handle_execute_api_request = handle_execute_api_request
    lambda_svc._build_function_url_event = build_function_url_event


def _authorize_batches_as_what_they_do() -> None:
    """IAM knows no SendMessageBatch: who may send may send several at once. ministack asks for an action that no policy
    on AWS could name."""
    from ministack.core import iam_actions

    extract = iam_actions.extract_iam_action

    def extract_iam_action(service: str, *rest: Any) -> str | None:
        action: str | None = extract(service, *rest)
        return action.removesuffix("Batch") if action is not None and service == "sqs" else action

    iam_actions.extract_iam_action = extract_iam_action


def _run_functions_by_themselves(folder: Path) -> None:
    """ministack runs a function with all that is installed beside it, so that a package that lacks something works. In
    Lambda there is the SDK and nothing else."""
    from ministack.core import lambda_runtime as runtime

    libraries = folder / "libraries"
    libraries.mkdir(parents=True, exist_ok=True)
    for name in _SDK:
        found = importlib.util.find_spec(name)
        if found is None or found.origin is None:
            continue
        source = Path(found.origin).parent if found.submodule_search_locations else Path(found.origin)
        link = libraries / source.name
        link.unlink(missing_ok=True)
        link.symlink_to(source)
    python = folder / "python"
    python.write_text(f'#!/bin/sh\nPYTHONPATH="{libraries}" exec "{sys.executable}" -S "$@"\n')
    python.chmod(0o755)
    detect = runtime._detect_runtime_binary

    def detect_runtime_binary(name: str) -> tuple[str, str]:
        binary, script = detect(name)
        return (str(python) if binary == sys.executable else binary), script

    runtime._detect_runtime_binary = detect_runtime_binary


def _write_deliveries(path: Path) -> None:
    """What AWS does not show anybody, and a test of redelivery wants to see: which messages each invocation got."""
    from ministack.services import lambda_svc

    run = lambda_svc._run_sqs_batch

    def run_sqs_batch(mapping: Any, function: Any, event: Any, *rest: Any) -> None:
        messages = [
            {"id": record["messageId"], "receives": int(record["attributes"]["ApproximateReceiveCount"])}
            for record in event["Records"]
        ]
        line = {"at": round(time.time(), 3), "function": mapping["FunctionName"], "messages": messages}
        with path.open("a", encoding="utf-8") as journal:
            journal.write(json.dumps(line) + "\n")
        run(mapping, function, event, *rest)

    lambda_svc._run_sqs_batch = run_sqs_batch


def _leased(runtime: Any, func_name: str) -> list[Any]:
    """The processes of a function that are in an invocation."""
    with runtime._lock:
        return [w for pool in runtime._workers.values() for w in pool if w.in_use and w.func_name == func_name]
