"""How a table is brought into Envoke: every choice of a run, checked once."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, get_args

from airflow_provider_envoke.core.fields import describe_unknown, is_known_field
from airflow_provider_envoke.core.limits import read_limit
from airflow_provider_envoke.core.mapping import FieldMap
from airflow_provider_envoke.core.masking import quoted
from airflow_provider_envoke.core.payload import PayloadRules, check_choice
from airflow_provider_envoke.core.protocol import Keyfield
from airflow_provider_envoke.exceptions import EnvokeConfigError

Strategy = Literal["changed", "all"]
OnMissing = Literal["reject", "skip", "create"]
OnDuplicate = Literal["first", "last"]

MAX_CONCURRENCY = 256


@dataclass(frozen=True, slots=True)
class SyncOptions:
    """
    The choices of one run.

    :param keyfield: ``"email"``, ``"id"`` or ``"remote_id"``: by which field rows and contacts are matched.
    :param fields: which column goes into which field.
    :param rules: how values become text, and what happens to nulls and over-long values.
    :param strategy: ``"changed"`` reads the contacts and sends what differs; ``"all"`` sends every row unread,
        except rows that a guard has to look at.
    :param on_missing: ``"reject"``, ``"skip"`` or ``"create"`` a row whose contact does not exist.
    :param on_duplicate: with the same key twice, ``"first"`` lets the first row stand, skips later ones that agree
        and rejects those that disagree; ``"last"`` applies all of them in their order.
    :param consent_guard: reject rows that would write another consent status over that of a contact who has said
        no.
    :param shared_email_guard: with another key than the e-mail address, reject rows that would give a contact the
        address of another row or contact.
    :param ambiguous_guard: reject rows whose key several contacts have.
    :param concurrency: how many requests are under way at once.
    :param requests_per_second: how many may start in a second; by default as the connection says.
    :param plan_only: read, compare and report, but write nothing.
    :param max_changes: for how many rows contacts may be changed or created: a count, or a share below 1 of the
        rows. The run then reads the rows twice: it plans them all first, and writes nothing if there are more.
        ``None``: no limit.
    :raises EnvokeConfigError: if one of them cannot be; the message names it.
    """

    keyfield: Keyfield = "email"
    fields: FieldMap = field(default_factory=FieldMap)
    rules: PayloadRules = field(default_factory=PayloadRules)
    strategy: Strategy = "changed"
    on_missing: OnMissing = "reject"
    on_duplicate: OnDuplicate = "first"
    consent_guard: bool = True
    shared_email_guard: bool = True
    ambiguous_guard: bool = True
    concurrency: int = 8
    requests_per_second: float | None = None
    plan_only: bool = False
    max_changes: float | None = None

    def __post_init__(self) -> None:
        check_choice("keyfield", self.keyfield, get_args(Keyfield))
        check_choice("strategy", self.strategy, get_args(Strategy))
        check_choice("on_missing", self.on_missing, get_args(OnMissing))
        check_choice("on_duplicate", self.on_duplicate, get_args(OnDuplicate))
        if not (type(self.concurrency) is int and 1 <= self.concurrency <= MAX_CONCURRENCY):
            raise EnvokeConfigError(f"concurrency has to be a whole number from 1 to {MAX_CONCURRENCY}.")
        if self.requests_per_second is not None and not _is_rate(self.requests_per_second):
            raise EnvokeConfigError(
                f"requests_per_second has to be a number above 0, or None, not {quoted(self.requests_per_second)}."
            )
        if self.max_changes is not None:
            read_limit("max_changes", self.max_changes)
        self._check_fields()

    def _check_fields(self) -> None:
        """Find before the first row what would reject every row."""
        targets = [*self.fields.columns.values(), *self.fields.static]
        for target in targets:
            if not is_known_field(target, self.rules.extra_fields):
                raise EnvokeConfigError(
                    f"field_map or static_fields fills {quoted(target)}: {describe_unknown(target)}."
                )
        if self.fields.columns and self.keyfield not in targets:
            raise EnvokeConfigError(
                f"No column of field_map goes into {self.keyfield!r}, by which the contacts are to be found: add "
                "one, or choose another keyfield."
            )

    @property
    def guards_shared_email(self) -> bool:
        """Whether addresses have to be watched: with the address as the key, they do not change."""
        return self.shared_email_guard and self.keyfield != "email"


def _is_rate(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < float("inf")
