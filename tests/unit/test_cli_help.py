"""What help teaches is true, what is meant by a wrong word is found, and what is shown fits and steers no terminal."""

from __future__ import annotations

import argparse
import io
import re
import shlex
from collections.abc import Iterator

import pytest
from rich.cells import cell_len

from arkham_shard_export.cli import make_parser
from arkham_shard_export.cli.exits import MEANINGS
from arkham_shard_export.cli.parsing import did_you_mean
from arkham_shard_export.cli.progress import LINE_SECONDS, Lines
from arkham_shard_export.cli.tables import aligned, cut


def parsers(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    yield parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for each in action.choices.values():
                yield from parsers(each)


PARSERS = {each.prog: each for each in parsers(make_parser())}


def examples(parser: argparse.ArgumentParser) -> list[str]:
    return [
        line.strip()
        for line in (parser.epilog or "").splitlines()
        if re.match(r"  \S", line) and "arkham-export" in line
    ]


def words_of(example: str) -> list[str]:
    """Of the call of arkham-export in a line for a shell."""
    if (substituted := re.search(r"\$\((arkham-export [^)]*)\)", example)) is not None:
        example = substituted[1]
    lexer = shlex.shlex(example, posix=True, punctuation_chars="|&;><")
    lexer.whitespace_split = True
    words = [*lexer]
    begin = words.index("arkham-export") + 1
    end = next((at for at, word in enumerate(words[begin:], begin) if word[0] in "|&;><"), len(words))
    return words[begin:end]


@pytest.mark.parametrize("prog", sorted(PARSERS))
def test_every_command_teaches_by_examples_that_it_would_take(prog: str) -> None:
    parser = PARSERS[prog]
    shown = examples(parser)
    assert shown, prog
    for example in shown:
        options = make_parser().parse_args(words_of(example))
        assert options.run is not None
    own = [example for example in shown if prog in example]
    assert own or prog == "arkham-export"


@pytest.mark.parametrize("prog", sorted(PARSERS))
def test_help_fits_a_terminal_of_eighty_columns(prog: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    for line in PARSERS[prog].format_help().splitlines():
        assert len(line) <= 80, line


def test_help_ends_with_every_exit_code() -> None:
    told = make_parser().format_help()
    for code, meaning in MEANINGS.items():
        assert re.search(rf"^ +{code}  {re.escape(meaning)}$", told, re.MULTILINE)


@pytest.mark.parametrize(
    ("word", "meant"),
    [("exprt", "export"), ("EXPORT", "export"), ("remtoe", "remote"), ("xyz", None), ("", None)],
)
def test_the_closest_word_is_offered_or_none(word: str, meant: str | None) -> None:
    told = did_you_mean([word], ["export", "remote", "jobs"])
    assert told == ("" if meant is None else f" Did you mean {meant!r}?")


def test_of_several_words_the_one_that_is_closest_to_something_valid_counts() -> None:
    assert did_you_mean(["verified", "stauts"], ["status", "document_id"]) == " Did you mean 'status'?"


def test_a_line_is_written_now_and_then_and_trouble_at_once() -> None:
    now = 0.0
    stream = io.StringIO()
    lines = Lines("claims as csv", "records", stream, lambda: now)
    now = LINE_SECONDS - 0.1
    lines.told("writing", 500, 2000)
    assert stream.getvalue() == ""
    now = LINE_SECONDS
    lines.told("writing", 1000, 2000)
    assert stream.getvalue() == "claims as csv: writing, 1,000 of 2,000 records (50%)\n"
    now += 1
    lines.told("trying again", 0, None, "The host does not answer.\x1b[2J")
    lines.told("trying again", 0, None, "The host does not answer.\x1b[2J")
    assert stream.getvalue().splitlines()[1:] == [
        "claims as csv: trying again; The host does not answer.\ufffd[2J"
    ]
    now += LINE_SECONDS
    lines.told("counting", 0, 0)
    assert stream.getvalue().splitlines()[-1] == "claims as csv: counting"


@pytest.mark.parametrize("text", ["a" * 100_000, "名" * 1000, "e\u0301" * 1000, "\u0301" * 1000, "short"])
def test_a_text_of_any_length_is_cut_to_the_width_it_may_have(text: str) -> None:
    shown = cut(text, 40)
    assert cell_len(shown) <= 40
    assert shown.endswith("…") == (shown != text)


def test_the_last_column_is_wrapped_under_itself() -> None:
    rows = [("NAME", "WHAT"), ("one", "word " * 40), ("two", "")]
    lines = aligned(rows, wrapped=True)
    assert max(map(len, lines)) <= 100
    assert [line[:6] for line in lines] == ["NAME  ", "one   ", *["      "] * (len(lines) - 3), "two"]
    assert " ".join(line[6:] for line in lines[1:-1]) == ("word " * 40).strip()
