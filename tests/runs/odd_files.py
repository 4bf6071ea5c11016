"""What a run.json or results.json may hold instead of what the runner wrote: by name, how its bytes become others."""

import json
from collections.abc import Callable


def _with(**changes: object) -> Callable[[bytes], bytes]:
    return lambda raw: json.dumps({**json.loads(raw), **changes}).encode()


def _without(*keys: str) -> Callable[[bytes], bytes]:
    return lambda raw: json.dumps({key: value for key, value in json.loads(raw).items() if key not in keys}).encode()


EITHER: dict[str, Callable[[bytes], bytes]] = {
    "list": lambda raw: b"[]",
    "null": lambda raw: b"null",
    "number": lambda raw: b"7",
    "text": lambda raw: b'"complete"',
    "empty": lambda raw: b"",
    "half": lambda raw: raw[: len(raw) // 2],
    "empty-object": lambda raw: b"{}",
    "not-utf8": lambda raw: raw.replace(b"kpi_period", b"kpi_\xff"),
    "nested": lambda raw: b"[" * 1_200 + b"]" * 1_200,
    "half-character": lambda raw: _with(name="sh\ud800op")(raw),
    "other-name": _with(name=7),
}
OF_RUN = {
    **EITHER,
    "no-inputs": _without("inputs"),
    "inputs-list": _with(inputs=[]),
    "no-state": _without("state"),
    "odd-state": _with(state="splendid"),
    "started-number": _with(started=5),
    "finished-word": _with(finished="soon"),
    "as-of-word": _with(inputs={"book": "tiny", "fingerprint": "f", "synthetic": True, "currency": "VND", "as_of": "zzzz-99-99"}),
    "parameters-null": _with(parameters=None),
    "odd-audience": _with(parameters={"lang": "en", "audience": "everybody"}),
    "files-list": _with(files=[]),
    "another-run": _with(slot="2026-05-01--2026-05-31"),
    "run-id-path": _with(run_id="../x"),
    "code-null": _with(code=None),
}
OF_RESULTS = {
    **EITHER,
    "decision-null": _with(decision=None),
    "no-decision": _without("decision"),
    "decision-text": _with(decision="keep it"),
    "answer-null": _with(
        decision={"question": "?", "answer": None, "confidence": "", "grade": "C", "caveats": [], "forecast": {}, "action": {}}
    ),
    "odd-grade": _with(
        decision={"question": "?", "answer": "!", "confidence": "", "grade": "<b>", "caveats": [], "forecast": {}, "action": {}}
    ),
    "checks-null": _with(checks=None),
    "check-number": _with(checks=[1]),
    "measures-text": _with(measures="many"),
    "measure-empty": _with(measures=[{}]),
    "value-text": _with(
        measures=[{"name": "m", "value": "1", "by": {}, "low": None, "high": None, "numerator": None, "denominator": None, "unit": "",
                   "kpi": "", "grade": "", "note": ""}]
    ),
    "tables-list": _with(tables=[]),
}  # fmt: skip
