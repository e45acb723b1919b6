"""What targets and formats declare is what requests are held to: offered choices are accepted, refused ones refused."""

from __future__ import annotations

from typing import Any

import pytest

from arkham_shard_export.errors import InvalidRequest
from arkham_shard_export.formats import base
from arkham_shard_export.models import ExportOptions
from arkham_shard_export.targets import TARGETS
from tests.hosts import RunningHost

FORMATS = ["json", "csv", "xlsx", "pdf", "docx"]


def checked(host: RunningHost, target: str, format: str, **body: Any) -> dict[str, str]:
    """The problems of a request by field, as every route that takes one finds them."""
    inventory = host.shard._service.inventory
    try:
        host.run(inventory.check(format, target, body.get("filters"), body.get("options"), None))
    except InvalidRequest as error:
        return {each.field: each.message for each in error.problems}
    return {}


def samples(option: dict[str, Any], format: str) -> list[Any]:
    """Values to ask for, none of them the default."""
    match option["type"]:
        case "boolean":
            return [not option["default"]]
        case "integer":
            return [1, 7]
        case "date":
            return ["2020-02-29"]
        case "choices":
            return [option["choices"], option["choices"][:1]]
        case "choice":
            return [
                each
                for each in option["choices_by_format"].get(format, option["choices"])
                if each != option["default"]
            ]
        case "columns":
            section, names = next(iter(option["choices_by_section"].items()))
            lacking = option["lacking_by_format"].get(format, {}).get(section, [])
            left = [each for each in names if each not in lacking]
            return [{section: left}, {section: left[:1]}]
        case "zone":
            return ["Europe/Berlin", "America/New_York"]
        case "date_format":
            return [each for each in option["choices"] if each != option["default"]] + ["%d.%m.%Y %H:%M"]
        case "layout":
            # Which there are, only the host knows.
            return ["any"] if format in option["refused"] else []
        case "object":
            return [*option["choices"], *parts(option, format)]
    raise AssertionError(option)


def parts(option: dict[str, Any], format: str) -> list[dict[str, Any]]:
    """An object with each part that the format has."""
    values: dict[str, Any] = {"boolean": False, "text": "A title"}
    whole: dict[str, Any] = {}
    for part in option["parts"]:
        if part["type"] != "image" and format not in part["refused"]:
            value = part["choices"][-1] if part["type"] == "choice" else values[part["type"]]
            outer, _, inner = part["name"].partition(".")
            if inner:
                whole.setdefault(outer, {})[inner] = value
            elif part["name"] != "bom":
                whole[part["name"]] = value
    return [whole]


def test_each_offered_option_is_accepted_and_each_refused_one_refused_for_the_reason_given(
    host: RunningHost,
) -> None:
    for target in host.client.get("/api/export/targets").json():
        for option in target["options"]:
            name = option["name"]
            assert option["description"].endswith("."), name
            assert option["default"] == getattr(ExportOptions(), name)
            for format in FORMATS:
                for sample in samples(option, format)[:2]:
                    options = {name: sample}
                    if name == "sort_order":
                        options["sort_by"] = "id"
                    problems = checked(host, target["target"], format, options=options)
                    reason = option["refused"].get(format)
                    expected = {} if reason is None else {f"options.{name}": reason}
                    assert problems == expected, (target["target"], format, options)


def test_an_option_that_is_not_offered_is_refused_in_every_format(host: RunningHost) -> None:
    asks = {"group_by": "day", "include_gaps": True, "include_conflicts": True, "entity_types": ["PERSON"]}
    lacking = 0
    for target in host.client.get("/api/export/targets").json():
        offered = {each["name"] for each in target["options"]}
        for name in asks.keys() - offered:
            for format in FORMATS:
                problems = checked(host, target["target"], format, options={name: asks[name]})
                assert [*problems] == [f"options.{name}"]
                lacking += 1
    assert lacking >= 15 * len(FORMATS)


def test_choices_that_a_format_lacks_are_refused(host: RunningHost) -> None:
    graph = next(each for each in host.client.get("/api/export/targets").json() if each["target"] == "graph")
    compression = next(each for each in graph["options"] if each["name"] == "compression")
    assert compression["choices_by_format"]["csv"] == ["none", "zip"]
    assert checked(host, "graph", "csv", options={"compression": "gzip"}).keys() == {"options.compression"}


def test_each_filter_takes_each_of_its_values(host: RunningHost) -> None:
    for target in host.client.get("/api/export/targets").json():
        assert [each["name"] for each in target["filters"]] == target["supports_filters"]
        for filter in target["filters"]:
            assert filter["description"].endswith(".")
            for value in [*filter["values"], filter["values"]] if filter["values"] else ["any-id"]:
                assert checked(host, target["target"], "json", filters={filter["name"]: value}) == {}
            if filter["values"]:
                wrong = checked(host, target["target"], "json", filters={filter["name"]: "no-such-value"})
                assert [*wrong] == [f"filters.{filter['name']}"]


def test_a_format_says_what_it_is_for_and_where_its_library_is_missing_how_to_get_it(
    host: RunningHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    def formats() -> dict[str, dict[str, Any]]:
        return {each["format"]: each for each in host.client.get("/api/export/formats").json()}

    for each in formats().values():
        assert each["purpose"].endswith(".")
        assert each["purpose"] in each["description"]
        assert each["cannot_carry"] in each["description"]
        assert (each["available"], each["remedy"]) == (True, None)
    monkeypatch.setattr(base, "find_spec", lambda name: None if name == "typst" else name)
    pdf = formats()["pdf"]
    assert (pdf["available"], pdf["remedy"]) == (False, "pip install arkham-shard-export[office]")
    assert pdf["remedy"] in checked(host, "claims", "pdf")["format"]
    assert formats()["docx"]["available"] is True


class Notes:
    """Records of another shard, without a table."""

    name = "notes"
    description = "Notes of the desk."
    columns = ("id", "text")
    filters = ("author",)

    def count(self, _filters: Any, _tenant_id: Any) -> int:
        return 1

    def records(self, _filters: Any, _tenant_id: Any) -> Any:
        yield {"id": "1", "text": "a"}


def test_sources_of_other_shards_declare_what_they_honour(host: RunningHost) -> None:
    host.shard.register_source("notes", Notes())
    host.shard.register_source("claims again", TARGETS["claims"])
    try:
        custom = host.client.get("/api/export/targets").json()[-1]
        filters = {each["name"]: each["values"] for each in custom["filters"]}
        assert filters["source"] == ["claims again", "notes"]
        assert {"author", "status", "claim_type"} <= filters.keys()
        options = {each["name"]: each for each in custom["options"]}
        assert "created_at" in options["sort_by"]["choices"]
        assert "group_by" not in options
        for name, option in options.items():
            sample = next(iter(samples(option, "json")))
            source = {"source": "claims again"}
            given = {name: sample, **({"sort_by": "id"} if name == "sort_order" else {})}
            problems = checked(host, "custom", "json", filters=source, options=given)
            assert bool(problems) == ("json" in option["refused"]), name
    finally:
        host.shard.unregister_source("notes")
        host.shard.unregister_source("claims again")
