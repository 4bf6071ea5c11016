"""How often is the planted cherry-picker found, and how often is a clean agency listed? Sample shops of several seeds, judged end to end."""

import sys
import tempfile
from datetime import date
from pathlib import Path

import pandas as pd
from collect_analysis.agencies.integrity import IntegrityRules, facts
from collect_analysis.agencies.integrity_verdict import STRONG, WEAK, Thresholds, false_alarms, judged
from collect_analysis.book.policy import in_force
from collect_analysis.book.sample import make_sample
from collect_analysis.book.sample.plants import CHERRY_PICKER
from collect_analysis.book.store import open_book
from collect_analysis.measures.conduct import LegalLimits
from collect_analysis.measures.periods import KpiWindows, Period
from collect_analysis.methods.rates.rates import wilson_interval

ACCOUNTS, SEEDS, AS_OF = 20_000, 12, date(2026, 6, 30)
QUARTER = Period(date(2026, 4, 1), AS_OF)


def shop(seed: int, accounts: int = ACCOUNTS) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Facts and judged tests of the sample shop of one seed."""
    with tempfile.TemporaryDirectory() as name:
        make_sample(Path(name) / "sample", accounts=accounts, seed=seed, as_of=AS_OF, now="2026-07-01T00:00:00Z")
        book = open_book("sample", as_of=AS_OF, folder=Path(name))
        limits = [LegalLimits.of(version) for version in in_force("legal_limits", start=QUARTER.start, end=QUARTER.end)]
        counted = facts(book, IntegrityRules(period=QUARTER), windows=KpiWindows(), limits=limits)
    return counted, judged(counted, Thresholds())


def run(seeds: int, accounts: int = ACCOUNTS) -> pd.DataFrame:
    """Columns: what, seen, of, rate, low, high (95 %). Clean agencies are all but the cherry-picker."""
    counts = {name: [0, 0] for name in ("cherry-picker found, strong", "cherry-picker found, any", "clean agency listed, strong",
                                        "clean agency listed, any", "honest agency listed, as the page says")}  # fmt: skip
    for seed in range(1, seeds + 1):
        counted, table = shop(seed, accounts)
        picks = table[(table["unit_key"] == CHERRY_PICKER) & (table["test"] == "cherry_picking")]["finding"].iloc[0]
        clean = table[table["unit_key"] != CHERRY_PICKER]
        units = clean["unit_key"].nunique()
        listed = {name: clean.loc[clean["finding"].isin(codes), "unit_key"].nunique() for name, codes in
                  (("strong", [STRONG]), ("any", [STRONG, WEAK]))}  # fmt: skip
        said = false_alarms(counted, table, Thresholds(), draws=200, seed=seed).iloc[0]
        for name, seen, of in (
            ("cherry-picker found, strong", int(picks == STRONG), 1),
            ("cherry-picker found, any", int(picks in (STRONG, WEAK)), 1),
            ("clean agency listed, strong", listed["strong"], units),
            ("clean agency listed, any", listed["any"], units),
            ("honest agency listed, as the page says", int(said["strong"] + said["weak"]), int(said["trials"])),
        ):
            counts[name][0] += seen
            counts[name][1] += of
    rows = []
    for name, (seen, of) in counts.items():
        low, high = wilson_interval(seen, of)
        rows.append({"what": name, "seen": seen, "of": of, "rate": seen / of, "low": float(low), "high": float(high)})
    return pd.DataFrame(rows)


def main() -> None:
    """Print the table of twelve shops."""
    print(run(SEEDS).to_string(index=False), file=sys.stdout)
