"""Text as XML 1.0 carries it (production 2, Char)."""

from __future__ import annotations

import re

from arkham_shard_export.records import Adjustments

_SPECIAL = re.compile("[\x00-\x08\x0b-\x1f&<>\ud800-\udfff\ufffe\uffff]")
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


class XmlText:
    """Escapes text for element content; characters that XML cannot carry become U+FFFD and are counted."""

    def __init__(self, adjustments: Adjustments) -> None:
        self._adjustments = adjustments

    def __call__(self, text: str) -> str:
        if _SPECIAL.search(text) is None:
            return text
        text = self.allowed(text)
        text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        # A parser would turn a bare CR into LF.
        return text.replace("\r", "&#13;")

    def allowed(self, text: str) -> str:
        """The text without the characters that XML cannot carry, and not yet escaped."""
        text, replaced = _FORBIDDEN.subn("\ufffd", text)
        if replaced:
            self._adjustments.add("forbidden_characters", replaced)
        return text

    def attribute(self, text: str) -> str:
        """The same for an attribute in double quotes."""
        return self(text).replace('"', "&quot;").replace("\n", "&#10;").replace("\t", "&#9;")
