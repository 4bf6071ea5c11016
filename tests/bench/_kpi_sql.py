"""The KPIs of two months written by hand as DuckDB SQL, both months in one pass per relation: the floor the library is measured against.

Sums, cases and the squares and products over debtors that intervals need, by company, portfolio, sub-function, unit and officer. Left out:
kept promises and cost to collect, whose rules are no single query, and what has a relation of a few thousand rows.
"""

from pathlib import Path

import duckdb
import pandas as pd

GRAINS = {"company": "", "portfolio": "portfolio", "sub_function": "sub", "unit": "unit", "officer": "officer"}
FLOWS = {"F1": "rolled", "F3": "stayed", "F4": "improved", "F5": "cured", "F5b": "cured_or_reaged", "F6": "gone"}
# KPI -> (numerator, denominator) by relation; shares of cases need no squares.
SHARES = {
    "flow": {kpi: (column, "one") for kpi, column in FLOWS.items()},
    "cash": {"R9": ("assigned_payer", "assigned")},
    "reach": {"C1": ("attempted", "one"), "C6": ("reached", "one"), "C7": ("promised", "reached")},
}
RATIOS = {
    "flow": {f"{kpi}-balance": (f"{column}_minor", "owed") for kpi, column in FLOWS.items()},
    "net_flow": {"F2": ("next_minor", "open_minor")},
    "cash": {"R1": ("collected", ""), "R3": ("collected", "opening"), "R10": ("collected", "payer")},
    "reach": {"C2": ("attempts", "attempted")},
    "attempts": {"C3": ("answered", "attempts"), "C4": ("rpc", "attempts"), "C5": ("rpc", "answered")},
    "attributed": {"C12": ("paid", "rpc"), "C12-attempt": ("paid", "attempts")},
    "breaches": {"Q1": ("breach", "outbound")},
    "hours": {"W4": ("attempts", "productive"), "W4-rpc": ("rpc", "productive"), "W4-promise": ("promises", "productive")},
}
IDS = tuple(kpi for group in (SHARES, RATIOS) for kpis in group.values() for kpi in kpis)
SCOPED = """coalesce(a.customer_key, f.account_key) AS debtor, coalesce(portfolio_code, 'unassigned') AS portfolio,
    coalesce(sub_function, 'unassigned') AS sub, coalesce(f.unit_key, 'unassigned') AS unit, coalesce(f.officer_key, 'unassigned') AS officer"""
JOINED = "LEFT JOIN account a USING (account_key) LEFT JOIN units u ON f.unit_key = u.unit_key"
MET = "result IN ('answered', 'met')"
RPC = f"({MET} AND party_role IN ('debtor', 'guarantor') AND verified)"
ATTEMPT = "(direction = 'out' AND channel IN ('call', 'voicebot', 'visit'))"

RELATIONS = {
    "account": "SELECT account_key, customer_key, portfolio_code, original_minor FROM '{book}/account/*.parquet'",
    "units": "SELECT unit_key, max(sub_function) AS sub_function FROM '{book}/unit/*.parquet' GROUP BY ALL",
    "ends": """SELECT account_key, month_end, status, bucket, balance_minor, reaged, unit_key, officer_key
        FROM '{book}/month_end/*.parquet' WHERE month_end BETWEEN DATE '2026-04-30' AND DATE '2026-06-30'""",
    "openings": "SELECT *, (month_end = DATE '2026-05-31')::INT AS p FROM ends WHERE month_end < DATE '2026-06-30'",
    "closings": "SELECT *, (month_end = DATE '2026-06-30')::INT AS p FROM ends WHERE month_end > DATE '2026-04-30'",
    "log": """SELECT event_key, account_key, customer_key, local_ts, local_ts::DATE AS day, direction, channel, result, party_role, verified,
        unit_key, officer_key, (local_ts >= TIMESTAMP '2026-06-01')::INT AS p FROM '{book}/contact/*.parquet'
        WHERE local_ts >= TIMESTAMP '2026-05-01' - INTERVAL {attribution} DAY AND local_ts < TIMESTAMP '2026-07-01'""",
    "month_log": "SELECT * FROM log WHERE local_ts >= TIMESTAMP '2026-05-01'",
    "money": """SELECT payment_key, account_key, amount_minor, value_date, (value_date >= DATE '2026-06-01')::INT AS p
        FROM '{book}/payment/*.parquet' WHERE eligible AND reversal_of IS NULL AND value_date BETWEEN DATE '2026-05-01' AND DATE '2026-06-30'
        AND payment_key NOT IN (SELECT reversal_of FROM '{book}/payment/*.parquet' WHERE reversal_of IS NOT NULL)""",
    "promised": """SELECT account_key, officer_key, made_ts::DATE AS day, (made_ts >= TIMESTAMP '2026-06-01')::INT AS p
        FROM '{book}/promise/*.parquet' WHERE made_ts >= TIMESTAMP '2026-05-01' AND made_ts < TIMESTAMP '2026-07-01'""",
    "flow": f"""WITH f AS (SELECT o.p, o.account_key, o.unit_key, o.officer_key, o.balance_minor AS owed, o.bucket, CASE
            WHEN n.account_key IS NULL THEN 'missing' WHEN n.status <> 'open' THEN 'gone'
            WHEN n.reaged AND n.bucket = 0 AND o.bucket > 0 THEN 'reaged' WHEN n.bucket > o.bucket THEN 'rolled'
            WHEN n.bucket = o.bucket THEN 'stayed' WHEN n.bucket = 0 THEN 'cured' ELSE 'improved' END AS state
        FROM openings o LEFT JOIN closings n ON o.account_key = n.account_key AND o.p = n.p WHERE o.status = 'open' AND o.bucket >= 1)
        SELECT p, owed, 1 AS one, (state = 'rolled')::INT AS rolled, (state IN ('stayed', 'reaged'))::INT AS stayed,
            (state = 'improved')::INT AS improved, (state = 'cured')::INT AS cured, (state IN ('cured', 'reaged'))::INT AS cured_or_reaged,
            (state = 'gone')::INT AS gone, rolled * owed AS rolled_minor, stayed * owed AS stayed_minor, improved * owed AS improved_minor,
            cured * owed AS cured_minor, cured_or_reaged * owed AS cured_or_reaged_minor, gone * owed AS gone_minor, {SCOPED} FROM f {JOINED}""",
    "net_flow": f"""SELECT p, open_minor, next_minor, {SCOPED} FROM (
            SELECT p, account_key, unit_key, officer_key, balance_minor AS open_minor, 0 AS next_minor FROM openings
            WHERE status = 'open' AND bucket >= 1
            UNION ALL SELECT p, account_key, unit_key, officer_key, 0, balance_minor FROM closings WHERE status = 'open' AND bucket >= 2
        ) f {JOINED}""",
    "held": f"""SELECT p, account_key, {SCOPED}, coalesce(opening, original_minor) AS opening FROM (
            SELECT p, account_key, unit_key, officer_key, balance_minor AS opening FROM openings WHERE status = 'open'
            UNION ALL SELECT p, account_key, unit_key, officer_key, NULL FROM closings c ANTI JOIN openings o USING (account_key, p)
        ) f {JOINED}""",
    "paid": "SELECT p, account_key, sum(amount_minor) AS collected FROM money GROUP BY ALL",
    "cash": f"""SELECT p, debtor, portfolio, sub, unit, officer, opening, 1 AS assigned, coalesce(collected, 0) AS collected,
            (collected IS NOT NULL)::INT AS payer, payer AS assigned_payer FROM held LEFT JOIN paid USING (p, account_key)
        UNION ALL SELECT p, {SCOPED.replace("f.unit_key", "NULL").replace("f.officer_key", "NULL")}, 0, 0, collected, 1, 0
        FROM (SELECT * FROM paid ANTI JOIN held USING (p, account_key)) f LEFT JOIN account a USING (account_key)
        LEFT JOIN units u ON u.unit_key IS NULL""",
    "touched": f"""SELECT p, account_key, count(*) FILTER ({ATTEMPT}) AS attempts, max({RPC}::INT) AS reached FROM month_log GROUP BY ALL""",
    "reach": """SELECT p, debtor, portfolio, sub, unit, officer, 1 AS one, coalesce(attempts, 0) AS attempts, (coalesce(attempts, 0) > 0)::INT
            AS attempted, coalesce(reached, 0) AS reached, (coalesce(reached, 0) = 1 AND q.account_key IS NOT NULL)::INT AS promised
        FROM held LEFT JOIN touched USING (p, account_key)
        LEFT JOIN (SELECT DISTINCT p, account_key FROM promised) q USING (p, account_key)""",
    "attempts": f"""SELECT p, attempts, answered, rpc, {SCOPED} FROM (
            SELECT p, account_key, unit_key, officer_key, count(*) AS attempts, count(*) FILTER ({MET}) AS answered,
                count(*) FILTER ({RPC}) AS rpc FROM month_log WHERE {ATTEMPT} GROUP BY ALL) f {JOINED}""",
    "touches": f"SELECT account_key, day, local_ts, event_key, unit_key, officer_key FROM log WHERE {RPC}",
    "attributed": f"""SELECT p, paid, attempts, rpc, {SCOPED} FROM (
            SELECT p, account_key, unit_key, officer_key, 0 AS paid, count(*) FILTER ({ATTEMPT}) AS attempts, count(*) FILTER ({RPC}) AS rpc
            FROM month_log WHERE {ATTEMPT} OR {RPC} GROUP BY ALL
            UNION ALL SELECT m.p, m.account_key, t.unit_key, t.officer_key, m.amount_minor, 0, 0 FROM money m ASOF JOIN touches t
            ON m.account_key = t.account_key AND (m.value_date + INTERVAL 1 DAY - INTERVAL 1 MICROSECOND) >= t.local_ts
            WHERE m.value_date - t.day <= {{attribution}}) f {JOINED}""",
    "broken": """SELECT p, account_key, unit_key, officer_key, (hour(local_ts) * 3600 + minute(local_ts) * 60 + second(local_ts))
            NOT BETWEEN {opens} AND {closes} AND channel IN ({hour_channels}) OR party_role IN ({parties}) OR (channel IN ({day_channels})
            {counts} AND row_number() OVER (PARTITION BY customer_key, day, channel IN ({day_channels}) {counts} ORDER BY local_ts, event_key)
            > {most}) OR event_key IN (SELECT event_key FROM after_placement) AS breach
        FROM month_log WHERE direction = 'out'""",
    "breaches": f"""SELECT p, outbound, breach, {SCOPED} FROM (SELECT p, account_key, unit_key, officer_key, count(*) AS outbound,
            count(*) FILTER (breach) AS breach FROM broken GROUP BY ALL) f {JOINED}""",
    "hours": f"""SELECT p, officer_key AS debtor, date AS day, coalesce(sub_function, 'unassigned') AS sub, d.unit_key AS unit, officer_key AS officer,
            talk_min + wrap_min + wait_min AS productive, coalesce(attempts, 0) AS attempts, coalesce(rpc, 0) AS rpc,
            coalesce(promises, 0) AS promises
        FROM (SELECT *, (date >= DATE '2026-06-01')::INT AS p FROM '{{book}}/unit_day/*.parquet'
            WHERE date BETWEEN DATE '2026-05-01' AND DATE '2026-06-30') d LEFT JOIN units u USING (unit_key)
        LEFT JOIN (SELECT officer_key, day AS date, count(*) FILTER ({ATTEMPT}) AS attempts, count(*) FILTER ({RPC}) AS rpc
            FROM month_log GROUP BY ALL) w USING (officer_key, date)
        LEFT JOIN (SELECT officer_key, day AS date, count(*) AS promises FROM promised GROUP BY ALL) q USING (officer_key, date)""",
}
AFTER_PLACEMENT = """CREATE TEMP TABLE after_placement AS WITH d AS (SELECT account_key, unit_key, from_date, to_date, end_reason
    FROM '{book}/decision/*.parquet' WHERE kind = 'placement' AND unit_key IS NOT NULL)
    SELECT DISTINCT event_key FROM month_log m JOIN d USING (account_key, unit_key)
    WHERE m.direction = 'out' AND d.end_reason IN ({reasons}) AND m.day >= d.to_date AND event_key NOT IN (
        SELECT event_key FROM month_log JOIN d USING (account_key, unit_key) WHERE day >= from_date AND (to_date IS NULL OR day < to_date))"""


def sql_numbers(folder: Path, values: dict[str, object]) -> pd.DataFrame:
    """Numerator and denominator of the KPIs `IDS` in every scope and both months; squares and products are computed and left."""
    connection = duckdb.connect(config={"memory_limit": "3GB", "preserve_insertion_order": False})
    given = {"book": folder, **values}
    for name, query in RELATIONS.items():
        if name == "broken":
            connection.execute(AFTER_PLACEMENT.format(**given))
        connection.execute(f"CREATE TEMP TABLE {name} AS {query.format(**given)}")
    parts = []
    for relation, kpis in SHARES.items():
        parts += _told(connection.execute(_sums(relation, kpis)).df(), kpis)
    for relation, kpis in RATIOS.items():
        parts += _told(connection.execute(_moments(relation, kpis)).df(), kpis)
    return pd.concat(parts, ignore_index=True)


def _scopes(relation: str) -> dict[str, str]:
    return {grain: column for grain, column in GRAINS.items() if relation != "hours" or grain != "portfolio"}


def _sets(relation: str, *more: str) -> str:
    return ", ".join(f"({', '.join(('p', *filter(None, (column,)), *more))})" for column in _scopes(relation).values())


def _key(relation: str) -> str:
    columns = [column for column in _scopes(relation).values() if column]
    grain = " ".join(f"WHEN grouping({column}) = 0 THEN '{name}'" for name, column in _scopes(relation).items() if column)
    return f"CASE {grain} ELSE 'company' END AS scope_type, coalesce({', '.join(columns)}, 'all') AS scope_key"


def _sums(relation: str, kpis: dict[str, tuple[str, str]]) -> str:
    sums = [f'sum({y})::BIGINT AS "{kpi}.y", sum({x})::BIGINT AS "{kpi}.x", count(*) FILTER ({x} <> 0)' for kpi, (y, x) in kpis.items()]
    return f"SELECT p, {_key(relation)}, {', '.join(sums)} FROM {relation} GROUP BY GROUPING SETS ({_sets(relation)})"


def _moments(relation: str, kpis: dict[str, tuple[str, str]]) -> str:
    columns = dict.fromkeys(column for pair in kpis.values() for column in pair if column)
    sums = ", ".join(f"sum({column})::BIGINT AS {column}, count(*) FILTER ({column} <> 0) AS {column}_rows" for column in columns)
    per_debtor = f"SELECT p, {_key(relation)}, {sums} FROM {relation} GROUP BY GROUPING SETS ({_sets(relation, 'debtor')})"
    told = []
    for kpi, (y, x) in kpis.items():
        told += [f'sum({y})::BIGINT AS "{kpi}.y"', _square(y, y), "count(*)"]
        if x:
            told += [
                f'sum({x})::BIGINT AS "{kpi}.x"',
                _square(x, x),
                _square(x, y),
                f"count(*) FILTER ({x} <> 0 OR {y} <> 0)",
                f"sum({x}_rows)",
            ]
    return f"SELECT p, scope_type, scope_key, {', '.join(told)} FROM ({per_debtor}) GROUP BY ALL"


def _square(left: str, right: str) -> str:
    return f"sum({left}::HUGEINT * {right}::HUGEINT)::DOUBLE"


def _told(wide: pd.DataFrame, kpis: dict[str, tuple[str, str]]) -> list[pd.DataFrame]:
    when = wide["p"].map({1: "current", 0: "previous"})
    return [
        wide[["scope_type", "scope_key"]].assign(
            kpi=kpi, when=when, numerator=wide[f"{kpi}.y"].astype(float), denominator=wide[f"{kpi}.x"].astype(float) if x else float("nan")
        )
        for kpi, (_, x) in kpis.items()
    ]
