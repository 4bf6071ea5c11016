"""Do the indices of agencies hold the true ones 95 times in 100, and do they rank by skill where the raw rate ranks by mix?

The frame is the sample shop's own: which agency got how many accounts of which balance in which stratum, by lot and by judgement, with the
pooled chance to pay of each stratum. A replication draws a skill for every agency (standard deviation 6 %), gives the weak ones the easy mix
as the shop does, draws every account's payment, and runs the library's public functions on the sums.
"""

from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
from collect_analysis.agencies import comparison
from collect_analysis.agencies.comparison import Belief
from collect_analysis.book.places import books_folder
from collect_analysis.book.store import open_book
from collect_analysis.measures.placements import CELL_KEYS, JUDGMENTAL, RANDOM, SUM_COLUMNS, Panel, stratum_sums
from collect_analysis.methods.rates.rates import wilson_interval
from scipy import stats

AS_OF = date(2026, 6, 30)
PANEL = Panel(start=date(2024, 7, 1), end=date(2026, 6, 30), horizon=5)
SKILL_SD = 0.06
# Share of its balance that a payer pays: log-normal, so that a few pay much.
PAID_MEAN, PAID_SD = 0.12, 1.0
BELIEF = Belief(prior_sd=0.2, seed=1)


def main() -> None:
    """Print the table of 1,000 replications."""
    print(run(1_000, seed=1).to_string(index=False))


def cells_of_the_shop(books: Path | None = None) -> pd.DataFrame:
    """The frame: unit_key, allocation, stratum, accounts, balance (mean B0 of a cell), chance (pooled share of payers of its stratum)."""
    book = open_book("sample", as_of=AS_OF, folder=books or books_folder())
    sums = stratum_sums(book, PANEL, age=PANEL.horizon)
    last = sums[sums["age_months"] == PANEL.horizon]
    pooled = last.groupby("stratum")[["payers", "accounts"]].transform("sum")
    frame = last[[*CELL_KEYS, "accounts"]].assign(balance=last["sum_x"] / last["accounts"], chance=pooled["payers"] / pooled["accounts"])
    return frame.reset_index(drop=True)


def drawn(cells: pd.DataFrame, skill: np.ndarray, rng: np.random.Generator) -> pd.DataFrame:
    """The sums that the agencies' accounts give (`placements.stratum_sums` at one age) when every account pays by chance x skill."""
    unit, accounts = pd.factorize(cells["unit_key"])[0], cells["accounts"].to_numpy()
    payers = rng.binomial(accounts, np.minimum(cells["chance"].to_numpy() * skill[unit], 1.0))
    of_cell = np.repeat(np.arange(len(cells)), payers)
    share = rng.lognormal(np.log(PAID_MEAN) - PAID_SD**2 / 2, PAID_SD, len(of_cell))
    balance = cells["balance"].to_numpy()
    paid = share * balance[of_cell]
    sum_y, sum_yy = (np.bincount(of_cell, weight, minlength=len(cells)) for weight in (paid, paid**2))
    sums = cells[list(CELL_KEYS)].assign(
        age_months=PANEL.horizon, n=accounts, accounts=accounts, payers=payers, sum_x=accounts * balance, sum_y=sum_y,
        sum_xx=accounts * balance**2, sum_yy=sum_yy, sum_xy=balance * sum_y, sum_aa=accounts, sum_pp=payers, sum_ap=payers,
    )  # fmt: skip
    return sums[list(SUM_COLUMNS)]


def true_index(cells: pd.DataFrame, skill: np.ndarray, allocation: str) -> pd.Series:
    """What the index estimates: the same ratio of the expected sums, by unit_key."""
    unit = pd.factorize(cells["unit_key"])[0]
    certain = drawn(cells.assign(chance=0.0), skill, np.random.default_rng(0))
    mean = cells["accounts"] * np.minimum(cells["chance"] * skill[unit], 1.0) * PAID_MEAN * cells["balance"]
    return comparison.index(certain.assign(sum_y=mean), allocation=allocation).set_index("unit_key")["value"]


def run(replications: int, seed: int, books: Path | None = None) -> pd.DataFrame:
    """One row per case: case, trials, value, low, high (95 % interval of a rate; the 5 % and 95 % quantile of a gain), wanted."""
    cells = cells_of_the_shop(books)
    units = list(pd.factorize(cells["unit_key"])[1])
    hits: dict[str, list[bool]] = {}
    gains = []
    # Weak agencies have the easy mix in the shop: the skills of a replication are put in the order of the shop's raw ease.
    easy = cells["accounts"] * cells["chance"]
    ease = (easy.groupby(cells["unit_key"]).sum() / cells.groupby("unit_key")["accounts"].sum()).loc[units].rank().astype(int).to_numpy()
    for number in range(replications):
        rng = np.random.default_rng([seed, number])
        skill = np.sort(np.exp(rng.normal(-(SKILL_SD**2) / 2, SKILL_SD, len(units))))[::-1][ease - 1]
        sums = drawn(cells, skill, rng)
        for case, found in _covered(cells, sums, skill).items():
            hits.setdefault(case, []).extend(found)
        gains.append(_rank_gain(sums, pd.Series(skill, index=units)))
    rows = []
    for case, found in hits.items():
        low, high = (float(bound) for bound in wilson_interval(sum(found), len(found)))
        rows.append((case, len(found), float(np.mean(found)), low, high, "0.93-0.97"))
    by_index, by_raw = np.array(gains).T
    for case, gain, wanted in (
        ("rank correlation with skill: shrunken index", by_index, ""),
        ("rank correlation with skill: raw liquidation", by_raw, ""),
        ("rank correlation with skill: gain over raw", by_index - by_raw, "at least 0.3"),
    ):
        low, high = np.quantile(gain, [0.05, 0.95])
        rows.append((case, replications, float(gain.mean()), float(low), float(high), wanted))
    return pd.DataFrame(rows, columns=["case", "trials", "value", "low", "high", "wanted"])


def _covered(cells: pd.DataFrame, sums: pd.DataFrame, skill: np.ndarray) -> dict[str, list[bool]]:
    found = {}
    for allocation in (RANDOM, JUDGMENTAL):
        index = comparison.index(sums, allocation=allocation)
        truth = index["unit_key"].map(true_index(cells, skill, allocation))
        believed = comparison.believed(index, belief=BELIEF, batch_months=pd.Series(18, index=index["unit_key"]))
        for name, table in (("index", index), ("shrunken index", believed)):
            found[f"{name}, {allocation}: interval covers"] = ((table["low"] <= truth) & (truth <= table["high"])).tolist()
    return found


def _rank_gain(sums: pd.DataFrame, skill: pd.Series) -> tuple[float, float]:
    """Spearman's correlation with skill of the shrunken index over all placements, and of the raw liquidation rate."""
    found = pd.concat([comparison.index(sums, allocation=kind) for kind in (RANDOM, JUDGMENTAL)])
    weight = (found["se_log"] ** -2).groupby(found["unit_key"]).sum()
    pooled = (np.log(found["value"]) * found["se_log"] ** -2).groupby(found["unit_key"]).sum() / weight
    table = pd.DataFrame({"value": np.exp(pooled), "se_log": weight**-0.5}).reset_index().assign(allocation="both", cases=1, note="")
    believed = comparison.believed(table, belief=BELIEF, batch_months=pd.Series(18, index=skill.index)).set_index("unit_key")["value"]
    totals = sums.groupby("unit_key")[["sum_y", "sum_x"]].sum()
    raw = totals["sum_y"] / totals["sum_x"]
    order = skill.index
    return tuple(float(stats.spearmanr(values.loc[order], skill).statistic) for values in (believed, raw))  # type: ignore[return-value]
