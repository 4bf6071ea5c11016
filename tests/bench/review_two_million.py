"""How long a strategy review of two million accounts takes, from a supplied cohort, and how much memory it needs."""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

ACCOUNTS = 2_000_000
CUSTOMERS = 1_700_000
NOW = "2026-07-01T08:00:00+00:00"
MAPPING = """\
source: trial
book: trial
currency: VND
synthetic: true
location: {{variable: BENCH_DIR, default: {folder}}}
files: trial.parquet
format: {{kind: parquet}}
control: {{rows: {accounts}}}
tables:
  cohort:
    columns:
      experiment_id: {{value: trial}}
      subject_key: {{from: account}}
      customer_key: {{from: customer}}
      arm: {{from: arm}}
      assigned_on: {{from: day}}
      propensity: {{from: chance}}
      stratum: {{from: bucket}}
    outcomes:
      cash_minor: {{from: cash, kind: money, horizon_days: 90}}
    covariates:
      paid_before: {{from: before, measured: before}}
      score: {{from: score, measured: before}}
    doses:
      contacts: {{from: contacts}}
"""
REPORT = """\
report: strategy_review
book: trial
as_of: 2026-06-30
experiment_id: trial
champion: champion
challengers: [challenger]
primary_outcome: cash
horizon_days: 90
covariates: [paid_before, score]
preregistration: bench
dose: contacts
min_dose_difference: 0.05
"""


def main() -> None:
    """Print wall time and peak memory of the import and of the review."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "trial.yml").write_text(MAPPING.format(folder=folder, accounts=ACCOUNTS), encoding="utf-8")
        report = folder / "parameters" / "strategy_review" / "trial.yml"
        report.parent.mkdir(parents=True)
        report.write_text(REPORT, encoding="utf-8")
        deliver(folder / "trial.parquet")
        print(f"{'step':10s} {'wall s':>7s} {'peak MiB':>9s}")
        _timed("import", folder, "import", str(folder / "trial.yml"))
        _timed("review", folder, "run", str(report))


def deliver(path: Path, accounts: int = ACCOUNTS, seed: int = 1) -> None:
    """Write the cohort: two million accounts of 1.7 million customers, 12 % payers with heavy tails, +5 % payers in the challenger arm."""
    rng = np.random.default_rng(seed)
    customer = rng.integers(0, round(CUSTOMERS * accounts / ACCOUNTS), accounts)
    challenger = customer % 2 == 1
    score = rng.normal(600, 60, accounts)
    before = np.where(rng.random(accounts) < 0.2, rng.lognormal(14, 1, accounts), 0).astype(np.int64)
    chance = 0.12 * np.exp((score - 600) / 300) * np.where(challenger, 1.05, 1.0)
    cash = np.where(rng.random(accounts) < chance, rng.lognormal(14, 0.95, accounts), 0).astype(np.int64)
    columns = {
        "account": pa.array(np.char.add("a", np.arange(accounts).astype(str))),
        "customer": pa.array(np.char.add("c", customer.astype(str))),
        "arm": pa.array(np.where(challenger, "challenger", "champion")),
        "day": pa.array((np.datetime64("2026-01-05") + rng.integers(0, 60, accounts)).astype("datetime64[D]")),
        "chance": pa.array(np.full(accounts, 0.5)),
        "bucket": pa.array(rng.choice(["b1", "b2", "b3", "b4"], accounts)),
        "cash": pa.array(cash),
        "before": pa.array(before),
        "score": pa.array(np.round(score, 1)),
        "contacts": pa.array(rng.poisson(np.where(challenger, 4.0, 3.0))),
    }
    pq.write_table(pa.table(columns), path)


def _timed(step: str, folder: Path, *arguments: str) -> None:
    """Run one command of `collect` in the folder; time it as a whole process with its children."""
    environment = {**os.environ, "COLLECT_BOOKS": str(folder / "books"), "COLLECT_REPORTS": str(folder / "reports")}
    script = "import resource, subprocess, sys; code = subprocess.call(sys.argv[1:]); "
    script += "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr); sys.exit(code)"
    command = [sys.executable, "-c", script, sys.executable, "-m", "collect_analysis.cli", *arguments, "--now", NOW]
    start = time.perf_counter()
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - start
    if done.returncode:
        raise SystemExit(f"{step} failed ({done.returncode}):\n{done.stderr[-3000:]}")
    print(f"{step:10s} {seconds:7.1f} {int(done.stderr.strip().splitlines()[-1]) / 1024:9.0f}")
