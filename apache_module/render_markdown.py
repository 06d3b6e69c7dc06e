"""The option table as a page of the user guide."""

from __future__ import annotations

from typing import Sequence

from apache_module.ignored_directives import ENTERPRISE, OBSOLETE, OPEN_SOURCE
from apache_module.option import INTEGER_LIMIT, Directive, Kind, Scope

_START = """\
# Directives

<!-- Generated from apache_module/directives.py by `python -m apache_module.generate`; do not edit. -->

A value that cannot be right stops `apachectl configtest` with the name of the directive, the file and the line:
a number out of bounds, an unknown word, a user or group that does not exist, a folder, file or interpreter that is
not there.
Paths are relative to `ServerRoot` unless stated otherwise.

Each directive says where it may stand:

- server config: outside every section, once for the whole server. In a `<VirtualHost>` there is a warning, and the
  value holds for the whole server all the same.
- virtual host, directory, location: also in `<VirtualHost>`, `<Directory>`, `<Location>` and their kin; not in
  `<Files>`, `<If>` and `.htaccess`.
- .htaccess: there too; where a kind of AllowOverride is named, only where that one is allowed.
"""

_PLACEHOLDERS = {
    Kind.FLAG: "On\\|Off",
    Kind.INTEGER: "*number*",
    Kind.TEXT: "*text*",
    Kind.TOKEN: "*name*",
    Kind.COOKIE_ATTRIBUTES: "\"*attributes*\"",
    Kind.PATH_IN_APP: "*folder*",
    Kind.FILE_IN_APP: "*file*",
    Kind.DIRECTORY: "*folder*",
    Kind.CREATED_DIRECTORY: "*folder*",
    Kind.READ_FILE: "*file*",
    Kind.WRITTEN_FILE: "*file*",
    Kind.INTERPRETER: "*program*",
    Kind.USER: "*user*",
    Kind.GROUP: "*group*",
    Kind.URI_SET: "*path*",
    Kind.URL_LIST: "*url*",
    Kind.SETTINGS: "*name* \"*value*\"",
}

_CHECKS = {
    Kind.TOKEN: "letters, digits and ``!#$%&'*+-.^_`~``",
    Kind.COOKIE_ATTRIBUTES: "such as `SameSite=None; Secure`; no control characters",
    Kind.PATH_IN_APP: "absolute, or relative to the app root",
    Kind.FILE_IN_APP: "relative to the app root, and within it",
    Kind.DIRECTORY: "an existing folder",
    Kind.CREATED_DIRECTORY: "a folder; the one it is in exists",
    Kind.READ_FILE: "an existing file",
    Kind.WRITTEN_FILE: "a file in an existing folder; it is created when it is not there",
    Kind.INTERPRETER: "an executable program",
    Kind.USER: "a name or a number known to the system; not root",
    Kind.GROUP: "a name or a number known to the system; not root's",
    Kind.URI_SET: "begins with `/`, does not end with it",
    Kind.URL_LIST: "`http://` or `https://`",
}


def _value(option: Directive) -> str:
    if option.kind is Kind.CHOICE and option.choices is not None:
        return "\\|".join(option.choices)
    return _PLACEHOLDERS[option.kind]


def _allowed_values(option: Directive) -> str:
    if option.kind is not Kind.INTEGER:
        return _CHECKS.get(option.kind, "")
    unit = " " + option.unit if option.unit else ""
    if option.maximum == INTEGER_LIMIT:
        return "at least %d%s" % (option.minimum, unit)
    return "%d to %d%s" % (option.minimum, option.maximum, unit)


def _default(option: Directive) -> str:
    if option.default is None:
        return option.default_text
    if isinstance(option.default, bool):
        return "`On`" if option.default else "`Off`"
    return "`%s`" % option.default


def _section(option: Directive) -> list[str]:
    lines = ["", "## %s" % option.directive, "", "`%s` %s" % (option.directive, _value(option)), ""]
    lines += [option.meaning, ""]
    lines += ["| | |", "|---|---|", "| default | %s |" % _default(option)]
    if _allowed_values(option):
        lines.append("| value | %s |" % _allowed_values(option))
    lines.append("| allowed in | %s |" % option.scope.value)
    if option.scope is not Scope.SERVER and option.respawn:
        lines.append("| a change | brings a restart of the app, with its first request after a graceful restart |")
    if option.difference:
        lines.append("| differs | %s |" % option.difference)
    return lines


def _names(title: str, names: Sequence[str]) -> list[str]:
    return ["", "%s: %s." % (title, ", ".join("`%s`" % name for name in sorted(names)))]


def page(options: Sequence[Directive]) -> str:
    """The text of docs/directives.md."""
    lines: list[str] = []
    for option in sorted(options, key=lambda o: o.name):
        lines += _section(option)
    lines += [
        "",
        "## Directives without effect",
        "",
        "They are accepted, wherever they stand, so that a configuration written for Passenger loads; each name brings "
        "one warning when Apache starts.",
    ]
    lines += _names("Of Passenger's open source edition", OPEN_SOURCE)
    lines += _names("Of its Enterprise edition", ENTERPRISE)
    lines += _names("Obsolete or removed there", OBSOLETE)
    return _START + "\n".join(lines) + "\n"
