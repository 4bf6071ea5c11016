"""Do the intervals at a cut-off and of a roll-out hold the planted effect 95 times in 100, and do their tests keep their level?"""

import numpy as np
import pandas as pd
from collect_analysis.methods.causal.density_jump import density_test
from collect_analysis.methods.causal.discontinuity import sharp_discontinuity
from collect_analysis.methods.causal.fuzzy_discontinuity import fuzzy_discontinuity
from collect_analysis.methods.causal.rollout import group_time_effects
from collect_analysis.methods.causal.rollout_checks import randomisation_test, two_way_fixed_effects
from collect_analysis.methods.causal.rollout_summary import summarise
from collect_analysis.methods.rates.rates import wilson_interval

JUMP, BASE = 0.09, 0.21
WAVES = {np.inf: 0.0, 8: 0.02, 12: 0.01, 16: 0.005}
# What Tet does to a month's payers, alike in every region.
COMMON = {6: 1.14, 7: 0.72, 19: 1.13, 20: 0.87}
PERIODS = 24


def cut_off_cases(rng: np.random.Generator, *, size: int = 4_000, jump: float = JUMP, follows: float = 1.0) -> pd.DataFrame:
    """Balances around a cut-off of 20; a visit that adds `jump` to the chance to pay, done to a share `follows` of those it is ordered for."""
    balance = 20 * np.exp(rng.normal(0, 0.6, size))
    treated = (balance >= 20) & (rng.random(size) < follows)
    chance = BASE + 0.004 * (balance.clip(max=60) - 20) + jump * treated
    return pd.DataFrame({"running": balance, "outcome": (rng.random(size) < chance).astype(float), "treated": treated})


def rollout_panel(rng: np.random.Generator, *, clusters: int = 24, share: float = 1.0) -> tuple[pd.DataFrame, float]:
    """Regions that start in three waves or never, with effects of their own that grow for six months, and the mean true effect."""
    starts = np.repeat(list(WAVES), clusters // len(WAVES))
    level, cases = 0.05 * np.exp(rng.normal(0, 0.1, clusters)), rng.integers(400, 3000, clusters)
    common = np.array([COMMON.get(period, 1.0) for period in range(PERIODS)])
    since = np.arange(PERIODS)[None, :] - starts[:, None]
    size = np.array([WAVES[start] for start in starts]) * share
    effect = np.where(since >= 0, size[:, None] * np.clip(since + 1, 0, 6) / 6, 0.0)
    rate = rng.binomial(cases[:, None], level[:, None] * common[None, :] + effect) / cases[:, None]
    unit, period = np.meshgrid(np.arange(clusters), np.arange(PERIODS), indexing="ij")
    panel = pd.DataFrame({"unit": unit.ravel(), "period": period.ravel(), "outcome": rate.ravel()})
    panel["first_treated"] = np.where(np.isinf(starts), np.nan, starts)[panel["unit"]]
    return panel, float(effect[since >= 0].mean())


def run(replications: int, seed: int) -> pd.DataFrame:
    """One row per case: case, replications (with an answer), rate, low, high (95 % interval of the rate), wanted."""
    hits: dict[str, list[bool]] = {}
    for number in range(replications):
        rng = np.random.default_rng([seed, number])
        for case, hit in {**_cut_off(rng), **_roll_out(rng)}.items():
            hits.setdefault(case, [])
            if hit is not None:
                hits[case].append(hit)
    rows = []
    for case, found in hits.items():
        low, high = (float(bound) for bound in wilson_interval(sum(found), len(found)))
        rows.append(
            {"case": case, "replications": len(found), "rate": float(np.mean(found)), "low": low, "high": high, "wanted": _wanted(case)}
        )
    return pd.DataFrame(rows)


def _wanted(case: str) -> float:
    return 0.05 if "false" in case else 0.95


def _cut_off(rng: np.random.Generator) -> dict[str, bool | None]:
    where = {"cutoff": 20.0, "cutoff_belongs_to": "above"}
    cases = cut_off_cases(rng)
    row = sharp_discontinuity(cases, **where).effects.iloc[1]
    nothing = sharp_discontinuity(cut_off_cases(rng, jump=0.0), **where).effects.iloc[1]
    fuzzy = fuzzy_discontinuity(cut_off_cases(rng, follows=0.7), **where).effects.iloc[1]
    return {
        "cut-off: interval covers": _covers(row, JUMP),
        "cut-off: false positive without effect": _excludes(nothing),
        "overridden cut-off: interval covers": _covers(fuzzy, JUMP),
        "cut-off: false alarm of the density test": bool(density_test(cases["running"], cutoff=20.0).p_value < 0.05),
    }


def _roll_out(rng: np.random.Generator) -> dict[str, bool | None]:
    panel, truth = rollout_panel(rng)
    found = group_time_effects(panel)
    row = summarise(found, by="simple", rng=rng, draws=2).iloc[-1]
    flat, _ = rollout_panel(rng, share=0.0)
    nothing = summarise(group_time_effects(flat), by="simple", rng=rng, draws=2).iloc[-1]
    usual = two_way_fixed_effects(panel)
    lots = randomisation_test(flat[flat["unit"] % 3 == 0], rng=rng, draws=99)
    return {
        "roll-out with Tet: interval covers": _covers(row, truth),
        "roll-out: false positive without effect": _excludes(nothing),
        "roll-out: false alarm of the trends before": bool(found.pretrend.p_value < 0.05),
        "roll-out, 8 regions: false positive of shuffled starts": bool(lots.p_value <= 0.05),
        "two-way fixed effects: interval covers (biased, shown only)": bool(usual.low <= truth <= usual.high),
    }


def _covers(row: pd.Series, truth: float) -> bool | None:
    return bool(row["low"] <= truth <= row["high"]) if np.isfinite(row["low"]) else None


def _excludes(row: pd.Series) -> bool | None:
    return bool(row["low"] > 0 or row["high"] < 0) if np.isfinite(row["low"]) else None


def main() -> None:
    """Print the table for 1,000 replications."""
    print(run(1_000, 1).to_string(index=False))


if __name__ == "__main__":
    main()
