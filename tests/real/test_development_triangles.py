"""Published development triangles: RAA and GenIns (Mack 1993; R package ChainLadder), Friedland's salvage and subrogation."""

from pathlib import Path

import pandas as pd
import pytest
from collect_analysis.methods.forecast.triangles import Projection, chain_ladder

SETS = {
    "raa": ([2.999, 1.624, 1.271, 1.172, 1.113, 1.042, 1.033, 1.017, 1.009], 52_135.2283, 26_909.0112),
    "genins": ([3.4906, 1.7473, 1.4574, 1.1739, 1.1038, 1.0863, 1.0539, 1.0766, 1.0177], 18_680_855.61, 2_447_094.86),
    "friedland_auto_salvage_subrogation": ([1.8980, 1.0166, 1.0015, 1.0019, 1.0004, 1.0024, 1, 1, 1, 1], 2_775_294.48, None),
}


def projected(folder: Path, name: str) -> Projection:
    table = pd.read_csv(folder / "development_triangles" / f"{name}.csv")
    if name.startswith("friedland"):
        names = {"Accident Year": "origin", "Calendar Year": "development", "Received Salvage and Subrogation": "values"}
        table = table.rename(columns=names)
    age = table["development"] - table["origin"] + 1
    return chain_ladder(pd.DataFrame({"origin": table["origin"], "age": age, "value": table["values"]}))


@pytest.mark.parametrize("name", SETS)
def test_the_projection_is_the_published_one(shared_data: Path, name: str) -> None:
    factors, to_come, error = SETS[name]
    found = projected(shared_data, name)
    assert found.factors["factor"].tolist() == pytest.approx(factors, abs=6e-4 if name == "raa" else 6e-5)
    assert found.total["to_come"] == pytest.approx(to_come, abs=0.5)
    if error is not None:
        assert found.total["standard_error"] == pytest.approx(error, abs=0.5)
