"""
What can go wrong, as one tree.

EnvokeError
├ EnvokeConfigError         the connection or an argument; the message names what to change
├ EnvokeDataError           a row: its number, its fields and the rules they break; never its values
├ EnvokeAPIError            the service's answer: status, method, path, messages
│ ├ EnvokeAuthError         401, 403
│ ├ EnvokeNotFoundError     the contact does not exist
│ ├ EnvokeRejectedError     any other refusal; retrying cannot help
│ └ EnvokeTransientError    429, 5xx, broken or unreadable answers, timeouts; retrying may help
└ EnvokeSyncError           a run that ended with too many rejects, or early; carries the report
  └ EnvokePlanError         a plan that changes more than max_changes allows; retrying cannot help

None of them carries credentials or a contact's values: messages of the service pass through
:func:`airflow_provider_envoke.core.masking.mask_emails` first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_envoke.core.fields import Violation
    from airflow_provider_envoke.core.report import SyncReport


class EnvokeError(Exception):
    """The root: catch this to catch everything that the provider raises itself."""


class EnvokeConfigError(EnvokeError):
    """A connection or an argument that cannot work. The message names what to change."""


class EnvokeDataError(EnvokeError):
    """
    A row that cannot be sent as it is.

    :param message: what is wrong, without any value of the row.
    :param violations: every rule that the row breaks, found at once.
    """

    def __init__(self, message: str, violations: Sequence[Violation] = ()) -> None:
        super().__init__(message)
        self.violations = tuple(violations)


class EnvokeAPIError(EnvokeError):
    """
    An answer of the service that is not a success, or no answer at all.

    :param message: the whole text that a person reads.
    :param status: HTTP status, or ``None`` where no answer was read.
    :param method: HTTP method of the request.
    :param path: path of the request as a template, such as ``/v1/contacts/{id}``.
    :param messages: the service's own messages, with e-mail addresses masked.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        method: str = "",
        path: str = "",
        messages: Sequence[str] = (),
    ) -> None:
        super().__init__(message)
        self.status = status
        self.method = method
        self.path = path
        self.messages = tuple(messages)


class EnvokeAuthError(EnvokeAPIError):
    """The credentials were refused: 401 or 403."""


class EnvokeNotFoundError(EnvokeAPIError):
    """No contact has this key."""


class EnvokeRejectedError(EnvokeAPIError):
    """The service refused the request, and would refuse it again."""


class EnvokeTransientError(EnvokeAPIError):
    """
    Something that may pass: 429, 5xx, timeouts, connections that broke, answers that cannot be read.

    :param retry_after: seconds that the service asked to wait, or ``None``.
    :param may_have_arrived: whether the service may have carried out the request all the same.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        method: str = "",
        path: str = "",
        messages: Sequence[str] = (),
        retry_after: float | None = None,
        may_have_arrived: bool = True,
    ) -> None:
        super().__init__(message, status=status, method=method, path=path, messages=messages)
        self.retry_after = retry_after
        self.may_have_arrived = may_have_arrived


class EnvokeSyncError(EnvokeError):
    """
    A run that ended with too many rejects, or early.

    :param report: what became of the rows, without personal data.
    """

    def __init__(self, message: str, report: SyncReport | None = None) -> None:
        super().__init__(message)
        self.report = report


class EnvokePlanError(EnvokeSyncError):
    """A plan that changes more than ``max_changes`` allows. Somebody has to look before it is carried out."""
