"""Whom a cut-off rule decided about: running variable, what was really done, outcome; from the book's decisions or a supplied cohort."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

import ibis
import ibis.expr.types as ir
import pandas as pd

from collect_analysis.book.engine import sum_of_products
from collect_analysis.book.presence import require
from collect_analysis.book.store import Book
from collect_analysis.errors import DataError
from collect_analysis.measures.cohort import AMOUNT, BOOK_COVARIATES, PAYER, Cohort, Covariate, Outcome, open_cohort
from collect_analysis.measures.cohort_events import cash_delivered, paid_before, paid_within, standing_before
from collect_analysis.methods.evidence import Condition
from collect_analysis.strategies.adjusted import covariates_of

Running = Literal["balance", "score", "dpd"]
Side = Literal["above", "below"]
# A frame holds at most so many cases: those nearest to the cut-off, the only ones that a local fit reads.
MOST_CASES = 150_000
_COVARIATE = "covariate:"


@dataclass(frozen=True, kw_only=True)
class CutOffRule:
    """Where a rule switches, and how the record calls what was done (`treated_arm` empty: not recorded).

    `strata`: products, or strata of the cohort, that the question is about; empty: all.
    """

    cutoff: float
    belongs_to: Side
    treated_side: Side
    treated_arm: str = ""
    control_arm: str = ""
    strata: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class CutOffCases:
    """The cases of one rule.

    `frame` has running, outcome (NaN: unknown), treated (boolean; only where it was recorded) and a column `covariate:<name>` each, at most
    150,000 cases: the nearest, all within `reach` of the cut-off (infinite: all there are). `sides` says of all cases, a row per side: side,
    cases, treated (NaN: not recorded). `sums` has the sums of the outcome of all cases for `experiments.arm_means`, arms treated and untreated
    (as the rule says where nothing was recorded); `impossible` counts outcomes below 0 that must not be, or neither yes nor no.
    `left_out`: cases without running variable, or whose horizon is not over, by reason; `delivered`: of the cohort they are cases of.
    """

    frame: pd.DataFrame
    sides: pd.DataFrame
    sums: pd.DataFrame
    total: int
    clusters: int
    impossible: int
    reach: float
    left_out: dict[str, int]
    outcome: Outcome
    covariates: tuple[Covariate, ...]
    first_decided: date | None
    last_decided: date | None
    delivered: tuple[Condition, ...] = ()

    def covariate(self, name: str) -> pd.Series:
        """The values of one covariate, in the order of `frame`."""
        return self.frame[f"{_COVARIATE}{name}"]


def cases_of_cohort(
    book: Book, experiment_id: str, rule: CutOffRule, *, outcome: str, horizon_days: int, covariates: Sequence[str] = ()
) -> CutOffCases:
    """The cases of a supplied cohort: its running_value, and its arm as what was really done.

    Raises
    ------
    DataError
        The cohort, the outcome or a covariate is unknown, or no case has a running value.
    """
    arms = [arm for arm in (rule.treated_arm, rule.control_arm) if arm]
    cohort = open_cohort(book, experiment_id, arms=arms, horizon_days=horizon_days)
    if not cohort.supplied:
        raise DataError(f"experiment '{experiment_id}' is no supplied cohort; for decisions of the book write ruleset_id instead")
    table = cohort.table.mutate(running=cohort.table["running_value"].cast("float64"))
    return _cases(book, cohort, table, rule, cohort.outcome(outcome, horizon_days), covariates)


def cases_of_ruleset(
    book: Book, ruleset_id: str, rule: CutOffRule, *, running: Running, outcome: str, horizon_days: int, covariates: Sequence[str] = ()
) -> CutOffCases:
    """The decisions of the book under one rule set: the first of each customer, so that cases are independent.

    The running variable is the balance the decision logged (minor units), or score or days past due at the last month end before it.
    `stratum` is the product. The outcome counts eligible payments from the day of the decision to `horizon_days` after it; a reversal takes
    its payment back.

    Raises
    ------
    DataError
        No decision under the rule set, an unknown outcome or covariate, or no case with a running value.
    """
    assigned = _decisions(book, ruleset_id, rule)
    if not int(str(book.scalar(assigned.count()))):
        require(book, ("decision", "decision.ruleset_id", *(("account",) if rule.strata else ())), asks="a rule with a cut-off")
        known = book.frame(book.table("decision").select("ruleset_id").distinct())["ruleset_id"].dropna()
        of = f" with segment {' or '.join(filter(None, (rule.treated_arm, rule.control_arm)))}" if rule.treated_arm else ""
        raise DataError(
            f"book '{book.manifest.name}' has no decision under rule set '{ruleset_id}'{of} as of {book.as_of}; "
            f"its decisions are under {', '.join(sorted(known)) or 'none'}"
        )
    assigned = assigned.cache()
    cohort = _cohort_of_decisions(book, ruleset_id, assigned, horizon_days)
    table = _with_running(book, cohort.table, running)
    return _cases(book, cohort, table, rule, cohort.outcome(outcome, horizon_days), covariates)


def _decisions(book: Book, ruleset_id: str, rule: CutOffRule) -> ir.Table:
    """The first decision of each customer under the rule set, with the product as stratum."""
    decision, account = book.table("decision"), book.table("account")
    chosen = decision.filter(decision["ruleset_id"] == ruleset_id)
    if rule.treated_arm and rule.control_arm:
        chosen = chosen.filter(chosen["segment"].isin([rule.treated_arm, rule.control_arm]))
    product = account.select(of_account=account["account_key"], product_code=account["product_code"])
    joined = chosen.left_join(product, chosen["account_key"] == product["of_account"])
    if rule.strata:
        joined = joined.filter(joined["product_code"].isin(list(rule.strata)))
    joined = joined.mutate(person=joined["customer_key"].fill_null(joined["account_key"]))
    window = ibis.window(group_by="person", order_by=["from_date", "decision_key"])
    first = joined.mutate(place=ibis.row_number().over(window))
    first = first.filter(first["place"] == 0)
    return first.select(
        subject_key=first["account_key"],
        cluster_key=first["person"],
        arm=first["segment"],
        assigned_on=first["from_date"],
        stratum=first["product_code"],
        decided_balance_minor=first["balance_minor"],
    )


def _cohort_of_decisions(book: Book, ruleset_id: str, assigned: ir.Table, horizon_days: int) -> Cohort:
    payments = paid_within(book, assigned, horizon_days)
    paid = payments.group_by("subject_key").aggregate(amount_minor=payments["amount_minor"].sum().cast("int64"))
    table = assigned
    for part, zero in ((paid, True), (paid_before(book, assigned), True), (standing_before(book, assigned), False)):
        columns = [name for name in part.columns if name != "subject_key"]
        joined = table.left_join(part, "subject_key")
        added = {name: joined[name].fill_null(0) if zero else joined[name] for name in columns}
        table = joined.select(*(joined[name] for name in table.columns), **added)
    table = table.mutate(payer=(table["amount_minor"] > 0).cast("int64"))
    return Cohort(
        experiment_id=ruleset_id,
        supplied=False,
        as_of=book.as_of,
        table=table,
        outcomes=(
            Outcome(name=AMOUNT, column="amount_minor", unit="minor", horizon_days=horizon_days),
            Outcome(name=PAYER, column="payer", unit="share", horizon_days=horizon_days),
        ),
        covariates=tuple(Covariate(name=name, column=name, measured="before") for name in BOOK_COVARIATES),
        doses=(),
        planned={},
        delivered=(cash_delivered(book, assigned, horizon_days),),
    )


def _with_running(book: Book, table: ir.Table, running: Running) -> ir.Table:
    """The cases with the running variable as it stood at the decision."""
    if running == "balance":
        return table.mutate(running=table["decided_balance_minor"].cast("float64"))
    month_end = book.table("month_end").select("account_key", "month_end", found=book.table("month_end")[running].cast("float64"))
    asked = table.select("subject_key", "assigned_on")
    earlier = asked.join(month_end, asked["subject_key"] == month_end["account_key"])
    earlier = earlier.filter(earlier["month_end"] < earlier["assigned_on"])
    last = earlier.group_by("subject_key").aggregate(running=earlier["found"].argmax(earlier["month_end"]))
    joined = table.left_join(last, "subject_key")
    return joined.select(*(joined[name] for name in table.columns), running=joined["running"])


def _cases(book: Book, cohort: Cohort, table: ir.Table, rule: CutOffRule, outcome: Outcome, covariates: Sequence[str]) -> CutOffCases:
    chosen = tuple(covariates_of(cohort, covariates))
    if rule.strata:
        table = table.filter(table["stratum"].isin(list(rule.strata)))
    above = table["running"] > rule.cutoff if rule.belongs_to == "below" else table["running"] >= rule.cutoff
    columns = {f"{_COVARIATE}{item.name}": table[item.column].cast("float64") for item in chosen}
    table = table.select(
        "subject_key",
        "cluster_key",
        "assigned_on",
        "running",
        outcome=table[outcome.column],
        side=ibis.ifelse(above, "above", "below"),
        treated=table["arm"] == rule.treated_arm if rule.treated_arm else ibis.null("boolean"),
        **columns,
    ).cache()
    left_out, known = _left_out(book, table, outcome.horizon_days)
    facts = book.frame(
        known.aggregate(
            total=known.count(), clusters=known["cluster_key"].nunique(), first=known["assigned_on"].min(), last=known["assigned_on"].max()
        )
    ).iloc[0]
    if not int(facts["total"]):
        raise DataError(
            f"no case to look at ({', '.join(f'{count} {reason}' for reason, count in left_out.items())}); "
            "map running_value, name strata that exist, or wait until the horizon is over"
        )
    frame, reach = _nearest(book, known, rule.cutoff, int(facts["total"]), list(columns))
    return CutOffCases(
        frame=frame if rule.treated_arm else frame.drop(columns="treated"),
        sides=_sides(book, known),
        sums=_sums(book, known, rule, outcome),
        total=int(facts["total"]),
        clusters=int(facts["clusters"]),
        impossible=_impossible(book, known, outcome),
        reach=reach,
        left_out=left_out,
        outcome=outcome,
        covariates=chosen,
        first_decided=_day(facts["first"]),
        last_decided=_day(facts["last"]),
        delivered=cohort.delivered,
    )


def _left_out(book: Book, table: ir.Table, horizon_days: int) -> tuple[dict[str, int], ir.Table]:
    """How many cases cannot be used and why, and the others."""
    no_running = table["running"].isnull() | table["running"].isnan()
    over = (table["assigned_on"].cast("date").delta(ibis.literal(book.as_of), unit="day") <= -horizon_days).fill_null(True)
    counts = book.frame(table.aggregate(no_running=no_running.sum(), open_horizon=(~no_running & ~over).sum())).iloc[0]
    left_out = {name: int(counts[name] or 0) if counts[name] == counts[name] else 0 for name in ("no_running", "open_horizon")}
    return left_out, table.filter(~no_running, over)


def _nearest(book: Book, known: ir.Table, cutoff: float, total: int, columns: list[str]) -> tuple[pd.DataFrame, float]:
    """The cases nearest to the cut-off, and how far they reach; cases at the same distance stay together."""
    distance = (known["running"] - cutoff).abs()
    reach = float("inf")
    if total > MOST_CASES:
        edge = known.select(distance=distance).order_by("distance").limit(1, offset=MOST_CASES)
        reach = float(book.frame(edge)["distance"].iloc[0])
        known = known.filter(distance < reach)
    near = known.order_by(["running", "subject_key"]).select("running", "treated", *columns, outcome=known["outcome"].cast("float64"))
    frame = book.frame(near)
    return frame.assign(treated=frame["treated"].astype("boolean")), reach


def _sides(book: Book, known: ir.Table) -> pd.DataFrame:
    grouped = known.group_by("side").aggregate(cases=known.count(), treated=known["treated"].sum(), recorded=known["treated"].count())
    table = book.frame(grouped).set_index("side").reindex(["below", "above"]).rename_axis("side").reset_index()
    table["cases"] = table["cases"].fillna(0).astype(int)
    table["treated"] = table["treated"].astype(float).where(table["recorded"].fillna(0) > 0)
    return table[["side", "cases", "treated"]]


def _sums(book: Book, known: ir.Table, rule: CutOffRule, outcome: Outcome) -> pd.DataFrame:
    """Sums of the outcome of all cases, by what was done or, where nobody recorded it, by what the rule says."""
    treated = known["treated"] if rule.treated_arm else known["side"] == rule.treated_side
    told = known.mutate(arm=ibis.ifelse(treated.fill_null(False), "treated", "untreated"))
    told = told.filter(told["outcome"].notnull())
    y, one = told["outcome"], ibis.literal(1, type="int64")
    sums = told.group_by("arm").aggregate(
        cases=told.count(), positive=(y > 0).sum(), sum_y=sum_of_products(y, one), sum_y2=sum_of_products(y, y)
    )
    table = book.frame(sums.order_by("arm"))
    # Every case counts as independent, so sums over clusters are sums over cases.
    same = {"clusters": table["cases"], "sum_yy": table["sum_y2"], "sum_yn": table["sum_y"], "sum_nn": table["cases"]}
    return table.assign(**same, outcome=outcome.name, unit=outcome.unit, horizon_days=outcome.horizon_days, note="")


def _impossible(book: Book, known: ir.Table, outcome: Outcome) -> int:
    """How many outcomes cannot be: neither yes nor no, or negative money."""
    if outcome.unit == "count":
        return 0
    y = known["outcome"]
    wrong = ~y.isin([0, 1]) if outcome.unit == "share" else y < 0
    return int(str(book.scalar(wrong.fill_null(False).sum()) or 0))


def _day(value: object) -> date | None:
    return None if value is None or value != value else pd.Timestamp(str(value)).date()
