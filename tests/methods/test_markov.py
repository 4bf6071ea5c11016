"""The chain of moves against textbook and hand numbers, linear algebra, a bootstrap, and what must hold for every chain."""

import numpy as np
import pandas as pd
import pytest
from collect_analysis.errors import DataError, ParameterError
from collect_analysis.methods.forecast.markov import (
    NEVER_LEAVES,
    NEVER_SEEN,
    NO_START,
    Chain,
    Total,
    chain_of,
    fan,
    fates,
    projected,
    stays,
)
from collect_analysis.methods.forecast.markov_backtest import backtest, coverage, errors_by, learned, origins_of, widened
from hypothesis import given, settings, strategies as st


def moves(text: str) -> pd.DataFrame:
    """Counted moves from `from to count` triples, one per line or comma."""
    rows = [part.split() for part in text.replace("\n", ",").split(",") if part.strip()]
    return pd.DataFrame(rows, columns=["from", "to", "count"]).astype({"count": int})


HAND = "0 0 60, 0 1 20, 0 paid 20, 1 0 50, 1 2 50, 2 1 10, 2 2 60, 2 off 30"


def hand() -> Chain:
    return chain_of(moves(HAND), states=["0", "1", "2"], ends=["paid", "off"])


def wide(table: pd.DataFrame, column: str) -> np.ndarray:
    return table.pivot_table(index="from", columns=column, values="value", sort=False).to_numpy()


def test_three_buckets_by_hand() -> None:
    # (I - Q) N = I for I - Q = [[.4, -.2, 0], [-.5, 1, -.5], [0, -.1, .4]] and the N below.
    found = stays(hand())
    assert wide(found[found["state"] != "all"], "state") == pytest.approx(np.array([[3.5, 0.8, 1.0], [2.0, 1.6, 2.0], [0.5, 0.4, 3.0]]))
    assert found[found["state"] == "all"]["value"].tolist() == pytest.approx([5.3, 5.6, 3.9])
    # B = N R: 20 % of bucket 0 are paid, 30 % of bucket 2 written off each month.
    assert wide(fates(hand()), "end") == pytest.approx(np.array([[0.7, 0.3], [0.4, 0.6], [0.1, 0.9]]))


@pytest.mark.parametrize(
    ("counted", "months", "shares"),
    [
        # Anderson, Sweeney & Williams, An Introduction to Management Science, 16.2 (after Cyert, Davidson & Thompson): Heidman's.
        (
            "new paid 4, new new 3, new old 3, old paid 4, old off 2, old new 3, old old 1",
            [[1.67, 0.56], [0.56, 1.30]],
            [[0.89, 0.11], [0.74, 0.26]],
        ),
        # UC Limited, examination of the Kenyan accountants' board: instalments current and overdue; the long run is printed with it.
        ("new paid 3, new new 5, new old 2, old paid 5, old new 3, old old 1, old off 1", None, [[0.95, 0.05], [0.87, 0.13]]),
    ],
)
def test_published_accounts_receivable(counted: str, months: list[list[float]] | None, shares: list[list[float]]) -> None:
    chain = chain_of(moves(counted), states=["new", "old"], ends=["paid", "off"])
    assert wide(fates(chain), "end") == pytest.approx(np.array(shares), abs=0.005)
    found = stays(chain)
    if months:
        assert wide(found[found["state"] != "all"], "state") == pytest.approx(np.array(months), abs=0.005)
        # 1,000 dollars new and 2,000 old: 2,370 will be paid, 630 lost (printed with rounded shares).
        paid = 1000 * shares[0][0] + 2000 * shares[1][0]
        exact = np.array([1000, 2000]) @ wide(fates(chain), "end")
        assert paid == pytest.approx(2370)
        assert exact == pytest.approx([2370, 630], abs=1)


def random_chain(seed: int, size: int = 5, ends: int = 2) -> Chain:
    counts = np.random.default_rng(seed).integers(1, 200, (size, size + ends)).astype(float)
    return Chain(states=tuple(str(k) for k in range(size)), ends=tuple(f"e{k}" for k in range(ends)), counts=counts)


def test_linear_algebra_gives_the_same() -> None:
    chain = random_chain(3)
    q, r = chain.shares[:, :5], chain.shares[:, 5:]
    series = sum(np.linalg.matrix_power(q, k) for k in range(400))
    found = stays(chain)
    assert wide(found[found["state"] != "all"], "state") == pytest.approx(series, rel=1e-9)
    assert wide(fates(chain), "end") == pytest.approx(np.linalg.solve(np.eye(5) - q, r), rel=1e-12)
    square = np.block([[q, r], [np.zeros((2, 5)), np.eye(2)]])
    start = np.array([10.0, 0, 500, 3, 7, 0, 0])
    told = projected(chain, dict(zip("01234", start, strict=False)), steps=7)
    assert told[told["step"] == 7]["value"].to_numpy() == pytest.approx(start @ np.linalg.matrix_power(square, 7))


def test_standard_errors_are_those_of_a_bootstrap() -> None:
    chain, rng = hand(), np.random.default_rng(5)
    drawn = []
    for _ in range(4000):
        counts = np.array([rng.multinomial(100, row) for row in chain.shares], dtype=float)
        n = np.linalg.inv(np.eye(3) - counts[:, :3] / 100)
        drawn.append(np.concatenate([n.ravel(), n.sum(axis=1), (n @ counts[:, 3:] / 100)[:, 0]]))
    spread = np.std(drawn, axis=0)
    found = stays(chain)
    inner, whole = found[found["state"] != "all"], found[found["state"] == "all"]
    ours = np.concatenate([inner["standard_error"], whole["standard_error"], fates(chain).query("end == 'paid'")["standard_error"]])
    # First order against 100 accounts a row: within a fifth.
    assert ours == pytest.approx(spread, rel=0.2)


@settings(max_examples=40)
@given(st.lists(st.lists(st.integers(0, 60), min_size=5, max_size=5), min_size=3, max_size=3), st.integers(1, 12))
def test_nobody_is_lost(rows: list[list[int]], steps: int) -> None:
    counts = np.array(rows, dtype=float)
    counts[:, 4] += 1
    chain = Chain(states=("0", "1", "2"), ends=("paid", "off"), counts=counts)
    assert chain.shares.sum(axis=1) == pytest.approx(np.ones(3))
    told = projected(chain, {"0": 70, "2": 30}, steps=steps)
    assert told.groupby("step")["value"].sum().to_numpy() == pytest.approx(np.full(steps + 1, 100.0))
    assert fates(chain).groupby("from")["value"].sum().to_numpy() == pytest.approx(np.ones(3))


def test_a_stay_that_cannot_be_told_says_why() -> None:
    forever = chain_of(moves("0 0 9, 0 paid 1, 1 1 8, 2 2 5, 2 1 5"), states=["0", "1", "2", "3"], ends=["paid"])
    assert dict(zip(forever.states, forever.notes, strict=True)) == {"0": "", "1": NEVER_LEAVES, "2": NEVER_LEAVES, "3": NO_START}
    whole = stays(forever).query("state == 'all'").set_index("from")
    assert whole.loc["0", "value"] == pytest.approx(10)
    assert whole["value"].isna().sum() == 3
    assert fates(forever).set_index("from")["value"].isna().tolist() == [False, True, True, True]
    into_the_dark = chain_of(moves("0 1 5, 0 paid 5"), states=["0", "1"], ends=["paid"])
    assert into_the_dark.notes == (NEVER_SEEN, NO_START)
    # One month ahead is known, the next is not.
    told = projected(into_the_dark, {"0": 10}, steps=2)
    assert told.groupby("step")["value"].apply(lambda part: part.isna().any()).tolist() == [False, False, True]


def test_unknown_states_and_counts_are_refused_all_at_once() -> None:
    with pytest.raises(DataError, match=r"(?s)column 'from' holds.*column 'to' holds.*negative or missing"):
        chain_of(pd.DataFrame({"from": ["9"], "to": ["lost"], "count": [-1]}), states=["0"], ends=["paid"])
    with pytest.raises(ParameterError, match="accounts start in"):
        projected(hand(), {"7": 3}, steps=1)
    with pytest.raises(ParameterError, match="at least 1 step"):
        projected(hand(), {"0": 3}, steps=0)
    with pytest.raises(ParameterError, match="at least one"):
        fan(hand(), [], {"0": 3}, steps=1, draws=10, seed=1)


def test_the_fan_of_equal_months_is_the_spread_of_a_binomial() -> None:
    chain = chain_of(moves("0 0 3, 0 paid 1"), states=["0"], ends=["paid"])
    told = fan(chain, [chain, chain], {"0": 4000.0}, steps=1, draws=3000, seed=2, level=0.8)
    row = told[(told["step"] == 1) & (told["state"] == "0")].iloc[0]
    half = 1.2816 * np.sqrt(4000 * 0.75 * 0.25)
    assert row["value"] == pytest.approx(3000)
    assert (row["high"] - row["low"]) / 2 == pytest.approx(half, rel=0.08)


def test_totals_are_the_accounts_times_what_each_brings() -> None:
    cash = Total(pooled={"0": 2.0, "1": 5.0, "2": 0.0}, by_month=[{"0": 2.0, "1": 5.0}], during=True)
    told = fan(hand(), [hand()], {"1": 100.0}, steps=2, draws=50, seed=1, totals={"cash": cash, "held": Total(pooled={"0": 1.0, "2": 3.0})})
    value = told.set_index(["state", "step"])["value"]
    # Cash of a month comes from where accounts stood before it: 100 in bucket 1, then 50 in bucket 0 and 50 in bucket 2.
    assert value["cash"].to_dict() == pytest.approx({1: 500.0, 2: 100.0})
    assert value["held"].to_dict() == pytest.approx({0: 0.0, 1: 200.0, 2: 120.0})
    inside = (told["low"] <= told["value"]) & (told["value"] <= told["high"])
    assert inside.all()
    with pytest.raises(ParameterError, match="given for 1 months, the moves for 2"):
        fan(hand(), [hand(), hand()], {"1": 1.0}, steps=1, draws=10, seed=1, totals={"cash": cash})


def test_a_chain_that_never_changes_is_projected_without_error() -> None:
    monthly = pd.concat([moves("0 0 80, 0 1 20, 1 0 40, 1 paid 60").assign(month=month) for month in (1, 2, 3, 4, 5)])
    positions = pd.DataFrame(
        [(3, 0, "0", 1000), (3, 1, "0", 800), (3, 1, "1", 200), (3, 2, "0", 720), (3, 2, "1", 160), (3, 2, "paid", 120)],
        columns=["origin", "step", "state", "count"],
    )
    told = backtest(monthly, positions, states=["0", "1"], ends=["paid"], fit_months=3, draws=200, seed=1)
    assert told["error"].abs().max() == pytest.approx(0, abs=1e-9)
    assert coverage(told) == 1.0
    # Bucket 1 and the paid of the first month are too few on both sides but for 200, 160, 120, 0.
    by_step = errors_by(told, by=["step"]).set_index("step")
    assert by_step["forecasts"].to_dict() == {1: 2, 2: 3}
    assert origins_of([1, 2, 3, 4, 5]) == [3, 4]
    assert origins_of([1, 2, 3]) == []


def past_errors(logs: list[float], *, step: int = 1) -> pd.DataFrame:
    return pd.DataFrame({"state": "0", "step": step, "value": 99.5, "actual": [100 * np.exp(error) - 0.5 for error in logs]})


def test_a_widened_band_is_the_quantile_of_earlier_errors() -> None:
    told = pd.DataFrame({"state": ["0", "0", "1"], "step": [1, 3, 1], "value": [99.5, 99.5, 50.0], "low": 99.0, "high": 100.0})
    told.loc[2, ["low", "high"]] = [45.0, 55.0]
    wide = widened(told, past_errors([0.1, -0.3, 0.05, 0.2]), level=0.8)
    # Of four errors the smallest and the largest; three months ahead three times as much; a state without errors stays as it is.
    assert wide["high"].to_numpy() == pytest.approx([100 * np.exp(0.2) - 0.5, 100 * np.exp(0.6) - 0.5, 55])
    assert wide["low"].to_numpy() == pytest.approx([100 * np.exp(-0.3) - 0.5, 100 * np.exp(-0.9) - 0.5, 45])
    assert wide["errors_known"].tolist() == [4, 0, 0]
    # Of 19 errors the second and the eighteenth: a tenth of 20 on either side.
    many = widened(told, past_errors([place / 10 for place in range(-9, 10)]), level=0.8)
    assert (many["low"][0], many["high"][0]) == (pytest.approx(100 * np.exp(-0.8) - 0.5), pytest.approx(100 * np.exp(0.8) - 0.5))
    # Projections that were always too high do not widen the band upwards.
    assert widened(told, past_errors([-0.1, -0.2, -0.3, -0.4]), level=0.8)["high"][0] == 100.0
    assert widened(told, past_errors([0.1, -0.3, 0.05]), level=0.8)["high"].tolist() == [100.0, 100.0, 55.0]


def test_bands_learned_from_earlier_errors_hold_as_often_as_they_promise() -> None:
    rng = np.random.default_rng(5)
    rows = []
    for made in range(600):
        for step in (1, 2):
            actual = 1000 * np.exp(rng.normal(-0.1, 0.2 * step))
            rows.append((made, made, made + step, step, "0", 1000.0, 990.0, 1010.0, actual, 1000.0 - actual, False))
    table = pd.DataFrame(rows, columns=["origin", "made", "seen", "step", "state", "value", "low", "high", "actual", "error", "covered"])
    held = learned(table, level=0.8)
    assert held["made"].min() == 4
    assert held.groupby("step")["covered"].mean().to_numpy() == pytest.approx([0.8, 0.8], abs=0.05)
