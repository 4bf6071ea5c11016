"""Accounts that move between buckets month by month until they leave: a Markov chain, how long and where to, how sure, and how it is tested.

Every function reads *moves*: one row per cell with columns `from` and `to` (text: states) and `count` (accounts that stood in `from` at one
month end and in `to` at the next). States that nobody leaves are *ends*.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special, stats
from scipy.sparse import csgraph

from collect_analysis.errors import DataError, ParameterError
from collect_analysis.methods.rates.levels import BAND, CONFIDENCE

Floats = NDArray[np.float64]
NEVER_SEEN = "nobody was seen in a bucket that this one leads to: where they go is unknown"
NEVER_LEAVES = "from here accounts can stay for ever: none was seen to leave"
NO_START = "nobody was seen in this bucket"


@dataclass(frozen=True, kw_only=True)
class Chain:
    """Counted moves between states: `counts` (t, t + e), rows the `states`, columns the states and then the `ends`."""

    states: tuple[str, ...]
    ends: tuple[str, ...]
    counts: Floats

    @cached_property
    def shares(self) -> Floats:
        """P, the share of each row that went to each column: (t, t + e); NaN in a row nobody was seen in."""
        totals = self.counts.sum(axis=1, keepdims=True)
        return np.divide(self.counts, totals, out=np.full_like(self.counts, np.nan), where=totals > 0)

    @cached_property
    def notes(self) -> tuple[str, ...]:
        """Per state why its stay cannot be told; empty where it can: every state it leads to was seen, and an end can be reached from it."""
        size = len(self.states)
        leads = np.isfinite(csgraph.shortest_path(self.counts[:, :size] > 0, unweighted=True))
        seen = self.counts.sum(axis=1) > 0
        closes = leads @ (self.counts[:, size:].sum(axis=1) > 0)
        found = []
        for row in range(size):
            reached = leads[row]
            reason = NEVER_SEEN if not seen[reached].all() else NEVER_LEAVES if not closes[reached].all() else ""
            found.append(reason if seen[row] else NO_START)
        return tuple(found)


def chain_of(moves: pd.DataFrame, *, states: Sequence[str], ends: Sequence[str] = ()) -> Chain:
    """Counted moves as a chain. A state named in `ends` absorbs: moves from it are left out.

    Raises
    ------
    DataError
        A move leads to or from a state that is named in neither list, or its count is negative or missing.
    """
    names = [*states, *ends]
    problems = [
        f"column '{column}' holds {sorted(unknown)}, which are no states; name them or leave the rows out"
        for column in ("from", "to")
        if (unknown := set(moves[column].astype(str)) - set(names))
    ]
    if not (moves["count"] >= 0).all():
        problems.append("column 'count' holds negative or missing numbers; count accounts")
    if problems:
        raise DataError(problems)
    cells = moves.groupby(["from", "to"])["count"].sum()
    grid = pd.MultiIndex.from_product([states, names], names=["from", "to"])
    counts = cells.reindex(grid, fill_value=0).to_numpy(dtype=float).reshape(len(states), len(names))
    return Chain(states=tuple(states), ends=tuple(ends), counts=counts)


def projected(chain: Chain, start: Mapping[str, float], *, steps: int) -> pd.DataFrame:
    """Where will these accounts stand after each month, if they go on moving as counted?

    Formula: v·Pᵏ, ends keep what they got. `start`: accounts per state. Columns: step (0 = today), state, value (accounts). Everybody is
    somewhere: the values of a step add up to the accounts of the start. Undefined (NaN + note): accounts come to a state nobody was seen in.
    Raises ParameterError: fewer than 1 step, or a start in a state the chain does not have.
    """
    path = _path(_start(chain, start), [_square(chain)] * _checked(steps))
    return _path_table(chain, path)


@dataclass(frozen=True, kw_only=True)
class Total:
    """A number that accounts bring by where they stand: `pooled` per account of each state, `by_month` the same for each past month.

    With `during` it comes in the month that follows (cash); without, it is there at the month end (provision), the same in every month.
    """

    pooled: Mapping[str, float]
    by_month: Sequence[Mapping[str, float]] = ()
    during: bool = False


def fan(
    chain: Chain,
    months: Sequence[Chain],
    start: Mapping[str, float],
    *,
    steps: int,
    draws: int,
    seed: int,
    level: float = BAND,
    totals: Mapping[str, Total] | None = None,
) -> pd.DataFrame:
    """Between which numbers will each state lie, when no month is like the next?

    Each draw takes for every coming month the moves of one past month by lot (chosen of `months`, each as likely; rows nobody was seen in:
    those of `chain`), and lets every account move by chance. The value is that of `projected`; low and high are quantiles of the draws,
    widened to hold the value where one rare month (a sale of debts) makes them lopsided. Months of the future unlike any of the past are
    not in it. `totals` are told as further states, each drawn with its own month.
    Columns: step, state, value, low, high, note. Same seed, same numbers. Raises as `projected`; ParameterError without a month.
    """
    if not months:
        raise ParameterError("a fan draws from past months; give at least one")
    table, sums = projected(chain, start, steps=steps), dict(totals or {})
    columns = ["step", "state", "value", "low", "high", "note"]
    if table["value"].isna().any():
        return table.assign(low=np.nan, high=np.nan)[columns]
    names = (*chain.states, *chain.ends)
    value = table["value"].to_numpy().reshape(steps + 1, len(names))
    sampled, picks = _draws(chain, months, value[0], steps=steps, draws=draws, seed=seed)
    parts = [_quantiles(names, value, sampled, level)]
    for name, total in sums.items():
        weights = _weights(total, names, picks, len(months))
        pooled = np.array([float(total.pooled.get(state, 0.0)) for state in names])
        at = slice(0, steps) if total.during else slice(0, steps + 1)
        drawn = np.einsum("dsn,dsn->ds", sampled[:, at], weights[:, at])
        part = _quantiles((name,), (value[at] @ pooled)[:, None], drawn[:, :, None], level)
        parts.append(part.assign(step=part["step"] + total.during))
    return pd.concat(parts, ignore_index=True).assign(note="")[columns]


def _draws(chain: Chain, months: Sequence[Chain], first: Floats, *, steps: int, draws: int, seed: int) -> tuple[Floats, NDArray[np.int64]]:
    """Accounts by draw, step and state; and which past month each step of each draw was."""
    rng, pooled = np.random.default_rng(seed), _square(chain)
    choices = [_square(month, instead=pooled) for month in months]
    sampled = np.empty((draws, steps + 1, len(first)))
    picks = rng.integers(len(choices), size=(draws, steps))
    for draw in range(draws):
        now = np.round(first).astype(np.int64)
        sampled[draw, 0] = first
        for step in range(steps):
            held = now > 0
            now = rng.multinomial(now[held], choices[picks[draw, step]][held]).sum(axis=0)
            sampled[draw, step + 1] = now
    return sampled, picks


def _weights(total: Total, names: Sequence[str], picks: NDArray[np.int64], months: int) -> Floats:
    """What an account brings, by draw, step and state; a stock brings the same at every step, the last one included."""
    given = list(total.by_month) or [total.pooled] * months
    if len(given) != months:
        raise ParameterError(f"a total is given for {len(given)} months, the moves for {months}; give both for the same months")
    each = np.array([[float(month.get(state, 0.0)) for state in names] for month in given])
    return each[np.column_stack([picks, picks[:, -1]])]


def _quantiles(names: Sequence[str], value: Floats, sampled: Floats, level: float) -> pd.DataFrame:
    low, high = np.quantile(sampled, [(1 - level) / 2, (1 + level) / 2], axis=0)
    steps = np.repeat(np.arange(len(value)), len(names))
    numbers = {"value": value.ravel(), "low": np.minimum(low, value).ravel(), "high": np.maximum(high, value).ravel()}
    return pd.DataFrame({"step": steps, "state": list(names) * len(value), **numbers})


def stays(chain: Chain, *, level: float = CONFIDENCE) -> pd.DataFrame:
    """How many months does an account that stands in a bucket spend in each bucket, and in all, before it leaves for good?

    Formula: N = (I - Q)⁻¹, Q the moves between states; the month end it starts from counts. SE by the delta method on independent
    multinomial rows: dN = N·dQ·N, so Var(N_ij) = Σ_a [Σ_b p_ab·g_ab² - (Σ_b p_ab·g_ab)²]/n_a with g_ab = N_ia·N_bj.
    Columns: from, state (a bucket, or `all`), value (months), standard_error, low, high, cases (accounts seen in `from`), note.
    Undefined (NaN + note): accounts can stay for ever, or come to a state nobody was seen in.
    Source: Kemeny & Snell, Finite Markov Chains (1960) 3.2; Cyert, Davidson & Thompson, Management Science 8 (1962) 287.
    """
    solved = _Solved(chain)
    size = len(chain.states)
    rows = []
    for i in range(size):
        for j, state in enumerate([*chain.states, "all"]):
            # The gradient of months in j (or in all) with respect to a move from a to b.
            after = np.zeros(solved.shares.shape[1])
            after[:size] = solved.months[:, j] if j < size else solved.months.sum(axis=1)
            value = float(solved.months[i, j] if j < size else solved.months[i].sum())
            rows.append(solved.row(i, {"state": state}, value, after))
    table = pd.DataFrame(rows)
    half = stats.norm.ppf((1 + level) / 2) * table["standard_error"]
    table["low"], table["high"] = np.clip(table["value"] - half, 0, None), table["value"] + half
    return table[["from", "state", "value", "standard_error", "low", "high", "cases", "note"]]


def fates(chain: Chain, *, level: float = CONFIDENCE) -> pd.DataFrame:
    """Which share of the accounts in a bucket leaves by each end?

    Formula: B = N·R, R the moves from states to ends; the shares of a row add up to 1. SE as `stays` with g_ab = N_ia·B_be for a state b,
    N_ia for b = e, else 0; interval on the logit scale. Columns: from, end, value (share), standard_error, low, high, cases, note.
    Undefined (NaN + note): as `stays`. Source: as `stays`.
    """
    solved = _Solved(chain)
    size = len(chain.states)
    shares = solved.months @ solved.shares[:, size:]
    rows = []
    for i in range(size):
        for e, end in enumerate(chain.ends):
            after = np.zeros(solved.shares.shape[1])
            after[:size], after[size + e] = shares[:, e], 1.0
            rows.append(solved.row(i, {"end": end}, float(shares[i, e]), after))
    table = pd.DataFrame(rows, columns=["from", "end", "value", "standard_error", "cases", "note"])
    value, error = table["value"].astype(float), table["standard_error"].astype(float)
    inside = (value > 0) & (value < 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        logit, width = np.log(value / (1 - value)), stats.norm.ppf((1 + level) / 2) * error / (value * (1 - value))
    for name, side in (("low", -1), ("high", 1)):
        table[name] = pd.Series(special.expit(logit + side * width), index=table.index).where(inside, value)
    return table[["from", "end", "value", "standard_error", "low", "high", "cases", "note"]]


class _Solved:
    """The chain solved for the states that can be: `months` is N (NaN in rows that cannot), `shares` is P without NaN."""

    def __init__(self, chain: Chain) -> None:
        size = len(chain.states)
        self.chain, self.known = chain, np.array([note == "" for note in chain.notes])
        self.shares = np.nan_to_num(chain.shares)
        self.cases = chain.counts.sum(axis=1)
        self.months = np.full((size, size), np.nan)
        # What a known state leads to is known itself: the block of known states stands alone.
        block = np.ix_(self.known, self.known)
        self.months[self.known] = 0.0
        self.months[block] = np.linalg.inv(np.eye(int(self.known.sum())) - self.shares[:, :size][block])

    def row(self, i: int, key: dict[str, str], value: float, after: Floats) -> dict[str, object]:
        """One number with its standard error; `after` is what one more account in each column brings."""
        row = {"from": self.chain.states[i], **key, "value": value, "cases": int(self.cases[i]), "note": self.chain.notes[i]}
        if not self.known[i]:
            return {**row, "value": np.nan, "standard_error": np.nan}
        known = np.concatenate([self.known, np.ones(len(self.chain.ends), dtype=bool)])
        shares, brings = self.shares[self.known][:, known], after[known]
        spread = shares @ brings**2 - (shares @ brings) ** 2
        variance = self.months[i, self.known] ** 2 @ (spread / self.cases[self.known])
        return {**row, "standard_error": float(np.sqrt(max(float(variance), 0.0)))}


def _start(chain: Chain, start: Mapping[str, float]) -> Floats:
    unknown = sorted(set(start) - set(chain.states))
    if unknown:
        raise ParameterError(f"accounts start in {unknown}; the chain has the states {list(chain.states)}")
    return np.array([float(start.get(name, 0.0)) for name in (*chain.states, *chain.ends)])


def _checked(steps: int) -> int:
    if steps < 1:
        raise ParameterError(f"a projection takes at least 1 step, not {steps}")
    return steps


def _square(chain: Chain, *, instead: Floats | None = None) -> Floats:
    """P with rows for the ends, which keep what they got; rows nobody was seen in are those of `instead`."""
    size, ends = len(chain.states), len(chain.ends)
    square = np.vstack([chain.shares, np.hstack([np.zeros((ends, size)), np.eye(ends)])])
    return square if instead is None else np.where(np.isnan(square), instead, square)


def _path(first: Floats, steps: Sequence[Floats]) -> Floats:
    path = [first]
    for matrix in steps:
        held = path[-1] != 0
        # A row nobody was seen in does no harm while nobody stands there.
        path.append(path[-1][held] @ matrix[held] if held.any() else path[-1])
    return np.array(path)


def _path_table(chain: Chain, path: Floats) -> pd.DataFrame:
    names = (*chain.states, *chain.ends)
    rows = [{"step": step, "state": name, "value": value} for step, now in enumerate(path) for name, value in zip(names, now, strict=True)]
    table = pd.DataFrame(rows)
    return table.assign(note=np.where(table["value"].isna(), NEVER_SEEN, ""))


def per_account(cells: pd.DataFrame, column: str) -> dict[str, float]:
    """What an account of each bucket brings: `column` over count, by from. For `Total`."""
    sums = cells.groupby("from")[["count", column]].sum()
    return {str(bucket): float(value) for bucket, value in (sums[column] / sums["count"]).items()}
