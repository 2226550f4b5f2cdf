"""The process that plays AWS. The only module that knows ministack and what it reads.

Run as ``python -m infra.local.emulator``. Its standard input is a pipe held by whoever started it: when that
end closes, even because its owner was killed, the emulator stops cleanly and so saves its state.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
import threading
from pathlib import Path

from infra.local.emulator_gaps import JOURNAL, close_gaps
from infra.local.settings import ACCOUNT, HOST, REGION


def environment(port: int, data_dir: Path, *, persist: bool) -> dict[str, str]:
    """The environment ministack reads. Everything it could listen on or reach besides our port is off."""
    return {
        "GATEWAY_PORT": str(port),
        "BIND_HOST": HOST,
        "PERSIST_STATE": "1" if persist else "0",
        "STATE_DIR": str(data_dir / "services"),
        "S3_PERSIST": "1" if persist else "0",
        "S3_DATA_DIR": str(data_dir / "s3"),
        "MINISTACK_REGION": REGION,
        "MINISTACK_ACCOUNT_ID": ACCOUNT,
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "DOCKER_HOST": f"unix://{data_dir / 'no-docker.sock'}",
        "LOG_LEVEL": "WARNING",
        "TMPDIR": str(data_dir),
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
    }


def for_deployments(journal: Path) -> dict[str, str]:
    """What more it reads to stand in for AWS in a deployment: roles' policies are enforced, it tells what it does in
    its log, and the messages of each invocation are written to ``journal``, a JSON line each."""
    return {"AUTH": "true", "LOG_LEVEL": "INFO", JOURNAL: str(journal)}


def _stop_when_owner_goes() -> None:
    """Wait for the end of standard input, then ask our own process to stop as SIGTERM would."""
    while os.read(0, 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def main() -> None:
    """Serve until told to stop."""
    threading.Thread(target=_stop_when_owner_goes, daemon=True).start()
    close_gaps()
    sys.argv = ["ministack"]
    runpy.run_module("ministack", run_name="__main__")


if __name__ == "__main__":
    main()
