"""Routes for whoever runs the host."""

from __future__ import annotations

from fastapi import Request, Response
from fastapi.responses import JSONResponse

from arkham_shard_export.api.callers import is_operator, shard_of
from arkham_shard_export.api.errors import RETRY_SECONDS
from arkham_shard_export.errors import NotAllowed, ServiceUnavailable
from arkham_shard_export.jobs.operating.health import UNAVAILABLE, health_of, health_without

START_SECONDS = 0.2
"""How long a look at the whole waits for a service that is just being started."""


async def get_health(request: Request) -> JSONResponse:
    operator = False
    try:
        shard = shard_of(request)
        operator = is_operator(request, shard)
        service = await shard.service_within(START_SECONDS)
        health = await health_of(service.watch)
    except ServiceUnavailable as error:
        health = health_without(error)
    body = health.body(operator)
    if health.status != UNAVAILABLE:
        return JSONResponse(body)
    detail = next(each.detail for each in health.checks.values() if each.detail is not None)
    return JSONResponse({**body, "detail": detail}, 503, {"Retry-After": str(RETRY_SECONDS[503])})


async def get_metrics(request: Request) -> Response:
    shard = shard_of(request)
    if not is_operator(request, shard):
        raise NotAllowed(
            "Metrics are over all tenants and users: only an admin without a tenant may see them."
        )
    service = await shard.service_within(START_SECONDS)
    text, media_type = await service.metrics.scraped(request.headers.get("accept", ""), shard.version)
    return Response(text, media_type=media_type)
