"""Print the pip part of environment.yml as a requirements file, its relative files made absolute."""

import sys
from pathlib import Path

import yaml


def pip_part(environment: Path) -> list[str]:
    """The lines of the pip part."""
    content = yaml.safe_load(environment.read_text(encoding="utf-8"))
    parts = [item["pip"] for item in content["dependencies"] if isinstance(item, dict)]
    folder = environment.resolve().parent
    return [f"-r {folder / line.removeprefix('-r ')}" if line.startswith("-r ") else line for part in parts for line in part]


if __name__ == "__main__":
    print("\n".join(pip_part(Path(sys.argv[1]))))
