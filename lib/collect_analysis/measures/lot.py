"""Was it chance that decided who got which arm? Evidence of the lot, arms that one thing tells apart, balance before the start; no wording.

That a report file says so is no evidence. Where none is left the claim is that of an adjusted comparison, or of a raw one where nothing is
adjusted for; where one variable tells the arms apart a rule decided, and there is nobody to compare with.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Literal

import numpy as np
import pandas as pd

from collect_analysis.measures.balance import DAY_ZERO, Balance
from collect_analysis.methods.evidence import Condition

# Differences as large as this come up by lot once in a thousand tests.
UNLIKELY = 0.001
# Where one cut point puts so much more of an arm than of the base on one side, a rule decided.
SEPARATED = 0.8
# Kind of variable -> the condition that says that it tells the arms apart.
APART = {"number": "arms_no_cut_off", "day": "arms_same_days", "code": "arms_same_codes"}


@dataclass(frozen=True, kw_only=True)
class Lot:
    """What shows that lots were drawn.

    `logged`: every subject has a logged probability between 0 and 1; `registered`: hash of the registered plan, empty if an arm has none;
    `documents`: where the report file says that the plan or the draw is written down; `reproduced`: the share of the customers whose arm
    the registered salt gives again (NaN: no salt), `by_chance` the share it would give again by chance, `moved` how many are in another arm.
    """

    logged: bool = False
    registered: str = ""
    documents: tuple[str, ...] = ()
    reproduced: float = float("nan")
    by_chance: float = float("nan")
    moved: int = 0

    @property
    def again(self) -> bool:
        """Whether the registered salt gives every customer its arm again."""
        return self.moved == 0 and not np.isnan(self.reproduced)

    @property
    def overridden(self) -> bool:
        """Whether the salt gives far more arms again than chance would, but not all: somebody moved customers after the draw."""
        return not self.again and self.reproduced > (1 + self.by_chance) / 2

    @property
    def shown(self) -> list[str]:
        """What shows it: codes, and documents by their names."""
        codes = {"hash": self.again, "log": self.logged, "register": bool(self.registered)}
        return [*(code for code, there in codes.items() if there), *self.documents]


def lot_conditions(lot: Lot, balance: Balance | None, *, randomised: bool, adjusted: bool) -> list[Condition]:
    """Did chance decide, and does it show?

    Refusing, whatever was declared: one variable known before tells an arm from the base arm (distance of the distributions of 0.8 or more that
    chance does not explain). No better than an adjusted comparison (`adjusted`: covariates are adjusted for; else a raw one): nobody shows that
    lots were drawn, customers were moved to another arm than the registered salt gave them, the arms differ in what was known before by
    more than chance, or nothing is known from before. Of the last two nothing follows where the salt gives all arms again.
    """
    cap: Literal["adjusted", "raw"] = "adjusted" if adjusted else "raw"
    found = [] if balance is None else mixed(balance)
    if not randomised:
        return [*found, Condition(name="lot_declared", met=False, consequence="raw")]
    found.append(Condition(name="lot_shown", met=bool(lot.shown), consequence=cap, details={"evidence_of_lot": lot.shown}))
    if lot.overridden:
        values = {"moved": lot.moved, "reproduced_share": lot.reproduced}
        found.append(Condition(name="lot_kept_by_salt", met=False, consequence=cap, details=values))
    # Arms that one variable tells apart are not alike either: that is the same cause, not another one.
    if balance is None or any(item.consequence == "refuse" and not item.met for item in found):
        return found
    return [*found, alike(balance, cap, proven=lot.again)]


def by_lot(found: Iterable[Condition]) -> bool:
    """Whether nothing speaks against it that chance decided."""
    return all(item.met or item.consequence not in ("adjusted", "raw") for item in found)


def mixed(balance: Balance) -> list[Condition]:
    """Met: no single variable tells arms apart; else the condition of its kind, unmet; nothing where nothing is known."""
    table = balance.table[balance.table["distance"].notna()]
    if table.empty:
        return []
    worst = table.iloc[int(table["distance"].to_numpy(dtype=float).argmax())]
    values: dict[str, object] = {"variable": str(worst["variable"]), "distance": float(worst["distance"])}
    certain = (balance.joint.p_value if worst["kind"] == "code" else worst["p_distance"]) < UNLIKELY
    if not (worst["distance"] >= SEPARATED and certain):
        return [Condition(name="arms_mixed", met=True, details=values)]
    values |= {"arm": str(worst["arm"]), "base": str(worst["base"]), "apart_share": float(worst["distance"])}
    return [Condition(name=APART[str(worst["kind"])], met=False, consequence="refuse", details=values | _where(worst))]


def _where(row: pd.Series) -> dict[str, object]:
    """Where the arms part: the cut point and which arm lies up to it."""
    if row["kind"] == "code":
        return {}
    cut = float(row["cut"])
    value: object = DAY_ZERO + timedelta(days=cut) if row["kind"] == "day" else cut
    low, high = (row["arm"], row["base"]) if row["lower"] else (row["base"], row["arm"])
    return {"cut": value, "low_arm": str(low), "high_arm": str(high)}


def alike(balance: Balance, cap: Literal["adjusted", "raw"], *, proven: bool = False) -> Condition:
    """Whether all that is known from before differs by no more than chance, jointly and in the distribution of each number.

    Named `arms_balanced`; `arms_spread_alike`, unmet, where only a distribution differs; `known_before`, unmet, where nothing is known. Unmet it
    caps the claim at `cap`, or is only said where the lot is `proven`.
    """
    table, joint = balance.table, balance.joint
    if table.empty or np.isnan(joint.p_value):
        return Condition(name="known_before", met=False, consequence="note" if proven else cap)
    least = float(table["p_distance"].min()) if table["p_distance"].notna().any() else 1.0
    values: dict[str, object] = {
        "variables": len(balance.variables), "chi2": joint.chi2, "df": joint.df, "p_value": joint.p_value, "p_distance": least,
    }  # fmt: skip
    if table["standardised"].notna().any():
        worst = table.iloc[int(np.nanargmax(table["standardised"].abs().to_numpy(dtype=float)))]
        values |= {"variable": str(worst["variable"]), "difference": float(worst["standardised"])}
    if joint.p_value < UNLIKELY or least >= UNLIKELY:
        return Condition(name="arms_balanced", met=joint.p_value >= UNLIKELY, consequence="note" if proven else cap, details=values)
    # Alike on average and yet unlike: the middle of a variable in one arm, its ends in the other.
    worst = table.iloc[int(np.nanargmin(table["p_distance"].to_numpy(dtype=float)))]
    values |= {"variable": str(worst["variable"]), "distance": float(worst["distance"])}
    return Condition(name="arms_spread_alike", met=False, consequence="note" if proven else cap, details=values)


def drawn_alike(balance: Balance | None) -> list[Condition]:
    """Was what is taken for drawn by lot alike before, draw by draw (`balance.balance` with strata)? No better than adjusted where it was not.

    None: nobody can tell the draws apart, so that it cannot be tested, which is said.
    """
    if balance is None:
        return [Condition(name="drawn_untold", met=False, consequence="note")]
    found = alike(balance, "adjusted")
    return [replace(found, name="drawn_alike")] if found.name == "arms_balanced" else []


def of_plan(facts: pd.DataFrame, planned: Mapping[str, Mapping[str, object]], arms: Sequence[str], documents: Sequence[str]) -> Lot:
    """What the log, the registered plan and the report file show (`arms.arm_facts`, rows of table `experiment`); salt apart."""
    own = facts.set_index("arm").reindex(list(arms))
    logged = bool((own["propensity_low"] > 0).all() and (own["propensity_high"] < 1).all() and (own["without_propensity"] == 0).all())
    hashes = {str(planned.get(arm, {}).get("prereg_hash") or "") for arm in arms}
    registered = hashes.pop() if len(hashes) == 1 else ""
    return Lot(logged=logged, registered=registered, documents=tuple(dict.fromkeys(text for text in documents if text)))
