"""A run folder as the runner leaves it, made in milliseconds: recorded through the recorder, its notebook written as if executed."""

import json
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import nbformat.v4 as nb
import numpy as np
import pandas as pd
from collect_analysis.agencies.agency_evaluation.parameters import AgencyEvaluation
from collect_analysis.book.durable import file_hash, files_below, write_json
from collect_analysis.methods.evidence import Condition
from collect_analysis.report import tables
from collect_analysis.report.figures import curves, intervals
from collect_analysis.report.recording import Decision, RunRecorder
from collect_analysis.runs.page import render_page

AGENCIES = ("Luật Minh Tín", "Thu hồi Đại Nam", "An Bình Collection")
WORDS = {
    "en": {
        "title": "# Which agency collects more on comparable accounts?\n\nFor the head of outsourcing. Says nothing about conduct.",
        "league": "## Which agency collected more than expected?\n\nEach row compares an agency with the others on like accounts. "
        "**Action:** move share only where the whole interval lies on one side of one.",
        "curves": "## How fast does each agency collect?\n\nThe band is where each curve plausibly lies.",
        "question": "What share should each agency get next quarter?",
        "answer": "Move 6 points of share from An Bình Collection to Luật Minh Tín; leave Thu hồi Đại Nam as it is.",
    },
    "vi": {
        "title": "# Đối tác nào thu hồi tốt hơn trên các hồ sơ tương đương?\n\nDành cho phụ trách thuê ngoài.",
        "league": "## Đối tác nào thu được nhiều hơn kỳ vọng?\n\nMỗi dòng so sánh một đối tác với các đối tác khác trên hồ sơ tương đương. "
        "**Hành động:** chỉ chuyển tỷ trọng khi toàn bộ khoảng tin cậy nằm về một phía của một.",
        "curves": "## Tốc độ thu hồi của từng đối tác ra sao?\n\nDải màu là khoảng mà mỗi đường có thể nằm trong đó.",
        "question": "Kỳ tới giao tỷ trọng bao nhiêu cho từng đối tác?",
        "answer": "Chuyển 6 điểm tỷ trọng từ An Bình Collection sang Luật Minh Tín; giữ nguyên Thu hồi Đại Nam.",
    },
}


def league(names: Sequence[str]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "unit_name": names,
            "placed_minor": [42_000_000_000, 88_150_250_000, 12_345_678_901],
            "collected_minor": [1_722_000_000, 5_193_000_000, 271_604_935],
            "placed_accounts": [12_400, 30_150, 6],
            "value": [1.14, 0.98, np.nan],
            "low": [1.01, 0.92, np.nan],
            "high": [1.28, 1.05, np.nan],
            # A tenth stays inside: of shares that add up to one, the hidden row would hide another.
            "share_now": [0.25, 0.45, 0.20],
            "share_next": [0.31, 0.45, 0.14],
            "note": ["", "", "suppressed: fewer than 10 cases"],
        }
    )


def liquidation(names: Sequence[str]) -> pd.DataFrame:
    rows = [
        {"unit_name": name, "age_months": age, "value": slope * age**0.7, "low": slope * age**0.7 * 0.9, "high": slope * age**0.7 * 1.1}
        for name, slope in zip(names, (0.012, 0.009, 0.005), strict=True)
        for age in range(1, 13)
    ]
    return pd.DataFrame(rows)


def write_run(
    slot: Path,
    *,
    run_id: str = "20260701T080000Z-0a1b2c3d",
    name: str = "dca-quarter",
    lang: str = "en",
    audience: str = "managers",
    synthetic: bool = True,
    names: Sequence[str] = AGENCIES,
    answer: str | None = None,
    blocked: bool = False,
    value: float = 1.14,
    as_of: date = date(2026, 6, 30),
    finished: str = "2026-07-01T08:00:12.345+00:00",
) -> Path:
    """Write a complete run into `slot/run_id`, point `current` at it, and return its folder."""
    folder = slot / run_id
    folder.mkdir(parents=True)
    words = WORDS[lang]
    parameters = AgencyEvaluation(
        name=name, book="sample", as_of=as_of, lang=lang, audience=audience, period_start=date(2026, 4, 1), period_end=date(2026, 6, 30)
    )
    record = RunRecorder(parameters, str(folder))
    shown = record.table("league", league(names), people="placed_accounts")
    displayed = tables.show(shown, lang=lang, currency="VND", percent=["share_now", "share_next"])
    forest = record.figure("league", intervals.interval_plot(shown, label="unit_name", xlabel="O/E", lang=lang, reference=1.0))
    curve = record.table("curves", liquidation(names), people=5_000)
    drawn = record.figure(
        "curves",
        curves.line_curves(curve, x="age_months", xlabel="Months", ylabel="Collected", lang=lang, curve="unit_name", percent=True),
    )
    record.measures(
        "index", shown.assign(value=[value, *shown["value"][1:]]), by=["unit_name"], unit="ratio", kpi="E2", people="placed_accounts"
    )
    record.conditions(
        [
            Condition(name="overlap", met=True, detail="Every agency holds accounts of every stratum."),
            Condition(
                name="sample ratio",
                met=not blocked,
                detail="Accounts were not allocated as planned (p < 0.001)." if blocked else "Accounts were allocated as planned.",
                remedy="repair the allocation, then wait one horizon.",
            ),
            Condition(name="maturity", met=False, detail="Batches of June are younger than three months.", consequence="note"),
        ]
    )
    record.decide(
        Decision(
            question=words["question"],
            answer=answer or words["answer"],
            confidence="0.58 that the leader is best",
            grade="none" if blocked else "B",
            caveats=("Agency-declared activity is not verified.", names[0]),
            forecast={"measure": "index", "value": 1.09, "low": 1.01, "high": 1.18, "unit": "ratio", "due": "2026-09-30"},
            action={
                "shares": [
                    {"unit_name": unit, "share_now": now, "share_next": then}
                    for unit, now, then in zip(names, (0.25, 0.45, 0.30), (0.31, 0.45, 0.24), strict=True)
                ],
                "placed_minor": 142_495_928_901,
            },
        )
    )
    cells = [
        markdown(words["title"]),
        nb.new_code_cell("name = 'dca-quarter'", metadata={"tags": ["parameters"]}, execution_count=1),
        markdown(words["league"]),
        code("tables.show(shown)", displayed),
        code("record.figure(...)", forest),
        markdown(words["curves"]),
        code("record.figure(...)", drawn),
        nb.new_code_cell(
            "print(record.finish())",
            metadata={"tags": ["keep_output"]},
            outputs=[nb.new_output("stream", name="stdout", text=record.finish())],
            execution_count=9,
        ),
    ]
    write_json(folder / "notebook.ipynb", nb.new_notebook(cells=cells))
    run = run_of(folder, parameters, synthetic=synthetic, finished=finished)
    render_page(folder, run)
    write_json(
        folder / "run.json", {**run, "files": {path.relative_to(folder).as_posix(): file_hash(path) for path in files_below(folder)}}
    )
    point_at(folder)
    return folder


def markdown(source: str) -> Any:
    return nb.new_markdown_cell(source)


def code(source: str, displayed: Any) -> Any:
    data = json.loads(json.dumps(displayed._repr_mimebundle_()))
    return nb.new_code_cell(source, outputs=[nb.new_output("execute_result", data=data, execution_count=3)], execution_count=3)


def run_of(folder: Path, parameters: AgencyEvaluation, *, synthetic: bool, finished: str) -> dict[str, Any]:
    return {
        "schema": 1,
        "run_id": folder.name,
        "report": parameters.report,
        "name": parameters.name,
        "slot": parameters.slot,
        "state": "complete",
        "started": "2026-07-01T08:00:00.000+00:00",
        "finished": finished,
        "seconds": 12.345,
        "parameters": parameters.as_json(),
        "inputs": {
            "book": "sample",
            "fingerprint": "ab" * 32,
            "synthetic": synthetic,
            "currency": "VND",
            "as_of": parameters.as_of.isoformat(),
            "rows": {"account": 200_000, "payment": 1_234_567},
        },
        "policy": {"placement.yml": "cd" * 32},
        "notebook_sha256": "ef" * 32,
        "code": {"version": "0.1.0", "sha256": "12" * 32, "commit": "34" * 20, "dirty": False},
        "packages": {"python": "3.11.7", "pandas": "3.0.0"},
        "files": {},
        "error": None,
    }


def point_at(folder: Path) -> None:
    current = folder.parent / "current"
    current.unlink(missing_ok=True)
    current.symlink_to(folder.name)
