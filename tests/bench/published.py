"""Published numbers beside ours: real data sets through `collect import` and `collect run`, and through the same public functions."""

import csv
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from collect_analysis.methods.causal.discontinuity import sharp_discontinuity
from collect_analysis.methods.forecast.triangles import chain_ladder
from collect_analysis.methods.profiling import shrinkage
from collect_analysis.methods.profiling.profiling import observed_expected
from collect_analysis.methods.rates.multiplicity import benjamini_hochberg, holm
from collect_analysis.methods.survival.survival import exit_counts, kaplan_meier, log_rank
from collect_analysis.methods.trials.power import cases_for, share_cv
from collect_analysis.methods.trials.sequential import boundaries, peeking_error

PROJECT = Path(__file__).resolve().parents[2]
NOW = "2026-11-23T08:00:00+00:00"
SOURCES = (
    "collections_email", "social_pressure", "lalonde", "lalonde_trained", "lalonde_cps", "rd_senate", "staggered_did", "us_ed_agencies",
)  # fmt: skip
REPORTS = (
    "strategy_review/collections_email", "strategy_review/social_pressure", "strategy_review/lalonde", "quasi_experiment/rd_senate",
    "quasi_experiment/staggered_did", "quasi_experiment/lalonde_cps", "agency_evaluation/us_ed",
)  # fmt: skip
Row = tuple[str, str, float, float, float]


def main() -> None:
    """Print the table; ends 1 if a number is off by more than its tolerance."""
    data = Path(os.environ.get("COLLECT_DATA", PROJECT.parent / "shared" / "data"))
    with tempfile.TemporaryDirectory() as name:
        rows = [*_functions(data), *_reports(_run(Path(name), data))]
    table = pd.DataFrame(rows, columns=["set", "number", "published", "ours", "tolerance"])
    table["met"] = (table["published"] - table["ours"]).abs() <= table["tolerance"]
    print(table.to_string(index=False, float_format=lambda value: f"{value:,.7g}"))
    if not table["met"].all():
        raise SystemExit(1)


def _run(folder: Path, data: Path) -> Path:
    """Import the sources and run the reports in a folder of their own; the reports folder."""
    places = {"COLLECT_BOOKS": str(folder / "books"), "COLLECT_REPORTS": str(folder / "reports"), "COLLECT_DATA": str(data.resolve())}
    parameters = PROJECT / "parameters"
    for verb, files in (("import", [f"sources/{name}.yml" for name in SOURCES]), ("run", [f"{name}.yml" for name in REPORTS])):
        command = [sys.executable, "-m", "collect_analysis.cli", verb, *(str(parameters / file) for file in files), "--now", NOW]
        done = subprocess.run(command, env={**os.environ, **places}, cwd=PROJECT, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"collect {verb} ended {done.returncode}:\n{done.stderr[-3000:]}")
    return folder / "reports"


def _reports(reports: Path) -> Iterator[Row]:
    """What the published pages say, read from what the runs recorded."""
    email, letters, nsw = (_results(reports, f"strategy_review/{name}") for name in ("collections_email", "social_pressure", "lalonde"))
    yield "e-mail trial", "difference in means", -0.6203, _effect(email, outcome="payments"), 1e-3
    rates = {"no_letter": 0.296638, "civic_duty": 0.314538, "hawthorne": 0.322375, "neighbors": 0.377948}
    for arm, rate in rates.items():
        yield "letters", f"rate of {arm}", rate, _measure(letters, "mean", outcome="voted", arm=arm)["value"], 1e-6
    yield "job training", "experiment, difference", 1794.3424, _effect(nsw, outcome="earnings"), 1e-3
    cps = _table(reports, "quasi_experiment/lalonde_cps", "naive")
    yield "job training", "naive against survey", -8497.5161, float(cps[0]["value"]), 1e-3
    adjusted = _measure(_results(reports, "quasi_experiment/lalonde_cps"), "effect", estimand="effect_on_treated")["value"]
    yield "job training", "adjusted survey (1,000 to 2,400)", 1700.0, adjusted, 700.0
    (senate,) = _table(reports, "quasi_experiment/rd_senate", "effects")
    wanted = {"value": (7.414, 1e-3), "se": (1.459, 1e-3), "low": (4.094, 1e-3), "high": (10.919, 1e-3)}
    wanted |= {"bandwidth": (17.754, 1e-3), "bias_bandwidth": (28.028, 1e-3), "cases_below": (360, 0), "cases_above": (323, 0)}
    for name, (published, tolerance) in wanted.items():
        yield "Senate", name, published, float(senate[name]), tolerance
    yield from _rollout(reports)
    yield from _education(reports)


def _education(reports: Path) -> Iterator[Row]:
    """Quarters of the agencies of the US Department of Education: dollars in millions, rates in percent."""
    published = {
        "2015-07-01": (1_864.01, 60_172.22, 3.0978), "2015-10-01": (2_230.61, 62_641.44, 3.5609), "2016-01-01": (2_136.76, 68_397.70, 3.1240),
        "2016-04-01": (2_339.61, 75_245.09, 3.1093), "2016-07-01": (2_066.06, 72_031.72, 2.8683),
    }  # fmt: skip
    results = _results(reports, "agency_evaluation/us_ed")
    for day, (collected, opening, rate) in published.items():
        found = _measure(results, "total_liquidation", period_start=day)
        yield "US agencies", f"collected, quarter of {day}", collected, found["numerator"] / 1e8, 0.01
        yield "US agencies", f"opening, quarter of {day}", opening, found["denominator"] / 1e8, 0.01
        yield "US agencies", f"liquidation, quarter of {day}", rate, found["value"] * 100, 1e-4


def _rollout(reports: Path) -> Iterator[Row]:
    parts = {(row["started"], row["period"]): row for row in _table(reports, "quasi_experiment/staggered_did", "parts")}
    published = {
        "2004": {"2004": -0.0105, "2005": -0.0704, "2006": -0.1373, "2007": -0.1008},
        "2006": {"2004": 0.0065, "2005": -0.0028, "2006": -0.0046, "2007": -0.0412},
        "2007": {"2004": 0.0305, "2005": -0.0027, "2006": -0.0311, "2007": -0.0261},
    }
    for started, periods in published.items():
        for period, value in periods.items():
            yield "minimum wage", f"ATT({started}, {period})", value, float(parts[started, period]["value"]), 5e-5
    overall = {(row["estimand"], row["at"]): row for row in _table(reports, "quasi_experiment/staggered_did", "effects")}
    for key, value in {("since_start", ""): -0.0772, ("starters", ""): -0.0310, ("one_start", "2004"): -0.0797,
                       ("one_start", "2006"): -0.0229, ("one_start", "2007"): -0.0261}.items():  # fmt: skip
        yield "minimum wage", " ".join(key).strip(), value, float(overall[key]["value"]), 5e-5
    yield "minimum wage", "since_start, SE", 0.0219, float(overall["since_start", ""]["se"]), 0.004
    yield "minimum wage", "starters, SE", 0.0126, float(overall["starters", ""]["se"]), 0.004


def _functions(data: Path) -> Iterator[Row]:
    """Numbers whose sets make no whole report."""
    for (base, other, power), size in {(0.5, 0.75, 0.9): 76.707, (0.1, 0.11, 0.8): 14_750.8, (0.04, 0.044, 0.8): 39_474.8,
                                       (0.2, 0.21, 0.8): 25_582.2}.items():  # fmt: skip
        found = float(cases_for(share_cv(base), other / base - 1, unit="share", power=power))
        yield "sample size", f"{base:g} against {other:g}", size, found, 0.05
    looks = [place / 5 for place in range(1, 6)]
    for spending, bounds in {"obrien_fleming": [4.8769, 3.3570, 2.6803, 2.2898, 2.0310],
                             "pocock": [2.4380, 2.4268, 2.4102, 2.3966, 2.3860]}.items():  # fmt: skip
        for look, (published, ours) in enumerate(zip(bounds, boundaries(looks, spending=spending)["z"], strict=True), start=1):
            yield spending, f"bound {look} of 5", published, float(ours), 5e-5
    for count, error in {2: 0.0831, 5: 0.1417, 10: 0.1934, 20: 0.2479}.items():
        yield "naive looks", f"{count} looks", error, peeking_error(count), 5e-5
    p = [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0]
    yield "15 p-values", "Holm rejects", 3, float((holm(p) <= 0.05).sum()), 0
    yield "15 p-values", "Benjamini-Hochberg rejects", 4, float((benjamini_hochberg(p) <= 0.05).sum()), 0
    yield "15 p-values", "5th adjusted p", 0.0603, float(benjamini_hochberg(p)[4]), 5e-5
    yield from _survival(data)
    yield from _profiles(data / "profiling_small")
    for name, to_come, error in (("raa", 52_135.2283, 26_909.0112), ("genins", 18_680_855.61, 2_447_094.86)):
        table = pd.read_csv(data / "development_triangles" / f"{name}.csv")
        age = table["development"] - table["origin"] + 1
        found = chain_ladder(pd.DataFrame({"origin": table["origin"], "age": age, "value": table["values"]})).total
        yield name, "to come", to_come, found["to_come"], 0.5
        yield name, "standard error", error, found["standard_error"], 0.5
    senate = pd.read_csv(data / "rd_senate" / "rdrobust_senate.csv").dropna(subset=["vote", "margin"])
    cases = pd.DataFrame({"running": senate["margin"], "outcome": senate["vote"]})
    effect = sharp_discontinuity(cases, cutoff=0.0, cutoff_belongs_to="above").effects.iloc[0]
    yield "Senate", "effect, by function", 7.414, float(effect["estimate"]), 1e-3


def _profiles(folder: Path) -> Iterator[Row]:
    """Shrinkage and comparable strata: the classics, the mix paradox, six agencies by moments."""
    players = pd.read_csv(folder / "efron_morris_1970.csv")
    first, season = (np.sqrt(45) * np.arcsin(2 * players[column] - 1) for column in ("y", "p"))
    factor, drawn_in = shrinkage.james_stein(first, 1.0)
    yield "batting", "shrinkage factor, arcsine", 0.209, factor, 5e-4
    yield "batting", "squared error, raw", 17.56, float(((first - season) ** 2).sum()), 0.02
    yield "batting", "squared error, shrunken", 5.01, float(((drawn_in - season) ** 2).sum()), 0.02
    mean = players["y"].mean()
    yield "batting", "shrinkage factor, raw scale", 0.212, shrinkage.james_stein(players["y"], mean * (1 - mean) / 45)[0], 5e-4
    schools = pd.read_csv(folder / "eight_schools.csv")
    pooled = shrinkage.heterogeneity(schools["est"], schools["se"])
    yield "eight schools", "pooled", 7.8705, pooled.pooled, 5e-5
    yield "eight schools", "its error", 4.1656, pooled.pooled_se, 5e-5
    hospitals = pd.read_csv(folder / "surgical_12_hospitals.csv")
    rate = hospitals["r"].sum() / hospitals["n"].sum()
    ours = shrinkage.gamma_poisson(hospitals["r"], hospitals["n"] * rate).table["value"] * rate
    means = (0.0530, 0.1031, 0.0705, 0.0592, 0.0515, 0.0690, 0.0668, 0.1231, 0.0698, 0.0784, 0.1023, 0.0684)
    for name, published, found in zip(hospitals["hospital"], means, ours, strict=True):
        yield "surgical", f"hospital {name}", published, float(found), 0.01
    moments = shrinkage.gamma_poisson([120, 95, 210, 60, 33, 310], [100, 100, 200, 80, 30, 300])
    yield "six agencies", "mean", 1.02222, moments.mean, 5e-6
    yield "six agencies", "variance", 0.0047531, moments.variance, 5e-8
    for place, (published, found) in enumerate(zip((1.0786, 0.9993, 1.0356, 0.9484, 1.0317, 1.0287), moments.table["value"], strict=True)):
        yield "six agencies", f"posterior {place + 1}", published, float(found), 5e-5
    cases = pd.DataFrame(
        {"unit_key": ["A", "A", "B", "B"], "stratum": ["fresh", "aged"] * 2, "n": [100, 300, 300, 100], "sum_y": [12, 6, 33, 1.5],
         "sum_x": [100, 300, 300, 100], "sum_yy": [12, 6, 33, 1.5], "sum_xx": [100, 300, 300, 100], "sum_xy": [12, 6, 33, 1.5]}
    )  # fmt: skip
    for published, found in zip((1.0667, 0.9684), observed_expected(cases, leave_out=False)["value"], strict=True):
        yield "mix paradox", "observed / expected", published, float(found), 5e-5


def _survival(data: Path) -> Iterator[Row]:
    pairs = pd.read_csv(data / "time_to_event" / "drug6mp.csv")
    drug = pd.DataFrame({"arm": "drug", "time": pairs["t2"], "end": pairs["relapse"].map({1: "relapse", 0: "censored"})})
    exits = exit_counts(pd.concat([drug, pd.DataFrame({"arm": "placebo", "time": pairs["t1"], "end": "relapse"})]), by=["arm"])
    curve = kaplan_meier(exits, by=["arm"]).query("arm == 'drug'").set_index("time")["value"]
    for time, share in {6: 0.857, 7: 0.807, 10: 0.753, 13: 0.690, 16: 0.627, 22: 0.538, 23: 0.448}.items():
        yield "6-MP", f"S({time})", share, float(curve[time]), 5e-4
    yield "6-MP", "log-rank", 16.79, log_rank(exits, group="arm").statistic, 5e-3


def _results(reports: Path, run: str) -> dict[str, Any]:
    (path,) = reports.glob(f"{run}/*/current/results.json")
    return json.loads(path.read_text(encoding="utf-8"))


def _table(reports: Path, run: str, name: str) -> list[dict[str, str]]:
    (path,) = reports.glob(f"{run}/*/current/tables/{name}.csv")
    with path.open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


def _measure(results: dict[str, Any], name: str, **by: str) -> dict[str, Any]:
    (found,) = [item for item in results["measures"] if item["name"] == name and by.items() <= item["by"].items()]
    return found


def _effect(results: dict[str, Any], **by: str) -> float:
    return _measure(results, "effect", **by)["value"]
