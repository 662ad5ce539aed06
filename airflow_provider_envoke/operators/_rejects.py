"""The file of rejected rows: each try of a task instance has its own, and no file that exists is written over."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Collection
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from hashlib import sha256
from itertools import count
from typing import TYPE_CHECKING, Any

from airflow_provider_envoke.envoke.messages import mask_emails
from airflow_provider_envoke.exceptions import EnvokeConfigError, EnvokeSyncError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airflow.providers.common.compat.sdk import Context, ObjectStoragePath

    from airflow_provider_envoke.sync.report import Reject

_MAX_SHOWN_CHARS = 300
_MAX_IDS_CHARS = 120  # of the ids in a file's name; most file systems allow 255 bytes
_MAX_STEM_CHARS = 60
_LISTED = ("rejected", "skipped")
_UNSAFE = re.compile(r"[^A-Za-z0-9_.-]+")


@dataclass(frozen=True, slots=True)
class RejectsFile:
    """
    An open file of rejected rows.

    :param path: its path, or ``""`` if no rejects file is wanted.
    :param write: writes one row to it: a JSON object a line.
    """

    path: str
    write: Callable[[Reject], None]


def check_rejects_include(outcomes: object) -> None:
    """
    Check which rows are listed.

    :raises EnvokeConfigError: if it is not a list of known words.
    """
    is_list = isinstance(outcomes, Collection) and not isinstance(outcomes, str)
    if not is_list or not all(each in _LISTED for each in outcomes):  # type: ignore[attr-defined]
        raise EnvokeConfigError(f"rejects_include must be a list of {' and '.join(map(repr, _LISTED))}.")


@contextmanager
def rejects_file(path: str | None, context: Context) -> Iterator[RejectsFile]:
    """
    Open the rejects file of a try of a task instance.

    A ``path`` that ends with ``/``, or an existing folder, gets a file with a name of its own. A path of a file is
    used as it is by the first try of a task that is not mapped, if there is no such file yet; otherwise the ids of
    the task instance and the try are added to its name.

    :param path: local path, or a URL that ``ObjectStoragePath`` supports; ``None`` for no file.
    :param context: the task's context; without ``ti``, as in a unit test, names are told apart by a number.
    :raises EnvokeConfigError: if no file can be opened.
    :raises EnvokeSyncError: if it cannot be written.
    """
    if not path:
        yield RejectsFile("", lambda _: None)
        return
    used, file = _open_new(path, context)

    def write(reject: Reject) -> None:
        with _failing_to_write(used):
            file.write(json.dumps(asdict(reject), ensure_ascii=False) + "\n")

    try:
        yield RejectsFile(used, write)
    except BaseException:
        with suppress(OSError):  # the reader needs to see what ended the run
            file.close()
        raise
    with _failing_to_write(used):
        file.close()


def shown_path(path: str | os.PathLike[str]) -> str:
    """Return a path for a message: quoted, shortened, email addresses masked."""
    return ascii(mask_emails(str(path)[:_MAX_SHOWN_CHARS]))


def _open_new(path: object, context: Context) -> tuple[str, Any]:
    """Return where the new file is, and the file."""
    from airflow.providers.common.compat.sdk import ObjectStoragePath  # noqa: PLC0415 - heavy

    if not isinstance(path, str | os.PathLike):
        raise EnvokeConfigError(f"rejects_path must be a path or URL as text, not {type(path).__name__}.")
    place = _absolute(str(path))
    try:
        target = ObjectStoragePath(place)
        is_folder = place.endswith("/") or target.fs.isdir(target.path)
        if target.protocol in ("", "file"):
            (target if is_folder else target.parent).mkdir(parents=True, exist_ok=True)
        for candidate in _candidates(target, is_folder, context):
            file = _open_if_new(candidate)
            if file is not None:
                return str(candidate), file
    except (OSError, ValueError, TypeError, ImportError) as error:
        reason = _reason(error)
    raise EnvokeConfigError(f"rejects_path {shown_path(place)} cannot be written: {reason}. Choose another file.")


def _absolute(path: str) -> str:
    """Return a URL as it is, and a local path absolute: Airflow 2 knows no working directory and no ``~``."""
    if "://" in path:
        return path
    absolute = os.path.abspath(os.path.expanduser(path))  # noqa: PTH100, PTH111 - Path.resolve follows links
    return f"{absolute.rstrip('/')}/" if path.endswith("/") else absolute


def _candidates(target: ObjectStoragePath, is_folder: bool, context: Context) -> Iterator[ObjectStoragePath]:
    """Yield the paths to try, one after the other, until there is one without a file."""
    name, is_first = _task_try(context)
    folder, stem, suffix = target.parent, target.stem[:_MAX_STEM_CHARS], target.suffix
    if is_folder:
        folder, stem, suffix = target, "" if name else "rejects", ".jsonl"
    elif is_first:
        yield target
    stem = "-".join(filter(None, (stem, name)))
    yield folder / f"{stem}{suffix}"
    for number in count(2):
        yield folder / f"{stem}-{number}{suffix}"


def _task_try(context: Context) -> tuple[str, bool]:
    """Return a name for a try of a task instance, and whether it is the first of a task that is not mapped."""
    instance = context.get("ti")
    if instance is None:
        return "", True
    ids = [str(getattr(instance, name, "")) for name in ("dag_id", "task_id", "run_id")]
    map_index, number = getattr(instance, "map_index", -1), getattr(instance, "try_number", 1)
    readable = _UNSAFE.sub("_", "-".join(ids))[:_MAX_IDS_CHARS]
    # Two task instances may have the same readable part: with its characters replaced, or shortened.
    digest = sha256("\0".join(ids).encode("utf-8", "replace")).hexdigest()[:8]
    mapped = "" if map_index in (-1, None) else f"-{map_index}"
    return _UNSAFE.sub("_", f"{readable}-{digest}{mapped}-try{number}"), not mapped and number in (0, 1)


def _open_if_new(path: ObjectStoragePath) -> Any:
    """Return the file, opened for writing, or ``None`` if it exists already."""
    # Not path.exists(): Airflow 3 asks another file system for it than the one in which it opens files.
    exists = path.fs.exists(path.path)
    if path.protocol in ("", "file"):
        is_device = exists and not path.fs.isfile(path.path) and not path.fs.isdir(path.path)  # as /dev/stderr
        with suppress(FileExistsError):
            return _open(path, "w" if is_device else "x")
        return None
    if exists:
        return None
    # What is written to object storage appears when the file is closed. Until then, an empty one keeps its name.
    _open(path, "w").close()
    return _open(path, "w")


def _open(path: ObjectStoragePath, mode: str) -> Any:
    return path.open(mode, encoding="utf-8")  # type: ignore[no-untyped-call]


@contextmanager
def _failing_to_write(path: str) -> Iterator[None]:
    reason = ""
    try:
        yield
    except OSError as error:
        reason = _reason(error)
    if reason:
        raise EnvokeSyncError(
            f"The rejected rows could not be written to rejects_path {shown_path(path)}: {reason}. Rows counted "
            "as written are in Envoke. Fix the path and rerun the task."
        )


def _reason(error: Exception) -> str:
    if isinstance(error, FileExistsError | NotADirectoryError):
        return "a folder in it is a file"
    return getattr(error, "strerror", None) or f"{type(error).__name__}: {mask_emails(str(error))[:200]}"
