"""How each table of an agency evaluation is shown: its columns, their headings, what is said where it is empty; tables joined for showing."""

from dataclasses import dataclass

import pandas as pd

from collect_analysis.agencies.batch_triangle import POOLED
from collect_analysis.report import tables, texts


@dataclass(frozen=True)
class View:
    """How a recorded table is shown: its columns in order, percentages, columns in the row's own unit, and what is said where it is empty."""

    columns: tuple[str, ...]
    percent: tuple[str, ...] = ()
    by_unit: tuple[str, ...] = ()
    absent: str = "agency_absent_placements"


_TOTALS = "agency_absent_totals"
VIEWS: dict[str, View] = {
    "inventory": View(
        ("unit_name", "batches", "ripe_batches", "accounts", "placed_minor", "random_share", "active_accounts", "open_accounts", "recalled_accounts",
         "returned_accounts", "other_ended_accounts", "collected_minor"), ("random_share",),
    ),
    "liquidation": View(
        ("unit_name", "age", "accounts", "placed_minor", "liquidation", "liquidation_low", "liquidation_high", "peers", "peers_low",
         "peers_high"), ("liquidation", "peers"), absent="agency_absent_immature",
    ),
    "index": View(
        ("unit_name", "accounts", "placed_minor", "liquidation", "observed_minor", "expected_minor", "oe", "oe_low", "oe_high", "coverage"),
        ("liquidation", "coverage"), absent="agency_absent_allocation",
    ),
    "believable": View(
        ("unit_name", "agency_believed", "oe", "oe_low", "oe_high", "agency_modelled", "agency_modelled_low", "agency_modelled_high",
         "agency_fit", "agency_fit_low", "agency_fit_high", "agency_standing"), absent="agency_absent_immature",
    ),
    "belief": View(
        ("unit_name", "oe", "shrunken", "shrunken_low", "shrunken_high", "p_above", "p_best", "p_worse", "rank_low",
         "rank_high", "months_to_separate"), ("p_above", "p_best", "p_worse"), absent="agency_absent_immature",
    ),
    "triangle": View(
        ("unit_name", "batches", "young_batches", "agency_reached", "placed_minor", "collected_minor", "to_come_minor", "agency_projected",
         "agency_projected_low", "agency_projected_high", "agency_projected_se"), ("agency_projected", "agency_projected_se"),
        absent="agency_absent_placements",
    ),
    "calibration": View(
        ("agency_check", "agency_groups", "agency_chi2", "agency_df", "p_value", "p_adjusted", "agency_worst", "accounts", "oe", "oe_low",
         "oe_high"), absent="agency_absent_immature",
    ),
    "strata": View(("unit_name",), absent="agency_absent_immature"),
    "sides": View(
        ("unit_name", "agency_drawn", "agency_drawn_low", "agency_drawn_high", "agency_chosen", "agency_chosen_low", "agency_chosen_high",
         "agency_chosen_over_drawn", "agency_chosen_over_drawn_low", "agency_chosen_over_drawn_high", "p_value", "p_adjusted"),
        absent="agency_absent_immature",
    ),
    "sturdy": View(
        ("unit_name", "oe", "oe_low", "oe_high", "agency_redrawn_low", "agency_redrawn_high", "agency_largest_share", "agency_without",
         "agency_turns", "payers", "payers_expected", "agency_payers_shrunken", "agency_payers_shrunken_low", "agency_payers_shrunken_high"),
        ("agency_largest_share",), absent="agency_absent_immature",
    ),
    "number": View(
        ("unit_name", "agency_placement", "accounts", "placed_minor", "liquidation", "observed_minor", "expected_minor", "oe", "oe_low",
         "oe_high", "coverage"), ("liquidation", "coverage"), absent="agency_absent_immature",
    ),
    "score": View(
        ("unit_name", "agency_performance", "agency_conduct", "agency_service", "agency_factor", "agency_points", "agency_volume_points"),
        absent="agency_absent_placements",
    ),
    "funnel": View(
        ("unit_name", "oe", "effective_cases", "inner_low", "inner_high", "outer_low", "outer_high", "place"), absent="agency_absent_immature"
    ),
    "net_back": View(
        ("unit_name", "collected_minor", "commission_minor", "tax_minor", "net_minor", "liquidation", "commission_rate", "net_back",
         "net_back_low", "net_back_high"), ("liquidation", "commission_rate", "net_back"), absent="agency_absent_immature",
    ),
    "gates": View(
        ("unit_name", "gate", "count", "rate_of", "rate", "rate_low", "rate_high", "limit", "gate_status"),
        by_unit=("rate", "rate_low", "rate_high", "limit"),
    ),
    "totals": View(
        ("period_start", "period_end", "units", "opening_minor", "placed_minor", "collected_minor", "of_opening"), ("of_opening",),
        absent=_TOTALS,
    ),
    "rates": View(
        ("unit_name", "period_start", "opening_minor", "collected_minor", "rate_before", "of_opening", "on_old_inventory", "verdict"),
        ("rate_before", "of_opening", "on_old_inventory"), absent=_TOTALS,
    ),
    "totals_share": View(
        ("unit_name", "placed_minor", "collected_minor", "placed_share", "opening_share", "collected_share", "is_new"),
        ("placed_share", "opening_share", "collected_share"), absent=_TOTALS,
    ),
    "mix": View(("unit_name",), absent=_TOTALS),
    "plan": View(
        ("unit_name", "share_now", "share_next", "change", "net_index", "net_index_low", "net_index_high", "p_above", "gate_status", "why",
         "bound"), ("share_now", "share_next", "change", "p_above"), absent="agency_absent_plan",
    ),
}  # fmt: skip
# Recorded tables keep value, low, high; headings say what they are.
_INDEX = {"value": "oe", "low": "oe_low", "high": "oe_high"}
_SHRUNKEN = {"value": "shrunken", "low": "shrunken_low", "high": "shrunken_high", "ratio": "oe"}
HEADINGS: dict[str, dict[str, str]] = {
    "liquidation": {
        "age_months": "age", "denominator": "placed_minor", "value": "liquidation", "low": "liquidation_low", "high": "liquidation_high",
        "expected": "peers", "expected_low": "peers_low", "expected_high": "peers_high",
    },
    "index": {"raw": "liquidation", **_INDEX},
    "believable": {
        "believed": "agency_believed", "standing": "agency_standing", "modelled": "agency_modelled", "modelled_low": "agency_modelled_low",
        "modelled_high": "agency_modelled_high", "fit": "agency_fit", "fit_low": "agency_fit_low", "fit_high": "agency_fit_high", **_INDEX,
    },
    "belief": _SHRUNKEN,
    "triangle": {
        "denominator": "placed_minor", "reached_months": "agency_reached", "value": "agency_projected", "low": "agency_projected_low",
        "high": "agency_projected_high", "se": "agency_projected_se",
    },
    "calibration": {
        "factor": "agency_check", "groups": "agency_groups", "chi2": "agency_chi2", "df": "agency_df", "worst_level": "agency_worst", **_INDEX,
    },
    "sides": {
        "random": "agency_drawn", "random_low": "agency_drawn_low", "random_high": "agency_drawn_high", "judgmental": "agency_chosen",
        "judgmental_low": "agency_chosen_low", "judgmental_high": "agency_chosen_high", "value": "agency_chosen_over_drawn",
        "low": "agency_chosen_over_drawn_low", "high": "agency_chosen_over_drawn_high",
    },
    "sturdy": _INDEX,
    "number": {"placement": "agency_placement", **_INDEX},
    "score": {
        "performance_points": "agency_performance", "conduct_points": "agency_conduct", "service_points": "agency_service",
        "gate_factor": "agency_factor", "value": "agency_points", "volume_points": "agency_volume_points",
    },
    "funnel": {"value": "oe"},
    "net_back": {"gross_rate": "liquidation", "value": "net_back", "low": "net_back_low", "high": "net_back_high"},
    "gates": {
        "numerator": "count", "denominator": "rate_of", "value": "rate", "low": "rate_low", "high": "rate_high", "status": "gate_status",
    },
    "totals": {"value": "of_opening"},
    "rates": {"value": "of_opening"},
    "plan": {"low": "net_index_low", "high": "net_index_high"},
}  # fmt: skip


STANDS = 0.05
# Measures of partners that are the dictionary's own; the others are explained where they are shown.
KPIS = {"remitted_in_time": "Q9", "recalls_in_time": "Q8", "answered_in_time": "Q6"}


def sturdy_table(found: pd.DataFrame, redrawn: pd.DataFrame, largest: pd.DataFrame, paying: pd.DataFrame) -> pd.DataFrame:
    """The index beside what tests it: customers drawn again, the largest payments taken out, payers counted instead of money.

    Tables of `comparison.index`, `index_sturdiness.bootstrapped`, `without_largest` and `comparison.payer_index` for one allocation.
    """
    names = {"low": "agency_redrawn_low", "high": "agency_redrawn_high"}
    table = found[["unit_key", "cases", "value", "low", "high", "note"]]
    for other, renamed in (
        (redrawn[["unit_key", *names]], names),
        (
            largest[["unit_key", "largest_share", "without", "turns"]],
            {"largest_share": "agency_largest_share", "without": "agency_without", "turns": "agency_turns"},
        ),
        (
            paying[["unit_key", "payers", "expected", "value", "low", "high"]],
            {
                "expected": "payers_expected",
                "value": "agency_payers_shrunken",
                "low": "agency_payers_shrunken_low",
                "high": "agency_payers_shrunken_high",
            },
        ),
    ):
        table = table.merge(other.rename(columns=renamed), on="unit_key", how="left", validate="one_to_one")
    return table


def stratum_table(strata: pd.DataFrame, calibration: pd.DataFrame, *, lang: str) -> pd.DataFrame:
    """O/E of every unit in every stratum and, last, of the pool: unit_name, group (in words), value, stands, as the figure draws them.

    `strata` and `calibration` as recorded, of `placement_index.expected_recovery`; `stands` marks what differs from 1 when a unit's strata are
    all counted (Holm, 5 %).
    """
    pool = calibration[calibration["factor"].isin(set(strata["factor"]))]
    pool = pool.assign(unit_name=texts.say("agency_fit", lang), p_value=1.0)
    table = pd.concat([strata, pool], ignore_index=True)
    table["group"] = [
        f"{texts.value('agency_factor_name', factor, lang)}: {texts.value(f'agency_{factor}', level, lang)}"
        for factor, level in zip(table["factor"], table["level"], strict=True)
    ]
    return table.assign(stands=table["p_value"] < STANDS)[["unit_name", "group", "value", "stands"]]


def of_pool(factors: pd.DataFrame) -> pd.DataFrame:
    """The development factors of all units together."""
    return factors[factors["unit_key"] == POOLED]


def with_kpis(measured: pd.DataFrame) -> pd.DataFrame:
    """Measures of partners with the id of the KPI whose definition they share, where the dictionary has one."""
    return measured.assign(kpi=measured["measure"].map(KPIS).fillna(""))


def partner_table(measured: pd.DataFrame, *, lang: str, currency: str) -> tables.ShownTable:
    """Measures of partners side by side: a row per measure and source, a column per agency; under it why measures are missing.

    `measured`: unit_name, measure, source, unit, value, note, one row per unit, measure and source.
    """
    order = ["measure", "source", "unit"]
    names = list(dict.fromkeys(measured["unit_name"]))
    keyed = measured.assign(unit=measured.groupby(["measure", "source"])["unit"].transform("max"))
    rows = keyed.drop_duplicates(order[:2])[order].reset_index(drop=True)
    values = keyed.set_index(["measure", "source", "unit_name"])["value"]
    for name in names:
        rows[name] = [values.get((row["measure"], row["source"], name)) for row in rows.to_dict("records")]
    known = rows[names].notna().any(axis=1)
    missing = keyed[keyed["measure"].isin(set(rows.loc[~known, "measure"]) - set(rows.loc[known, "measure"]))]
    reasons = missing.groupby("note", sort=False)["measure"].agg(lambda found: list(dict.fromkeys(found)))
    sentences = [
        f"{', '.join(texts.value('partner_measure', name, lang) for name in found)}: {texts.phrase(str(note), lang)}"
        for note, found in reasons.items()
        if note
    ]
    # The name of a measure says what its days and attempts are; said again in every cell they would push agencies off the page.
    rows["unit"] = rows["unit"].replace(["days", "per_account_month"], "ratio")
    shown = rows[known].rename(columns={"measure": "partner_measure", "source": "partner_source"})
    columns = ["partner_measure", *(["partner_source"] if len(set(shown["partner_source"])) > 1 else []), *names]
    return tables.show(shown, lang=lang, columns=columns, by_unit=names, currency=currency, caption=". ".join(sentences))
