"""
How far a run with ``strategy="all"`` has come, so that another try need not begin at the first row.

A run that compares needs none of this: what was written no longer differs.
"""

from __future__ import annotations

import json
from collections import deque
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from airflow_provider_envoke.exceptions import EnvokeSyncError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_envoke.core.plan import Wanted
    from airflow_provider_envoke.sync.intake import Batch

#: More rows than these are not remembered: another try begins before the one that would be too many.
MAX_AGAIN = 1_000


class RowsChangedError(EnvokeSyncError):
    """The rows are not those of the earlier run: nobody can tell which of them it has written."""

    def __init__(self) -> None:
        super().__init__("The rows are not the ones that the earlier try has read: begin again at the first one.")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """
    All rows up to one are written, but for those that are named. It holds no personal data.

    :param row: number of the last row.
    :param digest: of what all rows up to that one ask for; a resumed run goes by it to see that it reads the same.
    :param again: numbers of the rows that were not written: they are to be tried again.
    """

    row: int
    digest: str
    again: frozenset[int] = frozenset()

    def as_dict(self) -> dict[str, Any]:
        """Return the checkpoint as plain JSON values."""
        return {"row": self.row, "digest": self.digest, "again": sorted(self.again)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Checkpoint:
        """Return the checkpoint that :meth:`as_dict` made these values of."""
        return cls(int(values["row"]), str(values["digest"]), frozenset(map(int, values["again"])))

    def covers(self, row: int) -> bool:
        """Whether a row was written."""
        return row <= self.row and row not in self.again


class RowsDigest:
    """A digest of rows so far, the same in every process; its state is the hash."""

    def __init__(self) -> None:
        self._hash = blake2b(digest_size=16)

    def add(self, wanted: Wanted) -> None:
        """Take a row in."""
        asked = json.dumps([wanted.row, wanted.key, wanted.payload], sort_keys=True)
        self._hash.update(asked.encode())

    def __str__(self) -> str:
        return self._hash.hexdigest()


class Checkpoints:
    """
    Follows which rows are finished: batches begin in the order of the rows and end in any.

    Its state: the batches that have begun and whose predecessors are not all finished, the rows to try again, and
    the latest checkpoint; it stays as it is once there are too many rows to try again.

    :param max_again: how many rows may be left for another try.
    """

    def __init__(self, max_again: int = MAX_AGAIN) -> None:
        self._max_again = max_again
        self._begun: deque[Batch] = deque()
        self._again: set[int] = set()
        self.latest: Checkpoint | None = None

    def begin(self, batch: Batch) -> None:
        """Note that a batch is under way, after all those that began before."""
        if len(self._again) <= self._max_again:
            self._begun.append(batch)

    def finish(self, batch: Batch) -> None:
        """Note that every row of a batch was written, or has failed by itself."""
        batch.finished = True
        while self._begun and self._begun[0].finished:
            first = self._begun.popleft()
            self._again.update(first.again)
            if len(self._again) > self._max_again:
                self._begun.clear()
            else:
                self.latest = Checkpoint(first.last_row, first.digest, frozenset(self._again))
