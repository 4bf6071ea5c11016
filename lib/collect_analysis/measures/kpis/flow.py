"""Portfolio flow: what became of the accounts that were overdue at the start of a month."""

from collect_analysis.measures.kpis.record import Kpi, Pair

_POPULATION = (
    "accounts open in bucket 1 or worse at a month end, followed to the next one; new entries are not in it",
    "hồ sơ đang mở ở nhóm 1 trở lên tại một ngày cuối tháng, theo dõi đến cuối tháng kế tiếp; hồ sơ mới vào không tính",
)
_GRAIN = ("account x month", "hồ sơ x tháng")
_SOURCE = "domain reference 2.1"
_UNDEFINED = "no overdue account at the start"
_EXITS = ("paid_off", "settled", "written_off", "recalled", "sold")
_OVERDUE = ("accounts overdue at the start", "số hồ sơ quá hạn đầu kỳ")
_BALANCE = ("opening balance overdue at the start (a credit balance owes 0)", "dư nợ quá hạn đầu kỳ (dư có tính là 0)")


def _share(
    number: str, names: Pair, formula: Pair, counted: tuple[str, ...], meaning: Pair, *, better, pitfalls: tuple[Pair, ...] = ()
) -> tuple[Kpi, Kpi]:
    """A flow KPI by count of accounts, and weighted by opening balance."""
    shared = {"population": _POPULATION, "grain": _GRAIN, "unit": "share", "better": better, "source": _SOURCE, "undefined": _UNDEFINED}
    by_count = Kpi(
        id=number,
        names=names,
        formula=(f"{formula[0]} / {_OVERDUE[0]}", f"{formula[1]} / {_OVERDUE[1]}"),
        numerator=meaning,
        denominator=_OVERDUE,
        base="flow",
        counted=counted,
        over=("open",),
        interval="cases",
        pitfalls=pitfalls,
        **shared,
    )
    by_balance = Kpi(
        id=f"{number}-balance",
        names=(f"{names[0]}, by balance", f"{names[1]}, theo dư nợ"),
        formula=(f"opening balance of {formula[0]} / {_BALANCE[0]}", f"dư nợ đầu kỳ của {formula[1]} / {_BALANCE[1]}"),
        numerator=(f"opening balance of {meaning[0]}", f"dư nợ đầu kỳ của {meaning[1]}"),
        denominator=_BALANCE,
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
        ("Roll forward", "Tỷ lệ nhảy nhóm"),
        ("accounts in a worse bucket at close", "hồ sơ chuyển sang nhóm xấu hơn cuối kỳ"),
        ("rolled",),
        ("accounts in a worse bucket at close", "hồ sơ ở nhóm xấu hơn cuối kỳ"),
        better="lower",
        pitfalls=(
            ("computed from account pairs, never from bucket totals", "tính theo từng cặp hồ sơ, không tính từ tổng của nhóm"),
            (
                "pooled over buckets it moves with the bucket mix: read it by bucket",
                "gộp các nhóm thì thay đổi theo cơ cấu nhóm: hãy đọc theo từng nhóm",
            ),
        ),
    ),
    Kpi(
        id="F2",
        names=("Net flow", "Tỷ lệ dòng chảy ròng"),
        formula=(
            "closing balance in bucket b+1 / opening balance in bucket b, summed over b from 1",
            "dư nợ cuối kỳ ở nhóm b+1 / dư nợ đầu kỳ ở nhóm b, cộng các nhóm từ 1",
        ),
        population=(
            "balances owed in bucket 1 or worse at the opening and in bucket 2 or worse at the closing month end, both by who held the account "
            "when the month began, or when it came in",
            "dư nợ ở nhóm 1 trở lên đầu kỳ và ở nhóm 2 trở lên cuối kỳ, đều tính cho bên giữ hồ sơ đầu tháng, hoặc khi hồ sơ vào",
        ),
        grain=("bucket x month", "nhóm x tháng"),
        numerator=("closing balance in the next bucket", "dư nợ cuối kỳ ở nhóm kế tiếp"),
        denominator=("opening balance in the bucket", "dư nợ đầu kỳ của nhóm"),
        unit="share",
        better="lower",
        base="net_flow",
        counted=("next_minor",),
        over=("open_minor",),
        interval="ratio",
        undefined="no overdue balance at the start",
        source=_SOURCE,
        outside=("can exceed 100 % (interest, fees)", "có thể vượt 100 % (lãi, phí)"),
        pitfalls=(
            (
                "hides cures and re-entries: for provisioning, not for strategy",
                "che khuất hồ sơ khỏi và quay lại: dùng cho dự phòng, không dùng cho chiến lược",
            ),
        ),
    ),
    *_share(
        "F3",
        ("Stabilised", "Tỷ lệ giữ nhóm"),
        ("accounts in the same bucket at close", "hồ sơ giữ nguyên nhóm cuối kỳ"),
        ("stayed",),
        ("accounts in the same bucket at close, and re-aged ones", "hồ sơ giữ nguyên nhóm cuối kỳ, kể cả hồ sơ được cơ cấu"),
        better="context",
        pitfalls=(
            (
                "an account made current by restructuring stays here: contractually nothing was paid",
                "hồ sơ về nhóm 0 nhờ cơ cấu vẫn tính ở đây: theo hợp đồng chưa trả đồng nào",
            ),
        ),
    ),
    *_share(
        "F4",
        ("Roll back", "Tỷ lệ giảm nhóm"),
        ("accounts in a better bucket, not current, at close", "hồ sơ chuyển sang nhóm tốt hơn nhưng chưa về nhóm 0"),
        ("improved",),
        ("accounts in a better bucket but not current at close", "hồ sơ ở nhóm tốt hơn cuối kỳ nhưng chưa về nhóm 0"),
        better="higher",
        pitfalls=(("partial payers, many of whom roll next month", "khách trả một phần, nhiều người lại nhảy nhóm tháng sau"),),
    ),
    *_share(
        "F5",
        ("Cure", "Tỷ lệ về nhóm 0"),
        ("accounts current at close by payment", "hồ sơ về nhóm 0 nhờ trả nợ"),
        ("cured",),
        ("accounts current at close, not by re-ageing", "hồ sơ về nhóm 0 cuối kỳ, không do cơ cấu nợ"),
        better="higher",
        pitfalls=(
            (
                "excludes re-ageing, write-off, recall and sale; F5b includes re-ageing",
                "không gồm cơ cấu, xử lý rủi ro, thu hồi hồ sơ và bán nợ; F5b gồm cả cơ cấu nợ",
            ),
        ),
    ),
    *_share(
        "F5b",
        ("Cure including re-age", "Tỷ lệ về nhóm 0, gồm cả cơ cấu nợ"),
        ("accounts current at close, by payment or re-ageing", "hồ sơ về nhóm 0 nhờ trả nợ hoặc cơ cấu nợ"),
        ("cured", "reaged"),
        ("accounts current at close, re-aged ones included", "hồ sơ về nhóm 0 cuối kỳ, gồm cả hồ sơ được cơ cấu"),
        better="context",
        pitfalls=(
            ("restructuring is not payment: never set a target on it", "cơ cấu nợ không phải trả nợ: không giao chỉ tiêu theo số này"),
        ),
    ),
    *_share(
        "F6",
        ("Exits", "Tỷ lệ rời danh mục"),
        (
            "accounts that left: paid off, settled, written off, recalled, sold",
            "hồ sơ rời danh mục: tất toán, thỏa thuận tất toán, xử lý rủi ro, thu hồi, bán nợ",
        ),
        _EXITS,
        ("accounts that left in the month", "hồ sơ rời danh mục trong tháng"),
        better="context",
        pitfalls=(
            (
                "good and bad exits in one number: read the shares by kind of exit",
                "gộp rời tốt và rời xấu trong một số: hãy đọc theo từng loại",
            ),
        ),
    ),
    *_share(
        "F12",
        ("Resolution (paid, cured or improved)", "Tỷ lệ xử lý được nợ (trả hết, về nhóm 0 hoặc giảm nhóm)"),
        (
            "accounts cured, rolled back, paid off or settled at close",
            "hồ sơ về nhóm 0, giảm nhóm, tất toán hoặc thỏa thuận tất toán cuối kỳ",
        ),
        ("cured", "improved", "paid_off", "settled"),
        ("accounts cured, rolled back, paid off or settled", "hồ sơ về nhóm 0, giảm nhóm, tất toán hoặc thỏa thuận tất toán"),
        better="higher",
        pitfalls=(
            (
                "strict variant: an account that held its bucket is not resolved; F12-held counts it",
                "cách tính chặt: giữ nguyên nhóm chưa phải là xử lý được; F12-held có tính",
            ),
        ),
    ),
    *_share(
        "F12-held",
        ("Resolution (bucket held or better)", "Tỷ lệ xử lý được nợ (giữ nhóm hoặc tốt hơn)"),
        (
            "accounts in the same bucket or better, paid off or settled at close",
            "hồ sơ giữ nhóm hoặc tốt hơn, tất toán hoặc thỏa thuận tất toán cuối kỳ",
        ),
        ("stayed", "improved", "cured", "paid_off", "settled"),
        ("accounts that did not get worse and were not handed away", "hồ sơ không xấu đi và không bị chuyển đi"),
        better="higher",
        pitfalls=(
            (
                "wide variant, equal to 1 - F1 - (written off, recalled, sold): an account that paid nothing may count",
                "cách tính rộng, bằng 1 - F1 - (xử lý rủi ro, thu hồi, bán nợ): hồ sơ không trả đồng nào vẫn có thể được tính",
            ),
        ),
    ),
)
