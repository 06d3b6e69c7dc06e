"""Apps that .htaccess files choose (PassengerAllowHtaccess): whose they are, and how many of one user there are."""

from __future__ import annotations

import dataclasses
import os
import time
from typing import Callable

from spawner.daemon.event_dispatcher import Dispatch
from spawner.errors import OperatorError
from spawner.pool.group import Group
from spawner.pool.policies.timeouts import FORGET_SECONDS
from spawner.pool.pool import Pool
from spawner.pool.registration import Registration
from spawner.pool.states import GroupState
from spawner.processes.launcher import user_policy
from spawner.processes.tenants import TenantRules, htaccess_files, require_tenants_app, tenant_of
from spawner.processes.users import SystemUsers, file_owners


class HtaccessApps:
    """Admits the apps of tenants.

    :param apache_uid: the user of httpd's children.
    :param most: how many apps one user may have.
    :param clock: the seconds of CLOCK_MONOTONIC.
    """

    def __init__(
        self,
        pool: Pool,
        dispatch: Dispatch,
        apache_uid: int,
        most: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._pool = pool
        self._apache_uid = apache_uid
        self._most = most
        self._dispatch = dispatch
        self._clock = clock

    def admit(self, registration: Registration) -> Registration:
        """The registration with its tenant; unchanged if no .htaccess has set an option.

        :raises OperatorError: its files do not belong to one user, or this user has too many apps.
        """
        if not registration.htaccess:
            return dataclasses.replace(registration, tenant=None)
        admitted = dataclasses.replace(registration, tenant=self._tenant_of(registration))
        try:
            files = file_owners(admitted.app_root, admitted.startup_file)
            require_tenants_app(admitted, files, SystemUsers())
        except OSError as error:
            text = "%s names an app whose files cannot be looked at: %s: %s"
            raise OperatorError(text % (registration.htaccess[0], error.filename, error.strerror)) from error
        known = self._pool.groups.get(admitted.key)
        if known is None:
            self._make_room(admitted)
        elif not known.registration.htaccess or known.registration.app_root != admitted.app_root:
            raise OperatorError("%s: this name belongs to another app" % admitted.key)
        return admitted

    def _tenant_of(self, registration: Registration) -> int:
        rules = TenantRules(os.geteuid(), self._apache_uid, user_policy(registration, self._pool.server))
        try:
            files = htaccess_files(registration.htaccess)
        except OSError as error:
            raise OperatorError("%s: %s: request the page again" % (error.filename, error.strerror)) from error
        return tenant_of(files, rules, SystemUsers())

    def _make_room(self, newer: Registration) -> None:
        """Let the app end that its user needs least, if there are too many."""
        apps = [group for group in self._pool.groups.values() if _lives(group, newer.tenant)]
        if len(apps) < self._most:
            return
        oldest = min(apps, key=lambda group: group.last_active)
        unused = self._clock() - oldest.last_active >= FORGET_SECONDS
        if not unused or any(process.busy for process in oldest.processes.values()):
            text = "%s chooses an app, and its user has %d such apps already ([apps] htaccess_apps in spawner.conf)"
            raise OperatorError(text % (newer.htaccess[0], len(apps)))
        self._dispatch(self._pool.close_group, oldest.key)


def _lives(group: Group, tenant: "int | None") -> bool:
    return group.registration.tenant == tenant and group.state is not GroupState.CLOSING
