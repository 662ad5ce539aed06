"""An object storage in memory, behind the URLs ``memory://``, and what is in a folder of any storage."""

from __future__ import annotations

import io
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar

from fsspec.implementations.memory import MemoryFileSystem

if TYPE_CHECKING:
    from collections.abc import Iterator


class ObjectStorage(MemoryFileSystem):
    """As in S3, an object appears when the file that is written is closed, and replaces one of the same name."""

    store: ClassVar[dict[str, Any]] = {}
    pseudo_dirs: ClassVar[list[str]] = [""]

    def _open(self, path: str, mode: str = "rb", **options: Any) -> Any:
        return Upload(self, path) if mode == "wb" else super()._open(path, mode, **options)

    def put_object(self, path: str, content: bytes) -> None:
        super()._open(path, "wb", data=content)


class Upload(io.BytesIO):
    """A file that is being written. Its state: where it belongs."""

    def __init__(self, storage: ObjectStorage, path: str) -> None:
        super().__init__()
        self._storage, self._path = storage, path

    def close(self) -> None:
        if not self.closed:
            self._storage.put_object(self._path, self.getvalue())
        super().close()


@contextmanager
def memory_storage(conn_id: str | None) -> Iterator[None]:
    """
    Make Airflow's ``ObjectStoragePath`` know an object storage in memory. It is empty before and after.

    :param conn_id: the connection that a URL must name, as in ``memory://CONN_ID@bucket/object``, if any.
    """
    try:
        from airflow.sdk.io import attach
    except ImportError:  # Airflow 2
        from airflow.io.store import attach

    attach("memory", conn_id, fs=ObjectStorage())
    try:
        yield
    finally:
        ObjectStorage.store.clear()
        ObjectStorage.pseudo_dirs[:] = [""]


def files_in(path: str) -> dict[str, str]:
    """Return the texts of the files in a folder by name, as the storage has them that Airflow opens."""
    from airflow.providers.common.compat.sdk import ObjectStoragePath

    folder = ObjectStoragePath(path)
    paths = folder.fs.ls(folder.path, detail=False)
    return {path.rpartition("/")[2]: folder.fs.cat_file(path).decode("utf-8") for path in paths}
