"""Recovery money: what was collected, from whom, against what was owed, planned, expected and spent."""

from collect_analysis.measures.kpis.record import Kpi

_SOURCE = "domain reference 2.2"
_CASH = (
    "eligible payments by value date, net of what their reversals took back, on the day of the payment; amounts paid out that name no posting "
    "on their own day",
    "thanh toán hợp lệ theo ngày hiệu lực, trừ phần bị bút toán đảo lấy lại, tính vào ngày của khoản thanh toán; khoản chi ra không ghi bút "
    "toán gốc tính vào ngày của nó",
)
_ASSIGNED = (
    "accounts open at the start of the period or received in it, those closed before that are open again included",
    "hồ sơ đang mở đầu kỳ hoặc nhận trong kỳ, kể cả hồ sơ đã đóng nay mở lại",
)
_BATCHES = (
    "batches placed with a unit that complete age m (whole months after the month of placement) in the period; a placement that begins while "
    "another of the account runs counts nowhere",
    "các lô giao cho đơn vị đạt tuổi m (số tháng tròn sau tháng giao) trong kỳ; lần giao bắt đầu khi lần khác của hồ sơ còn hiệu lực không tính",
)
_PITFALL_RESIDUAL = (
    "cash on accounts nobody held is shown as unassigned, so that the parts add up to the total",
    "tiền của hồ sơ không ai giữ hiện ở mục chưa phân giao để các phần cộng lại bằng tổng",
)
_SCOPE = ("scope x period", "phạm vi x kỳ")
_BATCH = ("batch x unit", "lô x đơn vị")
_COLLECTED = ("collected", "số tiền thu")
_NO_DENOMINATOR = ("none: a sum", "không có: là tổng")
_NO_BATCH = "no batch completes this age in the period"
_PLACED_GRAINS = ("company", "portfolio", "sub_function", "unit")


def _kpi(**given) -> Kpi:
    return Kpi(**{"source": _SOURCE, "better": "higher", "grain": _SCOPE, **given})


KPIS = (
    _kpi(
        id="R1",
        names=("Collected", "Số tiền thu được"),
        formula=("sum of eligible payments with value date in the period", "tổng các khoản thanh toán hợp lệ có ngày hiệu lực trong kỳ"),
        population=_CASH,
        numerator=_COLLECTED,
        denominator=_NO_DENOMINATOR,
        unit="minor",
        base="cash",
        counted=("collected_minor",),
        interval="total",
        undefined="no payments recorded",
        pitfalls=(
            (
                "a reversal restates the day of its payment, not its own: a closed month changes when a cheque bounces later",
                "bút toán đảo làm thay đổi ngày của khoản thanh toán gốc chứ không phải ngày đảo: tháng đã khóa thay đổi khi séc bị trả lại",
            ),
            ("value date, not posting or report date", "theo ngày hiệu lực, không theo ngày hạch toán hay ngày báo cáo"),
            _PITFALL_RESIDUAL,
            ("the interval is the noise of who happens to pay", "khoảng tin cậy là độ nhiễu do ai tình cờ trả nợ"),
            (
                "money on an account that moves within the period stays with who held it at the start: R1-day credits the holder of the day",
                "tiền của hồ sơ chuyển giao trong kỳ vẫn tính cho bên giữ đầu kỳ: R1-day tính cho bên giữ vào ngày thu",
            ),
        ),
    ),
    _kpi(
        id="R1-day",
        names=("Collected, by holder on the day", "Số tiền thu được, theo bên giữ vào ngày thu"),
        formula=("sum of eligible payments with value date in the period", "tổng các khoản thanh toán hợp lệ có ngày hiệu lực trong kỳ"),
        population=_CASH,
        numerator=_COLLECTED,
        denominator=_NO_DENOMINATOR,
        unit="minor",
        better="context",
        base="day_cash",
        counted=("collected_minor",),
        interval="total",
        undefined="no payments recorded",
        pitfalls=(
            (
                "adds up to the same total as R1; units differ by the accounts that moved within the period",
                "cộng lại bằng cùng tổng với R1; các đơn vị lệch nhau ở hồ sơ chuyển giao trong kỳ",
            ),
            (
                "the day of a move between teams that no placement records is the month end",
                "hồ sơ chuyển nhóm mà không có bản ghi giao thì coi như chuyển vào cuối tháng",
            ),
        ),
    ),
    _kpi(
        id="R2",
        names=("Batch liquidation", "Tỷ lệ thu hồi theo lô giao"),
        formula=(
            "payments from placement to the end of age m / balance placed",
            "số tiền thu từ ngày giao đến hết tháng tuổi m / dư nợ khi giao",
        ),
        population=_BATCHES,
        grain=_BATCH,
        numerator=(
            "collected on placed accounts while placed, months 0 to m",
            "số tiền thu trên hồ sơ trong thời gian giao, tháng 0 đến m",
        ),
        denominator=("balance when placed, gross of recalls", "dư nợ khi giao, không trừ hồ sơ thu hồi"),
        unit="share",
        base="placed",
        counted=("liquidated_minor",),
        over=("placed_minor",),
        grains=_PLACED_GRAINS,
        windows=("liquidation_months",),
        undefined=_NO_BATCH,
        outside=(
            "can exceed 100 % (interest and fees are collected too) and fall below 0 where more was paid out than came in",
            "có thể vượt 100 % (thu cả lãi và phí) và dưới 0 khi tiền chi ra nhiều hơn tiền thu vào",
        ),
        pitfalls=(
            ("recalls do not shrink the denominator", "thu hồi hồ sơ không làm nhỏ mẫu số"),
            ("only batches of the same age are comparable", "chỉ so các lô cùng tuổi"),
        ),
    ),
    _kpi(
        id="R3",
        names=("Spot liquidation", "Tỷ lệ thu hồi tức thời"),
        formula=("collected in the period / active inventory", "số tiền thu trong kỳ / dư nợ đang quản lý"),
        population=_ASSIGNED,
        numerator=("collected in the period", "số tiền thu trong kỳ"),
        denominator=(
            "balance of the accounts open at the start or received in the period (a credit balance owes 0; open again: as when last open)",
            "dư nợ của hồ sơ đang mở đầu kỳ hoặc nhận trong kỳ (dư có tính là 0; mở lại: dư nợ khi còn mở lần trước)",
        ),
        unit="share",
        base="cash",
        counted=("collected_minor",),
        over=("opening_minor",),
        needs=("month_end",),
        undefined="no active inventory",
        outside=(
            "can exceed 100 % (interest and fees are collected too) and fall below 0 where more was paid out than came in",
            "có thể vượt 100 % (thu cả lãi và phí) và dưới 0 khi tiền chi ra nhiều hơn tiền thu vào",
        ),
        pitfalls=(
            ("misleading where inventory ages differ: read it next to R2", "dễ hiểu sai khi tuổi nợ khác nhau: hãy đọc cùng R2"),
            _PITFALL_RESIDUAL,
        ),
    ),
    _kpi(
        id="R4",
        names=("Expected recovery", "Số thu kỳ vọng"),
        formula=(
            "sum over account-months of opening balance x rate collected of comparable accounts of other units in the months before, "
            "scaled month by month to what the company collected",
            "tổng theo hồ sơ-tháng của dư nợ đầu tháng x tỷ lệ thu của hồ sơ tương đồng ở đơn vị khác trong các tháng trước, "
            "hiệu chỉnh từng tháng theo số thu của công ty",
        ),
        population=(
            "accounts open at the start of each month of the period or received in it, by who held them; amounts above the cap count as the cap",
            "hồ sơ đang mở đầu mỗi tháng của kỳ hoặc nhận trong tháng, theo người giữ; số tiền trên mức trần tính bằng mức trần",
        ),
        grain=("account x month", "hồ sơ x tháng"),
        numerator=("expected", "số kỳ vọng"),
        denominator=_NO_DENOMINATOR,
        unit="minor",
        better="context",
        measure="expected.observed_expected",
        windows=("expected_months",),
        undefined="no month end before the period",
        pitfalls=(
            (
                "freeze the model for a contest: other reference months are another expectation",
                "chốt mô hình khi thi đua: tháng tham chiếu khác là kỳ vọng khác",
            ),
            (
                "what differs between units and is not in the cells stays in the index",
                "khác biệt giữa các đơn vị không nằm trong ô so sánh sẽ nằm lại trong chỉ số",
            ),
        ),
    ),
    _kpi(
        id="R5",
        names=("Observed over expected", "Chỉ số thực tế trên kỳ vọng"),
        formula=("collected, capped / expected recovery", "số tiền thu có mức trần / số thu kỳ vọng"),
        population=("the account-months of R4", "các hồ sơ-tháng của R4"),
        numerator=("collected on those accounts in those months, capped", "số tiền thu trên các hồ sơ đó trong các tháng đó, có mức trần"),
        denominator=("expected recovery (R4)", "số thu kỳ vọng (R4)"),
        unit="index",
        measure="expected.observed_expected",
        windows=("expected_months",),
        undefined="nothing was expected",
        pitfalls=(
            ("raw: shrink it before comparing officers (domain reference 4.3)", "số thô: phải co về trung bình trước khi so nhân viên"),
            ("the expectation is taken as fixed", "số kỳ vọng được xem là cố định"),
        ),
    ),
    _kpi(
        id="R6",
        names=("Net-back", "Tỷ lệ thu hồi ròng"),
        formula=(
            "(payments - commission and its tax - priced contacts, from placement to the end of age m) / balance placed",
            "(số tiền thu - hoa hồng và thuế - chi phí tác nghiệp có đơn giá, từ ngày giao đến hết tuổi m) / dư nợ khi giao",
        ),
        population=_BATCHES,
        grain=_BATCH,
        numerator=("collected while placed, less commission, tax and contacts", "số tiền thu khi giao, trừ hoa hồng, thuế và tác nghiệp"),
        denominator=("balance when placed, gross of recalls", "dư nợ khi giao, không trừ hồ sơ thu hồi"),
        unit="share",
        base="net_placed",
        counted=("net_minor",),
        over=("placed_minor",),
        signed=True,
        grains=_PLACED_GRAINS,
        windows=("liquidation_months",),
        undefined=_NO_BATCH,
        outside=(
            "can exceed 100 % as R2, and fall below 0 where collecting cost more than it brought",
            "có thể vượt 100 % như R2, và dưới 0 khi chi phí lớn hơn số thu",
        ),
        pitfalls=(
            (
                "compare agencies on this, not on R2: tariffs differ by age",
                "so đối tác theo số này, không theo R2: hoa hồng khác nhau theo tuổi nợ",
            ),
            ("officers' minutes are in R7: no minute names an account", "số phút công nằm ở R7: không phút nào ghi theo hồ sơ"),
        ),
    ),
    _kpi(
        id="R7",
        names=("Cost to collect", "Chi phí trên số tiền thu được"),
        formula=(
            "(channel events x price + paid minutes x price + commission) / collected",
            "(tác nghiệp theo kênh x đơn giá + số phút công x đơn giá + hoa hồng) / số tiền thu",
        ),
        population=(
            "costs that a tariff prices: events, officers' paid minutes, commission of agencies; tax on commission included",
            "chi phí có đơn giá: tác nghiệp, số phút công của nhân viên, hoa hồng đối tác; gồm thuế trên hoa hồng",
        ),
        numerator=("cost", "chi phí"),
        denominator=("collected while holding the account (R1-day)", "số tiền thu trong lúc giữ hồ sơ (R1-day)"),
        unit="share",
        better="lower",
        base="cost",
        counted=("cost_minor",),
        over=("collected_minor",),
        grains=("company", "sub_function", "unit"),
        undefined="nothing was collected",
        outside=(
            "can exceed 100 %: collecting may cost more than it brings",
            "có thể vượt 100 %: chi phí có thể lớn hơn số thu",
        ),
        pitfalls=(
            (
                "rent, systems and management are in no tariff and not in it",
                "không gồm thuê mặt bằng, hệ thống, quản lý vì không có đơn giá",
            ),
            ("average cost, not the cost of the next payment", "chi phí bình quân, không phải chi phí của khoản thu tiếp theo"),
        ),
    ),
    _kpi(
        id="R8",
        names=("Yield per account placed", "Số tiền thu trên mỗi hồ sơ giao"),
        formula=(
            "payments from placement to the end of age m / accounts placed",
            "số tiền thu từ ngày giao đến hết tuổi m / số hồ sơ giao",
        ),
        population=_BATCHES,
        grain=_BATCH,
        numerator=(
            "collected on placed accounts while placed, months 0 to m",
            "số tiền thu trên hồ sơ trong thời gian giao, tháng 0 đến m",
        ),
        denominator=("accounts placed, gross of recalls", "số hồ sơ giao, không trừ hồ sơ thu hồi"),
        unit="minor",
        base="placed",
        counted=("liquidated_minor",),
        over=("placed_accounts",),
        grains=_PLACED_GRAINS,
        windows=("liquidation_months",),
        undefined=_NO_BATCH,
        pitfalls=(
            (
                "heavy-tailed: a few large payments make the mean; R8-top shows their share",
                "đuôi nặng: vài khoản lớn quyết định trung bình; R8-top cho thấy tỷ trọng",
            ),
        ),
    ),
    _kpi(
        id="R8-top",
        names=("Share of the largest payers", "Tỷ trọng của nhóm trả nhiều nhất"),
        formula=(
            "collected on the top 1 % of placed accounts by amount / collected, by unit",
            "số tiền thu của 1 % hồ sơ giao trả nhiều nhất / tổng số tiền thu, theo đơn vị",
        ),
        population=_BATCHES,
        grain=_BATCH,
        numerator=("collected on the accounts that paid most", "số tiền thu của hồ sơ trả nhiều nhất"),
        denominator=("collected on all placed accounts", "số tiền thu của mọi hồ sơ giao"),
        unit="share",
        better="context",
        measure="batches.top_share",
        windows=("liquidation_months",),
        undefined="nothing was collected",
        pitfalls=(("a high share: the unit's yield hangs on a few accounts", "tỷ trọng cao: kết quả của đơn vị phụ thuộc vài hồ sơ"),),
    ),
    _kpi(
        id="R9",
        names=("Payer rate", "Tỷ lệ hồ sơ có trả nợ"),
        formula=(
            "accounts with at least one eligible payment / accounts assigned",
            "số hồ sơ có ít nhất một khoản thanh toán hợp lệ / số hồ sơ được giao",
        ),
        population=_ASSIGNED,
        numerator=("assigned accounts that paid", "hồ sơ được giao có trả nợ"),
        denominator=("accounts assigned", "số hồ sơ được giao"),
        unit="share",
        base="cash",
        counted=("assigned_payer",),
        over=("assigned",),
        needs=("month_end",),
        interval="cases",
        undefined="no account assigned",
        pitfalls=(("accounts that left stay in the denominator", "hồ sơ đã rời vẫn nằm trong mẫu số"),),
    ),
    _kpi(
        id="R10",
        names=("Average paid per payer", "Số tiền bình quân mỗi hồ sơ có trả nợ"),
        formula=("collected / accounts that paid", "số tiền thu / số hồ sơ có trả nợ"),
        population=_CASH,
        numerator=_COLLECTED,
        denominator=("accounts that paid", "số hồ sơ có trả nợ"),
        unit="minor",
        better="context",
        base="cash",
        counted=("collected_minor",),
        over=("payer",),
        undefined="nobody paid",
        pitfalls=(
            (
                "payers only: descriptive, never the effect of a strategy",
                "chỉ khách có trả: mang tính mô tả, không phải hiệu quả chiến lược",
            ),
        ),
    ),
)
