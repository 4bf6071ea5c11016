"""Whom a strategy review is about: one row per assigned account, from the book's decisions or from a supplied `cohort` table.

Subjects stay in the engine: everything that leaves is an aggregate by arm (`measures.arms`).
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Literal

import ibis
import ibis.expr.types as ir

from collect_analysis.book.presence import absent
from collect_analysis.book.store import Book
from collect_analysis.errors import DataError
from collect_analysis.measures.cohort_events import (
    cash_delivered,
    contact_doses,
    months_read,
    paid_before,
    paid_within,
    standing_before,
    ticket_counts,
)
from collect_analysis.methods.evidence import Condition

Unit = Literal["share", "minor", "count"]
# What a cohort from the book can be adjusted for; all of it is known before the day of assignment.
BOOK_COVARIATES = ("paid_before", "balance", "bucket", "entry_balance", "entry_score")
# Which of them are money.
BOOK_MONEY = ("paid_before", "balance", "entry_balance")
BOOK_DOSES = ("outbound_contacts", "right_party_contacts", "agent_minutes")
BOOK_GUARDRAILS = ("complaints", "disputes")
AMOUNT, PAYER = "cash_per_account", "payer_rate"


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """A number per subject: `column` of the cohort, in `unit` (share: yes/no), read `horizon_days` after assignment."""

    name: str
    column: str
    unit: Unit
    horizon_days: int
    label: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Covariate:
    """What was known of a subject: `column` of the cohort; `measured` before or after assignment, or empty if nobody declared it."""

    name: str
    column: str
    measured: str

    @property
    def unit(self) -> str:
        """Minor where it is money, else count: of the book's by its name, of a supplied one by the ending of its column."""
        return "minor" if self.column in BOOK_MONEY or self.column.endswith("_minor") else "count"


@dataclass(frozen=True, kw_only=True)
class Cohort:
    """The subjects of one experiment.

    `table` has one row per subject: subject_key, cluster_key (the independent person or group), arm, assigned_on, stratum, propensity,
    arms_seen (arms in which the subject was recorded), for a supplied cohort running_value, first_treated_on, event_on, exit_days and exit_cause,
    and the columns that `outcomes`, `covariates` and `doses` name. `payments` has one row per cluster and day after assignment with its
    cash, for curves; None where the source has no daily payments. `untold`: the doses and guardrails of the book that it has no data for, with
    the reason; `delivered`: the condition that the months of the outcome are there, for a cohort from the book.
    """

    experiment_id: str
    supplied: bool
    as_of: date
    table: ir.Table
    outcomes: tuple[Outcome, ...]
    covariates: tuple[Covariate, ...]
    doses: tuple[Outcome, ...]
    planned: Mapping[str, Mapping[str, object]]
    payments: ir.Table | None = None
    untold: Mapping[str, str] = field(default_factory=dict)
    delivered: tuple[Condition, ...] = ()

    def lacking(self, book: Book, *needs: str) -> str:
        """What the book lacks of the tables that outcomes are counted from, as a sentence; nothing of a cohort that was supplied with them."""
        return "" if self.supplied else absent(book, needs)

    def outcome(self, name: str, horizon_days: int) -> Outcome:
        """The outcome `name` at `horizon_days`.

        Raises
        ------
        DataError
            There is none; the sentence lists those there are.
        """
        for item in self.outcomes:
            if item.name == name and item.horizon_days == horizon_days:
                return item
        known = ", ".join(f"{item.name} at {item.horizon_days} days" for item in self.outcomes)
        raise DataError(f"experiment '{self.experiment_id}' has no outcome '{name}' at {horizon_days} days; it has {known or 'none'}")


def open_cohort(
    book: Book, experiment_id: str, *, arms: Sequence[str], horizon_days: int, horizons: Iterable[int] = (), dose_days: int | None = None
) -> Cohort:
    """Who was assigned to which arm of an experiment, and what became of them?

    From a supplied `cohort` table where it knows the experiment, else from the book: decisions of kind `experiment`, the first one per
    account; payments, contacts and tickets from the day of assignment (day 0) to `horizons` days after it, both included. Money: eligible
    postings; a reversal counts on the day of the payment it takes back, so that cash that did not stay is no cash.

    Parameters
    ----------
    arms
        The arms to be compared: all of them must be known to the experiment.
    horizon_days
        Days after assignment of the primary outcome; also of a supplied outcome whose mapping declares none.
    horizons
        Further horizons at which the book's outcomes are read.
    dose_days
        Days after assignment in which contacts and tickets count; default `horizon_days`.

    Raises
    ------
    DataError
        The book does not know the experiment or one of the arms.
    """
    if book.has("cohort") and _knows(book, book.table("cohort"), experiment_id):
        cohort = _supplied(book, experiment_id, horizon_days)
    elif book.has("decision") and _knows(book, book.table("decision"), experiment_id):
        cohort = _from_book(book, experiment_id, sorted({*horizons, horizon_days}), dose_days or horizon_days)
    else:
        known = _known_experiments(book)
        raise DataError(f"book '{book.manifest.name}' has nobody in experiment '{experiment_id}' as of {book.as_of}; it knows {known}")
    _refuse_unknown_arms(book, cohort, arms)
    return cohort


def _knows(book: Book, table: ir.Table, experiment_id: str) -> bool:
    return bool(book.scalar((table["experiment_id"] == experiment_id).any()))


def _known_experiments(book: Book) -> str:
    found: set[str] = set()
    for name in ("cohort", "decision"):
        keys = book.table(name).select("experiment_id").distinct()
        found |= {str(key) for key in book.frame(keys)["experiment_id"].dropna()}
    return ", ".join(sorted(found)) or f"none: {absent(book, ('decision', 'decision.experiment_id')) or absent(book, ('decision.arm',))}"


def _refuse_unknown_arms(book: Book, cohort: Cohort, arms: Sequence[str]) -> None:
    present = set(book.frame(cohort.table.select("arm").distinct())["arm"]) | set(cohort.planned)
    unknown = [arm for arm in arms if arm not in present]
    if unknown:
        raise DataError(
            f"experiment '{cohort.experiment_id}' has no arm(s) {', '.join(unknown)}; its arms are {', '.join(sorted(map(str, present)))}. "
            "Name them in the report file as the source writes them"
        )


def _from_book(book: Book, experiment_id: str, horizons: list[int], dose_days: int) -> Cohort:
    assigned = _assignments(book, experiment_id).cache()
    delivered = cash_delivered(book, assigned, max(horizons))
    untold = _untold(book, assigned, dose_days)
    table = assigned
    payments = paid_within(book, assigned, max(horizons))
    sums = {f"amount_d{days}_minor": payments["amount_minor"].sum(where=payments["day"] <= days) for days in horizons}
    parts = [
        payments.group_by("subject_key").aggregate(**sums),
        contact_doses(book, assigned, dose_days),
        ticket_counts(book, assigned, dose_days),
        paid_before(book, assigned),
    ]
    for part in parts:
        table = _with_zeros(table, part)
    table = _with_columns(table, standing_before(book, assigned))
    table = table.mutate(**{f"payer_d{days}": (table[f"amount_d{days}_minor"] > 0).cast("int64") for days in horizons})
    outcomes = [Outcome(name=AMOUNT, column=f"amount_d{days}_minor", unit="minor", horizon_days=days) for days in horizons]
    outcomes += [Outcome(name=PAYER, column=f"payer_d{days}", unit="share", horizon_days=days) for days in horizons]
    told = [name for name in (*BOOK_DOSES, *BOOK_GUARDRAILS) if name not in untold]
    doses = [Outcome(name=name, column=name, unit="count", horizon_days=dose_days) for name in told]
    return Cohort(
        experiment_id=experiment_id,
        supplied=False,
        as_of=book.as_of,
        table=table.cache(),
        outcomes=tuple(outcomes),
        covariates=tuple(Covariate(name=name, column=name, measured="before") for name in BOOK_COVARIATES),
        doses=tuple(doses),
        planned=_plan(book, experiment_id),
        payments=payments.group_by(["arm", "cluster_key", "day"])
        .aggregate(amount_minor=payments["amount_minor"].sum().cast("int64"))
        .cache(),
        untold=untold,
        delivered=(delivered,),
    )


def _untold(book: Book, assigned: ir.Table, dose_days: int) -> dict[str, str]:
    """What the book cannot say of how subjects were worked and what they complained of, with the reason: no rows are not no work."""
    reasons = {**dict.fromkeys(BOOK_DOSES, absent(book, ("contact",))), **dict.fromkeys(BOOK_GUARDRAILS, absent(book, ("ticket",)))}
    months = months_read(book, assigned, dose_days)
    if months and book.has("contact") and not book.months("contact") & set(months):
        reasons |= dict.fromkeys(BOOK_DOSES, absent(book, ("contact",), months))
    return {name: reason for name, reason in reasons.items() if reason}


def _assignments(book: Book, experiment_id: str) -> ir.Table:
    """The first decision of the experiment per account: later ones cannot change what was assigned (intention to treat)."""
    decisions = book.table("decision")
    decisions = decisions.filter(decisions["kind"] == "experiment", decisions["experiment_id"] == experiment_id, decisions["arm"].notnull())
    window = ibis.window(group_by="account_key", order_by=["from_date", "decision_key"])
    ranked = decisions.mutate(place=ibis.row_number().over(window))
    seen = decisions.group_by("account_key").aggregate(arms_seen=decisions["arm"].nunique())
    first = ranked.filter(ranked["place"] == 0).join(seen, "account_key")
    return first.select(
        subject_key=first["account_key"],
        cluster_key=first["customer_key"].fill_null(first["account_key"]),
        arm=first["arm"],
        assigned_on=first["from_date"],
        stratum=first["segment"],
        propensity=first["propensity"],
        arms_seen=first["arms_seen"],
        decided_balance_minor=first["balance_minor"],
    )


def _with_columns(table: ir.Table, part: ir.Table) -> ir.Table:
    """`table` and the further columns of `part`, one row per subject in both; subjects without a row there have none."""
    columns = [column for column in part.columns if column != "subject_key"]
    joined = table.left_join(part, "subject_key")
    return joined.select(*(table[column] for column in table.columns), *(part[column] for column in columns))


def _with_zeros(table: ir.Table, part: ir.Table) -> ir.Table:
    """As `_with_columns` for counts and sums of events: no event is 0 of them, not unknown."""
    joined = _with_columns(table, part)
    return joined.mutate(**{column: joined[column].fill_null(0) for column in part.columns if column != "subject_key"})


def _plan(book: Book, experiment_id: str) -> dict[str, dict[str, object]]:
    """What was planned per arm, from table `experiment`; empty if it was not loaded."""
    table = book.table("experiment")
    columns = ["arm", "role", "share", "salt", "unit_of_assignment", "horizon_days", "primary_metric", "margin", "prereg_hash"]
    frame = book.frame(table.filter(table["experiment_id"] == experiment_id).select(*columns).order_by("arm"))
    return {str(row["arm"]): {str(key): item for key, item in row.items() if item == item} for row in frame.to_dict("records")}


def _supplied(book: Book, experiment_id: str, horizon_days: int) -> Cohort:
    source = book.table("cohort")
    source = source.filter(source["experiment_id"] == experiment_id)
    opened = [column for column in source.columns if column.startswith(("outcome_", "covariate_", "dose_"))]
    filled = book.frame(source.aggregate(**{column: source[column].notnull().any() for column in opened})) if opened else None
    columns = [column for column in opened if filled is not None and bool(filled[column].iloc[0])]
    roles = {column: _role(book, experiment_id, column) for column in columns}
    table = source.select(
        "subject_key",
        "arm",
        "assigned_on",
        "stratum",
        "propensity",
        "running_value",
        "first_treated_on",
        "event_on",
        "exit_days",
        "exit_cause",
        *columns,
        cluster_key=ibis.coalesce(source["cluster_key"], source["customer_key"], source["subject_key"]),
    )
    seen = source.group_by("subject_key").aggregate(arms_seen=source["arm"].nunique())
    table = _with_columns(table, seen)
    outcomes = []
    for column in columns:
        if column.startswith("outcome_"):
            found, table = _outcomes_of(table, column, roles[column], horizon_days)
            outcomes += found
    if not outcomes:
        raise DataError(f"the supplied cohort of experiment '{experiment_id}' has no outcome; map one under `outcomes` in its mapping file")
    covariates = [
        Covariate(name=column.removeprefix("covariate_"), column=column, measured=str(roles[column].get("measured", "")))
        for column in columns
        if column.startswith("covariate_")
    ]
    doses = [
        Outcome(
            name=column.removeprefix("dose_"),
            column=column,
            unit="minor" if column.endswith("_minor") else "count",
            horizon_days=horizon_days,
        )
        for column in columns
        if column.startswith("dose_")
    ]
    return Cohort(
        experiment_id=experiment_id,
        supplied=True,
        as_of=book.as_of,
        table=table.cache(),
        outcomes=tuple(outcomes),
        covariates=tuple(covariates),
        doses=tuple(doses),
        planned=_plan(book, experiment_id),
    )


def _role(book: Book, experiment_id: str, column: str) -> Mapping[str, object]:
    """What the mapping declared of an open column, unless it spoke of another experiment."""
    role = book.manifest.roles.get(f"cohort.{column}", {})
    return role if role.get("experiment", experiment_id) == experiment_id else {}


def _outcomes_of(table: ir.Table, column: str, role: Mapping[str, object], horizon_days: int) -> tuple[list[Outcome], ir.Table]:
    """A supplied outcome and, where it is money, the yes/no outcome of having paid anything; and the table with both columns.

    A column that ends in `_d<days>` is the outcome without that ending at that horizon, unless its mapping declares another: `cash_d30` and
    `cash_d180` are one outcome read twice.
    """
    stem = column.removeprefix("outcome_").removesuffix("_minor")
    kind = role.get("kind", "money" if column.endswith("_minor") else "number")
    ending = re.search(r"_d(\d+)$", stem)
    days = int(str(role.get("horizon_days") or (ending[1] if ending else horizon_days)))
    name = stem.removesuffix(f"_d{days}")
    label = role.get("label")
    labels = {str(lang): str(text) for lang, text in label.items()} if isinstance(label, Mapping) else {}
    unit: Unit = "share" if kind == "binary" else "minor" if column.endswith("_minor") else "count"
    found = [Outcome(name=name, column=column, unit=unit, horizon_days=days, label=labels)]
    if kind == "money":
        table = table.mutate(**{f"payer_{stem}": (table[column] > 0).cast("int64")})
        found.append(Outcome(name=f"{name}_{PAYER}", column=f"payer_{stem}", unit="share", horizon_days=days))
    return found, table
