"""Where the files of exports lie, as data: a folder, or a bucket of an S3-compatible store."""

from __future__ import annotations

import re

import msgspec

_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,62}")
_SEGMENT = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9!._=+-]+")


class FolderLocation(msgspec.Struct, frozen=True, tag="folder"):
    path: str

    def __str__(self) -> str:
        return self.path


class S3Location(msgspec.Struct, frozen=True, tag="s3"):
    """Endpoint, region and credentials are not part of it: each process takes them from its environment."""

    bucket: str
    prefix: str = ""

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.prefix}".rstrip("/")


StoreLocation = FolderLocation | S3Location


def store_location(text: str) -> StoreLocation:
    """What ARKHAM_EXPORT_STORE names; ValueError where it is neither a folder nor a bucket."""
    scheme, separator, rest = text.partition(":")
    if scheme.lower() == "s3" and separator:
        return _s3_location(text, rest)
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", text):
        raise _refused(text, f"files cannot be kept at {scheme}://")
    if "\0" in text:
        raise _refused(text, "a path has no NUL")
    return FolderLocation(text)


def _s3_location(text: str, rest: str) -> S3Location:
    bucket, _, prefix = rest.removeprefix("//").partition("/")
    prefix = prefix.strip("/")
    if not rest.startswith("//") or not _BUCKET.fullmatch(bucket):
        raise _refused(text, "it names no bucket")
    if prefix and not all(_SEGMENT.fullmatch(each) for each in prefix.split("/")):
        raise _refused(text, "a prefix is made of A–Z, a–z, 0–9 and !._=+-, in parts divided by /")
    return S3Location(bucket, prefix)


def _refused(text: str, reason: str) -> ValueError:
    shown = re.sub(r"//[^/]*@", "//…@", text)
    return ValueError(
        f"ARKHAM_EXPORT_STORE={shown!r} cannot be used: {reason}. Valid: the path of a folder, or s3://bucket/prefix."
    )
