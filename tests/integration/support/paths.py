"""Request paths of the probe app."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote, urlencode


def exact(**spec: Any) -> str:
    """The path that makes the probe answer exactly so: `status`, `headers` (pairs), `body`, `write` (lists of text)."""
    return "/exact?spec=" + quote(json.dumps(spec))


def path(route: str, **fields: str | int) -> str:
    return f"{route}?{urlencode(fields)}"
