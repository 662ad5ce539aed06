"""Rows in a temporary file: the database is done before the first request, and rows can be read more than once."""

from __future__ import annotations

import pickle
import tempfile
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from airflow_provider_envoke.envoke.messages import shown_name
from airflow_provider_envoke.envoke.values import UnsendableValue, as_text
from airflow_provider_envoke.exceptions import EnvokeSyncError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# A block ends at either of these, so that few rows, or few long ones, are in memory.
_BLOCK_ROWS = 1_000
_BLOCK_CHARS = 1_000_000

# Kept as they are. Every other value is kept as the text that would be sent for it.
_KEPT_TYPES = frozenset({str, int, bool, type(None)})


class RowSpool:
    """
    Keeps rows in a temporary file, in their order. It can be iterated any number of times.

    The file has no name from its first byte on, so the operating system deletes it when the process ends, however
    it ends. Of the rows, at most 1,000 and about 1 MB of text are in memory.

    Its state: the file, where its blocks begin, the rows of the last block and their size, and how many rows there
    are.
    """

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile(prefix="envoke-")  # noqa: SIM115 - closed by close()
        self._blocks: list[int] = []
        self._last: list[dict[Any, Any]] = []
        self._last_chars = 0
        self._rows = 0

    def __enter__(self) -> RowSpool:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Delete the file."""
        self._last = []
        self._file.close()

    def add(self, row: Mapping[str, Any]) -> None:
        """
        Keep one row.

        :raises EnvokeSyncError: if the file cannot be written.
        """
        kept = {_kept_name(name): _kept(row[name]) for name in row.keys()}  # noqa: SIM118 - sqlite3.Row
        self._last.append(kept)
        self._last_chars += sum(len(value) for value in kept.values() if type(value) is str)
        self._rows += 1
        if len(self._last) == _BLOCK_ROWS or self._last_chars >= _BLOCK_CHARS:
            with self._failing_to_write():
                self._blocks.append(self._file.seek(0, 2))
                pickle.dump(self._last, self._file, pickle.HIGHEST_PROTOCOL)
                self._file.flush()
            self._last, self._last_chars = [], 0

    def __len__(self) -> int:
        return self._rows

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for block in self._blocks:
            self._file.seek(block)
            # Only this process has written the file, and only text, numbers, dicts and lists of them.
            yield from pickle.load(self._file)  # noqa: S301
        yield from self._last

    @contextmanager
    def _failing_to_write(self) -> Iterator[None]:
        reason = ""
        try:
            yield
        except OSError as error:
            reason = error.strerror or type(error).__name__
        if reason:
            raise EnvokeSyncError(
                f"Row {self._rows} could not be kept in a temporary file in {tempfile.gettempdir()}: {reason}. "
                "Nothing was sent to Envoke. Free space there, or set the environment variable TMPDIR to another "
                "folder, and run again."
            )


def _kept(value: Any) -> Any:
    """Return a value of a plain type that Envoke gets the same text for, whatever type the driver returns."""
    if type(value) in _KEPT_TYPES:
        return value
    try:
        if isinstance(value, dict):
            return {_kept_name(name): _kept(member) for name, member in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [_kept_name(member) for member in value]
        return as_text(value)
    except ValueError as error:
        return UnsendableValue(str(error))
    except Exception as error:  # a driver's own types may raise anything: one value does not end the run
        reason = f"the value cannot be read ({type(error).__name__}); convert it to text in the query"
        return UnsendableValue(reason)


def _kept_name(name: Any) -> Any:
    """Return the name of a field, a member or a tag: text, or something that is refused as the name was."""
    if isinstance(name, str):
        return str.__str__(name)
    return UnsendableValue(shown_name(name))
