"""What a scheme would have cost, whom it would have paid, and how much of its pay is luck; on the history as it was."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from collect_analysis.methods.profiling.scheme_tests import (
    gini,
    jumps,
    kinks,
    luck_share,
    redrawn_totals,
    seen_ratios,
    true_ratios,
)
from collect_analysis.methods.profiling.shrinkage import gamma_poisson
from collect_analysis.methods.rates.levels import BAND, CONFIDENCE, NEAR
from collect_analysis.officers.incentive_scheme.schemes import Floats, Scheme, Work, factors, payouts, pooled, ratio, team_sums

QUARTER = 3
QUANTILES = {"p10_minor": 0.10, "median_minor": 0.50, "p90_minor": 0.90}
POOLED_OVER = (1, 3, 6, 12)
# Posterior draws of every officer's true index, and redrawn quarters.
LUCK_DRAWS, COST_DRAWS = 200, 2_000
FIFTHS = 5
# Average officers need fewer draws: they are averaged over officers and months.
_TYPICAL_EVERY = 4
CLIFF_COLUMNS = ("kind", "at", "before_minor", "after_minor", "jump_minor", "near_share")
# Officer-months this close to a place count as near it.


@dataclass(frozen=True, kw_only=True)
class Luck:
    """Pay under chance. Shares 0-1, money in minor units a month.

    `share`: of the variance of pay between officers and months that is luck; `average_minor`: mean pay of an officer whose true index is that of
    all; `average_low_minor`, `average_high_minor`: between these lies the pay of such an officer in 8 of 10 months, by luck alone;
    `at_full_minor`: what the rule pays at exactly 1.
    """

    share: float
    average_minor: float
    average_low_minor: float
    average_high_minor: float
    at_full_minor: float


def cost_by_month(scheme: Scheme, work: Work, *, seed: int, level: float = CONFIDENCE) -> pd.DataFrame:
    """What would each month have cost?

    Columns: month, officers (there), value (minor units), low, high (percentiles of totals with officers drawn anew), collected_minor (as the
    scheme counts it), cost_share (of that money). Sorted by month.
    """
    paid = payouts(scheme, work).astype(float)
    rng = np.random.default_rng([seed, 1])
    rows = []
    for place, month in enumerate(work.months):
        here = work.there[:, place]
        totals = redrawn_totals(paid[here, place : place + 1], columns=1, draws=COST_DRAWS, rng=rng) if here.any() else np.zeros(1)
        low, high = np.quantile(totals, [(1 - level) / 2, (1 + level) / 2])
        money = float(np.nan_to_num(work.collected[:, place]).sum())
        cost = float(paid[here, place].sum())
        rows.append((month, int(here.sum()), cost, float(low), float(high), money, cost / money if money > 0 else np.nan))
    return pd.DataFrame(rows, columns=["month", "officers", "value", "low", "high", "collected_minor", "cost_share"])


def next_quarter(scheme: Scheme, work: Work, *, seed: int, level: float = BAND) -> tuple[float, float, float]:
    """What would three months like those of the history cost: mean, low, high? Months and officers are drawn anew; behaviour is as it was."""
    amounts = np.where(work.there, payouts(scheme, work).astype(float), np.nan)
    totals = redrawn_totals(amounts, columns=QUARTER, draws=COST_DRAWS, rng=np.random.default_rng([seed, 2]))
    low, high = np.quantile(totals, [(1 - level) / 2, (1 + level) / 2])
    return float(np.nanmean(np.nansum(amounts, axis=0)) * QUARTER), float(low), float(high)


def spread(scheme: Scheme, work: Work) -> dict[str, float]:
    """How is pay of a month spread over officers? mean, QUANTILES, largest (minor units), nothing_share (officer-months without pay), gini."""
    paid = payouts(scheme, work)[work.there].astype(float)
    if not paid.size:
        return dict.fromkeys(("mean_minor", *QUANTILES, "largest_minor", "nothing_share", "gini"), float("nan"))
    quantiles = {name: float(np.quantile(paid, at)) for name, at in QUANTILES.items()}
    ends = {"largest_minor": float(paid.max()), "nothing_share": float((paid == 0).mean()), "gini": gini(paid)}
    return {"mean_minor": float(paid.mean()), **quantiles, **ends}


def luck(scheme: Scheme, work: Work, *, seed: int, draws: int = LUCK_DRAWS, within: Sequence[float] = (0.1, 0.9)) -> Luck:
    """How much of pay is luck?

    Every officer's true ratio is drawn from its posterior given all months and colleagues (`scheme_tests.true_ratios`, by sub-function); months
    are then seen twice with independent chance, and both are paid (gates left out). See `scheme_tests.luck_share`. The first months, not yet
    pooled over all of `pool_months`, are left out.
    """
    first, second, typical = _seen_twice(scheme, work, seed=seed, draws=draws)
    average = typical if typical.size else np.array([np.nan])
    low, high = np.quantile(average, list(within))
    return Luck(
        share=luck_share(first, second),
        average_minor=float(average.mean()),
        average_low_minor=float(low),
        average_high_minor=float(high),
        at_full_minor=float(scheme.pay(1.0, 1.0, 1.0)),
    )


def luck_by_group(scheme: Scheme, work: Work, *, seed: int, draws: int = LUCK_DRAWS) -> pd.DataFrame:
    """Where is pay mostly luck? Columns: sub_function, cases (officers), value (luck share), note; sorted. NaN: pay does not vary."""
    first, second, _ = _seen_twice(scheme, work, seed=seed, draws=draws)
    here = _judged_months(scheme, work)
    group = np.broadcast_to(work.group, here.shape)[here]
    officer = np.broadcast_to(np.arange(len(work.officers))[:, None], here.shape)[here]
    rows = [
        (name, len(set(officer[group == number])), luck_share(first[:, group == number], second[:, group == number]))
        for number, name in enumerate(work.sub_functions)
    ]
    return pd.DataFrame(rows, columns=["sub_function", "cases", "value"])


def _judged_months(scheme: Scheme, work: Work) -> NDArray[np.bool_]:
    """Officer-months that are there and pooled over all of `pool_months`."""
    here = work.there.copy()
    here[:, : min(scheme.pool_months, here.shape[1]) - 1] = False
    return here


def _seen_twice(scheme: Scheme, work: Work, *, seed: int, draws: int) -> tuple[Floats, Floats, Floats]:
    """Two pays of the judged officer-months per draw of the true ratios, shape (draws, k) each; and pay of average officers."""
    rng = np.random.default_rng([seed, 3])
    true, centre, here = _true(work, draws, rng), _centre(work), _judged_months(scheme, work)
    first, second, typical = [], [], []
    for draw in range(draws):
        first.append(_paid(scheme, work, true[draw][:, None], rng)[here])
        second.append(_paid(scheme, work, true[draw][:, None], rng)[here])
        if draw % _TYPICAL_EVERY == 0:
            typical.append(_paid(scheme, work, centre[:, None], rng)[here])
    return np.stack(first), np.stack(second), np.concatenate(typical)


def _events(work: Work) -> tuple[Floats, Floats]:
    """Events of equal size seen and expected, over all months; officers who never were there have 0."""
    known = work.there & np.isfinite(work.noise)
    expected = np.where(known, work.noise, 0.0)
    seen = np.where(known, ratio(work.collected, work.base) * work.noise, 0.0)
    return np.nan_to_num(seen).sum(axis=1), expected.sum(axis=1)


def _groups(work: Work) -> list[np.ndarray]:
    """Officers by sub-function (that of their last month), only those of whom something was expected."""
    last = np.array([work.group[row, np.flatnonzero(here)[-1]] if here.any() else -1 for row, here in enumerate(work.there)])
    _, expected = _events(work)
    return [np.flatnonzero((last == group) & (expected > 0)) for group in range(len(work.sub_functions))]


def _true(work: Work, draws: int, rng: np.random.Generator) -> Floats:
    seen, expected = _events(work)
    true = np.ones((draws, len(work.officers)))
    for members in _groups(work):
        if len(members) >= 2:
            true[:, members] = true_ratios(seen[members], expected[members], draws=draws, rng=rng)
    return true


def _centre(work: Work) -> Floats:
    """The ratio of all of an officer's sub-function together: 1 where the base is what was expected."""
    seen, expected = _events(work)
    centre = np.ones(len(work.officers))
    for members in _groups(work):
        if len(members):
            centre[members] = seen[members].sum() / expected[members].sum()
    return centre


def _paid(scheme: Scheme, work: Work, true: Floats, rng: np.random.Generator) -> Floats:
    """Pay for months seen anew with these true ratios; gates left out."""
    got = np.where(work.there, seen_ratios(true, np.nan_to_num(work.noise), rng=rng) * np.nan_to_num(work.base), 0.0)
    base = np.where(work.there, work.base, 0.0)
    teams = len(work.units)
    own = ratio(pooled(got, scheme.pool_months), pooled(base, scheme.pool_months))
    team = ratio(*(pooled(team_sums(values, work.team, teams), scheme.pool_months) for values in (got, base)))
    return scheme.pay(own, team, 1.0)


def luck_by_pooling(scheme: Scheme, work: Work, *, seed: int, draws: int = 60) -> pd.DataFrame:
    """Would pooling more months pay less for luck? Columns: pool_months, luck_share, average_minor, average_low_minor, average_high_minor."""
    rows = []
    for months in POOLED_OVER:
        if months <= work.collected.shape[1]:
            found = luck(replace(scheme, pool_months=months), work, seed=seed, draws=draws)
            rows.append((months, found.share, found.average_minor, found.average_low_minor, found.average_high_minor))
    return pd.DataFrame(rows, columns=["pool_months", "luck_share", "average_minor", "average_low_minor", "average_high_minor"])


def cliffs(scheme: Scheme, work: Work) -> pd.DataFrame:
    """Where does pay jump or bend as attainment moves, the team's share apart?

    Columns: kind (jump; bend; gate: a rate at which a gate takes pay away at once), at (attainment, or value of the gate), before_minor,
    after_minor (pay at the place; for a bend pay per percentage point), jump_minor, near_share (officer-months within `NEAR` of it). Gates: of
    mean pay. Jumps first, then by place.
    """
    own = scheme.pay_per_point_minor * (1 - scheme.team_share)
    index = ratio(pooled(work.collected, scheme.pool_months), pooled(work.base, scheme.pool_months))[work.there]
    found = jumps(lambda a: scheme.points(a) * own)
    rows = [("jump", *row, _near(index, row[0])) for row in found.itertuples(index=False, name=None)]
    places = [place for place in scheme.knots if not np.isclose(found["at"].to_numpy(dtype=float), place).any()]
    bends = kinks(lambda a: scheme.points(a) * own, places)
    for at, before, after in bends.itertuples(index=False, name=None):
        rows.append(("bend", at, before / 100, after / 100, np.nan, _near(index, at)))
    mean = spread(scheme, work)["mean_minor"]
    rows += [("gate", gate.full, mean, mean * gate.floor, mean * (gate.floor - 1), np.nan) for gate in scheme.gates if gate.is_step]
    return pd.DataFrame(rows, columns=list(CLIFF_COLUMNS))


def _near(index: Floats, at: float) -> float:
    known = index[np.isfinite(index)]
    return float((np.abs(known - at) <= NEAR).mean()) if known.size else float("nan")


def by_officer(today: Scheme, proposed: Scheme, before: Work, after: Work) -> pd.DataFrame:
    """Who would have been paid more, who less?

    Columns: officer_key, unit_key, sub_function (of the last month), months, today_minor, proposed_minor, gain_minor (mean a month), better,
    worse (by more than 1 % of mean pay of all under today's scheme), true_index (posterior mean over all months), gated (months in which a gate
    of the proposed scheme took pay). Officers who never were there are left out.
    """
    here = after.there | before.there
    months = here.sum(axis=1)
    seen = months > 0
    last = [int(np.flatnonzero(row)[-1]) if row.any() else 0 for row in here]
    rows = np.arange(len(after.officers))
    paid = {name: payouts(scheme, work).sum(axis=1) for name, scheme, work in (("today", today, before), ("proposed", proposed, after))}
    gated = (factors(replace(proposed, holdback_share=0.0), after) < 1) & after.there
    table = pd.DataFrame(
        {
            "officer_key": after.officers,
            "unit_key": [after.units[after.team[row, last[row]]] for row in rows],
            "sub_function": [after.sub_functions[after.group[row, last[row]]] for row in rows],
            "months": months,
            **{f"{name}_minor": ratio(values.astype(float), months.astype(float)) for name, values in paid.items()},
            "true_index": _true_means(after),
            "gated": gated.sum(axis=1),
        }
    )
    table["gain_minor"] = table["proposed_minor"] - table["today_minor"]
    least = 0.01 * float(table.loc[seen, "today_minor"].mean()) if seen.any() else 0.0
    return table.assign(better=table["gain_minor"] > least, worse=table["gain_minor"] < -least)[seen].reset_index(drop=True)


def _true_means(work: Work) -> Floats:
    seen, expected = _events(work)
    means = np.full(len(work.officers), np.nan)
    for members in _groups(work):
        if len(members) >= 2:
            means[members] = gamma_poisson(seen[members], expected[members]).table["value"].to_numpy()
    return means


def by_unit(officers: pd.DataFrame) -> pd.DataFrame:
    """Winners and losers by unit. Columns: unit_key, sub_function, cases (officers), better, worse, today_minor, proposed_minor, value
    (gain, mean a month of an officer). Sorted.
    """
    keys = ["sub_function", "unit_key"]
    table = officers.groupby(keys, as_index=False).agg(
        cases=("officer_key", "size"),
        better=("better", "sum"),
        worse=("worse", "sum"),
        today_minor=("today_minor", "mean"),
        proposed_minor=("proposed_minor", "mean"),
        value=("gain_minor", "mean"),
    )
    return table.sort_values(keys, ignore_index=True)


def by_skill(officers: pd.DataFrame) -> pd.DataFrame:
    """Does pay follow what officers can do? By fifth of the true index within the sub-function: fifth (1 is lowest), cases (officers),
    true_index, today_minor, proposed_minor, value (gain); means a month.
    """
    known = officers[officers["true_index"].notna()].copy()
    place = known.groupby("sub_function")["true_index"].rank(method="first")
    size = known.groupby("sub_function")["true_index"].transform("size")
    known["fifth"] = np.ceil(place / size * FIFTHS).astype("int64")
    return known.groupby("fifth", as_index=False).agg(
        cases=("officer_key", "size"),
        true_index=("true_index", "mean"),
        today_minor=("today_minor", "mean"),
        proposed_minor=("proposed_minor", "mean"),
        value=("gain_minor", "mean"),
    )
