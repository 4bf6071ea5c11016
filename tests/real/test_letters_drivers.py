"""For whom do letters work? Gerber, Green & Larimer (2008), learned on one half and judged on the other, against plain differences of means."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from collect_analysis.methods.targeting import policy_tree, uplift


@pytest.fixture(scope="module")
def letters(shared_data: Path) -> pd.DataFrame:
    raw = pd.read_csv(shared_data / "social_pressure_letters" / "social_pressure.csv.gz")
    return raw[raw["messages"].isin(["Control", "Neighbors"])].reset_index(drop=True)


def plain(part: pd.DataFrame) -> float:
    means = part.groupby(part["messages"] == "Neighbors")["primary2006"].mean()
    return float(means[True] - means[False])


def test_letters_work_better_on_those_who_voted_before(letters: pd.DataFrame) -> None:
    # The published effect of the Neighbors letter is 8.1 points, of 229,444 people.
    assert plain(letters) == pytest.approx(0.081, abs=0.0005)
    rng = np.random.default_rng(1)
    sample = letters.sample(60_000, random_state=1).reset_index(drop=True)
    treated = (sample["messages"] == "Neighbors").to_numpy()
    x = sample[["primary2004", "yearofbirth", "hhsize"]].astype(float)
    y, cluster, half = sample["primary2006"].to_numpy(dtype=float), np.arange(60_000), np.arange(60_000) % 2 == 0
    chance = np.full(60_000, 38_201 / 229_444)
    learned = uplift.learn_uplift(x[half], y[half], treated[half], chance[half], cluster[half], rng=rng, seed=1)
    if_treated, if_not = learned.outcomes(x[~half])
    scores = uplift.effect_scores(y[~half], treated[~half], chance[~half], if_treated, if_not)
    test = uplift.heterogeneity_test(scores, learned.predict(x[~half]), cluster[~half])
    assert test["effect_low"] < plain(letters) < test["effect_high"]
    # Where each row of the tree holds, the effect is the plain difference of means of all letters there.
    tree = policy_tree.learn_policy_tree(x[half], learned.scores - 0.05, depth=1, min_leaf=2_000)
    found = policy_tree.rule_effects(tree, x[~half], scores, cluster[~half])
    everybody = letters[["primary2004", "yearofbirth", "hhsize"]].astype(float)
    place = tree.rule_of(everybody)
    for number, row in enumerate(found.to_dict("records")):
        error = (row["high"] - row["low"]) / 3.92
        assert abs(row["value"] - plain(letters[place == number])) < 3 * error
    for before, effect in ((0, 0.06930), (1, 0.09653)):
        own = x[~half]["primary2004"].to_numpy() == before
        mean, error = uplift.group_effect(scores, own, cluster[~half])
        assert plain(letters[letters["primary2004"] == before]) == pytest.approx(effect, abs=5e-5)
        assert abs(mean - plain(letters[letters["primary2004"] == before])) < 3 * error
