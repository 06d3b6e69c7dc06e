"""Registrations. Checked: what is wrong is the sender's fault; a registration written as fields and read
again is the same one; numbers keep their bounds; only variables that an environment can have are taken."""

from __future__ import annotations

import dataclasses

from tests.fuzz.python.harness import Input, fuzz, instrumented

with instrumented():
    from spawner.errors import PeerError
    from spawner.httpd.register_message import fields_of, registration_from
    from spawner.options import AppOptions
    from spawner.system import packets

_OPTIONS = [field.name for field in dataclasses.fields(AppOptions)]
_NAMES = ["group", "app_root", "app_type", "startup_file", "public_dir", "base_uri", "server_name", "error_log"]
_NAMES += ["epoch", "vhost_id", "htaccess", "htaccess_read_at", "tenant", "env:A", "env:", "env:A=B", "env:PATH"]
_NAMES += ["unknown", ""]
_VALUES = ["0", "1", "-1", "on", "", "/srv/app", "999999999999999999", "9" * 19, "\u0663", "wsgi", "passenger_wsgi.py"]
_PLAIN = [("group", "app"), ("app_root", "/srv/app"), ("startup_file", "passenger_wsgi.py"), ("epoch", "1")]


def one(data: bytes) -> None:
    """Fields by name and value; some messages begin with those that are required."""
    given = Input(data)
    fields = [("type", "register")]
    if given.number() % 4:
        fields += _PLAIN
    while given.left and len(fields) < 80:
        name = given.choice(_NAMES) if given.number() % 2 else given.choice(_OPTIONS)
        value = given.choice(_VALUES) if given.number() % 2 else given.text()
        if "\0" not in value:
            fields.append((name, value))
    try:
        registration = registration_from(packets.decode(packets.encode(fields)))
    except PeerError:
        return
    assert registration.app_root.startswith("/")
    assert 0 <= registration.epoch < 10**18
    assert registration.tenant is None or 0 <= registration.tenant < 10**18
    assert all(name and "=" not in name for name in registration.environment)
    again = packets.decode(packets.encode(fields_of(registration)))
    assert registration_from(again) == registration


if __name__ == "__main__":
    fuzz(one)
