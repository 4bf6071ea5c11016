"""Did the arms get different treatment, and did it reach them? Conditions on doses; codes and numbers, no wording.

A dose is compared relative to the champion's; where the champion got none (a new channel against none) there is no such ratio and the difference
itself decides.
"""

from collections.abc import Iterable, Mapping

import pandas as pd

from collect_analysis.methods.evidence import Condition

# A treatment that reached fewer accounts of the arm than this was delivered in part: the effect is that of trying to deliver it.
MOSTLY = 0.8
MINUTES = "agent_minutes"
_COLUMNS = ["outcome", "arm", "base_mean", "mean", "value", "low", "high", "relative"]


def dose_conditions(doses: pd.DataFrame, *, dose: str, least: float, reached: Mapping[str, float]) -> list[Condition]:
    """Did every challenger get more or less of the declared `dose` than the champion, by at least `least` (relative)?

    Refusing: nobody of a challenger and its champion got any; a challenger whose dose is hardly apart. Downgrading: the source does not tell
    the dose. Note: it reached only a part of the arm that got more of it (`reached`: arm -> share of its subjects with any). Nothing is
    said where none was declared (`least` 0).
    Takes what `experiments.compare_arms` returns.
    """
    if not least:
        return []
    own = doses[doses["outcome"] == dose].reindex(columns=_COLUMNS)
    own = own[own["relative"].notna() | own["value"].notna()]
    if own.empty:
        return [Condition(name="dose_known", met=False, consequence="downgrade", details={"dose": dose})]
    nobody = own[own["relative"].isna() & (own["mean"] == 0)]
    if len(nobody):
        return [
            Condition(name="dose_delivered", met=False, consequence="refuse", details={"dose": dose, "arm": str(nobody["arm"].iloc[0])})
        ]
    found = [*_apart(own[own["relative"].notna()], dose, least), *_new(own[own["relative"].isna()], dose)]
    return [*found, *_reached(own, dose, reached)]


def _apart(own: pd.DataFrame, dose: str, least: float) -> list[Condition]:
    """Of the challengers whose champion got some: the one that is least apart."""
    if own.empty:
        return []
    smallest = own.iloc[int(own["relative"].abs().to_numpy().argmin())]
    values = {"dose": dose, "arm": str(smallest["arm"]), "relative_share": float(smallest["relative"]), "least_share": least}
    return [Condition(name="arms_treated_apart", met=bool(abs(smallest["relative"]) >= least), consequence="refuse", details=values)]


def _new(own: pd.DataFrame, dose: str) -> list[Condition]:
    """Of the challengers whose champion got none: the one that got least."""
    if own.empty:
        return []
    # Where every account got the same there is no interval, and no doubt.
    bound = own["low"].fillna(own["mean"])
    smallest = own.iloc[int(bound.to_numpy(dtype=float).argmin())]
    high = smallest["high"] if pd.notna(smallest["high"]) else smallest["mean"]
    values = {"mean": float(smallest["mean"]), "low": float(bound.min()), "high": float(high)}
    details = {"dose": dose, "arm": str(smallest["arm"]), **values}
    return [Condition(name="new_dose_given", met=bool(bound.min() > 0), consequence="refuse", details=details)]


def _reached(own: pd.DataFrame, dose: str, reached: Mapping[str, float]) -> list[Condition]:
    """Of the challengers that got more: the one of which the fewest got any."""
    shares = {str(arm): reached[str(arm)] for arm in own.loc[~(own["value"] < 0), "arm"] if str(arm) in reached}
    if not shares:
        return []
    arm = min(shares, key=lambda name: (shares[name], name))
    values = {"dose": dose, "arm": arm, "reached_share": shares[arm]}
    return [Condition(name="dose_reached", met=shares[arm] >= MOSTLY, consequence="note", details=values)]


def capacity_conditions(doses: pd.DataFrame, *, tolerance: float) -> list[Condition]:
    """Did a challenger use more agent time than agreed (`tolerance`, relative), or some where the champion used none? Downgrades."""
    own = doses[doses["outcome"] == MINUTES].reindex(columns=_COLUMNS)
    known, new = own.dropna(subset=["relative"]), own[own["relative"].isna() & (own["low"] > 0)]
    found = []
    if len(known):
        most = known.iloc[int(known["relative"].to_numpy().argmax())]
        values = {"arm": str(most["arm"]), "relative_share": float(most["relative"]), "tolerance_share": tolerance}
        taken = bool(most["relative"] > tolerance and most["low"] > 0)
        found.append(Condition(name="capacity_alike", met=not taken, consequence="downgrade", details=values))
    if len(new):
        most = new.iloc[int(new["mean"].to_numpy(dtype=float).argmax())]
        values = {"arm": str(most["arm"]), "mean": float(most["mean"])}
        found.append(Condition(name="capacity_unshared", met=False, consequence="downgrade", details=values))
    return found


def crowded(found: Iterable[Condition]) -> bool:
    """Whether a challenger used agent time that was the champion's, so that its gain must be shown per minute."""
    return any(item.name in ("capacity_alike", "capacity_unshared") and not item.met for item in found)
