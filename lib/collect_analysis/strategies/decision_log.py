"""Decisions with the probability with which each was drawn: what a proposed rule can be judged on.

From an experiment (book or supplied cohort; action = arm), or from any kind of decision of the book (segments: action = segment;
placements: action = unit). Subjects stay in the engine.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Literal

import ibis
import ibis.expr.types as ir

from collect_analysis.book.presence import require
from collect_analysis.book.store import Book
from collect_analysis.errors import DataError
from collect_analysis.measures.cohort import AMOUNT, BOOK_COVARIATES, PAYER, Cohort, Covariate, Outcome, open_cohort
from collect_analysis.measures.cohort_events import cash_delivered, paid_before, paid_within, standing_before

ColumnKind = Literal["number", "code"]
# Which column of a decision says what was done, and which describes the case.
ACTION_OF = {"segment": "segment", "placement": "unit_key"}
STRATUM_OF = {"segment": "rule_id", "placement": "segment"}
ACCOUNT_CODES = ("product_code", "portfolio_code", "region_code", "debt_status")


@dataclass(frozen=True, kw_only=True)
class DecisionLog:
    """Decisions to judge a rule on: `cohort.table.arm` is the action.

    `columns`: what a rule may ask, by name: column of the table and whether it is a number or a code. `late`: names that were not declared as
    measured before the decision. `actions`: those taken, in order. `later`: further decisions about the same accounts, left out;
    `undrawn`: decisions not drawn by lot, left out on request.
    """

    cohort: Cohort
    columns: Mapping[str, tuple[str, ColumnKind]]
    late: tuple[str, ...]
    actions: tuple[str, ...]
    later: int = 0
    undrawn: int = 0


def open_log(
    book: Book,
    *,
    horizon_days: int,
    experiment_id: str = "",
    decision_kind: str = "",
    ruleset_id: str = "",
    start: date | None = None,
    end: date | None = None,
    only_drawn: bool = False,
) -> DecisionLog:
    """Which decisions were taken, with what probability, and what came of them?

    An experiment as `open_cohort` reads it, or the decisions of `decision_kind` (of `ruleset_id`, if named) that began from `start` to `end`:
    the first one per account, as later ones follow from what came of it. Outcomes of the latter: cash_per_account and payer_rate at
    `horizon_days`, from the day of the decision on. `only_drawn` leaves out what was not drawn by lot (probability empty, 0 or 1).

    Raises
    ------
    DataError
        The book has no such decisions, or none of them is left.
    """
    later = 0
    if experiment_id:
        cohort = open_cohort(book, experiment_id, arms=[], horizon_days=horizon_days)
    else:
        assigned, later = _first_decisions(book, decision_kind, ruleset_id, start, end)
        cohort = _of_decisions(book, assigned, ruleset_id or decision_kind, horizon_days)
    if not cohort.supplied:
        cohort = replace(cohort, table=_with_codes(book, cohort.table))
    undrawn = 0
    if only_drawn:
        drawn = (cohort.table["propensity"] > 0) & (cohort.table["propensity"] < 1)
        undrawn = int(str(book.scalar((~drawn.fill_null(False)).sum()) or 0))
        cohort = replace(cohort, table=cohort.table.filter(drawn).cache())
    actions = sorted(map(str, book.frame(cohort.table.select("arm").distinct())["arm"]))
    if not actions:
        raise DataError(f"'{cohort.experiment_id}': no decision was drawn by lot ({undrawn} were not); nothing is left to judge a rule on")
    columns, late = _columns(book, cohort)
    return DecisionLog(cohort=cohort, columns=columns, late=late, actions=tuple(actions), later=later, undrawn=undrawn)


def _first_decisions(book: Book, kind: str, ruleset_id: str, start: date | None, end: date | None) -> tuple[ir.Table, int]:
    """The first decision per account, and how many later ones there are."""
    table = book.table("decision")
    action = table[ACTION_OF[kind]]
    wanted = [table["kind"] == kind, action.notnull()]
    wanted += [table["ruleset_id"] == ruleset_id] if ruleset_id else []
    wanted += [table["from_date"] >= ibis.literal(start)] if start else []
    wanted += [table["from_date"] <= ibis.literal(end)] if end else []
    table = table.filter(*wanted)
    window = ibis.window(group_by="account_key", order_by=["from_date", "decision_key"])
    ranked = table.mutate(place=ibis.row_number().over(window))
    first = ranked.filter(ranked["place"] == 0)
    assigned = first.select(
        subject_key=first["account_key"],
        cluster_key=first["customer_key"].fill_null(first["account_key"]),
        arm=first[ACTION_OF[kind]],
        assigned_on=first["from_date"],
        stratum=first[STRATUM_OF[kind]],
        propensity=first["propensity"],
        decided_balance_minor=first["balance_minor"],
    ).cache()
    everything, kept = (int(str(book.scalar(item.count()))) for item in (table, assigned))
    if not kept:
        require(book, ("decision",), asks="a rule")
        days = f" from {start or 'the beginning'} to {end or book.as_of}"
        found = book.frame(book.table("decision").group_by("kind").aggregate(n=ibis._.count()).order_by("kind"))
        known = ", ".join(f"{row['kind']} ({row['n']:,})" for row in found.to_dict("records")) or "none"
        named = f" of rule set '{ruleset_id}'" if ruleset_id else ""
        raise DataError(f"book '{book.manifest.name}' has no decisions of kind '{kind}'{named}{days}; it has {known}")
    return assigned, everything - kept


def _of_decisions(book: Book, assigned: ir.Table, name: str, horizon_days: int) -> Cohort:
    delivered = cash_delivered(book, assigned, horizon_days)
    payments = paid_within(book, assigned, horizon_days)
    amount, payer = f"amount_d{horizon_days}_minor", f"payer_d{horizon_days}"
    table = assigned
    for part in (
        payments.group_by("subject_key").aggregate(**{amount: payments["amount_minor"].sum().cast("int64")}),
        paid_before(book, assigned),
    ):
        joined = table.left_join(part, "subject_key")
        new = next(column for column in part.columns if column != "subject_key")
        table = joined.select(*(table[column] for column in table.columns), part[new].fill_null(0).name(new))
    standing = standing_before(book, assigned)
    joined = table.left_join(standing, "subject_key")
    table = joined.select(
        *(table[column] for column in table.columns), *(standing[column] for column in standing.columns if column != "subject_key")
    )
    table = table.mutate(**{payer: (table[amount] > 0).cast("int64")})
    outcomes = (
        Outcome(name=AMOUNT, column=amount, unit="minor", horizon_days=horizon_days),
        Outcome(name=PAYER, column=payer, unit="share", horizon_days=horizon_days),
    )
    return Cohort(
        experiment_id=name,
        supplied=False,
        as_of=book.as_of,
        table=table.cache(),
        outcomes=outcomes,
        covariates=tuple(Covariate(name=item, column=item, measured="before") for item in BOOK_COVARIATES),
        doses=(),
        planned={},
        delivered=(delivered,),
    )


def _with_codes(book: Book, table: ir.Table) -> ir.Table:
    """What the debt is, fixed when it entered the book."""
    account = book.table("account")
    joined = table.left_join(account, table["subject_key"] == account["account_key"])
    return joined.select(*(table[column] for column in table.columns), *(account[column] for column in ACCOUNT_CODES)).cache()


def _columns(book: Book, cohort: Cohort) -> tuple[dict[str, tuple[str, ColumnKind]], tuple[str, ...]]:
    """What a rule may ask, and what of it was not declared as known before the decision."""
    names = {"stratum": "stratum", **({} if cohort.supplied else {name: name for name in ACCOUNT_CODES})}
    names |= {item.name: item.column for item in cohort.covariates}
    filled = book.frame(cohort.table.aggregate(**{name: cohort.table[column].notnull().any() for name, column in names.items()})).iloc[0]
    columns: dict[str, tuple[str, ColumnKind]] = {}
    for name, column in names.items():
        if bool(filled[name]):
            columns[name] = column, "code" if cohort.table[column].type().is_string() else "number"
    return columns, tuple(item.name for item in cohort.covariates if item.measured != "before")
