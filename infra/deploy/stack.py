"""The stage's CloudFormation stack: made, updated and deleted, with what happens told on the way."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

from infra.deploy import stack_rules
from infra.deploy.account import Account
from infra.deploy.problems import DeployError, advice
from infra.deploy.stack_rules import Move
from infra.deploy.terminal import Terminal

WITHIN_S = 1800.0
CAPABILITIES = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM"]


@dataclass
class Stack:
    """One stack. ``pause_s`` lies between two looks at it."""

    account: Account
    name: str
    terminal: Terminal
    pause_s: float = field(default=2.0)

    def __post_init__(self) -> None:
        if self.account.endpoint:
            self.pause_s = min(self.pause_s, 0.1)  # An emulator is done at once.

    @property
    def _cloudformation(self) -> Any:
        return self.account.client("cloudformation")

    def describe(self, name: str | None = None) -> dict[str, Any] | None:
        """The stack as CloudFormation tells it; None where there is none."""
        try:
            found: dict[str, Any] = self._cloudformation.describe_stacks(StackName=name or self.name)["Stacks"][0]
        except ClientError as error:
            if "does not exist" in str(error):
                return None
            raise
        return found

    def outputs(self) -> dict[str, str] | None:
        """The outputs of a stack that exists."""
        found = self.describe()
        if found is None or found["StackStatus"] in ("DELETE_COMPLETE", "REVIEW_IN_PROGRESS"):
            return None
        return {one["OutputKey"]: one["OutputValue"] for one in found.get("Outputs", [])}

    def bring_up(
        self, template: str, parameters: Mapping[str, str], tags: Mapping[str, str], *, again: str
    ) -> dict[str, str]:
        """Create or update the stack; its outputs. Raises DeployError with the reasons of a failure.

        ``again`` is the command that repeats this.
        """
        if len(template.encode()) > stack_rules.MAX_TEMPLATE_BYTES:
            raise DeployError(f"The template has more than {stack_rules.MAX_TEMPLATE_BYTES} bytes.")
        kind = self._made_ready(again)
        rounds = [(kind, dict(parameters))]
        if kind == "CREATE" and parameters.get("DeletionProtection") == "true":
            # Protected tables could not be removed if the creation failed: they are protected once all is there.
            rounds = [(kind, {**parameters, "DeletionProtection": "false"}), ("UPDATE", dict(parameters))]
        for kind, values in rounds:
            change = self._change_set(kind, template, values, tags, again)
            if change is None:
                self.terminal.detail("nothing to change")
            else:
                self.terminal.details(change)
                self._follow(again)
        outputs = self.outputs()
        if not outputs:
            raise DeployError(f"The stack {self.name} has no outputs.")
        return outputs

    def _made_ready(self, again: str) -> str:
        """Wait for, or remove, what stands in the way; CREATE or UPDATE."""
        deadline = time.monotonic() + WITHIN_S
        while True:
            found = self.describe()
            status = found["StackStatus"] if found else None
            move = stack_rules.next_move(status)
            if move is Move.CREATE:
                return "CREATE"
            if move is Move.UPDATE:
                return "UPDATE"
            if move is Move.DELETE_FIRST:
                self.terminal.detail(f"the stack is {status}: it is removed and made anew (tables and bucket stay)")
                self.delete()
            elif move is Move.WAIT and time.monotonic() < deadline:
                self.terminal.detail(f"somebody else is at work ({status}); waiting")
                self._settled(deadline)
            else:
                raise DeployError(
                    f"The stack {self.name} is {status}, from which CloudFormation does not go on by itself.\n"
                    f"See why in the console's list of events, run "
                    f"`aws cloudformation continue-update-rollback --stack-name {self.name} "
                    f"--region {self.account.region}`, then `{again}` again."
                )

    def _change_set(
        self, kind: str, template: str, parameters: Mapping[str, str], tags: Mapping[str, str], again: str
    ) -> list[str] | None:
        """Make and start the change set: lines that describe it, or None where nothing changes."""
        made = self._cloudformation.create_change_set(
            StackName=self.name,
            ChangeSetName=f"stepwell-{int(time.time() * 1000)}",
            ChangeSetType=kind,
            TemplateBody=template,
            Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
            Tags=[{"Key": key, "Value": value} for key, value in tags.items()],
            Capabilities=CAPABILITIES,
            ImportExistingResources=True,
        )
        deadline = time.monotonic() + WITHIN_S
        while True:
            changes: list[dict[str, Any]] = []
            token: dict[str, str] = {}
            while True:
                page = self._cloudformation.describe_change_set(ChangeSetName=made["Id"], StackName=self.name, **token)
                changes += page.get("Changes", [])
                if not page.get("NextToken"):
                    break
                token = {"NextToken": page["NextToken"]}
            status, reason = page["Status"], page.get("StatusReason", "")
            if status not in ("CREATE_PENDING", "CREATE_IN_PROGRESS") or time.monotonic() > deadline:
                break
            time.sleep(self.pause_s)
        if status == "CREATE_COMPLETE":
            self._cloudformation.execute_change_set(ChangeSetName=made["Id"], StackName=self.name)
            return stack_rules.described(changes)
        refused = self._refusals(ChangeSetName=made["Id"])
        self._cloudformation.delete_change_set(ChangeSetName=made["Id"], StackName=self.name)
        if kind == "UPDATE" and stack_rules.is_no_change(status, reason):
            return None
        told = "\n".join([f"CloudFormation refuses the change of {self.name}: {reason or status}", *refused])
        raise DeployError(f"{told}\n{advice(again)}")

    def _follow(self, again: str) -> None:
        found = self._settled(time.monotonic() + WITHIN_S)
        status = found["StackStatus"] if found else "gone"
        if stack_rules.succeeded(status):
            self.terminal.detail(f"the stack is {status}")
            return
        reasons = [*stack_rules.failures(self._events()), *self._refusals(StackName=self.name)]
        raise DeployError(
            "\n".join([f"The stack {self.name} is {status}. What failed:", *(f"  {line}" for line in reasons)])
            + f"\n{advice(again)}"
        )

    def _refusals(self, **of: str) -> list[str]:
        """What was found wrong before anything was changed, of a stack or of a change set."""
        try:
            events = self._cloudformation.describe_events(**of, Filters={"FailedEvents": True})["OperationEvents"]
        except ClientError:
            return []  # Only a help: the failure itself is told.
        return stack_rules.refusals(events)

    def _events(self) -> list[dict[str, Any]]:
        """The events of the last operation, oldest first."""
        events: list[dict[str, Any]] = []
        for event in self.account.pages("cloudformation", "describe_stack_events", "StackEvents", StackName=self.name):
            events.append(event)
            began = event["ResourceStatus"] in ("CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "REVIEW_IN_PROGRESS")
            if event["ResourceType"] == "AWS::CloudFormation::Stack" and began:
                break
        return events[::-1]

    def _settled(self, deadline: float, name: str | None = None) -> dict[str, Any] | None:
        """The stack once nothing is in progress any more; a line every 15 seconds. Raises DeployError when late."""
        told = time.monotonic()
        while True:
            found = self.describe(name)
            if found is None or not found["StackStatus"].endswith("_IN_PROGRESS"):
                return found
            if time.monotonic() > deadline:
                raise DeployError(f"The stack {self.name} is still {found['StackStatus']}; look again later.")
            if time.monotonic() - told >= 15:
                told = time.monotonic()
                self.terminal.detail(f"… {found['StackStatus']}")
            time.sleep(self.pause_s)

    def protect(self, on: bool) -> None:
        """Termination protection: whether the stack can be deleted at all."""
        self._cloudformation.update_termination_protection(StackName=self.name, EnableTerminationProtection=on)

    def delete(self) -> None:
        """Delete the stack and wait; nothing where there is none. Raises DeployError with what could not be deleted."""
        found = self.describe()
        if found is None:
            return
        if found.get("EnableTerminationProtection"):
            self.protect(False)
        self._cloudformation.delete_stack(StackName=self.name)
        gone = self._settled(time.monotonic() + WITHIN_S, found["StackId"])
        if gone is not None and gone["StackStatus"] != "DELETE_COMPLETE":
            reasons = stack_rules.failures(self._events())
            raise DeployError(
                "\n".join([f"The stack {self.name} is {gone['StackStatus']}:", *(f"  {line}" for line in reasons)])
            )
