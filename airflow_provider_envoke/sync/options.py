"""The options of a run, checked once."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, get_args

from airflow_provider_envoke.envoke.fields import GROUPS, Keyfield, describe_unknown_field, is_known_field
from airflow_provider_envoke.envoke.messages import check_choice, quoted
from airflow_provider_envoke.exceptions import EnvokeConfigError
from airflow_provider_envoke.payload.build import PayloadRules, describe_invalid_member
from airflow_provider_envoke.payload.mapping import FieldMap
from airflow_provider_envoke.sync.limits import check_preview, read_limit

Strategy = Literal["changed", "all"]
OnMissing = Literal["reject", "skip", "create"]
OnDuplicate = Literal["first", "last", "reject"]
OnWithdrawn = Literal["keep", "reject"]

MAX_CONCURRENCY = 256


@dataclass(frozen=True, slots=True)
class SyncOptions:
    """
    The options of one run. They mean what the arguments of the same name mean for
    :class:`~airflow_provider_envoke.operators._sync.BaseEnvokeSyncOperator`.

    :param fields: which column goes into which field: ``field_map``, ``static_fields``, ``reference`` and
        ``unknown_columns``.
    :param rules: how values become text: ``nulls``, ``on_overlong`` and ``extra_fields``.
    :param concurrency: how many requests are under way at once, 1 to 256.
    :param requests_per_second: how many requests may start in a second; ``None``: as the connection says.
    :param max_changes: how many rows may change or create contacts: a count, or a share below 1. The contacts are
        then read twice. ``None``: no limit.
    :param preview: how many requests to log that would be sent, 0 to 100. Above 0, ``plan_only`` is on.
    :raises EnvokeConfigError: if an option is invalid.
    """

    keyfield: Keyfield = "email"
    fields: FieldMap = field(default_factory=FieldMap)
    rules: PayloadRules = field(default_factory=PayloadRules)
    strategy: Strategy = "changed"
    on_missing: OnMissing = "reject"
    on_duplicate: OnDuplicate = "first"
    on_withdrawn: OnWithdrawn = "keep"
    consent_guard: bool = True
    shared_email_guard: bool = True
    ambiguous_guard: bool = True
    concurrency: int = 8
    requests_per_second: float | None = None
    plan_only: bool = False
    max_changes: float | None = None
    preview: int = 0
    preview_unmasked: bool = False

    def __post_init__(self) -> None:
        check_choice("keyfield", self.keyfield, get_args(Keyfield))
        check_choice("strategy", self.strategy, get_args(Strategy))
        check_choice("on_missing", self.on_missing, get_args(OnMissing))
        check_choice("on_duplicate", self.on_duplicate, get_args(OnDuplicate))
        check_choice("on_withdrawn", self.on_withdrawn, get_args(OnWithdrawn))
        if not (type(self.concurrency) is int and 1 <= self.concurrency <= MAX_CONCURRENCY):
            raise EnvokeConfigError(f"concurrency must be a whole number from 1 to {MAX_CONCURRENCY}.")
        if self.requests_per_second is not None and not _is_rate(self.requests_per_second):
            raise EnvokeConfigError(
                f"requests_per_second must be a number above 0, or None, not {quoted(self.requests_per_second)}."
            )
        if self.max_changes is not None:
            read_limit("max_changes", self.max_changes)
        check_preview(self.preview, self.preview_unmasked)
        if self.preview:
            object.__setattr__(self, "plan_only", True)
        self._check_fields()

    @property
    def guards_shared_emails(self) -> bool:
        """Whether addresses are guarded; with the email address as the key, they do not change."""
        return self.shared_email_guard and self.keyfield != "email"

    def _check_fields(self) -> None:
        """Find what would reject every row before the first row is read."""
        targets = [*self.fields.columns.values(), *self.fields.static]
        for target in targets:
            problem = self._problem_with(target)
            if problem:
                end = "" if problem.endswith("?") else "."
                raise EnvokeConfigError(f"field_map or static_fields fills {quoted(target)}: {problem}{end}")
        if self.fields.columns and self.keyfield not in targets:
            raise EnvokeConfigError(
                f"field_map maps no column to the keyfield {self.keyfield!r}. Map one, or choose another keyfield."
            )

    def _problem_with(self, target: str) -> str:
        group, dot, member = target.partition(".")
        if dot and group in GROUPS:
            return describe_invalid_member(group, member)
        is_known = is_known_field(target, self.rules.extra_fields)
        return "" if is_known else describe_unknown_field(target, self.rules.extra_fields)


def _is_rate(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < float("inf")
