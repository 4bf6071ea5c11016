"""environment.yml, pyproject.toml and the lock name one set of packages."""

import re
import tomllib
from importlib.metadata import version
from pathlib import Path

import yaml
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PROJECT = Path(__file__).resolve().parents[2]
ASKED_FOR = ("jupyterlab", "papermill", "pandas", "seaborn", "scipy", "nbval", "voila")


def locked() -> dict[str, list[Requirement]]:
    lines = (PROJECT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    pins: dict[str, list[Requirement]] = {}
    for line in lines:
        if re.match(r"^[A-Za-z0-9]", line):
            requirement = Requirement(line.rstrip(" \\"))
            pins.setdefault(canonicalize_name(requirement.name), []).append(requirement)
    return pins


def declared() -> list[Requirement]:
    content = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))
    return [Requirement(text) for text in [*content["project"]["dependencies"], *content["dependency-groups"]["dev"]]]


def pin_here(pins: list[Requirement]) -> str:
    here = default_environment()
    (pin,) = [item for item in pins if item.marker is None or item.marker.evaluate(here)]
    return next(iter(pin.specifier)).version


def test_every_declared_package_is_locked_within_its_range() -> None:
    pins = locked()
    for requirement in declared():
        found = pins.get(canonicalize_name(requirement.name))
        assert found, f"{requirement.name} is declared in pyproject.toml and not locked; run make lock"
        assert pin_here(found) in requirement.specifier


def test_the_packages_asked_for_are_declared() -> None:
    assert set(ASKED_FOR) <= {requirement.name for requirement in declared()}


def test_every_pin_has_hashes() -> None:
    text = (PROJECT / "requirements.lock").read_text(encoding="utf-8")
    blocks = re.split(r"\n(?=[A-Za-z0-9])", text)
    without = [block.splitlines()[0] for block in blocks if re.match(r"^[A-Za-z0-9]", block) and "--hash=sha256:" not in block]
    assert not without


def test_the_conda_file_installs_the_lock_with_hashes() -> None:
    content = yaml.safe_load((PROJECT / "environment.yml").read_text(encoding="utf-8"))
    (pip_lines,) = [item["pip"] for item in content["dependencies"] if isinstance(item, dict)]
    assert pip_lines == ["--require-hashes", "-r requirements.lock"]


def test_this_environment_is_the_locked_one() -> None:
    wrong = {
        name: version(name)
        for name in ("pandas", "duckdb", "papermill", "voila", "ibis-framework")
        if version(name) != pin_here(locked()[name])
    }
    assert not wrong
