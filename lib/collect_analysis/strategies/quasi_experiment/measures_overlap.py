"""The cases of a two-arm comparison as numbers that methods can fit: one row per case, without a key, at most 200,000 of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd

from collect_analysis.book.engine import MAX_RESULT_ROWS
from collect_analysis.book.store import Book
from collect_analysis.errors import DataError
from collect_analysis.measures.arms import subjects_of
from collect_analysis.measures.cohort import Cohort, Covariate, Outcome
from collect_analysis.methods.causal.nuisance import Comparison, Floats

# A code with more values than this is told by its most frequent ones; what is rarer is one level.
MOST_LEVELS = 12
REST = "other"


@dataclass(frozen=True, kw_only=True)
class Arms:
    """Who is compared and how the cases were read.

    `comparison`: the cases. `read`: (n, m) what a rule may have looked at, the covariates among them, called `read_names`. `subjects`: cases
    in the two arms before sampling; `no_outcome`: of the cases read, those without an outcome, left out. `filled`: covariate -> cases that
    did not know it: they got the mean and a flag. `twice`: subjects that were recorded in more than one arm. `certain_share`: share of the
    cases whose logged probability is 0 or 1; NaN: not logged.
    """

    comparison: Comparison
    read: Floats
    read_names: tuple[str, ...]
    subjects: int
    no_outcome: int
    twice: int
    certain_share: float
    filled: Mapping[str, int] = field(default_factory=dict)

    @property
    def sampled(self) -> bool:
        """Whether the cases are a sample."""
        return self.subjects > len(self.comparison.treated) + self.no_outcome


def read_arms(
    book: Book,
    cohort: Cohort,
    outcome: Outcome,
    covariates: Sequence[Covariate],
    *,
    treated_arm: str,
    control_arm: str,
    also_read: Mapping[str, str] | None = None,
    seed: int = 1,
    most: int = MAX_RESULT_ROWS,
) -> Arms:
    """Who got which arm, what became of them and what was known of them before, as numbers?

    One query. Rows come in the order of a hash of cluster and subject with `seed`; of more than `most` subjects the first are taken, which is
    a random sample of whole clusters (but for the last). Clusters leave as numbers, subjects not at all. A covariate that is a code becomes
    one yes/no column per level, without the most frequent; a number that is unknown gets the mean of those known and a yes/no column
    `<name>: unknown`.

    Parameters
    ----------
    covariates
        Known before the decision: whoever calls leaves out others.
    also_read
        Name -> column of the cohort that a rule may have looked at beside the covariates.
    most
        Cases read at most.

    Raises
    ------
    DataError
        Neither arm has a case; or a covariate's column holds neither numbers nor codes.
    """
    columns = {item.name: item.column for item in covariates}
    asked = {**columns, **{name: column for name, column in (also_read or {}).items() if name not in columns}}
    subjects = subjects_of(cohort, [treated_arm, control_arm])
    total = int(str(book.scalar(subjects.count())))
    if not total:
        raise DataError(f"experiment '{cohort.experiment_id}' has nobody in arms {treated_arm} and {control_arm}")
    codes = [name for name, column in asked.items() if subjects[column].type().is_string()]
    frame = book.frame(_numbered(subjects, outcome, asked, treated_arm=treated_arm, seed=seed).order_by("row").limit(most))
    known = frame["y"].notna()
    parts = {name: _levels(frame.loc[known, f"c{place}"], name) if name in codes else _number(frame.loc[known, f"c{place}"], name)
             for place, name in enumerate(asked)}  # fmt: skip
    adjusted = pd.concat([parts[name] for name in columns], axis=1) if columns else pd.DataFrame(index=frame.index[known])
    everything = pd.concat(list(parts.values()), axis=1) if parts else adjusted
    counted = {name: int(frame.loc[known, f"c{place}"].isna().sum()) for place, name in enumerate(asked) if name in columns}
    chances = frame["propensity"].dropna()
    comparison = Comparison(
        treated=frame.loc[known, "treated"].to_numpy(dtype=bool),
        outcome=frame.loc[known, "y"].to_numpy(dtype=float),
        covariates=adjusted.to_numpy(dtype=float),
        names=tuple(adjusted.columns),
        clusters=frame.loc[known, "cluster"].to_numpy(dtype=np.int64),
    )
    return Arms(
        comparison=comparison,
        read=everything.to_numpy(dtype=float),
        read_names=tuple(everything.columns),
        subjects=total,
        no_outcome=int((~known).sum()),
        twice=_twice(book, subjects),
        certain_share=float(((chances <= 0) | (chances >= 1)).mean()) if len(chances) else float("nan"),
        filled={name: count for name, count in counted.items() if count},
    )


def _twice(book: Book, subjects: ir.Table) -> int:
    """How many subjects were recorded in more than one arm?"""
    seen = subjects["arms_seen"].max() if "arms_seen" in subjects.columns else ibis.literal(1)
    by_subject = subjects.group_by("subject_key").aggregate(seen=seen, arms=subjects["arm"].nunique())
    return int(str(book.scalar(((by_subject["seen"] > 1) | (by_subject["arms"] > 1)).sum()) or 0))


def _numbered(subjects: ir.Table, outcome: Outcome, asked: Mapping[str, str], *, treated_arm: str, seed: int) -> ir.Table:
    """The rows without keys: row (place by hash), cluster (number of the cluster by hash), treated, y, propensity, c0, c1, ..."""
    salt = ibis.literal(f"|{seed}")
    hashed = subjects.mutate(
        cluster_hash=(subjects["cluster_key"].cast("string") + salt).hexdigest("sha256"),
        subject_hash=(subjects["subject_key"].cast("string") + salt).hexdigest("sha256"),
    )
    return hashed.select(
        row=ibis.row_number().over(ibis.window(order_by=["cluster_hash", "subject_hash"])),
        cluster=ibis.dense_rank().over(ibis.window(order_by="cluster_hash")),
        treated=hashed["arm"] == treated_arm,
        y=hashed[outcome.column].cast("float64"),
        propensity=hashed["propensity"],
        **{f"c{place}": _value(hashed[column]) for place, column in enumerate(asked.values())},
    )


def _value(column: ir.Column) -> ir.Column:
    return column if column.type().is_string() else column.cast("float64")


def _levels(column: pd.Series, name: str) -> pd.DataFrame:
    """A code as yes/no columns `name: level`, the most frequent level being the base; unknown is a level."""
    told = column.fillna("unknown").astype(str)
    counts = told.value_counts()
    order = sorted(counts.index.astype(str), key=lambda level: (-int(counts[level]), level))
    if len(order) > MOST_LEVELS:
        told = told.where(told.isin(order[: MOST_LEVELS - 1]), REST)
        order = [*order[: MOST_LEVELS - 1], REST]
    return pd.DataFrame({f"{name}: {level}": (told == level).astype(float) for level in order[1:]}, index=column.index)


def _number(column: pd.Series, name: str) -> pd.DataFrame:
    """A number as one column; where it is unknown the mean, and a second column that says so."""
    values = column.astype(float)
    unknown = values.isna()
    if not unknown.any():
        return pd.DataFrame({name: values})
    mean = float(values.mean()) if not unknown.all() else 0.0
    return pd.DataFrame({name: values.fillna(mean), f"{name}: unknown": unknown.astype(float)})


def over_by(book: Book, cohort: Cohort, horizon_days: int) -> tuple[Cohort, int | None]:
    """The cohort without the cases whose horizon is not over at `as_of`, and how many those are; None where no case has a day.

    Leaving them out takes nobody out for what became of him: the day of the decision alone counts. A case without a day stays.
    """
    table = cohort.table
    if not book.scalar(table["assigned_on"].notnull().any()):
        return cohort, None
    last = ibis.literal(cohort.as_of - timedelta(days=horizon_days))
    late = (table["assigned_on"] > last).fill_null(False)
    count = int(str(book.scalar(late.sum()) or 0))
    return (replace(cohort, table=table.filter(~late).cache()), count) if count else (cohort, 0)
