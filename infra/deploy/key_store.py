"""Keys in SSM: SecureStrings under /stepwell/<stage>/, which the functions read again every minute."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from botocore.exceptions import ClientError

from infra.deploy import keys
from infra.deploy.account import Account, absent
from infra.deploy.keys import Kind
from infra.deploy.problems import DeployError, code


@dataclass(frozen=True)
class KeyStore:
    """The keys of one stage."""

    account: Account
    stage: str
    entropy: Callable[[int], bytes] = os.urandom

    def read(self, kind: Kind) -> tuple[str, ...] | None:
        """The keys, newest first; None where there is no parameter."""
        name = keys.parameter(self.stage, kind)
        try:
            found = self.account.client("ssm").get_parameter(Name=name, WithDecryption=True)["Parameter"]
        except ClientError as error:
            if absent(error):
                return None
            raise
        return keys.parse(found["Value"])

    def make_missing(self, kind: Kind) -> bool:
        """Make a first key where there is none; whether one was made. Two deployments at once make one key."""
        if self.read(kind):
            return False
        key = keys.made(kind, self.stage, self.entropy(keys.ENTROPY_BYTES))
        name = keys.parameter(self.stage, kind)
        try:
            self.account.client("ssm").put_parameter(
                Name=name,
                Description=f"Stepwell: {kind.value} keys of stage {self.stage}, one a line, newest first",
                Value=keys.render([key]),
                Type="SecureString",
                Tags=[{"Key": "stepwell-stage", "Value": self.stage}],
            )
        except ClientError as error:
            if code(error) != "ParameterAlreadyExists":
                raise
            if self.read(kind):
                return False
            self.write(kind, [key])  # A parameter without a key in it.
        return True

    def write(self, kind: Kind, found: Sequence[str]) -> None:
        """Store the keys. SSM does not hold an empty text: without any, the parameter goes."""
        name, client = keys.parameter(self.stage, kind), self.account.client("ssm")
        if not found:
            self.delete(kind)
            return
        client.put_parameter(Name=name, Value=keys.render(found), Type="SecureString", Overwrite=True)

    def add(self, kind: Kind) -> tuple[str, ...]:
        """With one new key, which comes first."""
        key = keys.made(kind, self.stage, self.entropy(keys.ENTROPY_BYTES))
        found = keys.added(self.read(kind) or (), key)
        self.write(kind, found)
        return found

    def remove(self, kind: Kind, part: str, *, force: bool) -> tuple[tuple[str, ...], str]:
        """Without the one that begins or ends with `part`. Raises DeployError."""
        found = self.read(kind)
        if not found:
            raise DeployError(f"Stage {self.stage} has no {kind.value} keys.")
        left, gone = keys.removed(found, part, force=force)
        self.write(kind, left)
        return left, gone

    def delete(self, kind: Kind) -> bool:
        """Remove the parameter; whether there was one."""
        try:
            self.account.client("ssm").delete_parameter(Name=keys.parameter(self.stage, kind))
        except ClientError as error:
            if absent(error):
                return False
            raise
        return True
