"""A signed link opens one file, for who it was made for, until its time is over; nothing else does."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from arkham_shard_export.signing import Bearer, LinkSigner

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
PATH = "/api/export/jobs/one/download"
ANN = Bearer("tenant", "ann")
SIGNER = LinkSigner("a token of some length", 300)


def query_of(signer: LinkSigner = SIGNER, path: str = PATH, bearer: Bearer = ANN) -> bytes:
    return signer.link(path, bearer, NOW).url.partition("?")[2].encode()


def test_a_link_holds_until_its_time_is_over() -> None:
    link = SIGNER.link(PATH, ANN, NOW)
    assert link.url.startswith(f"{PATH}?expires=")
    assert link.expires_at == NOW + timedelta(seconds=300)
    for seconds, holds in ((0, True), (299, True), (300, False), (10_000, False)):
        assert SIGNER.holds(PATH, query_of(), ANN, NOW + timedelta(seconds=seconds)) is holds


@pytest.mark.parametrize(
    "bearer",
    [Bearer(), Bearer("tenant"), Bearer(None, "ann"), Bearer("tenant", "eve"), Bearer("other", "ann"), Bearer("ann", "tenant"), Bearer("tenantann", "")],
)  # fmt: skip
def test_a_link_is_good_for_who_it_was_made_for_alone(bearer: Bearer) -> None:
    assert not SIGNER.holds(PATH, query_of(), bearer, NOW)
    assert not SIGNER.holds(PATH, query_of(bearer=bearer), ANN, NOW)


def test_a_link_is_good_for_its_path_alone() -> None:
    for path in ("/api/export/jobs/two/download", f"{PATH}/", "/api/export/jobs/one", ""):
        assert not SIGNER.holds(path, query_of(), ANN, NOW)


def test_a_link_of_another_token_is_none() -> None:
    assert not LinkSigner("a token of some lengtH", 300).holds(PATH, query_of(), ANN, NOW)


def test_no_character_of_a_link_can_be_another() -> None:
    query = query_of().decode()
    for at, each in enumerate(query):
        for other in "0f":
            changed = f"{query[:at]}{other if each != other else 'e'}{query[at + 1 :]}"
            assert not SIGNER.holds(PATH, changed.encode(), ANN, NOW), changed


@pytest.mark.parametrize(
    "query",
    [b"", b"expires=9999999999", b"signature=00", b"expires=&signature=", b"expires=1e9&signature=00", b"expires=-1&signature=00",
     b"expires=9999999999&signature=\xff", b"expires=" + b"9" * 5000 + b"&signature=00", b"%00=&expires=%D9%A1&signature=%ED%A0%80"],
)  # fmt: skip
def test_what_is_no_link_is_none(query: bytes) -> None:
    assert not SIGNER.holds(PATH, query, ANN, NOW)


def test_a_link_with_parts_that_stand_twice_is_none() -> None:
    query = query_of()
    assert not SIGNER.holds(PATH, query + b"&expires=9999999999", ANN, NOW)
    assert not SIGNER.holds(PATH, query + b"&" + query, ANN, NOW)


def test_a_signature_tells_nothing_of_the_token() -> None:
    link = LinkSigner("0123456789abcdef", 300).link(PATH, ANN, NOW)
    assert "0123456789abcdef" not in link.url
    assert len(link.url.partition("signature=")[2]) == 64
