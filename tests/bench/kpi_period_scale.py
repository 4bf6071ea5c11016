"""A KPI period of 2 million accounts, 40 million contacts and 6 million payments: the library against pandas and hand-written SQL.

Each way runs in a process of its own on the same Parquet files. Ways: `cold`, all KPIs at all grains, the period and the one before;
`shared`, the same again as the second report of a batch has it; `pandas`, the idiomatic frames of `_kpi_pandas`, which know about half of
the KPIs and no intervals, against `same`, the library on those KPIs with their intervals;
`floor`, `_kpi_sql` by hand, against `main`, the library on the same KPIs. Numbers must agree before times are told.
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

SIZES = (200_000, 2_000_000)
AS_OF = date(2026, 6, 30)
START = date(2026, 6, 1)
PROJECT = Path(__file__).resolve().parents[2]
GRAINS = ("company", "portfolio", "sub_function", "unit", "officer")
KEYS = ["when", "kpi", "scope_type", "scope_key"]
WAYS = ("pandas", "same", "floor", "main", "cold", "shared")
# Filled by the first of two processes: what the first report of a batch leaves.
AGAIN = {"shared": "cold"}


def library(books: Path, ids: tuple[str, ...] = ()):
    """Numerators and denominators by the library."""
    import pandas as pd
    from collect_analysis.book.store import open_book
    from collect_analysis.measures.kpi_table import Facts, compared
    from collect_analysis.measures.periods import Period

    facts = Facts(open_book("sample", as_of=AS_OF, folder=books), Period(START, AS_OF), limits=[limits()])
    table = compared(facts, grains=GRAINS, ids=ids)
    del pd
    return table[[*KEYS[1:], "numerator", "denominator"]].assign(when="current")[[*KEYS, "numerator", "denominator"]]


def frames(books: Path):
    """The same by hand-written pandas."""
    from collect_analysis.measures.periods import KpiWindows, Period

    from tests.bench._kpi_pandas import kpi_numbers

    return kpi_numbers(books / "sample", Period(START, AS_OF), KpiWindows(), limits())


def by_hand(books: Path):
    """The same by hand-written SQL."""
    from collect_analysis.measures.periods import KpiWindows

    from tests.bench._kpi_sql import sql_numbers

    law = limits()
    counts = {
        "attempt": "",
        "delivered": "AND result IN ('answered', 'met', 'delivered')",
        "connected": "AND result IN ('answered', 'met')",
    }
    seconds = {
        name: moment.hour * 3600 + moment.minute * 60 + moment.second for name, moment in (("opens", law.opens), ("closes", law.closes))
    }
    lists = {
        "hour_channels": law.hour_channels, "day_channels": law.day_channels, "parties": law.forbidden_parties, "reasons": law.end_reasons,
    }  # fmt: skip
    quoted = {name: ", ".join(f"'{item}'" for item in items) for name, items in lists.items()}
    values = {**seconds, **quoted, "counts": counts[law.day_counts], "most": law.most_per_day, "attribution": KpiWindows().attribution_days}
    return sql_numbers(books / "sample", values)


def limits():
    """The law of the shop, for all its days."""
    from dataclasses import replace

    from collect_analysis.book.policy import in_force
    from collect_analysis.measures.conduct import LegalLimits

    (version,) = in_force("legal_limits", start=START, end=AS_OF, folder=PROJECT / "parameters" / "policy")
    return replace(LegalLimits.of(version), valid_from=date(2020, 1, 1))


def _child(way: str, books: Path, out: Path) -> None:
    from tests.bench._kpi_sql import IDS

    started = time.perf_counter()
    ways = {
        "pandas": frames, "floor": by_hand, "main": lambda place: library(place, IDS), "same": lambda place: library(place, _ids_of(out)),
    }  # fmt: skip
    numbers = ways.get(way, library)(books)
    wall = time.perf_counter() - started
    usage = resource.getrusage(resource.RUSAGE_SELF)
    numbers.to_parquet(out / f"{way}.parquet")
    told = {"wall": wall, "cpu": usage.ru_utime + usage.ru_stime, "peak_mib": usage.ru_maxrss / 1024}
    (out / f"{way}.json").write_text(json.dumps(told), encoding="utf-8")


def _ids_of(out: Path) -> tuple[str, ...]:
    """The KPIs that the pandas script knows: about half of all."""
    import pandas as pd

    return tuple(sorted(pd.read_parquet(out / "pandas.parquet", columns=["kpi"])["kpi"].unique()))


def measure(way: str, books: Path, out: Path) -> dict[str, float]:
    """Run one way in a process of its own."""
    environment = {**os.environ, "COLLECT_SHARED": "" if way not in ("cold", "shared") else str(out / "batch")}
    command = [sys.executable, "-m", "tests.bench.kpi_period_scale", way, str(books), str(out)]
    subprocess.run(command, check=True, cwd=PROJECT, env=environment)
    return json.loads((out / f"{way}.json").read_text(encoding="utf-8"))


def different(out: Path, one: str, other: str) -> int:
    """Rows of the current period that two ways do not agree on, to the unit; one that a way leaves out must be nothing in the other."""
    import pandas as pd

    left, right = (pd.read_parquet(out / f"{way}.parquet") for way in (one, other))
    left, right = (part[(part["when"] == "current")] for part in (left, right))
    shared = set(left["kpi"]) & set(right["kpi"])
    left, right = (part[part["kpi"].isin(shared)] for part in (left, right))
    both = left.merge(right, on=KEYS, how="outer", suffixes=("_one", "_other"))
    differ = pd.Series(False, index=both.index)
    for column in ("numerator", "denominator"):
        differ |= (both[f"{column}_one"].fillna(0) - both[f"{column}_other"].fillna(0)).abs() > 0.5
    if differ.any():
        print(both[differ].groupby("kpi").head(3).head(30).to_string())
    print(f"{one} and {other}: {len(both):,} numbers of {len(shared)} KPIs compared, {int(differ.sum())} differ", flush=True)
    return int(differ.sum())


def main(sizes: tuple[int, ...] = SIZES, folder: Path | None = None) -> None:
    """Print wall time, CPU time and peak memory of each way, ratios and growth."""
    from tests.bench._kpi_shop import make_shop

    told: dict[tuple[int, str], dict[str, float]] = {}
    wrong = 0
    for size in sizes:
        with tempfile.TemporaryDirectory() as name:
            books, out = (folder / f"big{size}" if folder else Path(name) / "books"), Path(name)
            if not (books / "sample" / "book.json").is_file():
                make_shop(books / "sample", accounts=size)
            for way in WAYS:
                told[size, way] = measure(way, books, out)
                print(size, way, {key: round(value, 1) for key, value in told[size, way].items()}, flush=True)
            wrong += different(out, "cold", "pandas") + different(out, "main", "floor") + different(out, "cold", "shared")
            wrong += different(out, "same", "cold")
    print(f"{'accounts':>10} {'way':8} {'wall s':>8} {'CPU s':>8} {'peak MiB':>9}")
    for (size, way), row in told.items():
        print(f"{size:10,} {way:8} {row['wall']:8.1f} {row['cpu']:8.1f} {row['peak_mib']:9.0f}")
    for kind in ("wall", "cpu"):
        for size in sizes:
            ratio = {way: told[size, way][kind] for way in WAYS}
            print(
                f"{size:,} accounts, {kind}: pandas / same KPIs {ratio['pandas'] / ratio['same']:.1f}, / cold {ratio['pandas'] / ratio['cold']:.1f}, / shared "
                f"{ratio['pandas'] / ratio['shared']:.1f}, library / SQL {ratio['main'] / ratio['floor']:.2f}"
            )
        if len(sizes) > 1:
            growth = [f"{way} {told[sizes[-1], way][kind] / told[sizes[0], way][kind]:.1f}" for way in WAYS]
            print(f"{sizes[-1] / sizes[0]:.0f} times the data, {kind}: " + ", ".join(growth))
    if wrong:
        raise SystemExit("the ways do not give the same numbers")


if __name__ == "__main__":
    _child(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
