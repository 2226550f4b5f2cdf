"""The same server as in production: keys in the parameter store, every call signed and checked, no development mode."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from infra.local import cloud, stack
from infra.local.settings import HOST, PROJECT
from tests.sdk.harness.server import Server, await_answer

EVENT_KEY = "of-the-stories-in-production"
OLD_KEY = "signkey-prod-" + "0a1b2c3d" * 8
NEW_KEY = "signkey-prod-" + "4e5f6071" * 8
APP_SETTINGS = {"INNGEST_DEV": "0", "INNGEST_EVENT_KEY": EVENT_KEY, "INNGEST_SIGNING_KEY": NEW_KEY}


@contextlib.contextmanager
def running(directory: Path) -> Iterator[Server]:
    """The process that loads the app and feeds its handlers, as `make dev` starts it, but with keys. The apps of the
    stories live on the loopback interface, which production calls only because it is told to."""
    with cloud.start(directory / "state", log=directory / "emulator.log") as aws, _listening() as listening:
        _store_keys(aws)
        env = {
            **cloud.clean_environment(os.environ),
            **aws.env,
            "STEPWELL_DEV": "",
            "STEPWELL_KEYS_PATH": aws.outputs["KeysPath"],
            "STEPWELL_APP_NETWORKS": f"{HOST}/32",
            "STEPWELL_RETRY_TABLE": "50ms",
            "STEPWELL_HOME": str(directory / "home"),
            "PYTHONPATH": str(PROJECT),
        }
        log = directory / "server.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "infra.local.serve", "--socket", str(listening.fileno())],
                cwd=PROJECT,
                env=env,
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                pass_fds=(listening.fileno(),),
                start_new_session=True,
            )
        server = Server(listening.getsockname()[1], log, bearer=NEW_KEY, event_key=EVENT_KEY)
        try:
            await_answer(server, process)
            yield server
        finally:
            assert process.stdin is not None
            process.stdin.close()
            process.wait(60)


@contextlib.contextmanager
def _listening() -> Iterator[socket.socket]:
    with contextlib.closing(socket.socket()) as listening:
        listening.bind((HOST, 0))
        listening.listen(128)
        yield listening


def _store_keys(aws: cloud.Cloud) -> None:
    """As a deployment stores them, in the middle of a rotation: the new key signs, the old one is still right."""
    ssm = stack.client("ssm", aws.endpoint)
    path = aws.outputs["KeysPath"]
    for name, value in (("event-keys", EVENT_KEY), ("signing-keys", f"{NEW_KEY}\n{OLD_KEY}")):
        ssm.put_parameter(Name=f"{path}/{name}", Value=value, Type="SecureString", Overwrite=True)
