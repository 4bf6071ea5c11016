"""Run the benchmarks: `python -m tests.bench [NAME ...]`; each module here has a `main()` that prints its table."""

import importlib
import pkgutil
import sys
from pathlib import Path


def names() -> list[str]:
    """The benchmarks, by module name."""
    found = pkgutil.iter_modules([str(Path(__file__).parent)])
    return sorted(module.name for module in found if not module.name.startswith("_"))


def run(wanted: list[str]) -> int:
    """Run the wanted benchmarks, or all; the exit code says whether the names are known."""
    unknown = sorted(set(wanted) - set(names()))
    if unknown:
        print(f"unknown benchmark {', '.join(unknown)}; known: {', '.join(names())}", file=sys.stderr)
        return 2
    for name in wanted or names():
        print(f"== {name}", flush=True)
        importlib.import_module(f"tests.bench.{name}").main()
    return 0


if __name__ == "__main__":
    raise SystemExit(run(sys.argv[1:]))
