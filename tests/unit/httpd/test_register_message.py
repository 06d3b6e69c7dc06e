"""Registrations as fields of a message, and back."""

from __future__ import annotations

import pytest

from spawner.errors import PeerError
from spawner.httpd.register_message import fields_of, registration_from
from spawner.options import AppOptions

REGISTRATION = [
    ("group", "app"), ("app_root", "/srv/app"), ("app_type", "wsgi"), ("startup_file", "passenger_wsgi.py"),
    ("public_dir", "/srv/app/public"), ("base_uri", "/x"), ("server_name", "example"), ("error_log", "logs/x"),
    ("epoch", "3"), ("user", "alice"), ("group", "web"), ("min_instances", "2"), ("rolling_restarts", "0"),
    ("env:A", "1"), ("env:B", "x=y\n"),
]  # fmt: skip


def test_a_registration_is_read_field_by_field() -> None:
    found = registration_from(REGISTRATION)
    assert (found.key, found.options.group, found.options.user) == ("app", "web", "alice")
    assert (found.options.min_instances, found.options.rolling_restarts) == (2, False)
    assert found.environment == {"A": "1", "B": "x=y\n"}


def test_names_that_no_environment_can_hold_are_left_out() -> None:
    found = registration_from([*REGISTRATION, ("env:", "x"), ("env:C=D", "x")])
    assert sorted(found.environment) == ["A", "B"]


def test_a_registration_survives_being_stored() -> None:
    found = registration_from(REGISTRATION)
    assert registration_from(fields_of(found)) == found


def test_files_of_tenants_are_read_in_their_order_and_survive_being_stored() -> None:
    files = [("htaccess_read_at", "17"), ("htaccess", "/b/.htaccess"), ("htaccess", "/a/.htaccess"), ("tenant", "1001")]
    found = registration_from([*REGISTRATION, *files])
    assert (found.htaccess, found.htaccess_read_at, found.tenant) == (("/b/.htaccess", "/a/.htaccess"), 17, 1001)
    again = registration_from(fields_of(found))
    assert (again, again.htaccess_read_at) == (found, 17)


def test_every_option_survives_being_stored() -> None:
    for field in AppOptions.__dataclass_fields__.values():
        words = {"spawn_method": "direct", "concurrency_model": "thread"}
        value = {"bool": "1", "int": "7"}.get(str(field.type), words.get(field.name, "text"))
        found = registration_from([*REGISTRATION[:9], (field.name, value)])
        assert registration_from(fields_of(found)) == found
        assert str(int(v) if isinstance(v := getattr(found.options, field.name), bool) else v) == value


@pytest.mark.parametrize("name", ["group", "app_root", "startup_file", "epoch"])
def test_a_registration_without_what_it_must_have_is_refused(name: str) -> None:
    with pytest.raises(PeerError, match=name):
        registration_from([pair for pair in REGISTRATION if pair[0] != name])


def test_an_app_root_that_is_not_absolute_is_refused() -> None:
    with pytest.raises(PeerError, match="absolute"):
        registration_from([(n, "srv" if n == "app_root" else v) for n, v in REGISTRATION])
