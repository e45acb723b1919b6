"""The paper, upright or on its side."""

from __future__ import annotations

from dataclasses import dataclass

from arkham_shard_export.presentation.reports import PAPERS, Paper

TWIPS_PER_POINT = 20


@dataclass(frozen=True, slots=True)
class Page:
    """All lengths are twips, twentieths of a point."""

    width: int
    height: int
    margin: int
    wide: bool = False

    @property
    def text_width(self) -> int:
        return self.width - 2 * self.margin

    @property
    def figure_height(self) -> int:
        """What a figure may take at most, so that its caption still stands below it."""
        return self.height - 2 * self.margin - 1600

    @property
    def section(self) -> str:
        """The last element of the body; only the title page has neither header nor footer."""
        orientation = ' w:orient="landscape"' if self.wide else ""
        return (
            '<w:sectPr><w:headerReference w:type="default" r:id="header"/>'
            '<w:footerReference w:type="default" r:id="footer"/>'
            f'<w:pgSz w:w="{self.width}" w:h="{self.height}"{orientation}/>'
            f'<w:pgMar w:top="1418" w:right="{self.margin}" w:bottom="1247" w:left="{self.margin}"'
            ' w:header="680" w:footer="567" w:gutter="0"/><w:cols w:space="708"/><w:titlePg/></w:sectPr>'
        )


def page_on(paper: Paper, wide: bool) -> Page:
    width, height = round(paper.width / 25.4 * 1440), round(paper.height / 25.4 * 1440)
    return Page(height, width, 1134, wide=True) if wide else Page(width, height, 1247)


PORTRAIT = page_on(PAPERS["a4"], wide=False)
LANDSCAPE = page_on(PAPERS["a4"], wide=True)
