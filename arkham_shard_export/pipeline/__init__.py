"""From a checked request to a file: open the source, run the export, or preview it.

from arkham_shard_export.pipeline import export_to_store
request = check_request("json", TARGETS["claims"], {"status": "disputed"}, {})
store = FolderLocation("exports")
stored = export_to_store(request, open_records, store, "2026-11-22", "my-export", clock=system_clock)
"""

from __future__ import annotations

from arkham_shard_export.pipeline.export import Outcome, export
from arkham_shard_export.pipeline.preview import Preview, preview
from arkham_shard_export.pipeline.request import ExportRequest, check_request
from arkham_shard_export.pipeline.run import StoredExport, export_to_store, open_source

__all__ = [
    "ExportRequest",
    "Outcome",
    "Preview",
    "StoredExport",
    "check_request",
    "export",
    "export_to_store",
    "open_source",
    "preview",
]
