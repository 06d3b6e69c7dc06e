"""The option table as Python: the frozen dataclasses of `spawner/options.py`."""

from __future__ import annotations

from typing import Sequence, Union

from apache_module.option import Directive, Kind

_START = '''"""The options that httpd sends to the spawner.

Generated from apache_module/directives.py by `python -m apache_module.generate`; do not edit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Mapping, Optional

from spawner.errors import PeerError


class OptionError(PeerError):
    """A value that the option cannot have.

    :param name: the option's wire name.
    :param value: what came.
    :param reason: what it must be.
    """

    def __init__(self, name: str, value: str, reason: str) -> None:
        super().__init__("option %s: %r is not %s" % (name, value, reason))
        self.name = name
        self.value = value


def _text(fields: Mapping[str, str], name: str) -> Optional[str]:
    value = fields.get(name)
    if value == "":
        raise OptionError(name, value, "a text of at least one character")
    return value


def _choice(fields: Mapping[str, str], name: str, choices: tuple[str, ...], default: str) -> str:
    value = fields.get(name, default)
    if value not in choices:
        raise OptionError(name, value, "one of " + ", ".join(choices))
    return value


def _flag(fields: Mapping[str, str], name: str, default: bool) -> bool:
    value = fields.get(name)
    if value not in (None, "0", "1"):
        raise OptionError(name, str(value), "0 or 1")
    return default if value is None else value == "1"


def _integer(fields: Mapping[str, str], name: str, default: int, minimum: int, maximum: int) -> int:
    value = fields.get(name)
    if value is None:
        return default
    # int() would also take signs, spaces, underscores and other scripts' digits.
    digits = value[1:] if minimum < 0 and value[:1] == "-" else value
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 10 and minimum <= int(value) <= maximum):
        raise OptionError(name, value, "a number from %d to %d" % (minimum, maximum))
    return int(value)
'''

_LINE = 120  # characters, as ruff has it
_APP = "What is configured for an app (`register`, docs/protocol.md section 4)."
_SERVER = "What is configured for the whole server (`begin`, docs/protocol.md section 4)."


def _type(option: Directive) -> str:
    if option.kind is Kind.FLAG:
        return "bool"
    if option.kind is Kind.INTEGER:
        return "int"
    return "Optional[str]" if option.default is None else "str"


def default_value(option: Directive, options: Sequence[Directive]) -> Union[None, bool, int, str]:
    """The value where nothing at all is configured."""
    if option.default_condition is None:
        return option.default
    name, value = option.default_condition
    other = next(o for o in options if o.name == name)
    return (default_value(other, options) == value) == bool(option.on_when)


def _default(option: Directive, options: Sequence[Directive]) -> str:
    value = default_value(option, options)
    return '"%s"' % value if isinstance(value, str) else repr(value)


def _parse(option: Directive, options: Sequence[Directive]) -> str:
    wire, default = '"%s"' % option.wire_name, _default(option, options)
    if option.kind is Kind.FLAG:
        if option.default_condition is not None:
            name, wanted = option.default_condition
            other = next(o for o in options if o.name == name)
            value, word = (int(v) if isinstance(v, bool) else v for v in (default_value(other, options), wanted))
            sign = "==" if option.on_when else "!="
            default = 'fields.get("%s", "%s") %s "%s"' % (other.wire_name, value, sign, word)
        return "_flag(fields, %s, %s)" % (wire, default)
    if option.kind is Kind.INTEGER:
        return "_integer(fields, %s, %s, %d, %d)" % (wire, default, option.minimum, option.maximum)
    if option.kind is Kind.CHOICE and option.choices is not None:
        words = ", ".join('"%s"' % word for word in dict.fromkeys(option.choices.values()))
        return "_choice(fields, %s, (%s), %s)" % (wire, words, default)
    return "_text(fields, %s)" % wire + ("" if option.default is None else " or " + default)


def _field(option: Directive, options: Sequence[Directive]) -> str:
    return "    %s: %s = %s" % (option.wire_name, _type(option), _default(option, options))


def _ivar(option: Directive) -> str:
    unit = " In %s." % option.unit if option.unit else ""
    none = " None: %s." % option.default_text if _type(option) == "Optional[str]" else ""
    return "    :ivar %s: %s.%s%s" % (option.wire_name, option.directive, unit, none)


def _argument(option: Directive, options: Sequence[Directive]) -> str:
    line = "            %s=%s," % (option.wire_name, _parse(option, options))
    if len(line) <= _LINE:
        return line
    call, arguments = line[:-2].split("(", 1)
    return "%s(\n                %s\n            )," % (call, arguments)


def _class(name: str, what: str, options: Sequence[Directive]) -> str:
    sent = [option for option in options if option.on_wire]
    respawn = ["self.%s" % option.wire_name for option in sent if option.respawn]
    lines = ["", "", "@dataclass(frozen=True)", "class %s:" % name, '    """%s' % what, ""]
    lines += [_ivar(option) for option in sent] + ['    """', ""]
    lines += [_field(option, options) for option in sent]
    lines += [
        "",
        "    @classmethod",
        '    def from_wire(cls, fields: Mapping[str, str]) -> "%s":' % name,
        '        """The options in a message. Other names are ignored; options that are missing have their default.',
        "",
        "        :raises OptionError: for a value that the option cannot have.",
        '        """',
        "        return cls(",
        *[_argument(option, options) for option in sent],
        "        )",
        "",
        "    def respawn_key(self) -> tuple[object, ...]:",
        '        """What a running app process was started with. If it differs, the process has to be replaced."""',
        "        return (",
        *["            %s," % item for item in respawn],
        "        )",
    ]
    return "\n".join(lines) + "\n"


def _hook_names(hooks: Sequence[str]) -> str:
    names = "".join('    "%s",\n' % name for name in hooks)
    return "\n\n# What PassengerCtl can set a command for (docs/hooks.md).\nHookName = Literal[\n%s]\n" % names


def module(options: Sequence[Directive], hooks: Sequence[str]) -> str:
    """The text of spawner/options.py."""
    return (
        _START
        + _hook_names(hooks)
        + _class("AppOptions", _APP, [o for o in options if not o.server_wide])
        + _class("ServerOptions", _SERVER, [o for o in options if o.server_wide])
    )
