"""A bucket of an S3-compatible store as the library `obstore` reaches it, and its errors as sentences of ours.

Endpoint, region and credentials are those of the environment: `AWS_ENDPOINT_URL`, `AWS_REGION`, `AWS_ACCESS_KEY_ID`, …
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import IO

import obstore
from obstore.exceptions import BaseError, GenericError, PermissionDeniedError, UnauthenticatedError
from obstore.store import S3Store as Client

from arkham_shard_export.errors import ExportError, ServiceUnavailable, StoreFailed
from arkham_shard_export.store_location import S3Location

PART_BYTES = 8 << 20
MOST_PARTS = 10_000
"""What the protocol allows for one object."""
PARTS_AT_ONCE = 3
UPLOAD_RETRIES = 6
"""Of a request of an upload."""
UPLOADS = 3
"""Of one file, where connections are lost."""
_FIRST_RETRY = timedelta(milliseconds=100)
_ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")
_ENDPOINT = re.compile(
    r"(https?)://(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:]+\])(?::[0-9]{1,5})?(?:/[A-Za-z0-9._~/-]*)?"
)
_CONNECTION_LOST = "HTTP error: "
_REFUSED = re.compile(r"status code: 40[13]\b")


def client(location: S3Location, retries: int, seconds: int) -> Client:
    """A client whose requests are tried again `retries` times and last at most `seconds` each."""
    plain = _endpoint_scheme() == "http"
    return Client(
        location.bucket,
        prefix=location.prefix or None,
        client_options={
            "timeout": timedelta(seconds=seconds),
            "connect_timeout": timedelta(seconds=5),
            **({"allow_http": True} if plain else {}),
        },
        retry_config={
            "max_retries": retries,
            "retry_timeout": timedelta(seconds=60),
            "backoff": {"init_backoff": _FIRST_RETRY, "max_backoff": timedelta(seconds=5), "base": 2},
        },
    )


def _endpoint_scheme() -> str:
    """Of the endpoint in the environment; ServiceUnavailable where it is no URL the library can use."""
    name = next((name for name in _ENDPOINTS if os.environ.get(name)), None)
    if name is None:
        return "https"
    usable = _ENDPOINT.fullmatch(os.environ[name])
    if usable is None:
        # Not shown: it may hold a password.
        raise ServiceUnavailable(
            "storage", f"{name} must be http://host or https://host, without a name or password in it."
        )
    return usable[1]


@contextlib.contextmanager
def telling_of_bucket(location: S3Location, failure: Callable[[str], ExportError]) -> Iterator[None]:
    """The library's errors as `failure`; FileNotFoundError, where there is no such object, passes."""
    try:
        yield
    except ExportError:
        raise
    except (BaseError, OSError) as error:
        # Of some requests the library tells all errors by one class.
        if isinstance(error, PermissionDeniedError | UnauthenticatedError) or _REFUSED.search(str(error)):
            raise failure(
                f"The export store {location} refuses access; check its credentials and what they allow."
            ) from error
        if "<Code>NoSuchBucket<" in str(error):
            raise failure(
                f"There is no bucket {location.bucket!r} for the export store {location}; "
                "make it, or change ARKHAM_EXPORT_STORE."
            ) from error
        if isinstance(error, FileNotFoundError):
            raise
        raise failure(
            f"The export store {location} does not answer as expected; check that it is running, its endpoint "
            "and its credentials."
        ) from error


def upload(
    location: S3Location, client: Client, path: str, file: IO[bytes], size: int, between: Callable[[], None]
) -> None:
    """Make the object of what `file` holds from here on, whole or not at all; StoreFailed if that was not possible.

    `between` is called before each part, and raises to end the upload.
    """
    start = file.tell()
    with telling_of_bucket(location, StoreFailed):
        for tries_left in reversed(range(UPLOADS)):
            file.seek(start)
            try:
                stored = _put(client, path, file, size, between)
                break
            except BaseException as error:
                remove(client, path)
                # The library repeats no request that begins or ends an upload when its connection was lost.
                if not (tries_left and isinstance(error, GenericError) and _CONNECTION_LOST in str(error)):
                    raise
    if stored != size:
        remove(client, path)
        raise StoreFailed(
            f"The export store {location} kept {stored} bytes of a file of {size}; run the export again."
        )


def _put(client: Client, path: str, file: IO[bytes], size: int, between: Callable[[], None]) -> int:
    """The bytes that the store says it keeps."""
    part_bytes = max(PART_BYTES, -(-size // MOST_PARTS))

    def parts() -> Iterator[bytes]:
        between()
        while part := file.read(part_bytes):
            yield part
            between()

    if size <= part_bytes:
        obstore.put(client, path, b"".join(parts()), use_multipart=False)
    else:
        obstore.put(
            client,
            path,
            parts(),
            use_multipart=True,
            chunk_size=part_bytes,
            max_concurrency=PARTS_AT_ONCE,
        )
    return obstore.head(client, path)["size"]


def remove(client: Client, path: str) -> None:
    """Of an upload that failed the answer may have been lost: the object is removed if it can be."""
    with contextlib.suppress(BaseError, OSError):
        obstore.delete(client, path)
