"""What httpd says: about an app group where the app is and how it is to be run, and what all of them share."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import AbstractSet, Mapping, Optional

from spawner.app_types import app_type_of
from spawner.options import AppOptions, ServerOptions


@dataclass(frozen=True)
class Registration:
    """One `register` message (docs/protocol.md, section 4).

    :ivar key: the group's name, `PassengerAppGroupName` or `<app root> (<env>)`.
    :ivar error_log: the name of the virtual host's ErrorLog, as in the `log` messages.
    :ivar environment: variables of SetEnv and PassEnv, for the app's processes.
    :ivar epoch: the configuration that this comes from; later ones are larger.
    :ivar htaccess: paths of the .htaccess files that say something of the app, when one of them has set an option;
        empty: all options are the administrator's.
    :ivar htaccess_read_at: when httpd read them, microseconds of CLOCK_MONOTONIC.
    :ivar tenant: uid of the one user to whom these files and the app belong, once that was checked.
    :ivar vhost_id: the same for the same virtual host in later configurations; empty: an earlier version did not say.
    """

    key: str
    app_root: str
    app_type: str
    startup_file: str
    public_dir: str
    base_uri: str
    server_name: str
    error_log: str
    options: AppOptions
    epoch: int
    environment: Mapping[str, str] = field(default_factory=dict)
    vhost_id: str = ""
    htaccess: tuple[str, ...] = ()
    htaccess_read_at: int = field(default=0, compare=False)
    tenant: Optional[int] = None

    @property
    def preloads(self) -> bool:
        """Whether one process loads the app, and its workers are forked from it."""
        return self.options.spawn_method == "smart" and app_type_of(self.app_type).forks

    def needs_respawn(self, newer: "Registration") -> bool:
        """Whether running processes of this registration do not fit the newer one."""
        return self._app() != newer._app() or self.options.respawn_key() != newer.options.respawn_key()

    def agrees(self, other: "Registration") -> bool:
        """Whether both say the same of the app, though they may come from different virtual hosts or mounts."""
        return self._app() == other._app() and self.options == other.options

    def differences(self, other: "Registration") -> list[str]:
        """The directives in which both differ, by name."""
        names = [option.name for option in dataclasses.fields(AppOptions)]
        differing = [name for name in names if getattr(self.options, name) != getattr(other.options, name)]
        facts = ("app_root", "app_type", "startup_file")
        differing += [name for name in facts if getattr(self, name) != getattr(other, name)]
        return ["Passenger" + "".join(word.capitalize() for word in name.split("_")) for name in differing]

    def _app(self) -> tuple[object, ...]:
        return (self.app_root, self.app_type, self.startup_file, self.tenant)


@dataclass(frozen=True)
class Configuration:
    """The configuration that is in force.

    :ivar epoch: later ones are larger; 0: none has come yet.
    :ivar vhost_ids: of its virtual hosts.
    """

    server: ServerOptions
    epoch: int = 0
    vhost_ids: AbstractSet[str] = frozenset()

    def has_asked(self, registration: Registration) -> bool:
        """Whether a request has come for an app since this configuration was read."""
        return registration.epoch >= self.epoch

    def has_virtual_host(self, registration: Registration) -> bool:
        """Whether the virtual host is still configured at which an app was asked for last."""
        return registration.vhost_id in self.vhost_ids

    def has(self, registration: Registration) -> bool:
        """Whether an app is configured, as far as that is known without a request for it."""
        return self.has_asked(registration) or self.has_virtual_host(registration)
