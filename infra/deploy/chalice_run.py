"""Chalice's deployer in this process: with our hooks, and a record that is true at every moment."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from chalice import Chalice
from chalice.awsclient import TypedAWSClient
from chalice.cli.factory import CLIFactory
from chalice.config import Config
from chalice.deploy import deployer as chalice_deployer
from chalice.deploy import models
from chalice.deploy.appgraph import ApplicationGraphBuilder, DependencyBuilder
from chalice.deploy.executor import Executor
from chalice.deploy.planner import PlanStage, RemoteState
from chalice.deploy.swagger import TemplatedSwaggerGenerator
from chalice.deploy.sweeper import ResourceSweeper

from infra.deploy import mappings, package, record, wheels
from infra.deploy.account import APP, Account
from infra.deploy.problems import DeployError, explain
from infra.deploy.terminal import Terminal

_CLI_MODE = "AWS_CHALICE_CLI_MODE"


class _RecordingExecutor(Executor):  # type: ignore[misc]
    """Writes the record whenever something has come to be, not only at the end of all."""

    def __init__(self, client: TypedAWSClient, ui: wheels.Voice, keep: Callable[[list[record.Resource]], None]) -> None:
        super().__init__(client, ui)
        self._keep = keep

    def _add_to_deployed_values(self, payload: dict[str, Any]) -> None:
        super()._add_to_deployed_values(payload)
        self._keep(self.resource_values)


def load(project: Path, stage: str, extra: dict[str, str] | None = None) -> Config:
    """Chalice's configuration of the stage; `extra` goes into the functions' environment for this time alone.

    Raises DeployError when the app or one of the user's functions cannot be imported.
    """
    factory = CLIFactory(str(project), environ=os.environ)
    config = factory.create_config_obj(stage, user_provided_params={"environment_variables": dict(extra or {})})
    os.environ[_CLI_MODE] = "true"  # As under chalice's own commands: the app checks all functions.
    try:
        assert config.chalice_app is not None
    except Exception as error:
        raise DeployError(
            f"The app cannot be imported, so nothing was deployed: {type(error).__name__}: {error}\n"
            "`make dev` shows the same error with the line it comes from."
        ) from error
    finally:
        del os.environ[_CLI_MODE]
    return config


def deploy(account: Account, project: Path, stage: str, config: Config, terminal: Terminal) -> list[record.Resource]:
    """Deploy; what is deployed. The record of what was done is kept, however this ends."""
    before = record.read(project, stage)

    def keep(done: list[record.Resource]) -> None:
        record.write(project, stage, record.merged(before, done))

    mappings.watch(account)
    voice, files, client = wheels.Voice(terminal), wheels.Files(), TypedAWSClient(account.session)
    build = chalice_deployer.create_build_stage(files, voice, TemplatedSwaggerGenerator(), config)
    builder = chalice_deployer.Deployer(
        application_builder=ApplicationGraphBuilder(),
        deps_builder=DependencyBuilder(),
        build_stage=_Build(project, build, terminal),
        plan_stage=PlanStage(RemoteState(client, config.deployed_resources(stage)), files),
        sweeper=ResourceSweeper(),
        executor=_RecordingExecutor(client, voice, keep),
        recorder=chalice_deployer.NoopResultsRecorder(files),
    )
    resources: list[record.Resource] = _told(lambda: builder.deploy(config, stage))["resources"]
    record.write(project, stage, resources)
    return resources


def delete(account: Account, project: Path, stage: str, terminal: Terminal) -> None:
    """Delete everything that the record names."""
    # Without an app of its own: what is to be deleted, the record tells.
    params = {"project_dir": str(project), "app_name": APP, "chalice_app": Chalice(app_name=APP)}
    config = Config(chalice_stage=stage, user_provided_params=params)
    remover = chalice_deployer.create_deletion_deployer(TypedAWSClient(account.session), wheels.Voice(terminal))
    _told(lambda: remover.deploy(config, stage))


class _Build:
    """Chalice's build stage, and then ours: the package is finished, and refused when something is missing from it
    (a plain `chalice deploy` leaves such packages behind, and they would be taken again)."""

    def __init__(self, project: Path, stage: Any, terminal: Terminal) -> None:
        self._project, self._stage, self._terminal = project, stage, terminal

    def execute(self, config: Config, resources: list[Any]) -> None:
        self._stage.execute(config, resources)
        for path in {Path(one.filename) for one in resources if isinstance(one, models.DeploymentPackage)}:
            self._terminal.detail(finished(path, self._project))


def finished(path: Path, project: Path) -> str:
    """Finish one package; a line about it. Raises DeployError, and then there is no such package any more."""
    try:
        report = package.finish(path, project)
    except zipfile.BadZipFile:
        path.unlink()
        raise DeployError(f"{path} was left half written and is removed now: run the command again.") from None
    return f"the package has {report.size / 1e6:.1f} MB"


def _told(run: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Chalice's errors in our words."""
    try:
        return run()
    except chalice_deployer.ChaliceDeploymentError as error:
        raise DeployError(explain(error.original_error) or str(error).strip()) from error
