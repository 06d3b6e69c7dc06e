"""Whether .htaccess files may choose an app: they, the app root and the entry file belong to one user, the tenant.

Rules over what stat says, and the layer that looks; no file is opened. docs/decisions/027-htaccess.md has the reasons.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from typing import Sequence

from spawner.pool.registration import Registration
from spawner.processes.users import STARTUP_FILE, FileOwners, UserDatabase, UserPolicy, UserRefused, user_label
from spawner.system.linux import Identity
from spawner.system.paths import PathComponent, path_component, resolve

_MOST_COMPONENTS = 500  # of all paths together: whoever makes folders and files must not keep the spawner busy


@dataclass(frozen=True)
class HtaccessFile:
    """A .htaccess file.

    :ivar file: by lstat.
    :ivar way: every folder and symbolic link on its path, from the root folder on.
    """

    file: PathComponent
    way: Sequence[PathComponent]


@dataclass(frozen=True)
class TenantRules:
    """What no tenant may be.

    :ivar spawner_uid: if this is not root, the only user there is.
    :ivar apache_uid: of httpd's children, who can reach every app.
    :ivar policy: what the administrator's directives say.
    """

    spawner_uid: int
    apache_uid: int
    policy: UserPolicy


def htaccess_files(paths: Sequence[str]) -> list[HtaccessFile]:
    """Look at the .htaccess files of a request and at their ways.

    :raises OSError: a part of a path does not exist.
    :raises UserRefused: there is too much to look at.
    """
    files: list[HtaccessFile] = []
    count = sum(path.count("/") for path in paths)
    for path in paths:
        if count > _MOST_COMPONENTS:
            break
        way: list[PathComponent] = []
        folder, name = os.path.split(path)
        real_folder = resolve("/", folder, way, links_only=False)
        files.append(HtaccessFile(path_component(os.path.join(real_folder, name)), way))
        count += sum(component.is_link for component in way) and len(way)
    if count > _MOST_COMPONENTS:
        text = "%s and %d more choose an app: there are too many files, folders and links on their way"
        raise UserRefused(text % (paths[0], len(paths) - 1))
    return files


def tenant_of(files: Sequence[HtaccessFile], rules: TenantRules, users: UserDatabase) -> int:
    """The uid of the user to whom .htaccess files belong.

    :raises UserRefused: nobody knows who has written them, or this user may choose no app.
    """
    owner = files[0].file.uid
    for found in files:
        _require_written_by(owner, found, users)
    _require_may_choose(owner, files[0].file.path, rules, users)
    return owner


def require_tenants_app(registration: Registration, files: FileOwners, users: UserDatabase) -> None:
    """Refuse an app that does not belong to the tenant.

    :raises UserRefused: the app root, the entry file, or a folder or link on its way belongs to another user.
    :raises OSError: the app root does not exist.
    """
    root = path_component(resolve("/", registration.app_root, [], links_only=True))
    for what, component in [("app root", root), ("entry file", files.entry), ("entry file", files.entry_target)]:
        if component.uid != registration.tenant:
            _refuse_app(registration, what, component, users)
    for component in files.components:
        if component.uid not in (registration.tenant, 0):
            _refuse_app(registration, "link" if component.is_link else "folder", component, users)


def require_tenants_identity(registration: Registration, identity: Identity, users: UserDatabase) -> None:
    """Refuse to run a tenant's app as somebody else, or in a group that the user does not belong to.

    :raises UserRefused: the message says why.
    """
    tenant = registration.tenant
    if tenant is None or identity.uid != tenant:
        text = "%s chooses the app, but the app would run as user %s (uid %d)"
        raise UserRefused(text % (_names(registration), identity.user, identity.uid))
    entry = users.user_by_uid(tenant)
    own = users.supplementary_groups(entry.pw_name, entry.pw_gid) if entry is not None else []
    # Any user can get a file of a group of others into a folder: folders with setgid make such files.
    if registration.options.group == STARTUP_FILE and identity.gid not in own:
        text = "PassengerGroup is %s, and the entry file's group %d is none of user %s: run chgrp"
        raise UserRefused(text % (STARTUP_FILE, identity.gid, identity.user))


def _require_written_by(owner: int, found: HtaccessFile, users: UserDatabase) -> None:
    """Only the owner, and root, can have decided what httpd has read at this path."""
    file = found.file
    if not stat.S_ISREG(file.mode):
        raise UserRefused("%s chooses an app, but is no regular file: replace it by one" % file.path)
    if file.mode & stat.S_IWOTH:
        raise UserRefused("%s chooses an app, but everybody may write to it: run chmod o-w" % file.path)
    for component in (file, *found.way):
        if component.uid != owner and (component.uid != 0 or component is file):
            raise UserRefused(
                "%s chooses an app for %s, but %s belongs to %s: give both the same owner"
                % (file.path, user_label(owner, users), component.path, user_label(component.uid, users))
            )
        if stat.S_ISDIR(component.mode) and component.mode & stat.S_IWOTH and not component.mode & stat.S_ISVTX:
            text = "%s chooses an app, but everybody may write to the folder %s: run chmod o-w"
            raise UserRefused(text % (file.path, component.path))


def _require_may_choose(owner: int, path: str, rules: TenantRules, users: UserDatabase) -> None:
    belongs = "%s chooses an app and belongs to %s" % (path, user_label(owner, users))
    if rules.spawner_uid != 0:
        if owner != rules.spawner_uid:
            raise UserRefused("%s, but Apache and all apps run as %s" % (belongs, user_label(rules.spawner_uid, users)))
        return
    policy = rules.policy
    default, wanted = users.user_by_name(policy.default_user), users.user_by_name(policy.user)
    if owner == 0 or owner == rules.apache_uid or (default is not None and owner == default.pw_uid):
        text = "%s: only a user who is not root, Apache's or PassengerDefaultUser may; give it to the app's user"
        raise UserRefused(text % belongs)
    if users.user_by_uid(owner) is None:
        raise UserRefused("%s, whom the system does not know: give it to the app's user" % belongs)
    if not policy.switching:
        raise UserRefused("%s, but PassengerUserSwitching is off: all apps run as PassengerDefaultUser" % belongs)
    if policy.user and (wanted is None or wanted.pw_uid != owner):
        text = "%s, but PassengerUser %s is in force here: remove one of both, or make them agree"
        raise UserRefused(text % (belongs, policy.user))


def _refuse_app(registration: Registration, what: str, component: PathComponent, users: UserDatabase) -> None:
    tenant = "nobody" if registration.tenant is None else user_label(registration.tenant, users)
    raise UserRefused(
        "%s chooses the app for %s, but the %s %s belongs to %s: give it to the same user"
        % (_names(registration), tenant, what, component.path, user_label(component.uid, users))
    )


def _names(registration: Registration) -> str:
    return ", ".join(registration.htaccess)
