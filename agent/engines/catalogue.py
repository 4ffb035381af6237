"""The models on this machine: where they are, how they get there, whether they are what they should be.

`catalogue.toml` has a row per model (`agent.engines.rows`). A model's files come from, in this order: a path
that the user gave, the cache, the model hub, a package index. Offline (``ANTIPHON_OFFLINE=1``) only the
first two count, and nothing here opens a socket.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Literal

from agent.engines.cores import available
from agent.engines.fetching import sha256
from agent.engines.progress import Progress
from agent.engines.pulling import pull
from agent.engines.rows import PACKAGED, File, Row, read_rows
from agent.errors import AntiphonError, ConfigError, ModelCorrupt, ModelMissing

State = Literal["yours", "here", "stand-in", "partly", "missing"]
"""Of a model: given by the user, complete, its ``instead`` row complete, begun, absent."""


def home() -> Path:
    """Where data and models live: ``ANTIPHON_HOME``, or else the platform's user cache directory."""
    if given := os.environ.get("ANTIPHON_HOME"):
        return Path(given).expanduser().absolute()
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "antiphon"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "antiphon"


def offline() -> bool:
    """Whether ``ANTIPHON_OFFLINE`` forbids every connection to the outside."""
    return os.environ.get("ANTIPHON_OFFLINE", "").lower() not in ("", "0", "false", "no")


class Catalogue:
    """The rows, and the files that belong to them.

    :param paths: model id to a folder that holds its files, or to its one file: used as they are, unchecked.
    :param rows: the rows, if not those that come with the program.
    :raises ConfigError: if a path is given for a model that is not in the catalogue.
    """

    def __init__(self, paths: Mapping[str, Path] | None = None, *, rows: Mapping[str, Row] | None = None) -> None:
        self.rows: Mapping[str, Row] = read_rows() if rows is None else rows
        self.paths = {model_id: Path(path).expanduser() for model_id, path in (paths or {}).items()}
        for model_id in self.paths:
            self.row(model_id)

    @classmethod
    def load(cls, toml: Path = PACKAGED, *, paths: Mapping[str, Path] | None = None) -> Catalogue:
        """The catalogue that a file describes.

        :raises ConfigError: if the file is not a catalogue.
        """
        return cls(paths, rows=read_rows(toml))

    def row(self, model_id: str) -> Row:
        """One row.

        :raises ConfigError: if there is none of that id; the message lists those there are.
        """
        try:
            return self.rows[model_id]
        except KeyError:
            known = ", ".join(self.rows)
            raise ConfigError(f"there is no model {model_id!r} in the catalogue; there are: {known}") from None

    def defaults(self) -> list[str]:
        """Ids of the models that this machine pulls without being asked for more."""
        cores = available()
        return [row.id for row in self.rows.values() if row.default_cores is not None and row.default_cores <= cores]

    def resolve(self, model_id: str) -> str:
        """The id to use: ``model_id``, or its ``instead`` row if that one is on disk and it is not.

        :raises ConfigError: if there is no such row.
        """
        row = self.row(model_id)
        if row.instead is None or self._complete(row) or not self._complete(self.row(row.instead)):
            return model_id
        return row.instead

    def folder(self, model_id: str) -> Path:
        """The directory with the model's files. Their bytes are compared if they changed since the last time.

        :raises ModelMissing: if one is not there in its size; the message says how to get it.
        :raises ModelCorrupt: if one is not what its sha256 names.
        """
        row = self.row(model_id)
        folder, files = self._complete_or_raise(row)
        self._unchanged_or_raise(row, folder, files)
        return folder

    def file(self, model_id: str, name: str | None = None) -> Path:
        """One of the model's files; without a name the first, which is the model itself.

        :raises ModelMissing: if the model is not complete, or has no file of that name.
        :raises ModelCorrupt: if a file is not what its sha256 names.
        """
        row = self.row(model_id)
        folder, files = self._complete_or_raise(row)
        if self._is_one_given_file(row):
            return self.paths[model_id]
        self._unchanged_or_raise(row, folder, files)
        path = folder / (name or files[0].name)
        if not path.is_file():
            raise ModelMissing(model_id, f"{path} does not exist; put it there, or ask for another file")
        return path

    def state(self, model_id: str) -> State:
        """How much of the model is on this machine."""
        row = self.row(model_id)
        if self._complete(row):
            return "yours" if model_id in self.paths else "here"
        if self.resolve(model_id) != model_id:
            return "stand-in"
        begun = any(path.is_file() and path.name != ".lock" for path in self._folder(row).rglob("*"))
        return "partly" if begun else "missing"

    def missing(self, model_ids: Iterable[str]) -> list[str]:
        """Those of the models that are not on this machine and have no stand-in here either."""
        return [model_id for model_id in model_ids if not self._complete(self.row(self.resolve(model_id)))]

    def pull(self, model_ids: Iterable[str], progress: Progress | None = None) -> None:
        """Fetch what is not here yet. What is complete costs nothing; what was begun is continued.

        :raises ModelMissing: if a model can not be had, offline or from no source; or not written.
        :raises ModelCorrupt: if every source that has a file gives other bytes than its sha256 names.
        """
        progress = progress or Progress()
        for model_id in model_ids:
            row = self.row(self.resolve(model_id))
            try:
                self._pull(row, progress)
            except (ModelMissing, ModelCorrupt):
                if row.instead is None or offline():
                    raise
                progress.note(f"{row.id} can not be had from here; taking {row.instead} instead")
                self._pull(self.row(row.instead), progress)

    def verify(self, model_ids: Iterable[str], progress: Progress | None = None) -> list[AntiphonError]:
        """Read every byte of the models and compare the sha256s; gives what is wrong, [] if nothing is.

        Files that the user gave are not compared: nothing says what they should be.
        """
        progress = progress or Progress()
        wrong: list[AntiphonError] = []
        for model_id in model_ids:
            row = self.row(self.resolve(model_id))
            try:
                folder, files = self._complete_or_raise(row)
            except ModelMissing as error:
                wrong.append(error)
                continue
            for file in files if row.id not in self.paths else ():
                actual = sha256(folder / file.name, f"{row.id}/{file.name}", progress)
                if actual != file.sha256:
                    wrong.append(ModelCorrupt(str(folder / file.name), file.sha256, actual))
        return wrong

    def _folder(self, row: Row) -> Path:
        given = self.paths.get(row.id)
        if given is None:
            return home() / "models" / row.id
        return given.parent if given.is_file() else given

    def _complete(self, row: Row) -> tuple[File, ...]:
        """The set of files that is on disk, () if none is."""
        folder, sized = self._folder(row), row.id not in self.paths
        for files in row.sets:
            if all(file.is_in(folder) if sized else (folder / file.name).is_file() for file in files):
                return files
        return row.sets[0] if self._is_one_given_file(row) else ()

    def _is_one_given_file(self, row: Row) -> bool:
        """Whether the user named the one file of the model itself, under whatever name."""
        return row.id in self.paths and len(row.sets[0]) == 1 and self.paths[row.id].is_file()

    def _complete_or_raise(self, row: Row) -> tuple[Path, tuple[File, ...]]:
        folder = self._folder(row)
        if files := self._complete(row):
            return folder, files
        if row.id in self.paths:
            names = " or ".join(", ".join(file.name for file in files) for files in row.sets)
            raise ModelMissing(row.id, f"{self.paths[row.id]}, the path given for it, has not {names}")
        if offline():
            raise ModelMissing(row.id, self._by_hand(row))
        raise ModelMissing(row.id, f"run `antiphon models pull {row.id}`")

    def _unchanged_or_raise(self, row: Row, folder: Path, files: tuple[File, ...]) -> None:
        """Compare the sha256s of files whose sizes or times are not those of the last comparison.

        :raises ModelCorrupt: for the first that is not what it should be.
        """
        if row.id in self.paths:
            return
        stamp = home() / "compared" / f"{row.id}.json"
        status = {file.name: (folder / file.name).stat() for file in files}
        seen = {name: [found.st_size, found.st_mtime_ns] for name, found in status.items()}
        with suppress(OSError, ValueError):
            if json.loads(stamp.read_text()) == seen:
                return
        for file in files:
            if (actual := sha256(folder / file.name, file.name, Progress())) != file.sha256:
                raise ModelCorrupt(str(folder / file.name), file.sha256, actual)
        with suppress(OSError):  # a cache that may not be written is compared at every start
            stamp.parent.mkdir(exist_ok=True)
            stamp.write_text(json.dumps(seen))

    def _by_hand(self, row: Row) -> str:
        """What to do about a missing model where nothing may be fetched."""
        folder = self._folder(row)
        lacking = [file for file in row.sets[0] if not file.is_in(folder)]
        files = ", ".join(f"{file.name} ({file.bytes} bytes, sha256 {file.sha256})" for file in lacking[:4])
        more = f" and {len(lacking) - 4} more" if len(lacking) > 4 else ""
        return (
            f"offline mode (ANTIPHON_OFFLINE) fetches nothing: put {files}{more} into {folder}, or run "
            f"`antiphon models pull {row.id}` without it"
        )

    def _pull(self, row: Row, progress: Progress) -> None:
        if self._complete(row) or row.id in self.paths:
            self._complete_or_raise(row)
            return
        if offline():
            raise ModelMissing(row.id, self._by_hand(row))
        pull(row, self._folder(row), progress)
