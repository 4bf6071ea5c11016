"""Which agencies must a person audit, and on what evidence: findings of the integrity tests, their false alarms; codes and numbers, no wording.

A finding is a question for an auditor, never a verdict on people.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from collect_analysis.agencies import integrity
from collect_analysis.agencies.integrity import FEWER, TESTS, IntegrityRules
from collect_analysis.book.policy import in_force, policy
from collect_analysis.book.store import Book
from collect_analysis.measures.legal_limits import LegalLimits
from collect_analysis.measures.periods import KpiWindows
from collect_analysis.methods.evidence import Condition
from collect_analysis.methods.profiling.peer_tests import LEAST_PEERS, Floats, between_units, peer_excess
from collect_analysis.methods.profiling.record_tests import count_excess
from collect_analysis.methods.rates.levels import CONFIDENCE
from collect_analysis.methods.rates.multiplicity import benjamini_hochberg, holm
from collect_analysis.methods.rates.rates import wilson_interval

# strong: stands though every test was asked of every agency. weak: among such findings few are false. none: no more than honest work shows.
STRONG, WEAK, NONE, NOT_JUDGED = "strong", "weak", "none", "not_judged"
# So many records more than expected before anybody is asked about them; a rule broken fewer times is a weak finding.
LEAST_EXCESS = 5
FEW_CASES, FEW_PEERS, NOT_ASKED = "few_cases", "few_peers", "not_asked"
COLUMNS = (
    "test", "unit_key", "kind", "finding", "reason", "observed", "trials", "cases", "value", "low", "high", "unit", "usual", "ratio", "p_value",
    "p_adjusted", "p_false_share", "money_minor", "note",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Thresholds:
    """When a difference is a finding: `level` of confidence over all tests and agencies, at least `least_ratio` times what is usual, and tests
    that rest on at least `least_cases`.
    """

    level: float = CONFIDENCE
    least_ratio: float = 1.25
    least_cases: int = 30


def tests_of(book: Book, rules: IntegrityRules, limits: Thresholds) -> pd.DataFrame:
    """Counts and judges every test of every agency that held placements in the period (`judged`); empty where none did.

    Raises
    ------
    DataError
        `rules.units` names one that held none; a policy is missing.
    """
    if not rules.units and not integrity.units_of(book, rules):
        return pd.DataFrame(columns=list(COLUMNS))
    return judged(facts_of(book, rules), limits)


def facts_of(book: Book, rules: IntegrityRules) -> pd.DataFrame:
    """What is there for each test (`measures.integrity.facts`), with the windows and the limits of law of the period."""
    windows = KpiWindows.of(policy("kpi_windows", on=rules.period.end))
    judged_by = in_force("legal_limits", start=rules.period.start, end=rules.period.end) if book.has("contact") else ()
    return integrity.facts(book, rules, windows=windows, limits=[LegalLimits.of(version) for version in judged_by])


def judged(facts: pd.DataFrame, limits: Thresholds) -> pd.DataFrame:
    """Which agency shows more of what a test is about than its peers, chance or a true record would?

    `facts`: of `measures.integrity.facts`. Adds: usual (what peers, chance or a true record lead to expect, in the unit of value), ratio (of odds
    or rates to the usual; above 1 in the direction asked about), p_value (one-sided), p_adjusted (Holm over all tests and agencies that have
    a p-value), p_false_share (Benjamini-Hochberg over the same), finding and reason (few_cases, few_peers, not_asked where not judged).
    strong: p_adjusted at most 1 - level; weak: p_false_share at most 1 - level; both need `least_ratio`, tests against chance also
    `LEAST_EXCESS` records more than expected. Rules need no p-value: `LEAST_EXCESS` records are strong, fewer weak. Columns: COLUMNS.
    """
    table = facts.copy()
    table["reason"] = np.where(table["note"] != "", NOT_ASKED, np.where(table["cases"] < limits.least_cases, FEW_CASES, ""))
    for name in ("p_value", "ratio", "usual"):
        table[name] = np.nan
    for test in dict.fromkeys(table["test"]):
        open_rows = (table["test"] == test) & (table["reason"] == "")
        _judge_one(table, table.index[open_rows], TESTS[test], sign=-1.0 if test in FEWER else 1.0)
    table["p_adjusted"], table["p_false_share"] = holm(table["p_value"]), benjamini_hochberg(table["p_value"])
    excess = (table["kind"] != "chance") | (table["observed"] - table["expected"] >= LEAST_EXCESS)
    table["finding"] = _codes(table["p_adjusted"], table["p_false_share"], table["ratio"], excess, limits)
    rule = (table["kind"] == "rule") & (table["reason"] == "")
    table.loc[rule, "finding"] = np.select([table["observed"] >= LEAST_EXCESS, table["observed"] > 0], [STRONG, WEAK], NONE)[rule]
    table.loc[table["reason"] != "", "finding"] = NOT_JUDGED
    return table[list(COLUMNS)]


def _judge_one(table: pd.DataFrame, rows: pd.Index, kind: str, *, sign: float) -> None:
    """Writes p_value, ratio and usual of one test into `table`."""
    part = table.loc[rows]
    if part.empty:
        return
    if kind == "peers":
        centre, p = peer_excess(sign * part["estimate"].to_numpy(float), part["se"].to_numpy(float))
        if np.isnan(p).any():
            table.loc[rows, "reason"] = FEW_PEERS
            return
        usual = sign * centre
        table.loc[rows, "p_value"], table.loc[rows, "ratio"] = p, np.exp(sign * (part["estimate"] - usual))
        table.loc[rows, "usual"] = _in_unit(part, usual)
    elif kind == "chance":
        tested = count_excess(part[["observed", "expected", "trials"]])
        table.loc[rows, "p_value"] = tested["p_value"]
        table.loc[rows, "ratio"] = part["observed"] / part["expected"].where(part["expected"] > 0)
        table.loc[rows, "usual"] = part["expected"] / part["trials"]
    else:
        table.loc[rows, "usual"] = 0.0


def _in_unit(part: pd.DataFrame, centre: Floats) -> Floats:
    """What peers lead to expect, in the unit a value is told in."""
    if part["expected"].notna().all():
        return np.exp(centre) * part["expected"].to_numpy(float) / part["trials"].to_numpy(float)
    return np.exp(centre) if (part["unit"] == "ratio").all() else 1 / (1 + np.exp(-centre))


def _codes(p_adjusted, p_false_share, ratio, excess, limits: Thresholds) -> Floats:
    large = (np.asarray(ratio) >= limits.least_ratio) & np.asarray(excess)
    alpha = 1 - limits.level
    with np.errstate(invalid="ignore"):
        return np.select([large & (np.asarray(p_adjusted) <= alpha), large & (np.asarray(p_false_share) <= alpha)], [STRONG, WEAK], NONE)


def false_alarms(facts: pd.DataFrame, table: pd.DataFrame, limits: Thresholds, *, draws: int, seed: int) -> pd.DataFrame:
    """How often would agencies that all work alike be given a finding?

    Simulates `draws` books in which no agency games anything: estimates of every judged peers test are drawn around the middle of the
    agencies without a finding in it, with their own standard errors and the scatter between those agencies; counts of chance tests are
    Poisson of what chance makes. Every book is judged as the real one. Rules make no false alarm: a true record never shows them.
    Columns: test (`any`: any test), judged (agencies), strong, weak (agencies with such a finding, all draws; weak counts those without a
    strong one), trials (draws x agencies), value (share with either), low, high (Wilson). First `any`, then as `TESTS`.
    """
    rng = np.random.default_rng(seed)
    index = list(table.index[(table["kind"] != "rule") & (table["finding"] != NOT_JUDGED)])
    part = facts.loc[index]
    p, ratio, excess = (np.full((draws, len(index)), np.nan) for _ in range(3))
    for test in dict.fromkeys(part["test"]):
        at = np.flatnonzero(part["test"] == test)
        own, clean = part.iloc[at], ~table.loc[index, "finding"].isin([STRONG, WEAK]).to_numpy()[at]
        if TESTS[test] == "chance":
            expected = own["expected"].to_numpy(float)
            seen = rng.poisson(expected, (draws, len(at)))
            tested = count_excess(_flat(seen, own))
            p[:, at] = tested["p_value"].to_numpy(float).reshape(seen.shape)
            ratio[:, at] = np.divide(seen, expected, out=np.zeros(seen.shape), where=expected > 0)
            excess[:, at] = seen - expected
            continue
        x, se = own["estimate"].to_numpy(float), own["se"].to_numpy(float)
        clean = clean if clean.sum() > LEAST_PEERS else np.full(len(at), True)
        centre, _, tau2 = between_units(x[clean], se[clean])
        drawn = rng.normal(centre, np.sqrt(se**2 + tau2), (draws, len(at)))
        middle, p[:, at] = peer_excess(drawn, se)
        ratio[:, at], excess[:, at] = np.exp(drawn - middle), np.inf
    codes = [_codes(holm(one), benjamini_hochberg(one), r, e >= LEAST_EXCESS, limits) for one, r, e in zip(p, ratio, excess, strict=True)]
    return _counted(np.array(codes).reshape(draws, len(index)), part, draws)


def _flat(seen: np.ndarray, own: pd.DataFrame) -> pd.DataFrame:
    """Drawn counts beside what was expected and looked at, one row per draw and unit."""
    draws = len(seen)
    repeated = {name: np.tile(own[name].to_numpy(float), draws) for name in ("expected", "trials")}
    return pd.DataFrame({"observed": seen.ravel().astype(float), **repeated})


def _counted(codes: np.ndarray, part: pd.DataFrame, draws: int) -> pd.DataFrame:
    rows = []
    groups = [("any", np.arange(len(part)))] + [(test, np.flatnonzero(part["test"] == test)) for test in dict.fromkeys(part["test"])]
    for test, at in groups:
        units = part["unit_key"].to_numpy()[at]
        strong = sum(int((codes[:, at[units == unit]] == STRONG).any(axis=1).sum()) for unit in np.unique(units))
        either = sum(int((codes[:, at[units == unit]] != NONE).any(axis=1).sum()) for unit in np.unique(units))
        count = len(np.unique(units))
        rows.append({"test": test, "judged": count, "strong": strong, "weak": either - strong, "trials": draws * count})
    table = pd.DataFrame(rows, columns=["test", "judged", "strong", "weak", "trials"])
    seen = table["strong"] + table["weak"]
    table["value"] = seen / table["trials"].where(table["trials"] > 0)
    table["low"], table["high"] = wilson_interval(seen, table["trials"])
    return table


@dataclass(frozen=True, kw_only=True)
class IntegrityVerdict:
    """Whom to audit (an agency with a strong finding: all its findings, strong ones first), where a look is enough; `judged` tests, and what
    was not.
    """

    audit: tuple[tuple[str, tuple[str, ...]], ...]
    look: tuple[tuple[str, tuple[str, ...]], ...]
    units: int
    judged: int
    not_judged: int
    not_asked: tuple[str, ...]
    money_minor: float


def verdict(table: pd.DataFrame) -> IntegrityVerdict:
    """Which agencies must a person audit (a strong finding), and where is a look enough (weak ones alone)? `table`: of `judged`."""
    strong, weak = table[table["finding"] == STRONG], table[table["finding"] == WEAK]
    audited = set(strong["unit_key"])
    silent = table.groupby("test", sort=False)["reason"].apply(lambda reasons: (reasons == NOT_ASKED).all())
    both = pd.concat([strong, weak[weak["unit_key"].isin(audited)]])
    return IntegrityVerdict(
        audit=_by_unit(both),
        look=_by_unit(weak[~weak["unit_key"].isin(audited)]),
        units=int(table["unit_key"].nunique()),
        judged=int((table["finding"] != NOT_JUDGED).sum()),
        not_judged=int(table["reason"].isin([FEW_CASES, FEW_PEERS]).sum()),
        not_asked=tuple(silent.index[silent]),
        money_minor=float(strong["money_minor"].sum()),
    )


def _by_unit(rows: pd.DataFrame) -> tuple[tuple[str, tuple[str, ...]], ...]:
    ordered = rows.groupby("unit_key", sort=True)["test"].agg(tuple)
    return tuple((str(unit), tests) for unit, tests in sorted(ordered.items(), key=lambda pair: (-len(pair[1]), str(pair[0]))))


def conditions(table: pd.DataFrame, *, least_cases: int) -> list[Condition]:
    """Can agencies be judged? ig_judged (refuse: no test of any agency), ig_peers (downgrade: too few agencies to compare with), ig_small
    (note: tests on too few cases), ig_remittance and ig_recordings (note: what the book does not carry).
    """
    units = int(table["unit_key"].nunique())
    asked = table.groupby("test")["reason"].apply(lambda reasons: bool((reasons != NOT_ASKED).any()))
    return [
        Condition(name="ig_judged", met=bool((table["finding"] != NOT_JUDGED).any()), details={"units": units, "least": least_cases}),
        Condition(name="ig_peers", met=units > LEAST_PEERS, consequence="downgrade", details={"units": units, "least": LEAST_PEERS + 1}),
        Condition(
            name="ig_small",
            met=not (table["reason"] == FEW_CASES).any(),
            consequence="note",
            details={"tests": int((table["reason"] == FEW_CASES).sum()), "least": least_cases},
        ),
        Condition(name="ig_remittance", met=bool(asked["not_remitted"]), consequence="note", details={}),
        Condition(name="ig_recordings", met=bool(asked["unverified"]), consequence="note", details={}),
    ]
