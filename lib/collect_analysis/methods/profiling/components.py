"""Where the variance of a figure comes from: crossed and nested variance components by the method of moments, with intervals over persons."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from collect_analysis.methods.rates.levels import CONFIDENCE

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]
RESIDUAL = "residual"
TOO_FEW = "fewer than 2 levels of a factor, or nothing repeated: the components cannot be told apart"
# A system of moment equations that is worse conditioned than this says nothing (levels of two factors coincide).
_CONDITION = 1e10


def moment_components(y: ArrayLike, factors: Mapping[str, ArrayLike]) -> dict[str, float]:
    """How much of the variance of a figure belongs to each factor, and how much to none?

    Model: y = mean + sum of random effects, one per factor (its levels may be nested in or crossed with those of others), + residual.
    Formula: with T(f) = sum over levels of (sum of y)² / n, T(total) = sum of y², T(mean) = N·mean²: E T(f) = N·mean² + sum over g of
    k(f,g)·variance(g), k(f,g) = sum over cells of n(f,g)² / n(f); as many equations as unknowns. Unbiased; may be negative.

    Parameters
    ----------
    y
        The figure, shape (n,), without NaN.
    factors
        Name -> level of each row, shape (n,). Levels of a nested factor must have names of their own (officer 1 of unit 2 is another one).

    Returns
    -------
    Variance per factor and `residual`, in squares of the figure.
    Undefined (NaN, all of them): a factor with one level, nothing repeated, or factors whose levels coincide.
    Source: Henderson, Biometrics 9 (1953) 226, method 1; for balanced data it is the analysis of variance.
    Check: dyestuff yields (Davies, Statistical Methods in Research and Production, 1947): batch 1764.05, residual 2451.25.
    """
    values = np.asarray(y, dtype=float)
    codes = {name: np.unique(np.asarray(levels), return_inverse=True)[1].reshape(-1) for name, levels in factors.items()}
    return _solved(values, codes)


def _solved(y: Floats, codes: Mapping[str, Codes]) -> dict[str, float]:
    names = list(codes)
    undefined = dict.fromkeys([*names, RESIDUAL], float("nan"))
    total = len(y)
    # Far from 0 the squares would swallow the differences; components do not depend on the origin.
    y = y - y.mean() if total else y
    levels = {name: int(code.max()) + 1 if total else 0 for name, code in codes.items()}
    if not names or min(levels.values()) < 2 or max(levels.values()) >= total:
        return undefined
    sizes = {name: np.bincount(code, minlength=levels[name]).astype(float) for name, code in codes.items()}
    # Rows: mean, factors, total. Unknowns: N·mean², variance of each factor, of the residual.
    unknowns = len(names) + 2
    matrix, seen = np.zeros((unknowns, unknowns)), np.zeros(unknowns)
    matrix[:, 0] = 1.0
    matrix[0, 1:-1] = [(sizes[name] ** 2).sum() / total for name in names]
    matrix[0, -1], seen[0] = 1.0, y.sum() ** 2 / total
    for place, name in enumerate(names, 1):
        sums = np.bincount(codes[name], y, minlength=levels[name])
        seen[place] = (sums**2 / sizes[name]).sum()
        matrix[place, -1] = levels[name]
        for other, against in enumerate(names, 1):
            matrix[place, other] = total if name == against else _overlap(codes[name], codes[against], sizes[name], levels[against])
    matrix[-1, 1:], seen[-1] = total, (y**2).sum()
    if np.linalg.cond(matrix / total) > _CONDITION:
        return undefined
    found = np.linalg.solve(matrix, seen)
    return dict(zip([*names, RESIDUAL], (float(value) for value in found[1:]), strict=True))


def _overlap(of: Codes, against: Codes, size: Floats, levels: int) -> float:
    """Sum over pairs of levels of (rows that share both)² / rows of the first."""
    cells, counts = np.unique(of * levels + against, return_counts=True)
    return float((counts.astype(float) ** 2 / size[cells // levels]).sum())


def shares(components: Mapping[str, float]) -> dict[str, float]:
    """Components as shares of their sum, negative ones as 0; NaN where they are, or where nothing varies."""
    kept = {name: max(value, 0.0) if np.isfinite(value) else float("nan") for name, value in components.items()}
    total = sum(kept.values())
    return {name: value / total if total > 0 else float("nan") for name, value in kept.items()}


def variance_table(
    panel: pd.DataFrame,
    *,
    value: str = "value",
    person: str = "officer_key",
    group: str = "unit_key",
    time: str = "month",
    mix: Sequence[str] = (),
    draws: int = 200,
    seed: int = 1,
    level: float = CONFIDENCE,
) -> pd.DataFrame:
    """Whose doing is a figure: the person's, the group's, the month's, or that of the cases the person happens to hold?

    Formula: what `mix` explains within group and month (least squares on columns centred there) is the share of the portfolio; the rest is
    split by `moment_components` into group, group-by-month, person within group, and residual (one month of one person). Interval: half of
    the persons of each group drawn without replacement, again and again, percentiles: a half scatters about the whole as the whole about
    the truth, and nobody stands in a draw twice (with replacement, twins share their noise and pass for a common month).

    Parameters
    ----------
    panel
        One row per person, group and time: `value` and the columns of `mix` (what a person's cases were worth before anybody worked on them).
    draws, seed
        Of the draws; the same seed gives the same interval.

    Returns
    -------
    One row per source (portfolio, group, month, person, residual), in that order: source, variance, share (of all of them), inside (share of
    what is left without `group`: among persons of one group), low, high (of `inside`; for `group` of its share), note.
    Undefined (NaN and a note): see `moment_components`; a single group leaves out the source `group`.
    Source: Henderson (1953); Searle, Casella and McCulloch, Variance Components (1992) ch. 5; halves of persons: Shao and Wu, Annals of
    Statistics 17 (1989) 1176.
    """
    rows = panel.dropna(subset=[value, *mix]).sort_values([group, person, time], ignore_index=True)
    order = ["portfolio", "group", "month", "person", RESIDUAL]
    people = rows.groupby([group, person], sort=True).indices
    y, covariates = rows[value].to_numpy(float), rows[list(mix)].to_numpy(float)
    codes = {name: np.unique(rows[column].astype(str), return_inverse=True)[1] for name, column in (("group", group), ("time", time))}
    several = len(rows) > 0 and codes["group"].max() > 0
    own = [np.asarray(index) for index in people.values()]
    whole = _sources(y, covariates, codes, own, several=bool(several))
    table = pd.DataFrame({"source": order, "variance": [whole[name] for name in order]})
    table["share"] = table["source"].map(shares({name: size for name, size in whole.items() if not (name == "group" and not several)}))
    table["inside"] = table["source"].map(shares({name: size for name, size in whole.items() if name != "group"}))
    low, high = np.full(len(order), np.nan), np.full(len(order), np.nan)
    if np.isfinite(whole["person"]):
        drawn = _redrawn(y, covariates, codes, own, several=bool(several), draws=draws, seed=seed)
        # A draw in which the components could not be told apart says nothing.
        drawn = drawn[np.isfinite(drawn[:, -1])]
        if len(drawn) >= draws / 2:
            low, high = np.nanquantile(drawn, [(1 - level) / 2, (1 + level) / 2], axis=0)
    table["low"], table["high"] = low, high
    table["note"] = "" if np.isfinite(whole["person"]) else TOO_FEW
    return table[table["source"] != "group"].reset_index(drop=True) if not several else table


def _redrawn(
    y: Floats, covariates: Floats, codes: Mapping[str, Codes], own: Sequence[Codes], *, several: bool, draws: int, seed: int
) -> Floats:
    rng = np.random.default_rng(seed)
    group_of = np.array([codes["group"][index[0]] for index in own])
    members = [np.flatnonzero(group_of == number) for number in np.unique(group_of)]
    out = []
    for _ in range(draws):
        # A group of odd size gives the smaller and the larger half by turns of chance.
        chosen = np.concatenate([rng.permutation(inside)[: (len(inside) + int(rng.integers(2))) // 2] for inside in members])
        found = _sources(y, covariates, codes, [own[person] for person in chosen], several=several)
        part = shares({name: size for name, size in found.items() if name != "group"})
        part["group"] = shares(found)["group"]
        out.append([part[name] for name in ("portfolio", "group", "month", "person", RESIDUAL)])
    return np.array(out)


def _sources(y: Floats, covariates: Floats, codes: Mapping[str, Codes], own: Sequence[Codes], *, several: bool) -> dict[str, float]:
    """Variances by source for these persons."""
    undefined = dict.fromkeys(["portfolio", "group", "month", "person", RESIDUAL], float("nan"))
    if len(own) < 2:
        return undefined
    index = np.concatenate(own)
    person = np.repeat(np.arange(len(own)), [len(item) for item in own])
    months = int(codes["time"].max()) + 1
    cell = np.unique(codes["group"][index] * months + codes["time"][index], return_inverse=True)[1]
    outcome, explained = y[index], np.zeros(len(index))
    if covariates.shape[1] and len(index) > covariates.shape[1] + 2:
        inside = _centred(covariates[index], cell)
        slope = np.linalg.lstsq(inside, _centred(outcome[:, None], cell)[:, 0], rcond=None)[0]
        explained = inside @ slope
    factors = {"month": cell, "person": person}
    if several:
        factors["group"] = np.unique(codes["group"][index], return_inverse=True)[1]
    found = _solved(outcome - explained, factors)
    return {"group": 0.0 if not several else found["group"], "portfolio": float((explained**2).mean()), **found}


def _centred(values: Floats, cell: Codes) -> Floats:
    size = np.bincount(cell).astype(float)
    means = np.column_stack([np.bincount(cell, column) / size for column in values.T])
    return values - means[cell]
