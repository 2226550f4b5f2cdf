"""Small parts of the local cloud: durations, the clock's file, settings, watching, loading, sessions."""

from __future__ import annotations

import os
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from infra.local import clock, session, settings
from infra.local.loading import NotLoaded, load
from infra.local.records import failed_ids
from infra.local.schedule import Schedule
from infra.local.watch import changed, snapshot


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("24h", 86_400_000),
        ("7d", 604_800_000),
        ("1h30m", 5_400_000),
        ("500ms", 500),
        (" 2 w ", 1_209_600_000),
    ],
)
def test_a_duration_is_read(text: str, ms: int) -> None:
    assert clock.duration_ms(text) == ms


@pytest.mark.parametrize("text", ["", "24", "h", "-1h", "1.5h", "1y", "0s", "99999999d", 24, None, ["1h"]])
def test_what_is_no_duration_is_told_how_to_write_one(text: object) -> None:
    with pytest.raises(ValueError, match="24h"):
        clock.duration_ms(text)


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"by": 5}', b"\xff", b'"24h"'])
def test_a_body_without_a_duration_is_told_how_to_write_one(body: bytes) -> None:
    with pytest.raises(ValueError, match="24h"):
        clock.requested_ms(body)


def test_durations_read_back() -> None:
    assert clock.readable(93_784_005) == "1d 2h 3m 4s 5ms"
    assert clock.readable(0) == "0s"


def test_the_clock_s_offset_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "home" / "clock.json"
    assert clock.read_offset(path) == 0
    clock.write_offset(path, 5000)
    assert clock.read_offset(path) == 5000
    path.write_text("not json")
    assert clock.read_offset(path) == 0


@pytest.mark.parametrize("env", [{"PORT": "http"}, {"PORT": "0"}, {"PORT": "70000"}, {"WORKERS": "0"}])
def test_a_wrong_setting_is_named(env: dict[str, str]) -> None:
    with pytest.raises(settings.DevError, match=next(iter(env))):
        settings.read(env)


def test_changes_of_the_code_are_seen(tmp_path: Path) -> None:
    (tmp_path / "chalicelib" / "functions").mkdir(parents=True)
    (tmp_path / "app.py").write_text("1")
    old = tmp_path / "chalicelib" / "functions" / "old.py"
    old.write_text("1")
    before = snapshot(tmp_path)
    assert changed(before, snapshot(tmp_path), tmp_path) == []
    os.utime(tmp_path / "app.py", ns=(1, 1))
    old.unlink()
    (tmp_path / "chalicelib" / "new.py").write_text("")
    (tmp_path / "chalicelib" / "notes.txt").write_text("")
    names = ["app.py", "chalicelib/functions/old.py", "chalicelib/new.py"]
    assert changed(before, snapshot(tmp_path), tmp_path) == names


def test_a_mistake_in_the_app_is_shown_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "app", raising=False)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    (tmp_path / "app.py").write_text("import os\n\ndef broken(:\n")
    found = load(tmp_path)
    assert isinstance(found, NotLoaded)
    assert 'File "app.py", line 3' in found.text
    assert "SyntaxError" in found.text
    assert str(tmp_path) not in found.text


@pytest.mark.parametrize(
    ("answer", "failed"),
    [
        (None, set()),
        ({}, set()),
        ({"batchItemFailures": []}, set()),
        ({"batchItemFailures": [{"itemIdentifier": "a"}]}, {"a"}),
        ({"batchItemFailures": [{"itemIdentifier": "z"}]}, {"a", "b"}),
        ({"batchItemFailures": [{"itemIdentifier": ""}]}, {"a", "b"}),
        ({"batchItemFailures": [{}]}, {"a", "b"}),
        ({"batchItemFailures": "a"}, {"a", "b"}),
        ("text", set()),
    ],
)
def test_answers_are_read_as_lambda_reads_them(answer: object, failed: set[str]) -> None:
    assert failed_ids(answer, {"a", "b"}) == failed


def test_a_schedule_goes_on_after_a_failure_and_calls_one_at_a_time() -> None:
    calls: list[dict[str, Any]] = []
    inside = threading.Lock()

    def handler(event: dict[str, Any], _: object) -> None:
        assert inside.acquire(blocking=False)
        time.sleep(0.01)
        calls.append(event)
        inside.release()
        raise RuntimeError("once more")

    schedule = Schedule("on-tick", handler, lambda: 86_400_000, first_s=0.0, every_s=0.02)
    schedule.start()
    time.sleep(0.15)
    assert schedule.stop(2) == 0
    assert len(calls) > 2
    assert calls[0]["time"] == "1970-01-02T00:00:00Z"
    assert (calls[0]["source"], calls[0]["detail-type"]) == ("aws.events", "Scheduled Event")


def test_a_schedule_can_be_called_for_at_once() -> None:
    called = threading.Event()
    schedule = Schedule("on-tick", lambda *_: called.set(), lambda: 0, first_s=3600, every_s=3600)
    schedule.start()
    assert not called.wait(0.1)
    schedule.soon()
    assert called.wait(2)
    called.clear()
    assert not called.wait(0.1)
    assert schedule.stop(2) == 0


@pytest.fixture
def config(tmp_path: Path) -> settings.Settings:
    home = tmp_path / ".stepwell"
    (home / "state" / "services").mkdir(parents=True)
    return settings.Settings(tmp_path, home, 8288, 4, "dev")


def test_a_clean_session_leaves_nothing_to_tell(config: settings.Settings) -> None:
    assert session.begin(config) is None
    session.end(config)
    assert session.begin(config) is None


def test_a_session_that_never_saved_tells_what_is_lost(config: settings.Settings) -> None:
    session.begin(config)
    assert "starts empty" in str(session.begin(config))


def test_a_session_that_ended_without_saving_goes_on_from_the_last_save(config: settings.Settings) -> None:
    for name in ("dynamodb.json", "sqs.json"):
        (config.state_dir / "services" / name).write_text("{}")
        os.utime(config.state_dir / "services" / name, (1_000_000_000, 1_000_000_000))
    session.begin(config)
    assert "Going on from the state saved at 2001-09-" in str(session.begin(config))


def test_a_session_cut_off_after_its_state_was_saved_lost_nothing(config: settings.Settings) -> None:
    session.begin(config)
    for name in ("dynamodb.json", "sqs.json"):
        (config.state_dir / "services" / name).write_text("{}")
        os.utime(config.state_dir / "services" / name, (time.time() + 5, time.time() + 5))
    assert "nothing is lost" in str(session.begin(config))


def test_state_has_one_user_at_a_time(config: settings.Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "SAVING_S", 0.2)
    with (
        session.exclusive(config),
        pytest.raises(settings.DevError, match="Another `make dev`"),
    ):
        session.forget(config)
    session.forget(config)
    assert [entry.name for entry in config.home.iterdir()] == ["lock"]
