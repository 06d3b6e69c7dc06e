"""The option table as a page of the user guide."""

from __future__ import annotations

import textwrap
from typing import Sequence

from apache_module.ignored_directives import ENTERPRISE, OBSOLETE, OPEN_SOURCE
from apache_module.option import INTEGER_LIMIT, Directive, Kind, Scope

_START = """\
# Directives

<!-- Generated from apache_module/directives.py by `python -m apache_module.generate`; do not edit. -->

This page is for people who configure Apache. It lists every directive, its default, and where it is
allowed.

Apache checks each value when it reads its configuration. If a value is wrong, the command
`apachectl configtest` fails and names the directive, the file and the line. A value is wrong if it
is, for example, a number out of range, an unknown word, or the name of a user, group, folder, file
or interpreter that does not exist.

Paths are relative to `ServerRoot`, unless stated otherwise.

The row *allowed in* uses these words:

| word | where the directive is allowed |
|---|---|
| server config | outside of every section |
| virtual host, directory, location | in `<VirtualHost>`, `<Directory>`, `<Location>` and similar sections |
| .htaccess | in `.htaccess`, `<Files>` and `<If>`; if a kind of AllowOverride is named, only where it is allowed |

A directive that is allowed only in *server config* applies to the whole server. If you write it in
a `<VirtualHost>`, Apache logs a warning, and it still applies to the whole server.

After you have changed a directive, run `apachectl graceful`. If the directive has a row *after a
change*, the app's running processes still have the old value; the app's next request restarts it.
If a directive needs more, its text says so.

[guide.md](guide.md) explains words like *worker* and *app group*.
"""

_WIDTH = 100  # columns of a line outside of tables

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
    Kind.PATH_IN_APP: "an absolute path, or a path relative to the app root",
    Kind.FILE_IN_APP: "a path relative to the app root, and within it",
    Kind.DIRECTORY: "an existing folder",
    Kind.CREATED_DIRECTORY: "a folder; its parent folder exists",
    Kind.READ_FILE: "an existing file",
    Kind.WRITTEN_FILE: "a file in an existing folder; the file is created if it does not exist",
    Kind.INTERPRETER: "an executable program",
    Kind.USER: "a name or a number that the system knows; not root",
    Kind.GROUP: "a name or a number that the system knows; not root's group",
    Kind.URI_SET: "a path that begins with `/` and does not end with it",
    Kind.URL_LIST: "a URL with `http://` or `https://`",
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
        return "at least %d%s" % (option.minimum, unit[:-1] if option.minimum == 1 and unit.endswith("s") else unit)
    return "%d to %d%s" % (option.minimum, option.maximum, unit)


def _default(option: Directive) -> str:
    if option.default is None:
        return option.default_text
    if isinstance(option.default, bool):
        return "`On`" if option.default else "`Off`"
    return "`%s`" % option.default


def _places(option: Directive) -> str:
    if not option.htaccess:
        return option.scope.value
    switch = "[PassengerAllowHtaccess](#passengerallowhtaccess)"
    return "%s; .htaccess (AllowOverride Options) where %s is on" % (option.scope.value, switch)


def _section(option: Directive) -> list[str]:
    lines = ["", "## %s" % option.directive, "", "`%s` %s" % (option.directive, _value(option)), ""]
    lines += [_wrapped(option.meaning), ""]
    lines += ["| | |", "|---|---|", "| default | %s |" % _default(option)]
    if _allowed_values(option):
        lines.append("| value | %s |" % _allowed_values(option))
    lines.append("| allowed in | %s |" % _places(option))
    if option.scope is not Scope.SERVER and option.respawn:
        lines.append("| after a change | a graceful restart of Apache; the next request then restarts the app |")
    if option.aliases:
        lines.append("| older names | %s |" % ", ".join("`%s`" % name for name in option.aliases))
    if option.difference:
        lines.append("| differs from Passenger | %s |" % option.difference)
    return lines


def _names(title: str, names: Sequence[str]) -> list[str]:
    return ["", _wrapped("%s: %s." % (title, ", ".join("`%s`" % name for name in sorted(names))))]


def _wrapped(text: str) -> str:
    return textwrap.fill(text, _WIDTH, break_long_words=False, break_on_hyphens=False)


def page(options: Sequence[Directive]) -> str:
    """The text of docs/directives.md."""
    lines: list[str] = []
    for option in sorted(options, key=lambda o: o.name):
        lines += _section(option)
    lines += [
        "",
        "## Directives without effect",
        "",
        _wrapped(
            "Jumpseat accepts these directives everywhere, so that a configuration for Passenger loads. They have no "
            "effect. When Apache starts, it logs one warning for each of them."
        ),
    ]
    lines += _names("In Passenger's open source edition", OPEN_SOURCE)
    lines += _names("In its Enterprise edition", ENTERPRISE)
    lines += _names("Obsolete in Passenger, or removed", OBSOLETE)
    return _START + "\n".join(lines) + "\n"
