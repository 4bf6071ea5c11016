"""A KPI period of 200,000 accounts, all KPIs, company to officer, against the period before: the engine against idiomatic pandas.

Each runs in a process of its own on the same Parquet files, cold. The numbers must be equal before times are told. The engine also gives
every interval, pandas none.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

ACCOUNTS = 200_000
AS_OF = date(2026, 6, 30)
START = date(2026, 6, 1)
PROJECT = Path(__file__).resolve().parents[2]
KEYS = ["when", "kpi", "scope_type", "scope_key"]


def engine_numbers(books: Path):
    """Numerators and denominators by the library."""
    import pandas as pd
    from collect_analysis.book.store import open_book
    from collect_analysis.measures.kpi_table import Facts, kpi_table
    from collect_analysis.measures.periods import Period

    facts = Facts(open_book("sample", as_of=AS_OF, folder=books), Period(START, AS_OF), limits=[_limits()])
    grains = ("company", "portfolio", "sub_function", "unit", "officer")
    parts = [kpi_table(each, grains=grains).assign(when=when) for when, each in (("current", facts), ("previous", facts.previous))]
    return pd.concat(parts, ignore_index=True)[[*KEYS, "numerator", "denominator"]]


def pandas_numbers(books: Path):
    """Numerators and denominators by hand-written pandas."""
    from collect_analysis.measures.periods import KpiWindows, Period

    from tests.bench._kpi_pandas import kpi_numbers

    return kpi_numbers(books / "sample", Period(START, AS_OF), KpiWindows(), _limits())


def _limits():
    from collect_analysis.book.policy import in_force
    from collect_analysis.measures.conduct import LegalLimits

    (version,) = in_force("legal_limits", start=START, end=AS_OF, folder=PROJECT / "parameters" / "policy")
    from dataclasses import replace

    return replace(LegalLimits.of(version), valid_from=date(2020, 1, 1))


def _child(way: str, books: Path, out: Path) -> None:
    started = time.perf_counter()
    numbers = {"engine": engine_numbers, "pandas": pandas_numbers}[way](books)
    wall = time.perf_counter() - started
    usage = resource.getrusage(resource.RUSAGE_SELF)
    numbers.to_parquet(out / f"{way}.parquet")
    told = {"wall": wall, "cpu": usage.ru_utime + usage.ru_stime, "peak_mib": usage.ru_maxrss / 1024}
    (out / f"{way}.json").write_text(json.dumps(told), encoding="utf-8")


def _measure(way: str, books: Path, out: Path) -> dict[str, float]:
    command = [sys.executable, "-m", "tests.bench.kpi_period_vs_pandas", way, str(books), str(out)]
    subprocess.run(command, check=True, cwd=PROJECT)
    return json.loads((out / f"{way}.json").read_text(encoding="utf-8"))


def _different(out: Path) -> int:
    """Rows that the two ways do not agree on, to the unit; a row that one leaves out must be nothing in the other."""
    import pandas as pd

    left, right = (pd.read_parquet(out / f"{way}.parquet") for way in ("engine", "pandas"))
    both = left.merge(right, on=KEYS, how="outer", suffixes=("_engine", "_pandas"))
    differ = pd.Series(False, index=both.index)
    for column in ("numerator", "denominator"):
        differ |= (both[f"{column}_engine"].fillna(0) - both[f"{column}_pandas"].fillna(0)).abs() > 0.5
    if differ.any():
        print(both[differ].head(20).to_string())
    print(f"{len(both):,} numbers compared")
    return int(differ.sum())


def main() -> None:
    """Print wall time, CPU time and peak memory of both, and the ratio."""
    from collect_analysis.book.sample import make_sample

    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        books = Path(os.environ.get("COLLECT_BOOKS", PROJECT / ".books"))
        if not (books / "sample" / "book.json").is_file():
            books = out / "books"
            make_sample(books / "sample", accounts=ACCOUNTS, seed=1, as_of=AS_OF, now="2026-07-01T00:00:00Z")
        rows = {way: _measure(way, books, out) for way in ("engine", "pandas")}
        if _different(out):
            raise SystemExit("the two ways do not give the same numbers")
        print(f"{'':8} {'wall s':>8} {'CPU s':>8} {'peak MiB':>9}")
        for way, told in rows.items():
            print(f"{way:8} {told['wall']:8.1f} {told['cpu']:8.1f} {told['peak_mib']:9.0f}")
        ratios = {name: rows["pandas"][name] / rows["engine"][name] for name in ("wall", "cpu", "peak_mib")}
        print(f"pandas / engine: wall {ratios['wall']:.1f}, CPU {ratios['cpu']:.1f}, memory {ratios['peak_mib']:.1f}")


if __name__ == "__main__":
    _child(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
