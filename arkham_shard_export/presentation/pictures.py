"""Logos: small pictures that come with a request, and are made anew before anything else reads them.

Nothing of what was sent goes into a file: the picture is decoded and encoded again, without what else its file held
(places, names, thumbnails, bytes after its end).
"""

from __future__ import annotations

import base64
import binascii
import io
import re
import warnings
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from arkham_shard_export.errors import FieldProblem

if TYPE_CHECKING:
    from PIL.Image import Image

FIELD = "options.report.logo"
MAX_BYTES = 512 * 1024
MAX_SIDE = 4096
"""Pixels, of what is sent."""
KEPT_BYTES = 64 * 1024
_BOXES = ((600, 240), (450, 180), (300, 120))
"""Pixels that a logo is brought to, at most; smaller ones are tried where the first takes more than KEPT_BYTES."""
POINTS_WIDE, POINTS_HIGH = 170.0, 68.0
"""The room of a logo on the title page."""
_URI = re.compile(r"data:image/(png|jpeg);base64,([A-Za-z0-9+/=\s]*)\Z")
_WANTED = f"a data URI of a PNG or JPEG picture (data:image/png;base64,…) of at most {MAX_BYTES // 1024} KiB"


@dataclass(frozen=True, slots=True)
class Picture:
    """`kind` is png or jpeg; width and height are pixels."""

    kind: str
    data: bytes
    width: int
    height: int

    @property
    def size(self) -> tuple[float, float]:
        """Width and height in points, as large as its room allows, and no larger than at 96 pixels an inch."""
        scale = min(POINTS_WIDE / self.width, POINTS_HIGH / self.height, 0.75)
        return self.width * scale, self.height * scale


def made_anew(given: Any) -> str | FieldProblem:
    """The logo as a data URI that `picture_of` reads, or why it cannot be one. Takes up to a tenth of a second."""
    if not isinstance(given, str) or (match := _URI.match(given)) is None:
        return FieldProblem(FIELD, None, f"{FIELD} must be {_WANTED}.")
    kind, text = match.groups()
    try:
        data = base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        return FieldProblem(FIELD, None, f"{FIELD} is no valid base64; it must be {_WANTED}.")
    if not 0 < len(data) <= MAX_BYTES:
        return FieldProblem(FIELD, None, f"{FIELD} has {len(data):,} bytes; it must be {_WANTED}.")
    if find_spec("PIL") is None:
        remedy = "pip install arkham-shard-export[office]"
        return FieldProblem(FIELD, None, f"{FIELD} needs Pillow, which is not installed here: {remedy}.")
    return _encoded_again(kind, data)


def picture_of(uri: str) -> Picture:
    """A logo that `made_anew` has made."""
    from PIL import Image

    kind, text = uri.removeprefix("data:image/").split(";base64,")
    data = base64.b64decode(text)
    with Image.open(io.BytesIO(data), formats=[kind.upper()]) as image:
        return Picture(kind, data, *image.size)


def _encoded_again(kind: str, data: bytes) -> str | FieldProblem:
    from PIL import Image, ImageOps

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with Image.open(io.BytesIO(data), formats=[kind.upper()]) as image:
                if max(image.size) > MAX_SIDE:
                    width, height = image.size
                    message = f"{FIELD} is {width} × {height} pixels large; at most {MAX_SIDE} × {MAX_SIDE} are accepted."
                    return FieldProblem(FIELD, None, message)
                image.load()
                upright = ImageOps.exif_transpose(image)
                clear = upright.mode in ("RGBA", "LA", "PA") or "transparency" in upright.info
                plain = upright.convert("RGBA" if clear else "RGB")
    except Exception as error:  # whatever a decoder makes of bytes that anybody sent
        reason = "it is cut short or damaged" if isinstance(error, OSError) else type(error).__name__
        message = f"{FIELD} cannot be read as {kind.upper()} ({reason}); it must be {_WANTED}."
        return FieldProblem(FIELD, None, message)
    made = b""
    for box in _BOXES:
        kind, made = _within(plain, box)
        if len(made) <= KEPT_BYTES:
            break
    return f"data:image/{kind};base64,{base64.b64encode(made).decode()}"


def _within(image: Image, box: tuple[int, int]) -> tuple[str, bytes]:
    """The picture in a box, as PNG, or as JPEG where that is what keeps it small and nothing shows through it."""
    from PIL import Image

    scale = min(box[0] / image.width, box[1] / image.height, 1.0)
    if scale < 1:
        size = max(1, round(image.width * scale)), max(1, round(image.height * scale))
        image = image.resize(size, Image.Resampling.LANCZOS)
    png = io.BytesIO()
    image.save(png, "PNG", optimize=True)
    if png.tell() <= KEPT_BYTES or image.mode == "RGBA":
        return "png", png.getvalue()
    jpeg = io.BytesIO()
    image.save(jpeg, "JPEG", quality=80)
    return "jpeg", jpeg.getvalue()
