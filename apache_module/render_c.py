"""The option table as C: structs, accessors, merges, the command table and the wire encoding."""

from __future__ import annotations

from typing import Iterable, Sequence

from apache_module.ignored_directives import IGNORED
from apache_module.option import Directive, Kind, Scope

BANNER = "/* Generated from apache_module/directives.py by `python -m apache_module.generate`; do not edit. */\n"

_HEADER_START = """\
#ifndef PASSENGER_OPTIONS_H
#define PASSENGER_OPTIONS_H

#include <limits.h>
#include <stddef.h>
#include <string.h>

#include <httpd.h>
#include <http_config.h>
#include <apr_pools.h>
#include <apr_tables.h>

#include "core/message.h"

/* The value of a flag or number that is not configured; of everything else it is NULL. */
#define PASSENGER_UNSET INT_MIN

"""

_HEADER_DESCRIPTOR = """\
/* One option, as the directive setters see it; the info of its command_rec. */
typedef struct {
    const char *directive;
    passenger_kind kind;
    size_t offset;              /* of the field in its struct */
    int server_wide;            /* in passenger_server_options, else in passenger_dir_options */
    unsigned forbidden;         /* where it may not stand, as ap_check_cmd_context() has it */
    int needs_allow_htaccess;   /* may stand in a .htaccess only where PassengerAllowHtaccess is on */
    int minimum, maximum;       /* of a number */
    const char *const *choices; /* pairs of the word allowed and the word that it means; ended by NULL; or NULL */
} passenger_option;

"""

_HEADER_FUNCTIONS = """\
/* Options with nothing configured. */
passenger_dir_options *passenger_dir_options_create(apr_pool_t *pool);
passenger_server_options *passenger_server_options_create(apr_pool_t *pool);

/* What holds in `inner`, a scope within `outer`: its own value where it has one. Changes neither. */
passenger_dir_options *passenger_dir_options_merge(apr_pool_t *pool, const passenger_dir_options *outer,
                                                   const passenger_dir_options *inner);

/* Adds each option that is sent to the spawner, with the value in force. Options without a value are left out. */
void passenger_dir_options_to_wire(const passenger_dir_options *options, passenger_message *message);
void passenger_server_options_to_wire(const passenger_server_options *options, passenger_message *message);

/* The values in force: as configured, else the default; NULL where there is neither. */
"""

_CREATE = """\
{0} *{0}_create(apr_pool_t *pool)
{{
    {0} *options = apr_pcalloc(pool, sizeof *options);

{1}    return options;
}}

"""

_MERGE = """\
passenger_dir_options *passenger_dir_options_merge(apr_pool_t *pool, const passenger_dir_options *outer,
                                                   const passenger_dir_options *inner)
{
    passenger_dir_options *merged = apr_palloc(pool, sizeof *merged);

%s    return merged;
}

"""


def c_type(option: Directive) -> str:
    """The C type of the option's field."""
    if option.kind in (Kind.FLAG, Kind.INTEGER):
        return "int "
    if option.kind in (Kind.URI_SET, Kind.URL_LIST):
        return "const apr_array_header_t *"
    if option.kind is Kind.SETTINGS:
        return "const apr_table_t *"
    return "const char *"


def c_string(text: str) -> str:
    """A C string literal."""
    return '"%s"' % text.replace("\\", "\\\\").replace('"', '\\"')


def _is_number(option: Directive) -> bool:
    return c_type(option) == "int "


def _struct_name(option: Directive) -> str:
    return "passenger_server_options" if option.server_wide else "passenger_dir_options"


def _split(options: Sequence[Directive]) -> tuple[list[Directive], list[Directive]]:
    return [o for o in options if not o.server_wide], [o for o in options if o.server_wide]


def _kinds() -> str:
    names = ["PASSENGER_%s" % kind.name for kind in Kind]
    comment = "/* What a value is, and so how it is checked (settings.c). */\n"
    return comment + "typedef enum {\n    %s\n} passenger_kind;\n\n" % ",\n    ".join(names)


def _struct(name: str, comment: str, options: Iterable[Directive]) -> str:
    fields = "".join("    %s%s;\n" % (c_type(o), o.wire_name) for o in options)
    return "/* %s */\ntypedef struct {\n%s} %s;\n\n" % (comment, fields, name)


def _default(option: Directive, options: Sequence[Directive]) -> str:
    """The C expression for the value where nothing is configured."""
    if option.default_condition is not None:
        name, value = option.default_condition
        other = next(o for o in options if o.name == name)
        if isinstance(value, bool):
            return ("%s(options)" if value == bool(option.on_when) else "!%s(options)") % accessor(other)
        return "strcmp(%s(options), %s) %s 0" % (accessor(other), c_string(value), "==" if option.on_when else "!=")
    if option.default is None:
        return "NULL"
    return str(int(option.default)) if _is_number(option) else c_string(str(option.default))


def _conditions(option: Directive, options: Sequence[Directive]) -> int:
    """How many other options decide about the default, one by way of the other."""
    if option.default_condition is None:
        return 0
    return 1 + _conditions(next(o for o in options if o.name == option.default_condition[0]), options)


def accessor(option: Directive) -> str:
    """The name of the function that gives the option's value."""
    return "passenger_%s_%s" % ("server" if option.server_wide else "dir", option.wire_name)


def _accessors(options: Sequence[Directive]) -> str:
    parts = []
    # One whose default hangs on another comes after it.
    for option in sorted(options, key=lambda o: _conditions(o, options)):
        unset = "PASSENGER_UNSET" if _is_number(option) else "NULL"
        field = "options->%s" % option.wire_name
        default = _default(option, options)
        body = field if default == unset else "%s == %s ? %s : %s" % (field, unset, default, field)
        parts.append(
            "static inline %s%s(const %s *options)\n{\n    return %s;\n}\n\n"
            % (c_type(option), accessor(option), _struct_name(option), body)
        )
    return "".join(parts)


def header(options: Sequence[Directive]) -> str:
    """The text of options.h."""
    per_dir, server_wide = _split(options)
    return "".join(
        [
            BANNER,
            _HEADER_START,
            _kinds(),
            _struct(
                "passenger_dir_options",
                "What is configured for a server, directory or location: raw. Read it through passenger_dir_*().",
                per_dir,
            ),
            _struct(
                "passenger_server_options",
                "What is configured once for the whole server: raw. Read it through passenger_server_*().",
                server_wide,
            ),
            _HEADER_DESCRIPTOR,
            _HEADER_FUNCTIONS,
            _accessors(per_dir),
            _accessors(server_wide),
            "#endif\n",
        ]
    )


def _create(name: str, options: Iterable[Directive]) -> str:
    unset = "".join("    options->%s = PASSENGER_UNSET;\n" % o.wire_name for o in options if _is_number(o))
    return _CREATE.format(name, unset)


def _merge(options: Iterable[Directive]) -> str:
    lines = []
    for option in options:
        name, unset = option.wire_name, "PASSENGER_UNSET" if _is_number(option) else "NULL"
        lines.append("    merged->%s = inner->%s != %s ? inner->%s : outer->%s;\n" % (name, name, unset, name, name))
    return _MERGE % "".join(lines)


def _to_wire(name: str, options: Iterable[Directive]) -> str:
    lines = ["void %s_to_wire(const %s *options, passenger_message *message)\n{\n" % (name, name)]
    for option in options:
        if not option.on_wire:
            continue
        value, wire = "%s(options)" % accessor(option), c_string(option.wire_name)
        if option.kind is Kind.FLAG:
            lines.append('    passenger_message_add(message, %s, %s ? "1" : "0");\n' % (wire, value))
        elif option.kind is Kind.INTEGER:
            lines.append("    passenger_message_add_number(message, %s, %s);\n" % (wire, value))
        else:
            lines.append("    passenger_message_add(message, %s, %s);\n" % (wire, value))
    return "".join(lines) + "}\n\n"


def _choices(options: Iterable[Directive]) -> str:
    parts = []
    for option in options:
        if option.choices is not None:
            words = ", ".join(c_string(word) for pair in option.choices.items() for word in pair)
            parts.append("static const char *const %s_choices[] = {%s, NULL};\n" % (option.wire_name, words))
    return "".join(parts) + "\n"


_FORBIDDEN = {
    Scope.SERVER: "NOT_IN_DIR_CONTEXT",
    Scope.DIRECTORY: "NOT_IN_LOCATION | NOT_IN_FILES",
    Scope.APPLICATION: "NOT_IN_FILES",
    Scope.LOCATION: "0",
    Scope.OPTIONS: "0",
}


def _descriptor(option: Directive) -> str:
    return "    {%s, PASSENGER_%s, offsetof(%s, %s), %d, %s, %d, %s, %s, %s},\n" % (
        c_string(option.directive),
        option.kind.name,
        _struct_name(option),
        option.wire_name,
        option.server_wide,
        _FORBIDDEN[option.scope],
        option.htaccess,
        option.minimum,
        option.maximum,
        "NULL" if option.choices is None else option.wire_name + "_choices",
    )


_WHERE = {
    Scope.SERVER: "RSRC_CONF",
    Scope.DIRECTORY: "RSRC_CONF | ACCESS_CONF",
    Scope.APPLICATION: "RSRC_CONF | ACCESS_CONF",
    Scope.LOCATION: "OR_ALL",
    Scope.OPTIONS: "OR_OPTIONS",
}


def _commands(index: int, option: Directive) -> str:
    return "".join(_command(index, option, name) for name in (option.directive, *option.aliases))


def _command(index: int, option: Directive, name: str) -> str:
    macro, setter = "AP_INIT_TAKE1", "passenger_set_value"
    if option.kind is Kind.FLAG:
        macro, setter = "AP_INIT_FLAG", "passenger_set_flag"
    elif option.kind in (Kind.URI_SET, Kind.URL_LIST):
        macro, setter = "AP_INIT_ITERATE", "passenger_add_value"
    elif option.kind is Kind.SETTINGS:
        macro, setter = "AP_INIT_TAKE2", "passenger_set_setting"
    return "    %s(%s, %s, (void *)&option_table[%d], %s,\n        %s),\n" % (
        macro,
        c_string(name),
        setter,
        index,
        _WHERE[option.scope] + (" | OR_OPTIONS" if option.htaccess else ""),
        c_string(option.meaning),
    )


def _ignored(name: str) -> str:
    return '    AP_INIT_RAW_ARGS(%s, passenger_ignore, NULL, OR_ALL, "has no effect"),\n' % c_string(name)


def commands(options: Sequence[Directive]) -> str:
    """The text of commands.c."""
    return "".join(
        [
            BANNER,
            '#include "config/app_environment.h"\n#include "config/settings.h"\n\n',
            _choices(options),
            "static const passenger_option option_table[] = {\n",
            *[_descriptor(option) for option in options],
            "};\n\nconst command_rec passenger_commands[] = {\n",
            *[_commands(index, option) for index, option in enumerate(options)],
            *[_ignored(name) for name in IGNORED],
            "    PASSENGER_APP_ENVIRONMENT_COMMANDS,\n",
            "    {NULL}\n};\n",
        ]
    )


def source(options: Sequence[Directive]) -> str:
    """The text of options.c."""
    per_dir, server_wide = _split(options)
    return "".join(
        [
            BANNER,
            '#include "config/generated/options.h"\n\n#include <apr_strings.h>\n\n',
            _create("passenger_dir_options", per_dir),
            _create("passenger_server_options", server_wide),
            _merge(per_dir),
            _to_wire("passenger_dir_options", per_dir),
            _to_wire("passenger_server_options", server_wide).rstrip() + "\n",
        ]
    )
