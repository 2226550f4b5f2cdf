"""Sees that the code changed: modification times of app.py and of every Python file under chalicelib."""

from __future__ import annotations

from pathlib import Path

Snapshot = dict[Path, tuple[int, int]]


def snapshot(app_dir: Path) -> Snapshot:
    """Each watched file with its modification time (ns) and size (bytes)."""
    found: Snapshot = {}
    for path in (app_dir / "app.py", *sorted((app_dir / "chalicelib").rglob("*.py"))):
        try:
            status = path.stat()
        except OSError:  # Gone between listing and looking: an editor replaces files so.
            continue
        found[path] = (status.st_mtime_ns, status.st_size)
    return found


def changed(before: Snapshot, after: Snapshot, app_dir: Path) -> list[str]:
    """Names, relative to the app, of files that were added, removed or changed."""
    names = before.keys() | after.keys()
    return sorted(str(name.relative_to(app_dir)) for name in names if before.get(name) != after.get(name))
