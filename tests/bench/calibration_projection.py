"""How often does the band of a projection hold what comes? Simulated portfolios, projected after 24 months for each of the next six.

Accounts move between three buckets and two exits. Shares of a month scatter around their level; the level stays ("steady") or wanders as
a random walk ("drift"), which no draw of past months knows. Bands: of the fan alone, and as wide as earlier projections missed by.
"""

import sys

import numpy as np
import pandas as pd
from collect_analysis.methods.forecast.markov import chain_of, fan
from collect_analysis.methods.forecast.markov_backtest import backtest, origins_of, widened
from collect_analysis.methods.rates.rates import wilson_interval

STATES, ENDS = ["0", "1", "2"], ["paid_off", "sold"]
LEVEL_SHARES = np.array([[0.80, 0.12, 0.0, 0.06, 0.02], [0.35, 0.15, 0.45, 0.03, 0.02], [0.05, 0.05, 0.82, 0.02, 0.06]])
MONTHS, AHEAD, OPEN, NEW = 24, 6, 6000, 1500
SCATTER, WANDER, LEVEL = 0.10, 0.08, 0.8


def shares(rng: np.random.Generator, *, wander: float) -> np.ndarray:
    """Shares of moves by month, row and column."""
    with np.errstate(divide="ignore"):
        logs = np.log(LEVEL_SHARES)
    walk = np.cumsum(rng.normal(0, wander, (MONTHS + AHEAD, *logs.shape)), axis=0) if wander else 0.0
    weights = np.exp(logs + walk + rng.normal(0, SCATTER, (MONTHS + AHEAD, *logs.shape)))
    return weights / weights.sum(axis=2, keepdims=True)


def followed(rng: np.random.Generator, start: np.ndarray, moves: np.ndarray) -> list[np.ndarray]:
    """Accounts by state and end after each month: a cohort that takes nobody in."""
    path = [start]
    for month in moves:
        now = path[-1]
        gone = np.concatenate([np.zeros(len(STATES)), now[len(STATES) :]])
        path.append(gone + sum(rng.multinomial(int(now[row]), month[row]) for row in range(len(STATES))))
    return path


def one(rng: np.random.Generator, *, wander: float) -> pd.DataFrame:
    """One portfolio: what the six months after the 24th brought, whether each band held it."""
    every = shares(rng, wander=wander)
    names, open_now, moved, positions = [*STATES, *ENDS], np.array([OPEN // 2, OPEN // 4, OPEN // 4]), [], []
    starts = []
    for month in range(MONTHS):
        counts = [rng.multinomial(int(open_now[row]), every[month, row]) for row in range(len(STATES))]
        moved += [
            (month, STATES[row], names[column], int(counts[row][column])) for row in range(len(STATES)) for column in range(len(names))
        ]
        open_now = sum(counts)[: len(STATES)] + np.array([NEW, 0, 0])
        starts.append(open_now)
    moves = pd.DataFrame(moved, columns=["month", "from", "to", "count"])
    for origin in origins_of(range(MONTHS)):  # type: ignore[arg-type]
        path = followed(rng, np.append(starts[origin], [0, 0]).astype(float), every[origin + 1 : min(origin + 1 + AHEAD, MONTHS)])
        positions += [
            (origin, step, name, count)
            for step, now in enumerate(path)
            for name, count in zip(names, now, strict=True)
            if step or name in STATES
        ]
    later = pd.DataFrame(positions, columns=["origin", "step", "state", "count"])
    past = backtest(moves, later, states=STATES, ends=ENDS, fit_months=12, draws=200, seed=1, level=LEVEL)
    known = moves[moves["month"] >= MONTHS - 12]
    parts = [chain_of(part, states=STATES, ends=ENDS) for _, part in known.groupby("month")]
    start = dict(zip(STATES, starts[-1].astype(float), strict=True))
    told = fan(chain_of(known, states=STATES, ends=ENDS), parts, start, steps=AHEAD, draws=200, seed=1, level=LEVEL)
    came = followed(rng, np.append(starts[-1], [0, 0]).astype(float), every[MONTHS:])
    wide = widened(told, past, level=LEVEL)
    actual = np.array([came[step][names.index(state)] for step, state in zip(told["step"], told["state"], strict=True)])
    table = told[["step"]].assign(alone=(told["low"] <= actual) & (actual <= told["high"]))
    return table.assign(widened=(wide["low"] <= actual) & (actual <= wide["high"]))[told["step"] > 0]


def run(replications: int, seed: int) -> pd.DataFrame:
    """Coverage by kind of portfolio, months ahead and band: case, band, level, replications, covered, low, high (Wilson)."""
    rng, rows = np.random.default_rng(seed), []
    for kind, wander in (("steady", 0.0), ("drift", WANDER)):
        held = pd.concat([one(rng, wander=wander) for _ in range(replications)])
        for step, part in held.groupby("step"):
            for band in ("alone", "widened"):
                share = float(part[band].mean())
                low, high = (float(bound[0]) for bound in wilson_interval([share * replications], [replications]))
                rows.append((f"{kind}, {step} months ahead", band, LEVEL, replications, share, low, high))
    return pd.DataFrame(rows, columns=["case", "band", "level", "replications", "covered", "low", "high"])


def main() -> None:
    """Print the table of 100 replications, or of as many as the last argument says."""
    print(run(int(sys.argv[-1]) if sys.argv[-1].isdigit() else 100, seed=1).to_string(index=False))


if __name__ == "__main__":
    main()
