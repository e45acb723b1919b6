"""Named exports: kept, checked, and taken apart again where a job is made of one."""

from arkham_shard_export.jobs.templates.finding import is_built_in
from arkham_shard_export.jobs.templates.library import TemplateLibrary

__all__ = ["TemplateLibrary", "is_built_in"]
