"""The table of constants that C and Python both need. Each value stands here alone.

`apache_module.generate` turns it into `src/core/generated/constants.h` (each name with the prefix PASSENGER_) and into
`spawner/shared/constants.py`. Limits that only one side has stay where they are used.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Sequence, Union


@dataclass(frozen=True)
class Constant:
    """One constant.

    :ivar name: as Python has it.
    :ivar meaning: one sentence.
    """

    name: str
    value: Union[int, str]
    meaning: str


CONSTANTS: tuple[Constant, ...] = (
    Constant("LENGTH_DIGITS_LIMIT", 9, "Most digits of a message's length."),
    Constant("REQUEST_HEAD_LIMIT", 1024 * 1024, "Most bytes of a request head, netstring framing included."),
    Constant("CONTROL_MESSAGE_LIMIT", 256 * 1024, "Most bytes of a control message."),
    Constant("RESPONSE_HEAD_LIMIT", 256 * 1024, "Most bytes of a response head."),
    Constant("FRAME_DATA_LIMIT", 0x7FFFFFFF, "Most bytes of one data frame."),
    Constant("TAIL_DIGITS", 6, "Digits of JUMPSEAT_TAIL, which is always so long."),
    Constant("ROUTE_LENGTH", 16, "Hexadecimal digits of a route, the name of a worker's own socket."),
    Constant("ERROR_ID_LENGTH", 8, "Hexadecimal digits of an error id."),
    Constant("SCOREBOARD_SLOT_SIZE", 129 * 512, "Bytes of one worker's slot of a scoreboard."),
    Constant(
        "ERROR_PAGE_POLICY",
        "default-src 'none'; style-src 'unsafe-inline'",
        "Content-Security-Policy of each error page that the server writes: it loads nothing from elsewhere.",
    ),
    Constant("SPAWNER_RAN", 256, "Added to the spawner's exit status: 0 means that its code could not be loaded."),
    Constant("SPAWNER_MISCONFIGURED", 78, "The spawner's exit status when it cannot run before something is repaired."),
    Constant("REGISTRY_OF_ROOT", "/run/jumpseat", "PassengerInstanceRegistryDir if root starts httpd."),
    Constant("REGISTRY_OF_USER", "/tmp/jumpseat-%u", "The same if another user does, with the uid."),  # nosec B108  # believed only if it is that user's own
    Constant("SPAWNER_CONFIGURATION", "/etc/jumpseat/spawner.conf", "Default of PassengerSpawnerConfigFile."),
)


_C_START = """\
/* constants.h: what C and Python both need.
 *
 * Generated from apache_module/constants.py by `python -m apache_module.generate`; do not edit. Knows nothing.
 */
#ifndef JUMPSEAT_CONSTANTS_H
#define JUMPSEAT_CONSTANTS_H
"""


def c_header(constants: Sequence[Constant]) -> str:
    """The text of constants.h."""
    lines = []
    for constant in constants:
        form = "#define PASSENGER_%s %s" if isinstance(constant.value, str) else "enum { PASSENGER_%s = %s };"
        lines += ["", "/* %s */" % constant.meaning, form % (constant.name, _literal(constant.value))]
    return _C_START + "\n".join(lines) + "\n\n#endif\n"


def python_module(constants: Sequence[Constant]) -> str:
    """The text of spawner/shared/constants.py."""
    lines = [
        '"""Constants that C and Python both need.',
        "",
        "Generated from apache_module/constants.py by `python -m apache_module.generate`; do not edit.",
        '"""',
    ]
    for constant in constants:
        lines += ["", "# %s" % constant.meaning, "%s = %s" % (constant.name, _literal(constant.value))]
    return "\n".join(lines) + "\n"


def _literal(value: Union[int, str]) -> str:
    """As C and Python both write it."""
    return '"%s"' % value if isinstance(value, str) else str(value)
