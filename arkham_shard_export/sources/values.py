"""Bring every database value into its one canonical form, whatever database it comes from.

Text stays text, numbers stay numbers; timestamps become ISO 8601 with an offset, in UTC or the zone asked for; JSON becomes compact JSON
text that is known to be valid. What has no such form is carried as text and counted, never dropped.
"""

from __future__ import annotations

import base64
import json
import math
import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec

from arkham_shard_export.errors import SourceFailed
from arkham_shard_export.presentation.times import UTC_NAME, in_zone
from arkham_shard_export.records import Adjustments
from arkham_shard_export.schema import Column, Kind

Convert = Callable[[Any], Any]

_TIMESTAMP = re.compile(
    r"(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d)(?:(:\d\d)(?:[.,](\d{1,9}))?)?\s*(Z|z|[+-]\d\d(?::?\d\d(?::?\d\d)?)?)?)?\Z"
)

_encode = msgspec.json.Encoder(decimal_format="number").encode
_SURROGATE = re.compile("[\ud800-\udfff]")


def canonical_timestamp(value: object) -> str:
    """ISO 8601 in UTC with an offset; microseconds only where there are any. Text that is no date stays as it is."""
    if isinstance(value, datetime):
        moment = value.replace(tzinfo=UTC) if value.tzinfo is None else value
        return _utc_text(moment) or value.isoformat()
    if isinstance(value, date):
        return f"{value.isoformat()}T00:00:00+00:00"
    text = str(value)
    match = _TIMESTAMP.match(text)
    if match is None:
        return text
    day, clock, seconds, fraction, offset = match.groups()
    plain = f"{day}T{clock or '00:00'}{seconds or ':00'}"
    if fraction and (fraction := fraction[:6].rstrip("0")):
        plain = f"{plain}.{fraction:0<6}"
    if offset in (None, "Z", "z", "+00", "+00:00", "+0000"):
        try:
            datetime.fromisoformat(plain)
        except ValueError:
            return text
        return f"{plain}+00:00"
    try:
        return _utc_text(datetime.fromisoformat(plain + offset)) or text
    except ValueError:
        return text


def _utc_text(moment: datetime) -> str | None:
    try:
        return moment.astimezone(UTC).isoformat()
    except OverflowError:
        return None


def clean_text(text: str, adjustments: Adjustments) -> str:
    """The text with lone surrogates, which UTF-8 cannot carry, replaced and counted."""
    try:
        text.encode()
    except UnicodeEncodeError:
        adjustments.add("invalid_text")
        return _SURROGATE.sub("\ufffd", text)
    return text


def _compact(text: str) -> str | None:
    """The JSON without spaces between its tokens; None where it is not JSON that every reader takes."""
    try:
        if "\\u" in text:
            msgspec.json.encode(json.loads(text, parse_int=str, parse_float=str))
        return msgspec.json.format(text, indent=-1)
    except (ValueError, RecursionError):
        return None


class Canonical:
    """Converters by column kind; all of them count into the same adjustments. `zone` is that in which times are written."""

    def __init__(self, adjustments: Adjustments, zone: str = UTC_NAME) -> None:
        self._adjustments = adjustments
        self.zone = zone
        self._by_kind: dict[Kind, Convert] = {
            Kind.TEXT: self.scalar,
            Kind.INTEGER: self.scalar,
            Kind.NUMBER: self.scalar,
            Kind.BOOLEAN: self.boolean,
            Kind.TIMESTAMP: self.timestamp,
            Kind.JSON: self.json,
        }

    def converter(self, column: Column) -> Convert:
        if column.kind is Kind.JSON and column.in_text:
            return self.written_json
        return self._by_kind[column.kind]

    def scalar(self, value: Any) -> Any:
        if value is None or type(value) is int or type(value) is bool:
            return value
        if type(value) is str:
            return value if value.isascii() else clean_text(value, self._adjustments)
        if type(value) is float:
            if math.isfinite(value):
                return value
            self._adjustments.add("non_finite_number")
            return None
        return self._uncommon(value)

    def _uncommon(self, value: Any) -> Any:
        if isinstance(value, Decimal):
            if not value.is_finite():
                self._adjustments.add("non_finite_number")
                return None
            return value
        if isinstance(value, UUID):
            return str(value)
        if isinstance(value, datetime | date):
            return canonical_timestamp(value)
        if isinstance(value, bytes | bytearray | memoryview):
            return base64.b64encode(bytes(value)).decode()
        if isinstance(value, dict | list | tuple):
            return self.json(value)
        return clean_text(str(value), self._adjustments)

    def boolean(self, value: Any) -> Any:
        if value in (0, 1):
            return bool(value)
        return self.scalar(value)

    def timestamp(self, value: Any) -> str | None:
        if value is None:
            return None
        text = clean_text(canonical_timestamp(value), self._adjustments)
        return text if self.zone == UTC_NAME else in_zone(text, self.zone)

    def json(self, value: Any) -> str | None:
        if value is None:
            return None
        if type(value) is not str:
            try:
                return self._repaired(value)
            except RecursionError:
                raise SourceFailed("A record holds JSON that is nested too deeply to be carried.") from None
        return _compact(value) or self._doubtful(value)

    def written_json(self, value: Any) -> str | None:
        """JSON that is kept as text is carried as it was written, if that is valid and on one line."""
        if type(value) is str and "\n" not in value and "\r" not in value and _compact(value):
            return value
        return self.json(value)

    def _doubtful(self, text: str) -> str:
        """Text that strict readers refuse: repaired where Python can read it (NaN, half a surrogate pair), else text."""
        before = self._adjustments.counts.copy()
        try:
            return self._repaired(json.loads(text, parse_int=Decimal, parse_float=Decimal))
        except (ValueError, RecursionError):
            self._adjustments.counts = before
            self._adjustments.add("invalid_json")
            return msgspec.json.encode(clean_text(text, self._adjustments)).decode()

    def _repaired(self, value: Any) -> str:
        return _encode(self._plain(value)).decode()

    def _plain(self, value: Any) -> Any:
        if isinstance(value, dict):
            plain: dict[str, Any] = {}
            for key, each in value.items():
                name = clean_text(str(key), self._adjustments)
                while name in plain:
                    name += "\ufffd"
                plain[name] = self._plain(each)
            return plain
        if isinstance(value, list | tuple):
            return [self._plain(each) for each in value]
        return self.scalar(value)
