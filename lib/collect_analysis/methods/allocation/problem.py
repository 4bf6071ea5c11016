"""What is to be allocated: accounts or groups of them, the units they may go to, what each pair is worth, and what bounds the units."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from collect_analysis.errors import DataError

CapacityUnit = Literal["accounts", "minutes"]
NOBODY = -1
ACCOUNT_COLUMNS = ("count", "load", "region", "held_by", "held_days")


@dataclass(frozen=True, kw_only=True, eq=False)
class Problem:
    """Accounts (or groups) x units under capacity. `rows` are accounts or groups, `pairs` the eligible (row, unit) pairs, sorted by row, unit.

    Per row: `keys`; `count` accounts it stands for (1 for an account); `load` one account takes of a unit's capacity (1 place, or minutes);
    `region` names it in messages; `held` the unit that holds it now (-1: none); `fixed` it stays there this time.
    Per pair: `unit` (index into `units`), `value` expected net recovery of one account in minor units; pairs of row i are
    `start[i]:start[i + 1]`. Per unit: `capacity` and `least` in `capacity_unit` (infinite capacity: no limit).
    `min_propensity`: every eligible pair keeps at least this probability; `switch_cost`: minor units a change of holder must bring more.
    """

    keys: np.ndarray
    count: np.ndarray
    load: np.ndarray
    region: np.ndarray
    held: np.ndarray
    fixed: np.ndarray
    start: np.ndarray
    unit: np.ndarray
    value: np.ndarray
    units: tuple[str, ...]
    capacity: np.ndarray
    least: np.ndarray
    min_propensity: float
    switch_cost: float = 0.0
    capacity_unit: CapacityUnit = "accounts"
    seed: int = 0

    @property
    def arms(self) -> np.ndarray:
        """How many units each row may go to."""
        return np.diff(self.start)

    @property
    def grouped(self) -> bool:
        """Do rows stand for more than one account?"""
        return bool((self.count != 1).any())


def spans(start: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The pairs of the given rows, row after row, and how many each row has; pairs of row i are start[i]:start[i + 1]."""
    length = start[rows + 1] - start[rows]
    before = np.concatenate([[0], np.cumsum(length)])
    return np.repeat(start[rows] - before[:-1], length) + np.arange(before[-1]), length


def of_tables(
    pairs: pd.DataFrame,
    accounts: pd.DataFrame,
    units: pd.DataFrame,
    *,
    min_propensity: float,
    stickiness_days: int = 0,
    switch_cost: float = 0.0,
    capacity_unit: CapacityUnit = "accounts",
    seed: int = 0,
) -> Problem:
    """The problem from tidy tables: one row per eligible pair, per account (or group) and per unit.

    Parameters
    ----------
    pairs
        key, unit_key, value_minor (expected net recovery of one account there). What is not listed is not eligible.
    accounts
        key and, where known, count (accounts of a group), load (places or minutes of one account), region, held_by, held_days.
    units
        unit_key, capacity (missing: no limit) and, where there is one, least.
    min_propensity
        Probability 0-1 that every eligible pair keeps.
    stickiness_days
        An account held for fewer days stays with its holder as long as that unit is eligible; it has no other arm this time.
    switch_cost
        Minor units; a held account moves only where that brings more, at the prices of full units.

    Raises
    ------
    DataError
        A key is unknown or comes twice, a column is missing, or the number of days is not known to a held account.
    """
    problems = _table_problems(pairs, accounts, units)
    if problems:
        raise DataError(problems)
    names = tuple(str(name) for name in units["unit_key"])
    row = pd.Index(accounts["key"]).get_indexer(pairs["key"])
    unit = pd.Index(units["unit_key"]).get_indexer(pairs["unit_key"])
    held, days = _holders(accounts, units)
    wanted = np.lexsort((unit, row))
    row, unit = row[wanted].astype(np.int64), unit[wanted].astype(np.int32)
    fixed = np.zeros(len(accounts), dtype=bool)
    stays = (unit == held[row]) & (days[row] < stickiness_days)
    fixed[row[stays]] = True
    kept = ~fixed[row] | stays
    capacity = units["capacity"].astype(float).fillna(np.inf).to_numpy()
    return Problem(
        keys=accounts["key"].to_numpy(dtype=object),
        count=_column(accounts, "count", 1).astype(np.int64),
        load=_column(accounts, "load", 1.0).astype(float),
        region=_column(accounts, "region", "").astype(object),
        held=held,
        fixed=fixed,
        start=np.concatenate([[0], np.cumsum(np.bincount(row[kept], minlength=len(accounts)))]),
        unit=unit[kept],
        value=pairs["value_minor"].to_numpy(dtype=float)[wanted][kept],
        units=names,
        capacity=capacity,
        least=_column(units, "least", 0.0).astype(float),
        min_propensity=min_propensity,
        switch_cost=switch_cost,
        capacity_unit=capacity_unit,
        seed=seed,
    )


def of_matrix(
    values: np.ndarray,
    eligible: np.ndarray | None,
    *,
    keys: Sequence[str],
    units: pd.DataFrame,
    min_propensity: float,
    seed: int = 0,
) -> Problem:
    """The problem from a dense matrix of accounts x units (minor units, in the order of `keys` and `units`): the form for millions.

    `eligible` is a matrix of the same shape, or None where every unit may take every account; `units` as in `of_tables`.

    Raises
    ------
    DataError
        The shapes do not agree.
    """
    rows, columns = values.shape
    if rows != len(keys) or columns != len(units) or (eligible is not None and eligible.shape != values.shape):
        raise DataError(
            f"values are {rows} x {columns}, there are {len(keys)} keys and {len(units)} units"
            f"{'' if eligible is None else f', eligibility is {eligible.shape[0]} x {eligible.shape[1]}'}; give matrices of one shape"
        )
    per_row = np.full(rows, columns) if eligible is None else eligible.sum(axis=1)
    every = np.arange(columns, dtype=np.int32)
    return Problem(
        keys=np.asarray(keys, dtype=object),
        count=np.ones(rows, dtype=np.int64),
        load=np.ones(rows),
        region=np.full(rows, "", dtype=object),
        held=np.full(rows, NOBODY, dtype=np.int32),
        fixed=np.zeros(rows, dtype=bool),
        start=np.concatenate([[0], np.cumsum(per_row)]),
        unit=np.tile(every, rows) if eligible is None else np.nonzero(eligible)[1].astype(np.int32),
        value=values.reshape(-1) if eligible is None else values[eligible],
        units=tuple(str(name) for name in units["unit_key"]),
        capacity=units["capacity"].astype(float).fillna(np.inf).to_numpy(),
        least=_column(units, "least", 0.0).astype(float),
        min_propensity=min_propensity,
        seed=seed,
    )


def _column(table: pd.DataFrame, name: str, default: float | str) -> np.ndarray:
    if name not in table:
        return np.full(len(table), default)
    return table[name].fillna(default).to_numpy()


def _holders(accounts: pd.DataFrame, units: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    if "held_by" not in accounts:
        return np.full(len(accounts), NOBODY, dtype=np.int32), np.full(len(accounts), np.inf)
    held = pd.Index(units["unit_key"]).get_indexer(accounts["held_by"]).astype(np.int32)
    return held, _column(accounts, "held_days", np.inf).astype(float)


def _table_problems(pairs: pd.DataFrame, accounts: pd.DataFrame, units: pd.DataFrame) -> list[str]:
    wanted = {
        "pairs": (pairs, ("key", "unit_key", "value_minor")),
        "accounts": (accounts, ("key",)),
        "units": (units, ("unit_key", "capacity")),
    }
    problems = [
        f"table {name} has no column '{column}'; it has {', '.join(map(str, table.columns))}"
        for name, (table, columns) in wanted.items()
        for column in columns
        if column not in table
    ]
    if problems:
        return problems
    twice = {
        "accounts": ("key", int(accounts["key"].duplicated().sum())),
        "units": ("unit_key", int(units["unit_key"].duplicated().sum())),
        "pairs": ("key and unit_key", int(pairs.duplicated(["key", "unit_key"]).sum())),
    }
    problems += [f"table {name} repeats {column} in {rows} row(s); give each once" for name, (column, rows) in twice.items() if rows]
    strange = ~pairs["key"].isin(accounts["key"])
    if strange.any():
        problems.append(f"{int(strange.sum())} pair(s) name a key that table accounts does not hold; add the account or drop the pair")
    unknown = sorted({str(name) for name in pairs["unit_key"]} - {str(name) for name in units["unit_key"]})
    if unknown:
        problems.append(f"table pairs names {len(unknown)} unknown unit(s), first {unknown[0]}; add them to units or drop the pairs")
    return problems
