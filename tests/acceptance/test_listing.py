"""The list of jobs over HTTP: several values of a filter, orders, and links from page to page."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from arkham_shard_export.errors import InvalidRequest
from arkham_shard_export.jobs.table.listing import ORDERS
from arkham_shard_export.models import ExportFilter, ExportStatus
from tests.conftest import new_database
from tests.hosts import RunningHost, arkhamframe, standalone

JOBS = "/api/export/jobs"
STATES = [status.value for status in ExportStatus]
NUMBER = 35


@pytest.fixture(scope="module", params=["standalone", "standalone-postgres", "arkhamframe"])
def listed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHost]:
    """A host that runs nothing, with NUMBER jobs: seven of each state, which end the other way round."""
    folder: Path = tmp_path_factory.mktemp("listed")
    url = None
    if request.param != "standalone":
        url = new_database(request.getfixturevalue("postgres_server"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ARKHAM_EXPORT_CONCURRENCY", "0")
        hosts = {"arkhamframe": arkhamframe} if url is not None and request.param == "arkhamframe" else {}
        with hosts.get(request.param, standalone)(folder, url) as host:  # type: ignore[arg-type]
            for number in range(NUMBER):
                state = STATES[number % 5]
                ended = f"2026-02-{28 - number // 2:02}T00:00:00.000000+00:00"
                insert = host.frame.get_service("database").execute(
                    "INSERT INTO arkham_export_jobs (id, format, target, status, created_at, completed_at, created_by)"
                    " VALUES (?, ?, ?, ?, ?, ?, ?)",
                    [
                        f"job-{number:02}",
                        ("csv", "json", "pdf")[number % 3],
                        ("claims", "graph")[number % 2],
                        state,
                        f"2026-01-01T00:00:{number:02}.000000+00:00",
                        None if state in ("pending", "processing") else ended,
                        "ann, of x" if number % 2 else "bob&co",
                    ],
                )
                host.run(insert)
            yield host


def asked(host: RunningHost, query: str) -> dict[str, Any]:
    answer = host.client.get(f"{JOBS}?{query}")
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def refused(host: RunningHost, query: str) -> tuple[str, list[dict[str, Any]]]:
    answer = host.client.get(f"{JOBS}?{query}")
    assert answer.status_code == 422, answer.text
    return answer.json()["detail"], answer.json()["errors"]


@pytest.mark.parametrize(
    ("query", "field", "named"),
    [
        ("status=pending&status=done", "status", "'done'"),
        ("status=pending,done", "status", "'done'"),
        ("status=", "status", "''"),
        ("status=pending,", "status", "''"),
        ("status=,", "status", "''"),
        ("format=csv,papyrus", "format", "'papyrus'"),
        ("target=claims&target=x", "target", "'x'"),
        ("sort=", "sort", "''"),
        ("sort=file_size", "sort", "'file_size'"),
        ("sort=-created_at;DROP TABLE x", "sort", "'-created_at;DROP TABLE x'"),
        ("status=" + "x," * 3000, "status", "'x'"),
    ],
)
def test_what_cannot_be_listed_is_refused_with_what_can(
    listed: RunningHost, query: str, field: str, named: str
) -> None:
    detail, errors = refused(listed, query)
    assert named in detail
    assert len(detail) < 500
    (problem,) = errors
    assert problem["field"] == field
    if field == "sort":
        assert problem["valid"] == ["-created_at", "created_at", "-completed_at", "completed_at"]
        assert all(each in detail for each in problem["valid"])


@pytest.mark.parametrize("query", ["status=pending&status=failed", "status=pending,failed",
                                   "status=failed, pending ,failed"])  # fmt: skip
def test_several_states_are_listed_together_and_counted(listed: RunningHost, query: str) -> None:
    answer = asked(listed, query)
    assert answer["total"] == len(answer["jobs"]) == 14
    assert {job["status"] for job in answer["jobs"]} == {"pending", "failed"}
    numbers = [job["id"] for job in answer["jobs"]]
    assert numbers == sorted(numbers, reverse=True)


def test_values_of_one_field_are_alternatives_and_fields_go_together(listed: RunningHost) -> None:
    answer = asked(listed, "status=completed,cancelled&format=csv&format=json&target=claims&limit=5")
    expected = [
        f"job-{number:02}"
        for number in reversed(range(NUMBER))
        if number % 5 in (2, 4) and number % 3 in (0, 1) and number % 2 == 0
    ]
    assert answer["total"] == len(expected) > 4
    assert [job["id"] for job in answer["jobs"]] == expected[:5]


def test_jobs_are_listed_in_the_order_that_was_asked_for(listed: RunningHost) -> None:
    orders = {sort: [job["id"] for job in asked(listed, f"sort={sort}")["jobs"]] for sort in ORDERS}
    assert orders["created_at"] == [f"job-{number:02}" for number in range(NUMBER)]
    assert orders["-created_at"] == orders["created_at"][::-1] == [
        job["id"] for job in asked(listed, "")["jobs"]
    ]  # fmt: skip
    ends = {job["id"]: job["completed_at"] for job in asked(listed, "")["jobs"]}
    ended = [job_id for job_id in orders["completed_at"] if ends[job_id] is not None]
    # What has not ended comes after all that has.
    assert orders["completed_at"][: len(ended)] == ended == sorted(ended, key=lambda each: (ends[each], each))
    assert len(ended) == 21
    assert orders["-completed_at"] == orders["completed_at"][::-1]
    few = asked(listed, "sort=-completed_at&status=completed,failed&limit=3")
    assert [job["id"] for job in few["jobs"]] == [
        each for each in reversed(ended) if int(each[-2:]) % 5 in (2, 3)
    ][:3]


def test_the_python_api_takes_the_same_and_refuses_the_same(listed: RunningHost) -> None:
    def jobs(filter: ExportFilter, **given: Any) -> list[str]:
        return [job.id for job in listed.run(listed.shard.list_jobs(filter, **given))]

    several = ExportFilter(status=(ExportStatus.PENDING, "failed"), format=["csv"])
    found = jobs(several, sort="created_at", limit=2)
    assert found == ["job-00", "job-03"]
    for filter, given in (
        (ExportFilter(status=[]), {}),
        (ExportFilter(status=["failed", "x"]), {}),
        (ExportFilter(), {"sort": "id"}),
    ):
        with pytest.raises(InvalidRequest):
            jobs(filter, **given)


def pages(host: RunningHost, answer: httpx.Response) -> dict[str, str]:
    """The targets of a Link header by relation, as RFC 8288 writes it."""
    links = re.findall(r'<([^>]*)>; rel="(\w+)"', answer.headers.get("link", ""))
    assert all(target.startswith(f"{JOBS}?") for target, _ in links)
    return {rel: target for target, rel in links}


def test_links_lead_through_all_pages_with_the_same_query(listed: RunningHost) -> None:
    query = "status=completed&sort=created_at&status=failed,cancelled&created_by=ann%2C+of+x&limit=4"
    seen, answer = [], listed.client.get(f"{JOBS}?{query}")
    assert pages(listed, answer).keys() == {"first", "next", "last"}
    first = answer.json()
    while True:
        seen.append(answer.json())
        found = pages(listed, answer)
        if "next" not in found:
            break
        following = listed.client.get(found["next"])
        assert listed.client.get(pages(listed, following)["prev"]).json() == answer.json()
        answer = following
    ids = [job["id"] for each in seen for job in each["jobs"]]
    assert ids == [f"job-{number:02}" for number in range(NUMBER) if number % 2 and number % 5 in (2, 3, 4)]
    assert len(ids) == first["total"]
    assert pages(listed, answer).keys() == {"first", "prev", "last"}
    assert listed.client.get(found["first"]).json() == first
    assert listed.client.get(found["last"]).json() == seen[-1]


def test_a_list_that_is_one_page_has_no_links_and_one_begun_anywhere_leads_back(listed: RunningHost) -> None:
    for query in ("", f"limit={NUMBER}", "status=pending&limit=7", "created_by=nobody&limit=1"):
        assert "link" not in listed.client.get(f"{JOBS}?{query}").headers
    odd = pages(listed, listed.client.get(f"{JOBS}?limit=10&offset=3"))
    offsets = {rel: re.findall(r"limit=10&offset=(\d+)", target) for rel, target in odd.items()}
    assert offsets == {"first": ["0"], "prev": ["0"], "next": ["13"], "last": ["30"]}
    beyond = pages(listed, listed.client.get(f"{JOBS}?limit=10&offset=1000"))
    assert beyond.keys() == {"first", "prev", "last"}
    assert beyond["prev"].endswith("offset=30")


def test_a_link_cannot_be_broken_out_of(listed: RunningHost) -> None:
    answer = listed.client.get(
        JOBS, params={"created_by": '>; rel="next", <http://x/>\r\nX-Evil: 1é', "offset": 5}
    )
    assert answer.status_code == 200
    assert "x-evil" not in answer.headers
    assert answer.headers["link"].count("<") == answer.headers["link"].count(">") == 3
    assert all(target.startswith(JOBS) for target in pages(listed, answer).values())
