"""How often one may ask: a minute's requests at once, then as many as time brings back; memory is bounded."""

from __future__ import annotations

import dataclasses

import pytest

from arkham_shard_export.api import limits
from arkham_shard_export.api.callers import Identity
from arkham_shard_export.api.limits import POLLED_COST, RequestLimits
from arkham_shard_export.errors import TooManyRequests
from arkham_shard_export.settings import Settings

ANN, EVE = Identity("t", "ann"), Identity("t", "eve")


class Steady:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def limited(clock: Steady | None = None, **settings: int) -> RequestLimits:
    chosen = {
        "max_requests_per_user": 6,
        "max_requests_per_tenant": 10,
        "max_streams_per_user": 2,
        "max_streams_per_tenant": 3,
    }
    return RequestLimits(dataclasses.replace(Settings(), **{**chosen, **settings}), clock or Steady())


def taken(limits: RequestLimits, identity: Identity, cost: float = 1.0) -> int:
    """How many requests are answered before one is refused."""
    for number in range(10_000):
        try:
            limits.count(identity, cost)
        except TooManyRequests:
            return number
    return 10_000


def test_a_user_may_ask_so_often_and_a_tenant_so_often() -> None:
    limits = limited()
    assert taken(limits, ANN) == 6
    assert taken(limits, EVE) == 4, "the tenant has had ten"
    assert taken(limits, Identity("u", "ann")) == 6, "the same name in another tenant is another user"


def test_what_is_refused_says_when_to_come_back_and_then_it_is_answered() -> None:
    clock = Steady()
    limits = limited(clock)
    taken(limits, ANN)
    with pytest.raises(
        TooManyRequests, match="more than 6 requests in a minute; try again in 10 seconds"
    ) as caught:
        limits.count(ANN)
    clock.now += caught.value.retry_seconds
    limits.count(ANN)
    with pytest.raises(TooManyRequests):
        limits.count(ANN)
    clock.now += 10_000
    assert taken(limits, ANN) == 6, "more than a minute's worth is never saved up"


def test_a_refused_request_takes_nothing_from_the_tenant() -> None:
    limits = limited()
    taken(limits, ANN)
    for _ in range(50):
        with pytest.raises(TooManyRequests):
            limits.count(ANN)
    assert taken(limits, EVE) == 4


def test_nobody_is_limited_where_nobody_is_signed_in() -> None:
    assert taken(limited(), Identity(None, None)) == 10_000


def test_zero_means_no_limit() -> None:
    limits = limited(
        max_requests_per_user=0, max_requests_per_tenant=0, max_streams_per_user=0, max_streams_per_tenant=0
    )
    assert taken(limits, ANN) == 10_000
    for _ in range(100):
        limits.open(ANN)


def test_a_hundred_pages_of_one_user_that_poll_for_an_hour_are_never_refused() -> None:
    """Each asks for jobs and statistics every five seconds, and two badges every thirty."""
    clock = Steady()
    limits = RequestLimits(Settings(), clock)
    for second in range(0, 3600, 5):
        clock.now = float(second)
        for _ in range(100):
            limits.count(ANN, POLLED_COST)
            limits.count(ANN, POLLED_COST)
            if second % 30 == 0:
                limits.count(ANN, POLLED_COST)


def test_so_many_streams_are_open_at_a_time_and_one_that_ends_makes_room() -> None:
    limits = limited()
    first = limits.open(ANN)
    limits.open(ANN)
    with pytest.raises(TooManyRequests, match="user has 2 downloads or streams open"):
        limits.open(ANN)
    limits.open(EVE)
    with pytest.raises(TooManyRequests, match="tenant has 3 downloads or streams open"):
        limits.open(EVE)
    first()
    first()
    limits.open(EVE)
    with pytest.raises(TooManyRequests):
        limits.open(ANN)


def test_memory_is_bounded_whatever_ids_come(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_BUCKETS", 50)
    held = limited()
    for number in range(1000):
        user = Identity(f"tenant {number}", f"{number}" * 10_000 + "\ud800")
        held.count(user)
        held.open(user)()
    assert len(held._buckets) == 50
    assert len(held._open) == 0
    assert max(len(key[1]) for key in held._buckets) == 16
