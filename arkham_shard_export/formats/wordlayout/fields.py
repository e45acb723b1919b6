"""The fields of a layout: what they are called, and what a template may do with them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from arkham_shard_export.formats.wordlayout.opening import Unfit

if TYPE_CHECKING:
    from jinja2 import nodes
    from jinja2.sandbox import SandboxedEnvironment

FIELDS = {
    "title": "The title of the report.",
    "subtitle": "The line below it.",
    "target": "What is exported.",
    "record_count": "How many records are in the file.",
    "exported_at": "When it was made.",
    "snapshot_at": "Of which moment the data are.",
    "filters": "The filters, in words.",
    "time_zone": "The zone of the times.",
    "how_to_read": "How times and empty fields are meant.",
}
LISTS = {
    "notes": "What is not in the file, or was changed: one sentence each.",
    "facts": "Pairs of name and value.",
}
BLOCKS = {
    "contents": "The list of contents.",
    "overview": "The overview; without it, it stands before the records.",
    "records": "The records.",
}
"""Each stands alone in a paragraph of the body; the records must be there."""
_OF_FACTS = ("name", "value")
KNOWN = (*FIELDS, *LISTS, *BLOCKS)


def environment() -> SandboxedEnvironment:
    from jinja2 import StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    sandbox = ImmutableSandboxedEnvironment(undefined=StrictUndefined, autoescape=True)
    sandbox.globals.clear()
    return sandbox


def fields_of(source: str) -> set[str]:
    """The fields that a template uses, or Unfit: of Jinja a layout has fields, conditions and loops over lists."""
    from jinja2 import TemplateError

    try:
        template: nodes.Template = environment().parse(source)
    except (TemplateError, RecursionError) as error:
        raise Unfit(
            "One of its fields cannot be read: a field is {{ name }}, a condition {% if name %} … {% endif %}."
        ) from error
    return set(_walk(template.body, {}))


def _walk(body: list[nodes.Node], loops: dict[str, str]) -> Iterator[str]:
    from jinja2 import nodes

    for node in body:
        match node:
            case nodes.Output():
                for part in node.nodes:
                    if not isinstance(part, nodes.TemplateData):
                        yield from _expression(part, loops)
            case nodes.If():
                yield from _expression(node.test, loops)
                yield from _walk([*node.body, *node.elif_, *node.else_], loops)
            case nodes.For():
                yield from _loop(node, loops)
            case _:
                raise Unfit(_not_possible(node))


def _loop(node: nodes.For, loops: dict[str, str]) -> Iterator[str]:
    from jinja2 import nodes

    if loops:
        raise Unfit("It has a loop within a loop.")
    over, name = node.iter, node.target
    plain = not node.recursive and node.test is None and not node.else_
    if (
        not plain
        or not isinstance(over, nodes.Name)
        or over.name not in LISTS
        or not isinstance(name, nodes.Name)
    ):
        raise Unfit(f"It has a loop that is not plainly over one of {', '.join(LISTS)}.")
    if name.name in KNOWN:
        raise Unfit(f"Its loop calls something {name.name}, which is a field.")
    yield over.name
    yield from _walk(node.body, {name.name: over.name})


def _expression(node: nodes.Node, loops: dict[str, str]) -> Iterator[str]:
    from jinja2 import nodes

    match node:
        case nodes.Name(name=name) if name in loops:
            return
        case nodes.Name(name=name):
            if name not in KNOWN:
                raise Unfit(f"It has an unknown field, {name[:60]!r}. There are: {', '.join(KNOWN)}.")
            yield name
        case nodes.Getattr(node=nodes.Name(name=name), attr=attr) if loops.get(name) == "facts":
            if attr not in _OF_FACTS:
                raise Unfit(f"A fact has no {attr[:60]!r}, but {' and '.join(_OF_FACTS)}.")
        case nodes.Not():
            yield from _expression(node.node, loops)
        case nodes.And() | nodes.Or():
            yield from _expression(node.left, loops)
            yield from _expression(node.right, loops)
        case _:
            raise Unfit(_not_possible(node))


def _not_possible(node: Any) -> str:
    return (
        f"It has something that a layout may not do ({type(node).__name__}). There are fields, such as {{{{ title }}}}, "
        f"conditions, and loops over {' and '.join(LISTS)}; without calls and filters."
    )
