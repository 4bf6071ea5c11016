"""A partner's points: performance, conduct and service, with gates that multiply; and the public points that reward volume, for contrast.

Points order a conversation. Shares are proposed from the index and its certainty (`shares`), never from points.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import pandas as pd

from collect_analysis.errors import DataError
from collect_analysis.measures.gate_names import AUDIT_GATES

SCORE_COLUMNS = ("unit_key", "performance_points", "conduct_points", "service_points", "gate_factor", "value", "volume_points", "note")
NOT_JUDGED, NO_CONDUCT, NO_SERVICE = (
    "no net index: not judged",
    "no conduct rate is recorded",
    "no service measure of the policy is recorded",
)
# Weights of the public formula: dollars, accounts serviced, administrative resolutions, each over the top performer's.
VOLUME_WEIGHTS = {"collected_minor": 70.0, "cases": 20.0, "returned_accounts": 10.0}


@dataclass(frozen=True, kw_only=True)
class ScorePolicy:
    """How points are given.

    `performance`, `conduct`, `service`: the most points of each part, 100 together. `index_low`, `index_high`: net index that brings no and
    all performance points. `service_targets`: share by measure of `partner_service` that brings all points of it; `file_error_rate` counts
    as the share without an error.
    """

    performance: float
    conduct: float
    service: float
    index_low: float
    index_high: float
    service_targets: Mapping[str, float]

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> "ScorePolicy":
        """The policy from the mapping `score` of policy `placement`.

        Raises
        ------
        DataError
            A value is missing, unknown or out of range; all problems at once.
        """
        names = [item.name for item in fields(cls)]
        problems = [f"policy placement: score has no '{name}'; add it" for name in names if name not in values]
        problems += [f"policy placement: unknown key score.{name}; known: {', '.join(names)}" for name in values if name not in names]
        numbers = {name: values[name] for name in names if name in values and name != "service_targets"}
        targets = values.get("service_targets", {})
        if not isinstance(targets, Mapping):
            problems.append("policy placement: score.service_targets is no mapping of measures to shares")
        else:
            numbers |= {f"service_targets.{name}": target for name, target in targets.items()}
        problems += [
            f"policy placement: score.{name} is {value!r}; write a number from 0"
            for name, value in numbers.items()
            if isinstance(value, bool) or not isinstance(value, int | float) or value < 0
        ]
        if not problems and abs(values["performance"] + values["conduct"] + values["service"] - 100) > 1e-9:
            problems.append("policy placement: score.performance, conduct and service do not sum to 100")
        if not problems and not values["index_low"] < values["index_high"]:
            problems.append("policy placement: score.index_low is not below score.index_high")
        if problems:
            raise DataError(problems)
        return cls(**{name: values[name] for name in names})


def partner_scores(
    net: pd.DataFrame, gated: pd.DataFrame, standing: pd.DataFrame, served: pd.DataFrame, held: pd.DataFrame, *, policy: ScorePolicy
) -> pd.DataFrame:
    """How many points does each partner get, and how many would the public formula give?

    Formula: performance = P · clip((net index - low)/(high - low), 0, 1); conduct = C · mean over rated gates of conduct of max(0, 1 - rate/limit);
    service = S · mean over measures with a target of min(1, share/target); value = gate_factor · sum, gate_factor 0 where a gate fails or
    blocks, else 1. volume_points = 70 · collected/top + 20 · accounts/top + 10 · returned/top: it grows with what a partner was given.
    `net`: of `comparison.believed` (net index); `gated`, `standing`: of `partners`; `served`: of `partner_service.service`; `held`: of
    `placements.inventory`. Columns: SCORE_COLUMNS; one row per unit of `held`. Undefined (NaN and note): a part without any data leaves no sum.
    Source: domain rules of scorecards with gates; the volume formula is the public CPCS ranking 70/20/10.
    """
    table = held[["unit_key", *VOLUME_WEIGHTS]].copy()
    index = table["unit_key"].map(dict(zip(net["unit_key"], net["value"], strict=True))).astype(float)
    reached = (index - policy.index_low) / (policy.index_high - policy.index_low)
    table["performance_points"] = policy.performance * reached.clip(0, 1)
    rated = gated[(gated["limit"] > 0) & ~gated["gate"].isin(AUDIT_GATES)]
    kept = (1 - rated["value"] / rated["limit"]).clip(lower=0)
    table["conduct_points"] = policy.conduct * table["unit_key"].map(kept.groupby(rated["unit_key"]).mean()).astype(float)
    table["service_points"] = policy.service * table["unit_key"].map(_served(served, policy.service_targets)).astype(float)
    closed = standing.loc[standing["status"].isin(["fail", "blocked"]), "unit_key"]
    table["gate_factor"] = np.where(table["unit_key"].isin(closed), 0.0, 1.0)
    parts = table[["performance_points", "conduct_points", "service_points"]]
    table["value"] = table["gate_factor"] * parts.sum(axis=1, skipna=False)
    top = table[list(VOLUME_WEIGHTS)].max()
    table["volume_points"] = sum(weight * table[name] / top[name] for name, weight in VOLUME_WEIGHTS.items() if top[name] > 0)
    reasons = zip(parts.columns, (NOT_JUDGED, NO_CONDUCT, NO_SERVICE), strict=True)
    table["note"] = np.select([table[name].isna() for name in parts.columns], [reason for _, reason in reasons], default="")
    return table[list(SCORE_COLUMNS)].sort_values("unit_key", ignore_index=True)


def _served(served: pd.DataFrame, targets: Mapping[str, float]) -> pd.Series:
    """Mean share of the service targets that each unit reaches, by unit_key; units without any known measure are left out."""
    known = served[served["measure"].isin(list(targets)) & served["value"].notna()]
    share = known["value"].astype(float).where(known["measure"] != "file_error_rate", 1 - known["value"])
    target = known["measure"].map(targets).astype(float)
    return (share / target.where(target > 0)).fillna(1.0).clip(upper=1).groupby(known["unit_key"]).mean()
