"""The exceptions of the provider."""

from __future__ import annotations

import copy
import importlib
import pickle
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_envoke import exceptions
from tests.support.layers import PACKAGE, modules_in

if TYPE_CHECKING:
    from collections.abc import Callable

API: dict[str, Any] = {"status": 400, "method": "PATCH", "path": "/v1/contacts/{id}", "messages": ("a", "b")}
EXAMPLES = [
    exceptions.EnvokeError("text"),
    exceptions.EnvokeConfigError("text"),
    exceptions.EnvokeDataError("text", (("city", "overlong", "too long"),)),
    *(exceptions.EnvokeAPIError("text", **API), exceptions.EnvokeAuthError("text", **API)),
    *(exceptions.EnvokeNotFoundError("text", **API), exceptions.EnvokeRejectedError("text", **API)),
    exceptions.EnvokeTransientError("text", **API, retry_after=7.5, cause="timeout", may_have_arrived=False),
    exceptions.EnvokeSyncError("text", {"rows": 7, "reasons": {"not_found": 1}}),
    exceptions.EnvokeRowsError("text", {"rows": 7}),
    exceptions.EnvokeQueryError("text"),
    exceptions.EnvokePlanError("text", {"rows": 7}),
]


class CountedError(exceptions.EnvokePlanError):
    """What a user's own code may derive."""

    count = 0


@pytest.mark.parametrize("copied", [lambda error: pickle.loads(pickle.dumps(error)), copy.deepcopy])
@pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: type(error).__name__)
def test_an_exception_survives_pickle_with_all_it_carries(
    error: exceptions.EnvokeError, copied: Callable[[exceptions.EnvokeError], exceptions.EnvokeError]
) -> None:
    copy_of_error = copied(error)

    assert type(copy_of_error) is type(error)
    assert str(copy_of_error) == "text"
    assert vars(copy_of_error) == vars(error)


def test_a_subclass_with_attributes_of_its_own_survives_pickle() -> None:
    error = CountedError("text", {"rows": 7})
    error.count = 3
    error.add_note("a note")

    copy_of_error = pickle.loads(pickle.dumps(error))

    assert (type(copy_of_error), str(copy_of_error)) == (CountedError, "text")
    assert vars(copy_of_error) == {"report": {"rows": 7}, "count": 3, "__notes__": ["a note"]}


def test_the_package_defines_no_other_exceptions_that_users_see() -> None:
    elsewhere = {
        item.__module__
        for module in map(importlib.import_module, modules_in())
        for item in vars(module).values()
        if isinstance(item, type) and issubclass(item, BaseException) and item.__module__.startswith(PACKAGE)
    } - {exceptions.__name__}

    assert elsewhere == {f"{PACKAGE}.sandbox.filters"}, "the sandbox answers with these"


def test_every_exception_has_an_example_above_and_one_root() -> None:
    classes = {item for item in vars(exceptions).values() if isinstance(item, type)}

    assert classes == {type(error) for error in EXAMPLES}
    assert all(issubclass(item, exceptions.EnvokeError) for item in classes)
