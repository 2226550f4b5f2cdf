"""The commands: what each does, in order, and what it says."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from chalicelib.core.expressions import grammar
from infra.deploy import (
    chalice_config,
    chalice_run,
    directions,
    drift,
    findings,
    inventory,
    keys,
    mappings,
    record,
    smoke,
    wheels,
)
from infra.deploy import facts as facts_room
from infra.deploy.account import Account
from infra.deploy.destroy import Destroyer
from infra.deploy.findings import Finding
from infra.deploy.inventory import Inventory
from infra.deploy.key_store import KeyStore
from infra.deploy.keys import Kind
from infra.deploy.policies import API, lambda_name
from infra.deploy.problems import DeployError
from infra.deploy.root import Address, Root, Roots
from infra.deploy.settings import StageSettings
from infra.deploy.stack import Stack
from infra.deploy.stack_rules import with_static_names
from infra.deploy.terminal import Terminal

_SETTLES_WITHIN_S = 90.0


@dataclass
class Stage:
    """A stage of a project in an account: what a command works on."""

    account: Account
    settings: StageSettings
    project: Path
    terminal: Terminal

    @property
    def name(self) -> str:
        return self.settings.stage

    @property
    def stack(self) -> Stack:
        return Stack(self.account, f"stepwell-{self.name}", self.terminal)

    @property
    def root(self) -> Root:
        return Root(self.account, self.name, self.terminal)

    def outputs(self) -> dict[str, str]:
        """The stack's outputs. Raises DeployError where there is no stack."""
        found = self.stack.outputs()
        if not found:
            raise DeployError(
                f"There is no stage {self.name} in {self.account}. `make deploy STAGE={self.name}` makes it."
            )
        return found

    def inventory(self) -> Inventory:
        return inventory.take(self.account, self.name, record.function_names(record.read(self.project, self.name)))


def infra(stage: Stage, again: str) -> dict[str, str]:
    """The stack, chalice's configuration and the keys; the stack's outputs."""
    account, settings, terminal = stage.account, stage.settings, stage.terminal
    terminal.step(f"The stack stepwell-{stage.name}")
    template = with_static_names(
        (stage.project / "infra" / "template.yaml").read_text(encoding="utf-8"),
        {"Stage": stage.name, "AWS::AccountId": account.account_id, "AWS::Region": account.region},
    )
    tags = {**settings.tags, "stepwell-stage": stage.name}
    outputs = stage.stack.bring_up(template, settings.parameters(), tags, again=again)
    terminal.details(drift.mend(account, settings, outputs))
    found = stage.stack.describe() or {}
    if bool(found.get("EnableTerminationProtection")) is not settings.deletion_protection:
        stage.stack.protect(settings.deletion_protection)
        terminal.detail(f"termination protection switched {'on' if settings.deletion_protection else 'off'}")
    chalice_config.write(stage.project, stage.name, settings, outputs)
    # For the package: a plain `chalice deploy` takes along what lies in chalicelib/, too.
    grammar.save_tables()
    terminal.detail(f"wrote {stage.name}'s part of .chalice/config.json and its policies")
    terminal.step("Keys")
    store = KeyStore(account, stage.name)
    for kind in Kind:
        made = store.make_missing(kind)
        terminal.detail(f"{kind.value} keys: {'made one' if made else 'there'}, in {keys.parameter(stage.name, kind)}")
    return outputs


def deploy(stage: Stage, *, with_smoke: bool, again: str) -> bool:
    """Everything; whether all is as it must be."""
    account, terminal, name = stage.account, stage.terminal, stage.name
    wheels.refuse_unfit_python(account.client("lambda"))
    outputs = infra(stage, again)
    terminal.step("Functions (chalice)")
    mappings.watch(account)
    config = chalice_run.load(stage.project, name, mappings.PARTIAL_BATCHES)
    found, _ = _true_record(stage)
    terminal.details(mappings.prepare(account, name, found))
    resources = chalice_run.deploy(account, stage.project, name, config, terminal)
    roots, api = _root(stage, resources, again)
    terminal.step("What AWS has")
    problems = _judged(stage, outputs, patient=True)
    _tell(terminal, problems)
    if with_smoke:
        # Not to the domain: its DNS record may not be there yet.
        _smoke(stage, roots.url or api, again)
    directions.tell(terminal, stage.settings, account.region, outputs, roots, api)
    return not problems


def address(stage: Stage, again: str) -> bool:
    """The address at the root, alone: after a plain `chalice deploy`, or to see it."""
    stage.outputs()
    roots, api = _root(stage, _true_record(stage)[1], again)
    stage.terminal.say()
    directions.addresses(stage.terminal, roots, api)
    return True


def _root(stage: Stage, resources: Sequence[record.Resource], again: str) -> tuple[Roots, Address]:
    """Bring the address at the root up; with it the REST API's own."""
    stage.terminal.step(f"An address at the root (the stack {stage.root.stack.name})")
    roots = stage.root.bring_up(stage.project, stage.settings, resources, chalice_config.API_STAGE, again)
    api = record.api_id(resources)
    assert api is not None, "chalice has deployed our routes"
    return roots, smoke.address(stage.account, api, chalice_config.API_STAGE)


def _smoke(stage: Stage, base: Address, again: str) -> None:
    stage.terminal.step("A smoke event")
    stage.terminal.detail(f"to {base}")
    store = KeyStore(stage.account, stage.name)
    event_keys, signing_keys = store.read(Kind.EVENT), store.read(Kind.SIGNING)
    if not event_keys or not signing_keys:
        raise DeployError(f"Stage {stage.name} has no keys any more. `{again}` makes new ones.")
    try:
        smoke.run(base, event_keys[0], signing_keys[0], stage.terminal)
    except DeployError as error:
        functions = [lambda_name(stage.name, one) for one in (API, "on_event")]
        logs = "\n".join(f"  aws logs tail /aws/lambda/{one} --region {stage.account.region}" for one in functions)
        told = f"{error}\nEverything is deployed, but does not work yet. The logs tell why:\n{logs}"
        raise DeployError(told) from None


def _true_record(stage: Stage) -> tuple[Inventory, list[record.Resource]]:
    """Make chalice's record true to what AWS has; what that is, and the record."""
    recorded = record.read(stage.project, stage.name)
    found = stage.inventory()
    true = record.true_to(recorded, found, stage.name)
    if true and not recorded:
        stage.terminal.detail(
            f"this checkout has no record of an earlier deployment: found {len(true)} resources in AWS by their names"
        )
    if true != recorded:
        record.write(stage.project, stage.name, true)
    return found, true


def check(stage: Stage) -> bool:
    """What AWS really has, and where; whether all is as it must be."""
    stage.terminal.step(f"What AWS has of stage {stage.name}")
    outputs = stage.outputs()
    problems = _judged(stage, outputs, patient=False)
    _tell(stage.terminal, problems)
    api = record.api_id(record.true_to(record.read(stage.project, stage.name), stage.inventory(), stage.name))
    if api:
        at = chalice_config.stage_entry(stage.settings, outputs)["api_gateway_stage"]
        stage.terminal.detail(f"address: {smoke.address(stage.account, api, at)}")
    return not problems


def _judged(stage: Stage, outputs: dict[str, str], *, patient: bool) -> list[Finding]:
    """The findings; patient right after a deployment, when mappings are still being switched on."""
    entry = chalice_config.stage_entry(stage.settings, outputs)
    deadline = time.monotonic() + _SETTLES_WITHIN_S
    while True:
        known = facts_room.collect(
            stage.account, stage.name, outputs, stage.inventory(), domain=stage.settings.domain_name
        )
        problems = findings.judge(known, stage.settings, entry)
        settling = any(
            one.state in ("Creating", "Enabling", "Updating") for many in known.mappings.values() for one in many
        )
        if not (patient and problems and settling) or time.monotonic() > deadline:
            return problems
        time.sleep(stage.stack.pause_s)


def _tell(terminal: Terminal, problems: list[Finding]) -> None:
    if not problems:
        terminal.detail("all as it must be: functions, mappings, queues, tables, schedules, bucket, keys, addresses")
        return
    terminal.detail(f"{len(problems)} {'thing is' if len(problems) == 1 else 'things are'} not as they must be:")
    terminal.details(f"- {one}" for one in problems)


def destroy(stage: Stage, *, delete_data: bool, yes: bool, again: str) -> bool:
    """Take the stage down after asking; whether nothing was left against our will."""
    terminal, name = stage.terminal, stage.name
    work = Destroyer(stage.account, name, stage.project, terminal)
    found, stack, data, waiting = work.look(), work.stack.describe(), work.data(), work.waiting()
    has_root = stage.root.stack.describe() is not None
    if found.is_empty() and stack is None and not has_root and not (data and delete_data):
        terminal.say(f"There is no stage {name} in {stage.account}.")
        if data:
            terminal.say("Its data is there:\n  " + "\n  ".join(data) + f"\n`{again} ARGS='--data delete'` deletes it.")
        return True
    terminal.say(f"This takes down stage {name} in {stage.account}:")
    terminal.say(
        f"  deleted  {len(found.functions)} functions with their API, addresses, schedules, roles and logs; queues, "
        "bus, alarms"
    )
    for queue, count in waiting.items():
        terminal.say(f"  LOST     about {count} messages that wait in {queue}")
    for one in data:
        terminal.say(f"  {'DELETED' if delete_data else 'kept   '}  {one}")
    _confirmed(terminal, name, yes)
    work.run(delete_data=delete_data)
    terminal.say()
    if work.left:
        terminal.say("Left behind:")
        for line in work.left:
            terminal.say(f"  - {line}")
        terminal.say(f"`{again}` may simply be run again.")
        return False
    terminal.say(f"Stage {name} is gone.")
    if not delete_data and data:
        terminal.say(
            f"Its data is kept, and a new deployment takes it back. To delete it, too:\n  {again} ARGS='--data delete'"
        )
    return True


def _confirmed(terminal: Terminal, name: str, yes: bool) -> None:
    if yes:
        return
    if terminal.ask is None:
        raise DeployError("Nobody is there to be asked: say --yes to go on without a question.")
    if terminal.ask(f"Type the stage's name to go on ({name}): ").strip() != name:
        raise DeployError("That is not the stage's name: nothing was deleted.")
