"""Recordings on the disk: where they lie, how they grow, and what they are called: names that people gave themselves go
into no path as they are.
"""

from __future__ import annotations

import errno
import os
import re
import tempfile
import unicodedata
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from agent.errors import ConfigError

FOLDER_MODE, FILE_MODE = 0o700, 0o600
"""Who runs the server may read recordings, and nobody else."""
NAME_CHARS, ID_CHARS, ROOM_CHARS = 40, 8, 64
_SAME_SECOND = 100
"""recordings of one room that may begin in the same second"""


def check_folder(folder: Path) -> None:
    """Make the folder of all recordings, and try it. Blocks; for the start of a server.

    :raises ConfigError: if nothing can be written there.
    """
    try:
        folder.mkdir(FOLDER_MODE, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"\0")
    except OSError as error:
        raise ConfigError(
            f"recordings can not be written to {folder} ({error.strerror or error}); let room.recording name a folder "
            'that this user may write to, on a disk with some space, or "" for no recordings'
        ) from error


def new_folder(folder: Path, room: str, at: datetime) -> Path:
    """Make the folder of one recording, such as ``kitchen-2026-11-22T10-15-00Z``. Blocks.

    :raises OSError: if it can not be made.
    """
    name = re.sub(r"[^A-Za-z0-9_.-]+", "-", room).lstrip(".-")[:ROOM_CHARS] or "call"
    name += f"-{at.astimezone(UTC):%Y-%m-%dT%H-%M-%SZ}"
    for count in range(1, _SAME_SECOND):
        path = folder / (name if count == 1 else f"{name}-{count}")
        try:
            path.mkdir(FOLDER_MODE, parents=True)
        except FileExistsError:
            continue
        return path
    raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))


def track_name(name: str, person_id: str, taken: set[str]) -> str:
    """A new file name for a person, such as ``anna-3f2a91c0``, without the ending; it is added to those taken."""
    plain = f"{_plain(name)[:NAME_CHARS] or 'guest'}-{_plain(person_id.removeprefix('person_'))[:ID_CHARS]}"
    count, found = 1, plain
    while found in taken:
        count += 1
        found = f"{plain}-{count}"
    taken.add(found)
    return found


def _plain(text: str) -> str:
    """Letters and digits of ASCII, which every file system and shell takes for what they are; accents go."""
    ascii_only = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", ascii_only).strip("-")


class AppendedFile:
    """A new file that grows by whole pieces: of one that the disk has no room for, nothing is left. Methods block.

    :raises OSError: if there is one already, or it can not be made.
    """

    def __init__(self, path: Path) -> None:
        # Appended, so that after a piece that did not fit the next one stands where that one began.
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        self._fd = os.open(path, flags, FILE_MODE)
        self._size = 0

    def append(self, piece: bytes) -> None:
        """Write all of it, or none.

        :raises OSError: if the disk is full, or gone.
        """
        left = memoryview(piece)
        try:
            while left:
                left = left[os.write(self._fd, left) :]
        except OSError:
            with suppress(OSError):
                os.ftruncate(self._fd, self._size)
            raise
        self._size += len(piece)

    def sync(self) -> None:
        """Wait until what was written would outlast the machine's end."""
        os.fsync(self._fd)

    def close(self) -> None:
        """No more pieces."""
        os.close(self._fd)
