"""How often does the third answer of a drivers report tell the truth: Qini coefficient, heterogeneity test and rule table.

A replication draws customers with two accounts each, a treatment by lot per customer and a yes/no outcome; the effect is the same for
everybody (false positives) or lies on one side of a planted cut (coverage of the rule table's value). What was learned on one half is
judged on the other by the library's public functions.
"""

import numpy as np
import pandas as pd
from collect_analysis.methods.rates.rates import wilson_interval
from collect_analysis.methods.targeting import policy_tree, uplift

CASES = 4_000
CUT, GAIN, LOSS = 0.4, 0.10, -0.06
COLUMNS = ["case", "replications", "rate", "low", "high", "wanted"]


def main() -> None:
    """Print the table of 1,000 replications."""
    print(run(1_000, seed=1).to_string(index=False))


def run(replications: int, seed: int) -> pd.DataFrame:
    """Rates over replications with their Wilson intervals. Columns: case, replications, rate, low, high, wanted."""
    rng = np.random.default_rng(seed)
    hits: dict[str, list[bool]] = {}
    for _ in range(replications):
        for name, found in {**_alike(rng), **_planted(rng)}.items():
            hits.setdefault(name, []).append(found)
    rows = []
    for name, found in hits.items():
        low, high = wilson_interval(sum(found), len(found))
        wanted = "0.04-0.06" if "false" in name else "0.93-0.97"
        rows.append((name, len(found), sum(found) / len(found), float(low), float(high), wanted))
    return pd.DataFrame(rows, columns=COLUMNS)


def cohort(rng: np.random.Generator, *, planted: bool, cases: int = CASES) -> dict[str, np.ndarray | pd.DataFrame]:
    """Accounts in customers of two who share half of what makes them pay; `effect` is the true effect of each account."""
    cluster = np.arange(cases) // 2
    x = pd.DataFrame({"score": rng.random(cases), "bucket": rng.integers(1, 5, cases).astype(float), "balance": rng.lognormal(2, 1, cases)})
    treated = rng.integers(0, 2, cases // 2)[cluster]
    effect = np.where(x["score"] >= CUT, GAIN, LOSS) if planted else np.full(cases, 0.04)
    chance = 0.15 + 0.15 * x["score"].to_numpy() + 0.05 * rng.choice([-1, 1], cases // 2)[cluster]
    y = (rng.random(cases) < chance + treated * effect).astype(float)
    return {
        "x": x,
        "y": y,
        "treated": treated,
        "cluster": cluster,
        "effect": effect,
        "judging": rng.integers(0, 2, cases // 2)[cluster] == 1,
    }


def judged(data: dict, rng: np.random.Generator, *, depth: int = 2) -> dict[str, object]:
    """Learn on one half, judge on the other: scores, predictions and clusters of the judged, the tree, and its values."""
    judging, x, half = data["judging"], data["x"], np.full(len(data["y"]), 0.5)
    learning = ~judging
    learned = uplift.learn_uplift(
        x[learning], data["y"][learning], data["treated"][learning], half[learning], data["cluster"][learning], rng=rng, seed=1
    )
    tree = policy_tree.learn_policy_tree(x[learning], learned.scores, depth=depth, min_leaf=100)
    y, treated, cluster = (data[name][judging] for name in ("y", "treated", "cluster"))
    if_treated, if_not = learned.outcomes(x[judging])
    scores = uplift.effect_scores(y, treated, half[judging], if_treated, if_not)
    chosen = tree.treats(x[judging])
    values = policy_tree.policy_values(if_not + (1 - treated) * (y - if_not) / 0.5, scores, chosen, cluster)
    return {
        "scores": scores, "predicted": learned.predict(x[judging]), "cluster": cluster, "tree": tree, "chosen": chosen, "values": values,
    }  # fmt: skip


def _alike(rng: np.random.Generator) -> dict[str, bool]:
    found = judged(cohort(rng, planted=False), rng)
    scores, predicted, cluster = found["scores"], found["predicted"], found["cluster"]
    if np.ptp(predicted) == 0:
        return {"qini false positive, same effect": False, "heterogeneity false positive, same effect": False}
    qini = uplift.qini(scores, predicted, cluster, rng=rng, draws=299)
    test = uplift.heterogeneity_test(scores, predicted, cluster)
    return {
        "qini false positive, same effect": bool(qini["low"] > 0 or qini["high"] < 0),
        "heterogeneity false positive, same effect": bool(test["p_value"] < 0.05),
    }


def _planted(rng: np.random.Generator) -> dict[str, bool]:
    data = cohort(rng, planted=True)
    found = judged(data, rng)
    effect = data["effect"][data["judging"]]
    row = found["values"].set_index("policy").loc["tree"]
    # What the tree is worth to the population these accounts were drawn from: its own cut against the planted one.
    other = cohort(np.random.default_rng(7), planted=True, cases=20_000)
    chosen = found["tree"].treats(other["x"])
    over_none, over_all = float((chosen * other["effect"]).mean()), float(((chosen - 1.0) * other["effect"]).mean())
    best = found["scores"], effect
    qini = uplift.qini(found["scores"], effect, found["cluster"], rng=rng, draws=199)
    truth = uplift.qini_coefficient(best[1], effect)
    return {
        "rule table over nobody covered": bool(row["over_none_low"] <= over_none <= row["over_none_high"]),
        "rule table over everybody covered": bool(row["over_all_low"] <= over_all <= row["over_all_high"]),
        "qini of the true order covered": bool(qini["low"] <= truth <= qini["high"]),
    }
