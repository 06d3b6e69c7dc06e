"""What an app resists as text, for the descriptor store."""

from __future__ import annotations

import json
from typing import Optional

from spawner.pool.release import PinnedRelease
from spawner.start_failure import StartFailure

_LONGEST = 6_000  # characters of the detail and of the facts: a record of the store holds 32,000 bytes


def text_of(resisting: Optional[PinnedRelease]) -> str:
    """As JSON; empty: nothing is resisted. A long traceback loses its beginning: its end says what is wrong."""
    if resisting is None:
        return ""
    failure = resisting.failure
    facts = [(name, value) for name, value in failure.facts if len(value) <= _LONGEST // 8][:16]
    told = {
        "generation": resisting.generation,
        "since": resisting.since,
        "step": failure.step,
        "summary": failure.summary[-_LONGEST:],
        "detail": failure.detail[-_LONGEST:],
        "facts": facts,
        "error_id": failure.error_id,
    }
    return json.dumps(told)


def resistance_from(text: str) -> Optional[PinnedRelease]:
    """What `text_of` made; None for anything else: then the newest code is tried again."""
    try:
        told = json.loads(text)
        facts = tuple((str(name), str(value)) for name, value in told["facts"])
        failure = StartFailure(
            str(told["step"]), str(told["summary"]), str(told["detail"]), facts, str(told["error_id"])
        )
        return PinnedRelease(int(told["generation"]), float(told["since"]), failure)
    except (ValueError, KeyError, TypeError):
        return None
