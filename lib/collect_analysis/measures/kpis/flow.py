"""Portfolio flow: what became of the accounts that were overdue at the start of a month."""

from collect_analysis.measures.kpis.record import Kpi

_POPULATION = "accounts open in bucket 1 or worse at a month end, followed to the next one; new entries are not in it"
_GRAIN = "account x month"
_SOURCE = "domain reference 2.1"
_UNDEFINED = "no overdue account at the start"
_EXITS = ("paid_off", "settled", "written_off", "recalled", "sold")


def _share(
    number: str, name_en: str, name_vi: str, formula: str, formula_vi: str, counted: tuple[str, ...], meaning: str, **rest
) -> tuple[Kpi, Kpi]:
    """A flow KPI by count of accounts, and weighted by opening balance."""
    better = rest.pop("better")
    pitfalls = rest.pop("pitfalls", ())
    shared = {"population": _POPULATION, "grain": _GRAIN, "unit": "share", "better": better, "source": _SOURCE, "undefined": _UNDEFINED}
    by_count = Kpi(
        id=number,
        name_en=name_en,
        name_vi=name_vi,
        formula=f"{formula} / accounts overdue at the start",
        formula_vi=f"{formula_vi} / số hồ sơ quá hạn đầu kỳ",
        numerator=meaning,
        denominator="accounts overdue at the start",
        base="flow",
        counted=counted,
        over=("open",),
        interval="cases",
        pitfalls=pitfalls,
        **shared,
    )
    by_balance = Kpi(
        id=f"{number}-balance",
        name_en=f"{name_en}, by balance",
        name_vi=f"{name_vi}, theo dư nợ",
        formula=f"opening balance of {formula} / opening balance overdue at the start",
        formula_vi=f"dư nợ đầu kỳ của {formula_vi} / dư nợ quá hạn đầu kỳ",
        numerator=f"opening balance of {meaning}",
        denominator="opening balance overdue at the start",
        base="flow",
        counted=tuple(f"{column}_minor" for column in counted),
        over=("open_minor",),
        interval="ratio",
        part=True,
        pitfalls=pitfalls,
        **shared,
    )
    return by_count, by_balance


KPIS = (
    *_share(
        "F1",
        "Roll forward",
        "Tỷ lệ nhảy nhóm",
        "accounts in a worse bucket at close",
        "hồ sơ chuyển sang nhóm xấu hơn cuối kỳ",
        ("rolled",),
        "accounts in a worse bucket at close",
        better="lower",
        pitfalls=(
            "computed from account pairs, never from bucket totals",
            "pooled over buckets it moves with the bucket mix: read it by bucket",
        ),
    ),
    Kpi(
        id="F2",
        name_en="Net flow",
        name_vi="Tỷ lệ dòng chảy ròng",
        formula="closing balance in bucket b+1 / opening balance in bucket b, summed over b from 1",
        formula_vi="dư nợ cuối kỳ ở nhóm b+1 / dư nợ đầu kỳ ở nhóm b, cộng các nhóm từ 1",
        population="balances in bucket 1 or worse at the opening and in bucket 2 or worse at the closing month end",
        grain="bucket x month",
        numerator="closing balance in the next bucket",
        denominator="opening balance in the bucket",
        unit="share",
        better="lower",
        base="net_flow",
        counted=("next_minor",),
        over=("open_minor",),
        interval="ratio",
        undefined="no overdue balance at the start",
        source=_SOURCE,
        pitfalls=("can exceed 100 % (interest, fees)", "hides cures and re-entries: for provisioning, not for strategy"),
    ),
    *_share(
        "F3",
        "Stabilised",
        "Tỷ lệ giữ nhóm",
        "accounts in the same bucket at close",
        "hồ sơ giữ nguyên nhóm cuối kỳ",
        ("stayed",),
        "accounts in the same bucket at close, and re-aged ones",
        better="context",
        pitfalls=("an account made current by restructuring stays here: contractually nothing was paid",),
    ),
    *_share(
        "F4",
        "Roll back",
        "Tỷ lệ giảm nhóm",
        "accounts in a better bucket, not current, at close",
        "hồ sơ chuyển sang nhóm tốt hơn nhưng chưa về nhóm 0",
        ("improved",),
        "accounts in a better bucket but not current at close",
        better="higher",
        pitfalls=("partial payers, many of whom roll next month",),
    ),
    *_share(
        "F5",
        "Cure",
        "Tỷ lệ về nhóm 0",
        "accounts current at close by payment",
        "hồ sơ về nhóm 0 nhờ trả nợ",
        ("cured",),
        "accounts current at close, not by re-ageing",
        better="higher",
        pitfalls=("excludes re-ageing, write-off, recall and sale; F5b includes re-ageing",),
    ),
    *_share(
        "F5b",
        "Cure including re-age",
        "Tỷ lệ về nhóm 0, gồm cả cơ cấu nợ",
        "accounts current at close, by payment or re-ageing",
        "hồ sơ về nhóm 0 nhờ trả nợ hoặc cơ cấu nợ",
        ("cured", "reaged"),
        "accounts current at close, re-aged ones included",
        better="context",
        pitfalls=("restructuring is not payment: never set a target on it",),
    ),
    *_share(
        "F6",
        "Exits",
        "Tỷ lệ rời danh mục",
        "accounts that left: paid off, settled, written off, recalled, sold",
        "hồ sơ rời danh mục: tất toán, thỏa thuận tất toán, xử lý rủi ro, thu hồi, bán nợ",
        _EXITS,
        "accounts that left in the month",
        better="context",
        pitfalls=("good and bad exits in one number: read the shares by kind of exit",),
    ),
)
