"""How large the parts of a request may be. What is larger is refused, and said to be too large, before it is looked at."""

from __future__ import annotations

MAX_JSON_DEPTH = 32
"""Objects and lists within each other."""
MAX_NAMES = 100
"""Names in one object: the body's fields, filters, options."""
MAX_FILTER_VALUES = 1000
MAX_PARTS = 50
"""Of a batch."""
MAX_TEXT_LENGTH = 1000
MAX_RECORDS = 2**63 - 1
MAX_JOB_ID_LENGTH = 128
MAX_PREVIEW_RECORDS = 100
MAX_TEMPLATE_NAME = 100
MAX_TEMPLATE_BYTES = 1 << 20
"""Of filters and options as JSON."""
MAX_TEMPLATES = 1000
"""That one user of a tenant keeps."""
MAX_LAYOUTS = 50
"""Word files that one user of a tenant keeps."""
MAX_TEMPLATE_VERSIONS = 200
"""All are kept; a template that has so many takes no more."""
