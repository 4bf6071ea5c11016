"""Who may go where: region, skill, product, licence and conduct gate, as rows of tables and not as code."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from collect_analysis.errors import DataError


@dataclass(frozen=True, kw_only=True, eq=False)
class Eligibility:
    """`matrix`: accounts x units, true where the unit may take the account. `lost`: unit_key, reason, accounts the reason alone keeps away."""

    matrix: np.ndarray
    lost: pd.DataFrame


def eligible(accounts: pd.DataFrame, unit_keys: list[str], serves: pd.DataFrame, *, closed: Mapping[str, str]) -> Eligibility:
    """Which units may take which accounts?

    Parameters
    ----------
    accounts
        One column per requirement (region, skill, product, ...): what the account asks for; a missing value asks for nothing.
    unit_keys
        The units, in the order of the matrix.
    serves
        unit_key, requirement, value: what a unit serves. A unit without a row for a requirement serves every value of it.
    closed
        Units that may take nobody, with the reason (no licence, conduct gate failed, no legal basis).

    Raises
    ------
    DataError
        A unit or a requirement is unknown.
    """
    problems = _problems(accounts, unit_keys, serves, closed)
    if problems:
        raise DataError(problems)
    names = list(accounts.columns)
    # Accounts that ask for the same are one class; there are few of them however many accounts.
    group = accounts.groupby(names, dropna=False, sort=False).ngroup().to_numpy() if names else np.zeros(len(accounts), dtype=int)
    _, first = np.unique(group, return_index=True)
    classes: pd.DataFrame = accounts.take(first)
    size = np.bincount(group)
    fits = {name: _fits(classes[name], name, unit_keys, serves) for name in names}
    open_ = np.array([key not in closed for key in unit_keys])
    every = np.logical_and.reduce([np.ones((len(classes), len(unit_keys)), dtype=bool), *fits.values()])
    lost = [(key, name, int(size[~fit[:, at]].sum())) for name, fit in fits.items() for at, key in enumerate(unit_keys)]
    lost += [(key, reason, int(size[every[:, unit_keys.index(key)]].sum())) for key, reason in closed.items()]
    table = pd.DataFrame(lost, columns=["unit_key", "reason", "accounts"])
    table = table[table["accounts"] > 0].sort_values(["unit_key", "reason"], ignore_index=True)
    return Eligibility(matrix=(every & open_)[group], lost=table)


def _fits(asked: pd.Series, requirement: str, unit_keys: list[str], serves: pd.DataFrame) -> np.ndarray:
    rows = serves[serves["requirement"] == requirement]
    fits = np.ones((len(asked), len(unit_keys)), dtype=bool)
    for at, key in enumerate(unit_keys):
        served = rows.loc[rows["unit_key"] == key, "value"]
        if len(served):
            fits[:, at] = asked.isna() | asked.isin(served)
    return fits


def _problems(accounts: pd.DataFrame, unit_keys: list[str], serves: pd.DataFrame, closed: Mapping[str, str]) -> list[str]:
    strange = sorted((set(serves["unit_key"]) | set(closed)) - set(unit_keys))
    asked = sorted(set(serves["requirement"]) - set(accounts.columns))
    found = []
    if strange:
        found.append(
            f"{len(strange)} unit(s) are served or closed and not among the units, first {strange[0]}; add them or drop their rows"
        )
    if asked:
        found.append(
            f"units are bound by {', '.join(asked)}, which table accounts does not tell; it has {', '.join(map(str, accounts.columns))}"
        )
    return found
