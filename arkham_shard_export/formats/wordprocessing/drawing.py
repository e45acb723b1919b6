"""A figure as an inline DrawingML group (Word 2010 and later): shapes, and labels that stay text."""

from __future__ import annotations

from unicodedata import east_asian_width

from arkham_shard_export.formats.report.blocks import Circle, Figure, Label, Line, Rectangle, Shape
from arkham_shard_export.formats.wordprocessing.page import TWIPS_PER_POINT, Page
from arkham_shard_export.formats.wordprocessing.runs import Runs, paragraph
from arkham_shard_export.presentation.pictures import Picture

NAMESPACES = (
    ' xmlns:wp="http://schemas.openxmlformats.org/drawingml/2006/wordprocessingDrawing"'
    ' xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main"'
    ' xmlns:wpg="http://schemas.microsoft.com/office/word/2010/wordprocessingGroup"'
    ' xmlns:wps="http://schemas.microsoft.com/office/word/2010/wordprocessingShape"'
)
_GROUP = "http://schemas.microsoft.com/office/word/2010/wordprocessingGroup"
_PICTURE = "http://schemas.openxmlformats.org/drawingml/2006/picture"
_EMU_PER_POINT = 12700
LOGO_ID = "logo"
_LOGO_NUMBER = 2_000_000_000
"""Drawings are numbered from 1 on."""
_NO_LINE = "<a:ln><a:noFill/></a:ln>"


class Drawings:
    """Sets figures; one that is larger than the page is made smaller as a whole, its letters too."""

    def __init__(self, runs: Runs, page: Page, first: int = 1) -> None:
        self._runs = runs
        self._page = page
        self._ids = first - 1

    def __call__(self, figure: Figure) -> str:
        """One run. Programs that know no such drawings show its alternative text."""
        scale = min(
            1.0,
            self._page.text_width / TWIPS_PER_POINT / figure.width,
            self._page.figure_height / TWIPS_PER_POINT / figure.height,
        )
        extent = f'cx="{_emu(figure.width * scale)}" cy="{_emu(figure.height * scale)}"'
        alternative = self._runs.attribute(figure.alternative)
        shapes = "".join([self._shape(each, scale) for each in figure.shapes])
        return (
            '<w:r><mc:AlternateContent><mc:Choice Requires="wpg"><w:drawing>'
            f'<wp:inline distT="0" distB="0" distL="0" distR="0"><wp:extent {extent}/>'
            f'<wp:docPr {self._identity("Figure")} descr="{alternative}"/><wp:cNvGraphicFramePr/>'
            f'<a:graphic><a:graphicData uri="{_GROUP}"><wpg:wgp><wpg:cNvGrpSpPr/><wpg:grpSpPr><a:xfrm>'
            f'<a:off x="0" y="0"/><a:ext {extent}/><a:chOff x="0" y="0"/><a:chExt {extent}/>'
            f"</a:xfrm></wpg:grpSpPr>{shapes}</wpg:wgp></a:graphicData></a:graphic></wp:inline></w:drawing>"
            f"</mc:Choice><mc:Fallback><w:t>{alternative}</w:t></mc:Fallback></mc:AlternateContent></w:r>"
        )

    def _shape(self, shape: Shape, scale: float) -> str:
        match shape:
            case Line():
                return self._line(shape, scale)
            case Rectangle(x, y, width, height, colour):
                box = _box(x * scale, y * scale, width * scale, height * scale)
                return self._filled("Rectangle", "rect", box, colour)
            case Circle(x, y, radius, colour):
                left, top, size = (x - radius) * scale, (y - radius) * scale, 2 * radius * scale
                return self._filled("Circle", "ellipse", _box(left, top, size, size), colour)
            case Label():
                return self._label(shape, scale)

    def _line(self, line: Line, scale: float) -> str:
        left, right = sorted((line.x1 * scale, line.x2 * scale))
        top, bottom = sorted((line.y1 * scale, line.y2 * scale))
        flip = ' flipV="1"' if (line.x2 - line.x1) * (line.y2 - line.y1) < 0 else ""
        stroke = f'<a:ln w="{max(_emu(line.thickness * scale), 1)}">{_fill(line.colour)}</a:ln>'
        return (
            f"<wps:wsp><wps:cNvPr {self._identity('Line')}/><wps:cNvCnPr/><wps:spPr>"
            f"<a:xfrm{flip}>{_box(left, top, right - left, bottom - top)}</a:xfrm>"
            f'<a:prstGeom prst="line"><a:avLst/></a:prstGeom>{stroke}</wps:spPr><wps:bodyPr/></wps:wsp>'
        )

    def _filled(self, name: str, geometry: str, box: str, colour: str) -> str:
        return (
            f"<wps:wsp><wps:cNvPr {self._identity(name)}/><wps:cNvSpPr/><wps:spPr><a:xfrm>{box}</a:xfrm>"
            f'<a:prstGeom prst="{geometry}"><a:avLst/></a:prstGeom>{_fill(colour)}{_NO_LINE}</wps:spPr>'
            "<wps:bodyPr/></wps:wsp>"
        )

    def _label(self, label: Label, scale: float) -> str:
        size = label.size * scale
        lines = label.text.splitlines() or [""]
        width = size * (2 + max(sum(_ems(each) for each in line) for line in lines))
        box = _box(label.x * scale - width / 2, label.y * scale, width, size * 1.4 * len(lines))
        half_points = max(round(size * 2), 2)
        properties = (
            f'<w:color w:val="{label.colour}"/><w:sz w:val="{half_points}"/><w:szCs w:val="{half_points}"/>'
        )
        text = paragraph("FigureLabel", self._runs(label.text, properties), text=label.text)
        return (
            f"<wps:wsp><wps:cNvPr {self._identity('Label')}/>"
            f'<wps:cNvSpPr txBox="1"/><wps:spPr><a:xfrm>{box}</a:xfrm>'
            f'<a:prstGeom prst="rect"><a:avLst/></a:prstGeom><a:noFill/>{_NO_LINE}</wps:spPr>'
            f"<wps:txbx><w:txbxContent>{text}</w:txbxContent></wps:txbx>"
            '<wps:bodyPr wrap="none" lIns="0" tIns="0" rIns="0" bIns="0" anchor="t"><a:noAutofit/></wps:bodyPr>'
            "</wps:wsp>"
        )

    def _identity(self, name: str) -> str:
        self._ids += 1
        return f'id="{self._ids}" name="{name} {self._ids}"'


def picture(logo: Picture) -> str:
    """The run of the logo, whose part has the relationship LOGO_ID."""
    width, height = logo.size
    extent = f'cx="{_emu(width)}" cy="{_emu(height)}"'
    return (
        '<w:r><w:drawing><wp:inline distT="0" distB="0" distL="0" distR="0">'
        f'<wp:extent {extent}/><wp:docPr id="{_LOGO_NUMBER}" name="Logo" descr="Logo"/>'
        '<wp:cNvGraphicFramePr><a:graphicFrameLocks noChangeAspect="1"/></wp:cNvGraphicFramePr>'
        f'<a:graphic><a:graphicData uri="{_PICTURE}"><pic:pic xmlns:pic="{_PICTURE}">'
        f'<pic:nvPicPr><pic:cNvPr id="{_LOGO_NUMBER}" name="Logo"/><pic:cNvPicPr/></pic:nvPicPr>'
        f'<pic:blipFill><a:blip r:embed="{LOGO_ID}"/><a:stretch><a:fillRect/></a:stretch></pic:blipFill>'
        f'<pic:spPr><a:xfrm><a:off x="0" y="0"/><a:ext {extent}/></a:xfrm>'
        '<a:prstGeom prst="rect"><a:avLst/></a:prstGeom></pic:spPr></pic:pic></a:graphicData></a:graphic>'
        "</wp:inline></w:drawing></w:r>"
    )


def _emu(points: float) -> int:
    return round(points * _EMU_PER_POINT)


def _box(x: float, y: float, width: float, height: float) -> str:
    return f'<a:off x="{_emu(x)}" y="{_emu(y)}"/><a:ext cx="{_emu(width)}" cy="{_emu(height)}"/>'


def _fill(colour: str) -> str:
    return f'<a:solidFill><a:srgbClr val="{colour}"/></a:solidFill>'


def _ems(character: str) -> float:
    """A width that no common font exceeds by much; the text is centred, so what is too much does no harm."""
    return 1.0 if east_asian_width(character) in "WF" else 0.62
