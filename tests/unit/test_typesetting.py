"""From Typst source to one PDF, as read by two foreign readers: pypdf and poppler."""

from __future__ import annotations

import gc
import io
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pypdf
import pytest

from arkham_shard_export.errors import SourceRefused, TypesetterDied
from arkham_shard_export.formats.typesetting import compiling, fonts
from arkham_shard_export.formats.typesetting.binding import Imprint, bind
from arkham_shard_export.formats.typesetting.chunks import Chunk, Heading, Typesetter, Window
from arkham_shard_export.formats.typesetting.fonts import FAMILIES, Coverage
from arkham_shard_export.formats.typesetting.numbering import NUMERALS, roman
from arkham_shard_export.formats.typesetting.outline import Entry

FONTS = "#set text(font: (" + ",".join(f'"{family}"' for family in FAMILIES) + "), fallback: false)\n"
PORTRAIT = '#set page("a4")\n' + FONTS
LANDSCAPE = '#set page("a4", flipped: true)\n' + FONTS
FRONT = (
    PORTRAIT
    + "Title\n#pagebreak()\n= Contents\n"
    + "\n".join(f'#link("page:{n}")[To page {n}]\n' for n in (4, 0))
)
BODY = (
    PORTRAIT + "= Claims\nWords-1\n#pagebreak()\n== Disputed\n=== First claim\nWords-2\n=== Second claim\n",
    LANDSCAPE + "#v(5cm)\n=== «Третье» 第三\nWords-3",
    PORTRAIT + "Words-4\n#pagebreak()\n= Timeline\nWords-5\n",
)
TITLES = [
    (1, "Claims"),
    (2, "Disputed"),
    (3, "First claim"),
    (3, "Second claim"),
    (3, "«Третье» 第三"),
    (1, "Timeline"),
]
IMPRINT = Imprint(
    "The “Überblick” <case>\x00",
    "2026-11-23T17:00:00+00:00",
    language="de",
    subject="State of the data",
    author="Ada",
    keywords="leak, 文本",
)
ENDED_WITHIN_SECONDS = 20


def bound(front: str | None, body: tuple[str, ...], processes: int = 2) -> bytes:
    sink = io.BytesIO()
    with tempfile.TemporaryFile() as scratch:
        with Typesetter(scratch, processes) as typesetter:
            for source in body:
                typesetter.add(source)
            chunks = typesetter.finish()
            prelude = [typesetter.set_now(front)] if front else []
            numerals = typesetter.set_now(NUMERALS)
        bind(prelude, chunks, numerals, entries_of(chunks), IMPRINT, sink)
    return sink.getvalue()


def entries_of(chunks: list[Chunk]) -> list[Entry]:
    places: list[Heading] = []
    first = 0
    for chunk in chunks:
        places += [Heading(first + place.page, place.top) for place in chunk.headings]
        first += chunk.pages
    titles = TITLES[: len(places)]
    return [Entry(level, title, *place) for (level, title), place in zip(titles, places, strict=True)]


@pytest.fixture(scope="module")
def document() -> bytes:
    return bound(FRONT, BODY)


@pytest.fixture
def reader(document: bytes) -> pypdf.PdfReader:
    return pypdf.PdfReader(io.BytesIO(document))


@pytest.fixture
def typesetter() -> Iterator[Typesetter]:
    with tempfile.TemporaryFile() as scratch, Typesetter(scratch, 1) as typesetter:
        yield typesetter


def poppler(tool: str, pdf: bytes, *options: str) -> str:
    """What a tool of poppler says about a PDF."""
    if shutil.which(tool) is None:
        reason = f"{tool} is missing: apt-get install poppler-utils"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    with tempfile.NamedTemporaryFile(suffix=".pdf") as file:
        file.write(pdf)
        file.flush()
        done = subprocess.run([tool, *options, file.name, "-"], capture_output=True, check=True)
    return done.stdout.decode()


def visible(text: str) -> str:
    return "".join(each for each in text if unicodedata.category(each) != "Cf")


def ended(pid: int) -> bool:
    """Whether a process is over; one that awaits its reaping by init is."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def ends(pid: int) -> bool:
    deadline = time.monotonic() + ENDED_WITHIN_SECONDS
    while not ended(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    return ended(pid)


def gone(pid: int) -> bool:
    return not Path(f"/proc/{pid}").exists()


class TestBoundDocument:
    def test_has_all_pages_in_the_order_in_which_they_were_added(self, document: bytes) -> None:
        expected = ["Title", "Contents", "Words-1", "Words-2", "Words-3", "Words-4", "Words-5"]
        pypdf_pages = [page.extract_text() for page in pypdf.PdfReader(io.BytesIO(document)).pages]
        poppler_pages = poppler("pdftotext", document).split("\f")[:-1]
        for pages in (pypdf_pages, poppler_pages):
            assert len(pages) == len(expected)
            assert all(word in page for word, page in zip(expected, pages, strict=True))

    def test_keeps_the_size_of_each_page(self, reader: Any) -> None:
        wide = [page.mediabox.width > page.mediabox.height for page in reader.pages]
        assert wide == [False, False, False, False, True, False, False]

    def test_has_an_outline_nested_by_level_whose_entries_lead_to_their_pages(
        self, reader: pypdf.PdfReader
    ) -> None:
        def flat(items: list[Any], level: int = 1) -> Iterator[tuple[int, str, int | None]]:
            for item in items:
                if isinstance(item, list):
                    yield from flat(item, level + 1)
                else:
                    yield level, item.title, reader.get_destination_page_number(item)

        pages = (2, 3, 3, 3, 4, 6)
        assert list(flat(reader.outline)) == [
            (*entry, page) for entry, page in zip(TITLES, pages, strict=True)
        ]

    def test_opens_only_the_first_level_of_the_outline(self, reader: Any) -> None:
        claims, (disputed, _), timeline = reader.outline
        assert (claims["/Count"], disputed["/Count"], timeline.get("/Count")) == (1, -3, None)
        assert reader.root_object["/Outlines"]["/Count"] == 3
        assert reader.root_object["/PageMode"] == "/UseOutlines"

    def test_leads_from_the_outline_to_the_height_of_the_heading(self, reader: Any) -> None:
        _, (_, (first, second, third)), _ = reader.outline
        assert first["/Top"] > second["/Top"] > 600
        assert third["/Top"] < 595 - 5 * 28

    def test_labels_front_matter_roman_and_the_body_decimal_from_one(self, reader: Any) -> None:
        assert reader.page_labels == ["i", "ii", "1", "2", "3", "4", "5"]

    def test_shows_the_label_of_each_page_as_text_at_the_middle_of_its_foot(self, document: bytes) -> None:
        pages = poppler("pdftotext", document, "-bbox").split("<page ")[1:]
        for page, label in zip(pages, ("i", "ii", "1", "2", "3", "4", "5"), strict=True):
            width, height = (float(each) for each in re.findall(r'(?:width|height)="([\d.]+)"', page)[:2])
            ((left, right, low),) = re.findall(
                rf'<word xMin="([\d.]+)" yMin="[\d.]+" xMax="([\d.]+)" yMax="([\d.]+)">{label}</word>', page
            )
            assert (float(left) + float(right)) / 2 == pytest.approx(width / 2, abs=0.5)
            assert height - 32 < float(low) < height

    def test_has_page_numbers_that_pypdf_reads_too(self, reader: Any) -> None:
        lines = [page.extract_text().splitlines() for page in reader.pages]
        labels = ["i", "ii", "1", "2", "3", "4", "5"]
        assert all(label in page for label, page in zip(labels, lines, strict=True))

    def test_leads_from_its_contents_to_the_pages_of_the_body(self, reader: Any) -> None:
        links = [each.get_object() for each in reader.pages[1]["/Annots"]]
        assert [link["/A"]["/S"] for link in links] == ["/GoTo", "/GoTo"]
        targets = [link["/A"]["/D"][0].idnum for link in links]
        pages = [page.indirect_reference.idnum for page in reader.pages if page.indirect_reference]
        assert [pages.index(target) for target in targets] == [6, 2]

    def test_tells_its_title_language_and_time_to_viewers_and_in_xmp(self, reader: Any) -> None:
        info, xmp, root = reader.metadata, reader.xmp_metadata, reader.root_object
        assert info is not None
        assert xmp is not None
        title = "The “Überblick” <case>"
        assert (info.title, info.subject, info.author) == (title, "State of the data", "Ada")
        assert (info.creator, info.keywords) == ("arkham-shard-export", "leak, 文本")
        assert info.creation_date is not None
        assert info.creation_date.isoformat() == IMPRINT.created_at
        assert (xmp.dc_title, xmp.dc_creator) == ({"x-default": title}, ["Ada"])
        assert xmp.xmp_creator_tool == "arkham-shard-export"
        assert root["/Lang"] == "de"
        assert root["/ViewerPreferences"]["/DisplayDocTitle"].value is True

    def test_is_the_same_to_the_byte_however_many_processes_set_it(self, document: bytes) -> None:
        assert bound(FRONT, BODY, processes=1) == document

    def test_needs_no_front_matter(self) -> None:
        reader = pypdf.PdfReader(io.BytesIO(bound(None, BODY[:1])))
        assert reader.page_labels == ["1", "2"]

    def test_fails_as_its_sink_does(self) -> None:
        class Full:
            def write(self, data: bytes) -> object:
                raise OSError(28, "No space left on device")

        with tempfile.TemporaryFile() as scratch:
            with Typesetter(scratch, 1) as typesetter:
                chunk, numerals = typesetter.set_now("Words"), typesetter.set_now(NUMERALS)
            with pytest.raises(OSError, match="No space left"):
                bind([], [chunk], numerals, [], IMPRINT, Full())


@pytest.mark.parametrize(
    "text",
    [
        "Straße naïve façade",
        "Привет, мир",
        "Καλημέρα κόσμε",
        "هذا نص عربي",
        "שלום עולם",
        "中文文本 日本語テキスト 한국어",
        "हिन्दी में पाठ क्षत्रिय",
        "Ship 🚢 and smile 😀",
        "efficient office",
    ],
)
def test_text_of_any_script_can_be_copied_from_the_pages(typesetter: Typesetter, text: str) -> None:
    chunk = typesetter.set_now(f'{PORTRAIT}#par("{text}")')
    with chunk.open() as pdf:
        copy = io.BytesIO()
        pdf.save(copy)
    assert text in visible(poppler("pdftotext", copy.getvalue()))


@pytest.mark.parametrize(
    ("number", "numeral"), [(1, "i"), (4, "iv"), (9, "ix"), (48, "xlviii"), (1994, "mcmxciv")]
)
def test_roman_numerals_are_written_as_usual(number: int, numeral: str) -> None:
    assert roman(number) == numeral


class TestCoverage:
    def test_finds_characters_that_no_font_has(self) -> None:
        assert Coverage().missing("a \U00013000 b \x01") == {"\U00013000", "\x01"}

    def test_has_common_characters_of_many_scripts(self) -> None:
        text = "Zażółć Ğ “—” € ₽ Привет Ω هذا شپگ שלום 中文 日本語 한국어 हिन्दी ไทย বাংলা ქართ հայ 😀 ☎ → ≤"
        assert Coverage().missing(text) == set()

    def test_never_misses_what_is_not_drawn(self) -> None:
        assert (
            Coverage().missing("\t\n\r\u00ad\u200b\u200d\u200f\u202e\u2028\u2066\ufe0f\ufeff\U000e0067\u3000")
            == set()
        )

    def test_reads_no_font_for_plain_text(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(fonts, "_codes", lambda path: pytest.fail(f"{path} was read"))
        assert Coverage().missing("Plain text, 1 + 1 = 2\n") == set()

    def test_tells_which_package_of_fonts_is_missing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(fonts, "find_spec", lambda name: None)
        with pytest.raises(ModuleNotFoundError, match="manimgx_fonts"):
            Coverage().missing("é")

    def test_knows_families_by_the_names_that_typst_gives_them(self) -> None:
        typst = pytest.importorskip("typst")
        folders = [str(folder) for folder in fonts.font_folders()]
        found = typst.Fonts(include_system_fonts=False, include_embedded_fonts=False, font_paths=folders)
        assert set(FAMILIES) <= set(found.families())


class TestTypesetter:
    def test_tells_what_is_wrong_with_a_source(self, typesetter: Typesetter) -> None:
        typesetter.add("fine\n#nonsense(1)")
        with pytest.raises(
            SourceRefused, match="fault of this program: unknown variable: nonsense"
        ) as caught:
            typesetter.finish()
        assert "#nonsense(1)" in caught.value.diagnosis
        assert "#nonsense(1)" not in str(caught.value)

    def test_goes_on_after_a_wrong_source(self, typesetter: Typesetter) -> None:
        with pytest.raises(SourceRefused):
            typesetter.set_now("#panic()")
        assert typesetter.set_now("Words").pages == 1

    def test_tells_that_a_process_was_killed_and_leaves_none(self) -> None:
        def set_with_killed_processes() -> None:
            with tempfile.TemporaryFile() as scratch, Typesetter(scratch) as typesetter:
                pids.extend(typesetter.pids)
                for pid in pids:
                    os.kill(pid, signal.SIGKILL)
                for _ in range(10):
                    typesetter.add("Words")

        pids: list[int] = []
        with pytest.raises(TypesetterDied, match="killed by signal 9"):
            set_with_killed_processes()
        assert len(pids) == 2
        assert all(map(gone, pids))

    def test_leaves_no_process_when_its_user_fails_in_the_middle(self) -> None:
        def fail_while_pages_are_set() -> None:
            with tempfile.TemporaryFile() as scratch, Typesetter(scratch) as typesetter:
                pids.extend(typesetter.pids)
                typesetter.add("#lorem(100000)")
                raise LookupError

        pids: list[int] = []
        with pytest.raises(LookupError):
            fail_while_pages_are_set()
        assert len(pids) == 2
        assert all(map(gone, pids))

    def test_leaves_no_process_when_it_is_forgotten(self) -> None:
        with tempfile.TemporaryFile() as scratch:
            typesetter = Typesetter(scratch, 1)
            typesetter.set_now("Words")
            (pid,) = typesetter.pids
            del typesetter
            gc.collect()
            assert ends(pid)

    def test_leaves_no_process_when_its_parent_is_killed(self) -> None:
        script = (
            "import tempfile\n"
            "from arkham_shard_export.formats.typesetting.chunks import Typesetter\n"
            "typesetter = Typesetter(tempfile.TemporaryFile())\n"
            "typesetter.add('Words')\n"
            "typesetter.finish()\n"
            "print(*typesetter.pids, flush=True)\n"
            "input()\n"
        )
        root = str(Path(compiling.__file__).parents[3])
        parent = subprocess.Popen(
            [sys.executable, "-c", script],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": root},
        )
        with parent:
            assert parent.stdout is not None
            pids = [int(pid) for pid in parent.stdout.readline().split()]
            parent.kill()
        assert len(pids) == 2
        assert all(map(ends, pids))

    def test_replaces_a_process_that_has_grown(
        self, typesetter: Typesetter, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        typesetter.set_now("Words")
        (before,) = typesetter.pids
        monkeypatch.setattr(compiling, "MEMORY_LIMIT_MIB", 1)
        assert typesetter.set_now("Words").pages == 1
        assert gone(before)
        assert typesetter.pids != [before]

    def test_keeps_what_libraries_print_out_of_its_answers(self) -> None:
        script = (
            "import os\n"
            "from arkham_shard_export.formats.typesetting import compiling\n"
            "compiling._serve = lambda sources, answers: (os.write(1, b'noise'), answers.write(b'answer'))\n"
            "compiling.main()\n"
        )
        root = str(Path(compiling.__file__).parents[3])
        done = subprocess.run(
            [sys.executable, "-c", script],
            input=b"",
            capture_output=True,
            check=True,
            env={**os.environ, "PYTHONPATH": root},
        )
        assert (done.stdout, done.stderr) == (b"answer", b"noise")


def test_a_window_shows_only_its_stretch_of_the_file() -> None:
    window = Window(io.BytesIO(b"before-inside-after"), 7, 6)
    assert window.read() == b"inside"
    assert window.seek(-2, os.SEEK_END) == 4
    assert window.read(10) == b"de"
    assert window.read(1) == b""
