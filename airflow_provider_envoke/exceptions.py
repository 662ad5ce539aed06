"""
The exceptions of this provider.

EnvokeError
├ EnvokeConfigError         invalid connection or arguments; the message names what to change
├ EnvokeDataError           an invalid row: its number, its fields and the rules they break; never its values
├ EnvokeAPIError            a failed request: status, method, path, messages
│ ├ EnvokeAuthError         401, 403
│ ├ EnvokeNotFoundError     the contact does not exist
│ ├ EnvokeRejectedError     any other refusal; retrying cannot help
│ └ EnvokeTransientError    429, 5xx, broken or unreadable answers, timeouts; retrying may help
└ EnvokeSyncError           a run that stopped early or rejected too many rows; carries the report
  ├ EnvokeRowsError         too many rejected rows, all for permanent reasons; retrying cannot help
  ├ EnvokeQueryError        the database rejects the query itself; retrying cannot help
  └ EnvokePlanError         a plan with more changes than max_changes allows; retrying cannot help

No exception contains credentials or the values of a contact. All of them can be pickled.
"""

from __future__ import annotations


class EnvokeError(Exception):
    """Base class of all exceptions that this provider raises."""


class EnvokeConfigError(EnvokeError):
    """The connection or an argument is invalid. The message names what to change."""


class EnvokeDataError(EnvokeError):
    """
    A row cannot be sent as it is.

    :param message: what is wrong, without any value of the row.
    :param violations: one ``(field, reason, message)`` for each broken rule; ``reason`` is a stable code.
    """

    def __init__(self, message: str, violations: tuple[tuple[str, str, str], ...] = ()) -> None:
        super().__init__(message)
        self.violations: tuple[tuple[str, str, str], ...] = tuple(
            (field, reason, text) for field, reason, text in violations
        )


class EnvokeAPIError(EnvokeError):
    """
    A request failed, or got no answer.

    :param message: the full error message.
    :param status: HTTP status, or ``None`` if no answer was received.
    :param method: HTTP method of the request.
    :param path: path template of the request, such as ``/v1/contacts/{id}``.
    :param messages: the messages of the service, with email addresses masked.
    :param retry_after: seconds to wait, as requested by the service, or ``None``.
    :param cause: why there was no usable answer, in a few words for the log, such as ``connection refused``.
    :param may_have_arrived: of an :class:`EnvokeTransientError`: whether the service may have carried out the
        request.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        method: str = "",
        path: str = "",
        messages: tuple[str, ...] = (),
        retry_after: float | None = None,
        cause: str = "",
        may_have_arrived: bool = True,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.method = method
        self.path = path
        self.messages = tuple(messages)
        self.retry_after = retry_after
        self.cause = cause
        self.may_have_arrived = may_have_arrived


class EnvokeAuthError(EnvokeAPIError):
    """Envoke rejected the credentials (401 or 403)."""


class EnvokeNotFoundError(EnvokeAPIError):
    """No contact has this key."""


class EnvokeRejectedError(EnvokeAPIError):
    """Envoke rejected the request. Sending it again cannot help."""


class EnvokeTransientError(EnvokeAPIError):
    """A failure that may be temporary: 429, 5xx, a timeout, a broken connection or an unreadable answer."""


class EnvokeSyncError(EnvokeError):
    """
    A run stopped early or rejected too many rows.

    :param message: what happened and what to do.
    :param report: the run's report as a dict, without personal data.
    """

    def __init__(self, message: str, report: dict[str, object] | None = None) -> None:
        super().__init__(message)
        self.report = report


class EnvokeRowsError(EnvokeSyncError):
    """Too many rows were rejected, all of them for permanent reasons: correct the rows."""


class EnvokeQueryError(EnvokeSyncError):
    """The database rejects the query itself: correct it, its parameters, or the connection's database or user."""


class EnvokePlanError(EnvokeSyncError):
    """A plan, or the run after it, has more changes than ``max_changes`` allows: check the table."""
