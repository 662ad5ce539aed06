"""Whether the credentials work: one rule for both clients."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_envoke.exceptions import EnvokeAuthError, EnvokeNotFoundError, EnvokeRejectedError

if TYPE_CHECKING:
    from airflow_provider_envoke.exceptions import EnvokeAPIError

#: This many 401 responses before any success show that the credentials are wrong. The service sometimes refuses
#: good credentials once; more refused logins might lock the account.
MAX_REFUSED = 2

# After so many refusals of what requests contain, in its own words, the service must know the account [assumed].
_REFUSED_CONTENTS = 10


class Login:
    """
    What the responses say about the credentials of one client.

    Its state: whether the credentials have worked, how many 401 responses and how many refusals of a request's
    content came before, and the failure that shows that the credentials are wrong.
    """

    def __init__(self) -> None:
        self.worked = False
        self.rejection: EnvokeAuthError | None = None
        self._refused = 0
        self._refused_contents = 0

    @property
    def trusted(self) -> bool:
        """Whether a request may be sent again in spite of a 401."""
        return self.rejection is None

    def check(self) -> None:
        """Raise what showed that the credentials are wrong, so that no request tries them again."""
        if self.rejection is not None:
            raise self.rejection

    def record(self, failure: EnvokeAPIError) -> None:
        """Record a failed attempt, whichever request it was of."""
        if self.worked:
            return
        if isinstance(failure, EnvokeNotFoundError):  # it has looked into the account
            self.worked = True
        elif isinstance(failure, EnvokeRejectedError) and failure.messages:
            self._refused_contents += 1
            self.worked = self._refused_contents >= _REFUSED_CONTENTS
        elif isinstance(failure, EnvokeAuthError) and failure.status == 401:
            self._refused += 1
            if self._refused >= MAX_REFUSED:
                self.rejection = failure
