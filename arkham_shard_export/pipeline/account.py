"""The account of a batch: the sum of its parts, and each of them, as they stand in a job's metadata."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from arkham_shard_export.pipeline.export import Outcome
from arkham_shard_export.pipeline.parts import PartResult
from arkham_shard_export.records import Adjustments

PART_FAILED = "part_failed"


def outcome_of(results: Sequence[PartResult], file_extension: str, trace: str) -> Outcome:
    """The outcome of a batch of which at least one part was written."""
    outcomes = [each.outcome for each in results if each.outcome is not None]
    # A source without snapshots has no state of the data to name.
    dated = next((each for each in outcomes if each.consistent), outcomes[0])
    return Outcome(
        record_count=sum(each.record_count for each in outcomes),
        file_extension=file_extension,
        snapshot_at=dated.snapshot_at,
        consistent=all(each.consistent for each in outcomes),
        completeness=completeness(results),
        adjustments=_adjustments(outcomes),
        parts=[part_account(each) for each in results],
        trace=trace,
    )


def completeness(results: Sequence[PartResult]) -> dict[str, Any]:
    """Expected = written + skipped over all parts whose records could be counted; `uncounted_parts` are the others.

    The records of a part that failed are skipped.
    """
    skips = [skip for each in results for skip in _skips(each)]
    written = sum(each.outcome.record_count for each in results if each.outcome is not None)
    skipped = sum(int(skip["count"]) for skip in skips)
    found: dict[str, Any] = {
        "expected": written + skipped,
        "written": written,
        "skipped": skipped,
        "skips": skips,
        "failed_parts": [each.number for each in results if each.outcome is None],
    }
    uncounted = [each.number for each in results if each.outcome is None and each.expected is None]
    return {**found, "uncounted_parts": uncounted} if uncounted else found


def part_account(result: PartResult) -> dict[str, Any]:
    """What became of one part; its files are named in the contents."""
    outcome = result.outcome
    account: dict[str, Any] = {
        "part": result.number,
        "status": result.status,
        "record_count": 0 if outcome is None else outcome.record_count,
        "expected": result.expected if outcome is None else outcome.completeness["expected"],
        "skipped": sum(int(skip["count"]) for skip in _skips(result)),
        "skips": [{name: value for name, value in skip.items() if name != "part"} for skip in _skips(result)],
        "adjustments": [] if outcome is None else outcome.adjustments,
        "file": result.place,
        "file_size": sum(each.size for each in result.files) if result.files else None,
        "sha256": result.files[0].sha256 if result.place and not result.place.endswith("/") else None,
    }
    return {**account, "error": result.error} if result.error else account


def _skips(result: PartResult) -> Iterable[dict[str, Any]]:
    if result.outcome is not None:
        return [{"part": result.number, **skip} for skip in result.outcome.completeness["skips"]]
    if not result.expected:
        return []
    return [
        {
            "part": result.number,
            "kind": PART_FAILED,
            "count": result.expected,
            "reason": result.error.rstrip("."),
        }
    ]


def _adjustments(outcomes: Iterable[Outcome]) -> list[dict[str, Any]]:
    counts = Counter[str]()
    for outcome in outcomes:
        counts.update({each["kind"]: each["count"] for each in outcome.adjustments})
    return Adjustments(counts).report()
