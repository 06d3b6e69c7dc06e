"""A registration as the fields of a `register` message (docs/protocol.md, section 4), and back.

The descriptor store uses the same fields for its record of a group. Pure.
"""

from __future__ import annotations

import dataclasses
from typing import Iterable, Mapping, Sequence

from spawner.errors import PeerError
from spawner.options import AppOptions
from spawner.pool.registration import Registration

_ENVIRONMENT = "env:"
_REQUIRED = ("app_root", "startup_file")


def registration_from(fields: Sequence[tuple[str, str]]) -> Registration:
    """The registration of a `register` message, or of a `group` record of the descriptor store.

    :raises PeerError: a field is missing or has a wrong value.
    """
    key, rest = _split_key(fields)
    named = dict(rest)
    missing = [name for name in _REQUIRED if not named.get(name)] + ([] if key else ["group"])
    if missing:
        raise PeerError("a registration without %s" % ", ".join(missing))
    if not named["app_root"].startswith("/"):
        raise PeerError("the app root %r is not absolute" % named["app_root"])
    return Registration(
        key=key,
        app_root=named["app_root"],
        app_type=named.get("app_type", ""),
        startup_file=named["startup_file"],
        public_dir=named.get("public_dir", ""),
        base_uri=named.get("base_uri", ""),
        server_name=named.get("server_name", ""),
        error_log=named.get("error_log", ""),
        options=AppOptions.from_wire(named),
        epoch=_number(named, "epoch"),
        vhost_id=named.get("vhost_id", ""),
        environment=_environment(fields),
        htaccess=tuple(dict.fromkeys(value for name, value in fields if name == "htaccess")),
        htaccess_read_at=_number(named, "htaccess_read_at") if "htaccess_read_at" in named else 0,
        tenant=_number(named, "tenant") if "tenant" in named else None,
    )


def fields_of(registration: Registration) -> list[tuple[str, str]]:
    """The fields of a registration: `registration_from` makes an equal one of them."""
    fields = [
        ("group", registration.key),
        ("app_root", registration.app_root),
        ("app_type", registration.app_type),
        ("startup_file", registration.startup_file),
        ("public_dir", registration.public_dir),
        ("base_uri", registration.base_uri),
        ("server_name", registration.server_name),
        ("error_log", registration.error_log),
        ("epoch", str(registration.epoch)),
        ("vhost_id", registration.vhost_id),
    ]
    if registration.htaccess:
        fields += [("htaccess", path) for path in registration.htaccess]
        fields.append(("htaccess_read_at", str(registration.htaccess_read_at)))
    if registration.tenant is not None:
        fields.append(("tenant", str(registration.tenant)))
    fields += _option_fields(registration.options)
    fields += [(_ENVIRONMENT + name, value) for name, value in registration.environment.items()]
    return fields


def _split_key(fields: Sequence[tuple[str, str]]) -> tuple[str, list[tuple[str, str]]]:
    """The app group's key and the other fields. The key is the first `group`; a second one is PassengerGroup."""
    position = next((index for index, (name, _) in enumerate(fields) if name == "group"), None)
    if position is None:
        return "", list(fields)
    return fields[position][1], [*fields[:position], *fields[position + 1 :]]


def _environment(fields: Iterable[tuple[str, str]]) -> dict[str, str]:
    prefixed = ((name[len(_ENVIRONMENT) :], value) for name, value in fields if name.startswith(_ENVIRONMENT))
    return {name: value for name, value in prefixed if name and "=" not in name}


def _option_fields(options: AppOptions) -> Iterable[tuple[str, str]]:
    for field in dataclasses.fields(options):
        value = getattr(options, field.name)
        if value is not None:
            yield field.name, str(int(value)) if isinstance(value, (bool, int)) else str(value)


def _number(named: Mapping[str, str], name: str) -> int:
    text = named.get(name, "")
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise PeerError("%s %r is no number" % (name, text))
    return int(text)
