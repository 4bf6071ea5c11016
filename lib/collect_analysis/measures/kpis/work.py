"""Productivity: hours and what they produced, caseload, attendance, capacity."""

from collect_analysis.measures.kpis.record import Kpi, Pair

_SOURCE = "domain reference 2.4"
_HOURS = (
    "officers' days with recorded hours; attempts, contacts and promises of the same officer and day",
    "các ngày công có ghi giờ; tác nghiệp, lần gặp và lời hứa của cùng nhân viên, cùng ngày",
)
_PRODUCTIVE = ("productive hours: talk + after-call work + waiting", "giờ làm việc: đàm thoại + xử lý sau cuộc gọi + chờ")
_ONLY_WITHIN_LISTS = ("comparable only within the same list and hour", "chỉ so được trong cùng danh sách và khung giờ")
_OFFICERS = ("company", "sub_function", "unit", "officer")
_OFFICER = ("officer x period", "nhân viên x kỳ")
_WAITING = ("officers' days of sub-functions that wait for calls", "ngày công của các bộ phận chờ cuộc gọi")
_BUSY = "minutes talking and in after-call work"


def _kpi(**given) -> Kpi:
    return Kpi(**{"source": _SOURCE, "grain": _OFFICER, "better": "context", "grains": _OFFICERS, **given})


def _hourly(number: str, names: Pair, what: Pair, counted: str, needs: str, windows: tuple[str, ...] = ()) -> Kpi:
    return _kpi(
        id=number,
        names=names,
        formula=(f"{what[0]} / productive hours", f"{what[1]} / số giờ làm việc"),
        population=_HOURS,
        numerator=what,
        denominator=_PRODUCTIVE,
        unit="per_hour",
        base="hours",
        counted=(counted,),
        over=("productive_min",),
        scale=60.0,
        needs=(needs,),
        windows=windows,
        undefined="no productive minute recorded",
        pitfalls=(_ONLY_WITHIN_LISTS,),
    )


KPIS = (
    _kpi(
        id="W1",
        names=("Occupancy", "Tỷ lệ thời gian làm việc với khách hàng"),
        formula=(
            "(talk with hold + after-call work) / (talk with hold + after-call work + waiting)",
            "(thời gian đàm thoại kể cả giữ máy + xử lý sau cuộc gọi) / (thời gian đó + thời gian chờ)",
        ),
        population=_WAITING,
        numerator=(_BUSY, "số phút đàm thoại và xử lý sau cuộc gọi"),
        denominator=("those plus minutes waiting", "số phút đó cộng số phút chờ"),
        unit="share",
        base="occupancy",
        counted=("busy_min",),
        over=("productive_min",),
        part=True,
        windows=("occupancy_excludes",),
        undefined="no minute of talk, after-call work or waiting",
        pitfalls=(
            ("high occupancy with falling contact quality is no gain", "bận rộn mà chất lượng giảm thì không phải tiến bộ"),
            ("has no meaning for field work", "không có ý nghĩa với thu hồi tại địa bàn"),
        ),
    ),
    _kpi(
        id="W2",
        names=("Utilisation", "Tỷ lệ sử dụng giờ công"),
        formula=("productive minutes / paid minutes", "số phút làm việc / số phút trả công"),
        population=_WAITING,
        numerator=("talk, after-call work and waiting", "đàm thoại, xử lý sau cuộc gọi và chờ"),
        denominator=("minutes logged in (paid)", "số phút đăng nhập (trả công)"),
        unit="share",
        base="occupancy",
        counted=("productive_min",),
        over=("paid_min",),
        windows=("occupancy_excludes",),
        undefined="no paid minute recorded",
        outside=(
            "can exceed 100 %: productive and paid minutes come from two logs",
            "có thể vượt 100 %: phút làm việc và phút trả công lấy từ hai nguồn",
        ),
        pitfalls=(
            (
                "training and coaching are paid and not productive here: more of them lowers it",
                "đào tạo, kèm cặp được trả công nhưng không tính là làm việc: tăng lên thì chỉ số giảm",
            ),
        ),
    ),
    _kpi(
        id="W3",
        names=("Shrinkage", "Tỷ lệ hao hụt giờ công"),
        formula=("1 - available minutes / scheduled minutes", "1 - số phút sẵn sàng / số phút theo lịch"),
        population=_WAITING,
        grain=("team x week", "nhóm x tuần"),
        numerator=(
            "scheduled minutes less talk, after-call work and waiting",
            "số phút theo lịch trừ đàm thoại, xử lý sau cuộc gọi và chờ",
        ),
        denominator=("scheduled minutes", "số phút theo lịch"),
        unit="share",
        better="lower",
        base="occupancy",
        counted=("shrunk_min",),
        over=("scheduled_min",),
        signed=True,
        windows=("occupancy_excludes",),
        undefined="no minute scheduled",
        outside=("overtime can make it negative", "làm thêm giờ có thể khiến số âm"),
        pitfalls=(),
    ),
    _hourly(
        "W4",
        ("Attempts per productive hour", "Số lần tác nghiệp mỗi giờ làm việc"),
        ("attempts", "số lần tác nghiệp"),
        "attempts",
        "contact",
        ("attempt_channels",),
    ),
    _hourly(
        "W4-rpc",
        ("Right-party contacts per productive hour", "Số lần gặp đúng người mỗi giờ làm việc"),
        ("right-party contacts", "số lần gặp đúng người"),
        "right_party",
        "contact",
    ),
    _hourly(
        "W4-promise",
        ("Promises per productive hour", "Số lời hứa trả mỗi giờ làm việc"),
        ("promises taken", "số lời hứa trả"),
        "promises",
        "promise",
    ),
    _kpi(
        id="W5",
        names=("Average handling time", "Thời gian xử lý bình quân một cuộc gọi"),
        formula=(
            "(talk with hold + after-call work) / calls handled",
            "(đàm thoại kể cả giữ máy + xử lý sau cuộc gọi) / số cuộc gọi được nghe",
        ),
        population=_WAITING,
        numerator=(_BUSY, "số phút đàm thoại và xử lý sau cuộc gọi"),
        denominator=("calls answered, both directions", "số cuộc gọi được nghe, cả hai chiều"),
        unit="seconds",
        base="occupancy",
        counted=("busy_min",),
        over=("handled",),
        scale=60.0,
        needs=("contact",),
        windows=("occupancy_excludes",),
        undefined="no call handled",
        pitfalls=(("shorter is not better", "ngắn hơn không phải tốt hơn"), _ONLY_WITHIN_LISTS),
    ),
    _kpi(
        id="W6",
        names=("Caseload", "Số hồ sơ trên mỗi nhân viên toàn thời gian"),
        formula=("active accounts / full-time officers", "số hồ sơ đang quản lý / số nhân viên quy toàn thời gian"),
        population=(
            "accounts assigned in the period to units with recorded hours; full-time officers: scheduled minutes / (working days x full-time minutes)",
            "hồ sơ giao trong kỳ cho đơn vị có ghi giờ công; nhân viên quy toàn thời gian: số phút theo lịch / (số ngày làm việc x số phút toàn thời gian)",
        ),
        grain=("team x month", "nhóm x tháng"),
        numerator=("accounts x working days x full-time minutes", "số hồ sơ x số ngày làm việc x số phút toàn thời gian"),
        denominator=("scheduled minutes", "số phút theo lịch"),
        unit="per_officer",
        base="caseload",
        counted=("account_min",),
        over=("scheduled_min",),
        windows=("full_time_minutes",),
        undefined="no minute scheduled",
        pitfalls=(
            (
                "accounts on hold are in it: not all of them can be worked",
                "gồm cả hồ sơ tạm dừng: không phải hồ sơ nào cũng tác nghiệp được",
            ),
        ),
    ),
    _kpi(
        id="W7",
        names=("Cash per paid hour", "Số tiền thu trên mỗi giờ công"),
        formula=(
            "cash attributed to the last right-party contact in the window / paid hours",
            "số tiền quy cho lần gặp đúng người gần nhất trong thời hạn / số giờ trả công",
        ),
        population=(
            "payments of the period attributed to officers with recorded hours; their days",
            "thanh toán trong kỳ quy cho nhân viên có ghi giờ công; các ngày công của họ",
        ),
        numerator=("attributed cash", "số tiền quy được"),
        denominator=("minutes logged in (paid)", "số phút đăng nhập (trả công)"),
        unit="minor",
        better="higher",
        base="paid_hours",
        counted=("attributed_minor",),
        over=("paid_min",),
        scale=60.0,
        windows=("attribution_days",),
        undefined="no paid minute recorded",
        pitfalls=(
            (
                "the list decides more than the officer: read observed over expected (R5)",
                "danh sách quyết định nhiều hơn nhân viên: hãy đọc thực tế trên kỳ vọng (R5)",
            ),
        ),
    ),
    _kpi(
        id="W8",
        names=("Ramp of new officers", "Đường học việc của nhân viên mới"),
        formula=(
            "observed over expected by month since hire / that of all officers at the same month since hire in the months before",
            "chỉ số thực tế trên kỳ vọng theo tháng từ khi vào làm / chỉ số của mọi nhân viên cùng thâm niên trong các tháng trước",
        ),
        population=("accounts held by officers hired within the ramp months, as in R4", "hồ sơ do nhân viên mới vào làm giữ, như R4"),
        grain=("joiner cohort x tenure month", "đợt tuyển x tháng thâm niên"),
        numerator=("collected on the joiners' accounts / expected", "số tiền thu trên hồ sơ của nhân viên mới / kỳ vọng"),
        denominator=("the same of comparable joiners", "cùng chỉ số của nhân viên mới trước đó"),
        unit="index",
        better="higher",
        measure="ramp.ramp",
        windows=("expected_months", "ramp_months"),
        undefined="no comparable joiner in the months before",
        pitfalls=(
            (
                "who left is not in the later months: survivors look better",
                "người nghỉ việc không còn trong các tháng sau: người ở lại trông giỏi hơn",
            ),
        ),
    ),
    _kpi(
        id="W9",
        names=("Attendance", "Tỷ lệ đi làm"),
        formula=("days present / days scheduled", "số ngày có mặt / số ngày theo lịch"),
        population=("officers' days with scheduled minutes", "các ngày công có lịch làm việc"),
        grain=("officer x month", "nhân viên x tháng"),
        numerator=("scheduled days with paid minutes", "số ngày theo lịch có giờ trả công"),
        denominator=("days scheduled", "số ngày theo lịch"),
        unit="share",
        base="hours",
        counted=("present",),
        over=("scheduled_day",),
        part=True,
        undefined="no day scheduled",
        pitfalls=(
            (
                "absence is a scheduled day without hours, never a day without contacts",
                "vắng mặt là ngày có lịch mà không có giờ công, không phải ngày không có tác nghiệp",
            ),
        ),
    ),
    _kpi(
        id="W10",
        names=("Needed over possible attempts", "Nhu cầu trên năng lực tác nghiệp"),
        formula=(
            "accounts assigned x target intensity / (attempts per productive hour x paid hours)",
            "số hồ sơ được giao x cường độ mục tiêu / (số lần tác nghiệp mỗi giờ làm việc x số giờ trả công)",
        ),
        population=("sub-functions and units with recorded hours", "bộ phận và đơn vị có ghi giờ công"),
        grain=("queue x period", "danh sách x kỳ"),
        numerator=("attempts needed", "số lần tác nghiệp cần có"),
        denominator=("attempts possible", "số lần tác nghiệp có thể"),
        unit="ratio",
        better="lower",
        measure="productivity.capacity",
        windows=("attempt_channels", "target_intensity"),
        undefined="no attempt in recorded hours",
        pitfalls=(("above 1 the target cannot be reached by activity", "trên 1 thì không thể đạt mục tiêu bằng cách tăng tác nghiệp"),),
    ),
)
