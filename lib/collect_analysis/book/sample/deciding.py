"""Table `decision`: placements, experiment assignments and the decisions of the visit rule, in order of day and account."""

import numpy as np

from collect_analysis.book.sample import files
from collect_analysis.book.sample.assigning import ARMS, Assignments
from collect_analysis.book.sample.days import Span
from collect_analysis.book.sample.history import Columns
from collect_analysis.book.sample.people import People
from collect_analysis.book.sample.placing import END_REASONS, ORDINALS, STRATA
from collect_analysis.book.sample.plants import EXPERIMENTS
from collect_analysis.book.sample.reference import VISIT_RULES
from collect_analysis.book.sample.workforce import FIRST_AGENCY, UNITS

KINDS = ("segment", "experiment", "placement")
SEGMENT, EXPERIMENT, PLACEMENT = range(3)
SEGMENTS = (*STRATA, "no_visit", "field_visit")
VISIT_RULE_IDS = ("FIELD-CASH-LOAN", "FIELD-CARD")
# Rules run at five in the morning, before anybody works.
RUN_UTC_S = -2 * 3600


def decision_columns(
    people: People, span: Span, placements: dict[str, np.ndarray], assignments: Assignments, visits: dict[str, np.ndarray], keys: tuple
) -> dict[str, object]:
    """Table `decision`. `keys` are the keys of accounts and customers."""
    rows = Columns()
    for chunk in (_placed(placements, span), _assigned(assignments), _visited(visits)):
        rows.add(**chunk)
    held = rows.joined()
    order = np.lexsort((held["kind"], held["account"], held["day"]))
    held = {name: values[order] for name, values in held.items()}
    count = len(order)
    batches = tuple(f"{span.name(month)}-{ordinal}" for month in range(span.months) for ordinal in ORDINALS)
    return {
        "decision_key": files.serials("dec-", count, width=8),
        "account_key": files.pick(keys[0], held["account"]),
        "customer_key": files.pick(keys[1], people.customer[held["account"]]),
        "kind": files.pick(KINDS, held["kind"]),
        "decided_utc": files.seconds(held["day"] * 86_400 + RUN_UTC_S),
        "ruleset_id": files.pick((VISIT_RULES,), np.where(held["kind"] == SEGMENT, 0, -1)),
        "rule_id": files.pick(VISIT_RULE_IDS, held["rule"]),
        "segment": files.pick(SEGMENTS, held["segment"]),
        "experiment_id": files.pick(tuple(plan.experiment_id for plan in EXPERIMENTS), held["experiment"]),
        "arm": files.pick(ARMS, held["arm"]),
        "propensity": files.real(held["propensity"]),
        "unit_key": files.pick(UNITS, held["unit"]),
        "batch_id": files.pick(batches, held["batch"]),
        "placement_no": files.whole(held["number"], empty=held["number"] == 0),
        "from_date": files.days(held["day"]),
        "to_date": files.days(held["to_day"], empty=held["to_day"] == 0),
        "balance_minor": files.whole(held["balance"], empty=held["balance"] < 0),
        "end_reason": files.pick(END_REASONS, held["reason"]),
    }


def _chunk(count: int, **given: np.ndarray | int | float) -> dict[str, np.ndarray]:
    plain = {
        "segment": -1, "experiment": -1, "arm": -1, "propensity": np.nan, "unit": -1, "batch": -1, "number": 0, "to_day": 0, "balance": -1,
        "reason": -1, "rule": -1,
    }  # fmt: skip
    return {name: np.broadcast_to(np.asarray(value), (count,)) for name, value in (plain | given).items()}


def _placed(table: dict[str, np.ndarray], span: Span) -> dict[str, np.ndarray]:
    return _chunk(
        len(table["account"]),
        account=table["account"],
        kind=PLACEMENT,
        day=span.first[table["month"]],
        segment=table["stratum"],
        propensity=table["propensity"],
        unit=FIRST_AGENCY + table["agency"],
        batch=table["month"].astype(np.int64) * len(ORDINALS) + np.clip(table["times"] - 1, 0, 2),
        number=table["times"],
        to_day=table["to_day"],
        balance=table["balance"],
        reason=table["reason"],
    )


def _assigned(assignments: Assignments) -> dict[str, np.ndarray]:
    account = np.flatnonzero(assignments.experiment >= 0)
    return _chunk(
        len(account),
        account=account,
        kind=EXPERIMENT,
        day=assignments.day[account],
        experiment=assignments.experiment[account],
        arm=assignments.arm[account],
        propensity=0.5,
    )


def _visited(table: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return _chunk(
        len(table["account"]),
        account=table["account"],
        kind=SEGMENT,
        day=table["day"],
        segment=np.where(table["visited"], len(STRATA) + 1, len(STRATA)),
        balance=table["balance"],
        rule=table["card"].astype(np.int64),
    )
