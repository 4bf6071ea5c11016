"""The value of a rule decision by decision, in plain loops: what the sums are checked against."""

import hashlib
import math
from collections import defaultdict
from collections.abc import Callable, Mapping

MODEL_CASES = 20


def fold_of(cluster: str, folds: int, seed: int) -> int:
    return int(hashlib.md5(f"fold-{seed}-{cluster}".encode()).hexdigest()[:4], 16) % folds  # noqa: S324


def value_of(
    decisions: list[dict],
    chances: Callable[[dict], Mapping[str, float]],
    row_of: Callable[[dict], int],
    *,
    folds: int,
    seed: int,
    max_weight: float = math.inf,
) -> dict[str, tuple[float, float, float]]:
    """Per estimator value, standard error, and standard error of the gain over what was done."""
    n = len(decisions)
    for item in decisions:
        item["row"], item["fold"] = row_of(item), fold_of(item["cluster"], folds, seed)
        item["w"] = min(chances(item).get(item["action"], 0.0) / item["propensity"], max_weight)
    for item in decisions:
        rest = [other for other in decisions if other["fold"] != item["fold"]]
        item["q"] = _mean(rest, item, item["action"])
        item["q_rule"] = sum(share * _mean(rest, item, action) for action, share in chances(item).items() if share > 0)
    logged = sum(item["y"] for item in decisions) / n
    ips = sum(item["w"] * item["y"] for item in decisions) / n
    weight = sum(item["w"] for item in decisions)
    normalised = sum(item["w"] * item["y"] for item in decisions) / weight
    robust = sum(item["q_rule"] + item["w"] * (item["y"] - item["q"]) for item in decisions) / n
    found = {}
    for name, value, influence in (
        ("logged", logged, lambda item: (item["y"] - logged) / n),
        ("ips", ips, lambda item: (item["w"] * item["y"] - ips) / n),
        ("self_normalised", normalised, lambda item: item["w"] * (item["y"] - normalised) / weight),
        ("doubly_robust", robust, lambda item: (item["q_rule"] + item["w"] * (item["y"] - item["q"]) - robust) / n),
    ):
        own: dict[str, float] = defaultdict(float)
        gain: dict[str, float] = defaultdict(float)
        for item in decisions:
            own[item["cluster"]] += influence(item)
            gain[item["cluster"]] += influence(item) - (item["y"] - logged) / n
        units = len(own)
        errors = [math.sqrt(sum(part**2 for part in parts.values()) * units / (units - 1)) for parts in (own, gain)]
        found[name] = (value, *errors)
    return found


def _mean(rest: list[dict], item: dict, action: str) -> float:
    same = [other for other in rest if other["action"] == action]
    row = [other for other in same if other["row"] == item["row"]]
    cell = [other for other in row if other["stratum"] == item["stratum"]]
    for level in (cell, row, same):
        if len(level) >= MODEL_CASES:
            return sum(other["y"] for other in level) / len(level)
    return sum(other["y"] for other in rest) / len(rest)
