"""One quasi-experiment as every section of its notebook reads it, whatever the design."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import pandas as pd

from collect_analysis.methods.evidence import Condition, Design
from collect_analysis.strategies.quasi_experiment.decision import Effect

NOT_ANSWERABLE = "not answerable: see the conditions that are not met"


@dataclass(frozen=True, kw_only=True)
class Shown:
    """How one table is read: which columns in which order, which are percentages, which are written in the outcome's unit."""

    columns: tuple[str, ...]
    percent: tuple[str, ...] = ()
    by_unit: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Study:
    """What a design found. Each module `page_<design>.py` makes one in `study(book, params)` and draws it.

    Tables (tidy; NaN with a `note` where there is no number; whatever is a claim went through `evidence.withheld`):

    - `treated`: who was treated by which rule, a row per side, wave or arm, with `cases`;
    - `effects`: estimand, value, low, high, p_value, cases, note; the first row is the answer;
    - `points`: what the figure of the effect draws;
    - `parts`: what the answer is made of, where the design has such (roll_out: each start in each period; else empty);
    - `choices`: check, at, value, low, high, p_value, note: the effect under other choices, and placebos;
    - `rules`: what the book or the report file says of the rule itself (empty: nothing is known);
    - `naive`: comparison, value, low, high, note: what comparisons say that do not ask who was treated; the answer last.

    `unit` is share, minor (of `currency`), count or log of the outcome; `shown` says how each of those tables is read; `design` is what the evidence can be
    at best; `test` holds the numbers that the sentence `proper_test_<design>` needs.
    """

    conditions: tuple[Condition, ...]
    design: Design
    treated: pd.DataFrame
    effects: pd.DataFrame
    points: pd.DataFrame
    choices: pd.DataFrame
    naive: pd.DataFrame
    answer: Effect
    outcome: str
    unit: str
    currency: str
    labels: Mapping[str, str] = field(default_factory=dict)
    shown: Mapping[str, Shown] = field(default_factory=dict)
    test: Mapping[str, object] = field(default_factory=dict)
    measured: int = 0
    rules: pd.DataFrame = field(default_factory=pd.DataFrame)
    parts: pd.DataFrame = field(default_factory=pd.DataFrame)

    @property
    def people(self) -> int:
        """How many cases the study rests on."""
        return self.measured or int(self.treated["cases"].sum())

    def counted_by(self, name: str) -> str | int:
        """What counts the people behind a row of table `name`: its column `cases` where every row has one, else the cases of the study."""
        table: pd.DataFrame = getattr(self, name)
        return "cases" if "cases" in table.columns and table["cases"].notna().all() else self.people
