"""The user that an app runs as: a pure decision, and the layer that looks up what it depends on.

The rules, and why they are stricter than Passenger's: docs/decisions/005-whom-an-app-runs-as.md.
"""

from __future__ import annotations

import grp
import os
import pwd
from dataclasses import dataclass
from typing import Optional, Protocol, Sequence

from spawner.errors import OperatorError
from spawner.system.linux import Identity
from spawner.system.paths import PathComponent, path_component, resolve

STARTUP_FILE = "!STARTUP_FILE!"


class UserRefused(OperatorError):
    """There is no user that this app may safely run as; the message says what to do."""


@dataclass(frozen=True)
class UserPolicy:
    """What the directives say. An empty name: the directive is not set.

    :ivar user: PassengerUser.
    :ivar group: PassengerGroup, or STARTUP_FILE.
    :ivar switching: PassengerUserSwitching.
    """

    user: str = ""
    group: str = ""
    default_user: str = "nobody"
    default_group: str = ""
    switching: bool = True


@dataclass(frozen=True)
class FileOwners:
    """The owners of an app's files.

    :ivar entry: the entry file by lstat.
    :ivar entry_target: the entry file by stat.
    :ivar components: every folder and symbolic link on the path of the app root, it included, and those between it and
        the entry file.
    """

    entry: PathComponent
    entry_target: PathComponent
    components: Sequence[PathComponent] = ()


class UserDatabase(Protocol):
    """The machine's users and groups. Unknown ones are None."""

    def user_by_name(self, name: str) -> Optional[pwd.struct_passwd]:
        """The user of a name (or of a number written out)."""

    def user_by_uid(self, uid: int) -> Optional[pwd.struct_passwd]:
        """The user of a number."""

    def group_id(self, name: str) -> Optional[int]:
        """The number of a group's name (or the number written out)."""

    def supplementary_groups(self, user: str, gid: int) -> Sequence[int]:
        """The groups of a user, with its primary one."""


def choose_identity(policy: UserPolicy, files: FileOwners, users: UserDatabase) -> Identity:
    """Decide which user an app runs as, for a spawner that is root.

    :raises UserRefused: the files belong to several users, or there is no user or group that is not root's.
    """
    user = _choose_user(policy, files, users)
    gid = _choose_group(policy, files, user, users)
    groups = sorted({gid, *users.supplementary_groups(user.pw_name, gid)} - {0})
    return Identity(user.pw_name, user.pw_uid, gid, tuple(groups), user.pw_dir, user.pw_shell)


def own_identity() -> Identity:
    """The spawner's own user, for a spawner that is not root: nothing is switched."""
    entry = SystemUsers().user_by_uid(os.geteuid())
    groups = tuple(os.getgroups())
    if entry is None:
        return Identity(str(os.geteuid()), os.geteuid(), os.getegid(), groups, "/", "/bin/sh", switch=False)
    return Identity(entry.pw_name, entry.pw_uid, os.getegid(), groups, entry.pw_dir, entry.pw_shell, switch=False)


def _choose_user(policy: UserPolicy, files: FileOwners, users: UserDatabase) -> pwd.struct_passwd:
    if policy.switching and policy.user:
        chosen = users.user_by_name(policy.user)
    elif policy.switching:
        _require_one_owner(files, users)
        chosen = users.user_by_uid(files.entry.uid)
    else:
        chosen = None
    if chosen is not None and chosen.pw_uid != 0:
        return chosen
    fallback = users.user_by_name(policy.default_user)
    if fallback is None or fallback.pw_uid == 0:
        raise UserRefused(
            "the app would run as root, and PassengerDefaultUser %r %s"
            % (policy.default_user, "is root too" if fallback else "does not exist")
        )
    return fallback


def _require_one_owner(files: FileOwners, users: UserDatabase) -> None:
    """Refuse an entry file when another user owns a folder or link on its path.

    The owner of the app root decides what `import` finds, the owner of a link what it points at, and the owner of a
    folder above them can exchange both between this look and the start. Each could run code as the entry file's owner.
    """
    owner = files.entry.uid
    if files.entry_target.uid != owner:
        raise UserRefused(
            "%s is a symbolic link of %s to a file of %s; give both the same owner or set PassengerUser"
            % (files.entry.path, user_label(owner, users), user_label(files.entry_target.uid, users))
        )
    for component in files.components:
        if component.uid not in (owner, 0):
            raise UserRefused(
                "%s belongs to %s but the %s %s to %s; give both the same owner or set PassengerUser"
                % (
                    files.entry.path,
                    user_label(owner, users),
                    "link" if component.is_link else "folder",
                    component.path,
                    user_label(component.uid, users),
                )
            )


def _choose_group(policy: UserPolicy, files: FileOwners, user: pwd.struct_passwd, users: UserDatabase) -> int:
    chosen: Optional[int]
    if not policy.switching:
        chosen = None
    elif policy.group == STARTUP_FILE:
        chosen = files.entry.gid
    elif policy.group:
        chosen = users.group_id(policy.group)
    else:
        chosen = user.pw_gid
    if chosen:
        return chosen
    fallback = _default_group(policy, users)
    if not fallback:
        raise UserRefused("the app would run in group root, and PassengerDefaultGroup gives no other group")
    return fallback


def _default_group(policy: UserPolicy, users: UserDatabase) -> Optional[int]:
    if policy.default_group:
        return users.group_id(policy.default_group)
    default_user = users.user_by_name(policy.default_user)
    return default_user.pw_gid if default_user else None


def user_label(uid: int, users: UserDatabase) -> str:
    """A user for a message: the name, if there is one, and the number."""
    entry = users.user_by_uid(uid)
    return "uid %d" % uid if entry is None else "user %s (uid %d)" % (entry.pw_name, uid)


def group_label(gid: int) -> str:
    """A group of this machine for a message: the name, if there is one, and the number."""
    try:
        return "%s (%d)" % (grp.getgrgid(gid).gr_name, gid)
    except (KeyError, OverflowError):
        return str(gid)


class SystemUsers:
    """The machine's own database (getpwnam(3), getgrouplist(3))."""

    def user_by_name(self, name: str) -> Optional[pwd.struct_passwd]:
        """The user of a name, or of a number as Apache's `#1000` or `1000`."""
        try:
            return pwd.getpwnam(name)
        except KeyError:
            digits = name.lstrip("#")
            return self.user_by_uid(int(digits)) if digits.isdigit() and digits.isascii() else None

    def user_by_uid(self, uid: int) -> Optional[pwd.struct_passwd]:
        """The user of a number."""
        try:
            return pwd.getpwuid(uid)
        except (KeyError, OverflowError):
            return None

    def group_id(self, name: str) -> Optional[int]:
        """The number of a group's name, or the number written out."""
        try:
            return grp.getgrnam(name).gr_gid
        except KeyError:
            digits = name.lstrip("#")
            return int(digits) if digits.isdigit() and digits.isascii() else None

    def supplementary_groups(self, user: str, gid: int) -> Sequence[int]:
        """The groups of a user, with its primary one."""
        return os.getgrouplist(user, gid)


def file_owners(app_root: str, startup_file: str) -> FileOwners:
    """Look up the owners of an app's files: by stat only, no file is opened.

    :param app_root: absolute.
    :param startup_file: below the app root, or absolute.
    :raises OSError: the entry file, or a part of its path, does not exist.
    """
    entry = os.path.join(app_root, startup_file)
    components: list[PathComponent] = []
    real_root = resolve("/", app_root, components, links_only=False)
    folder, name = os.path.split(startup_file)
    real_folder = resolve("/" if os.path.isabs(folder) else real_root, folder, components, links_only=False)
    resolve(real_folder, name, components, links_only=True)
    return FileOwners(path_component(entry), path_component(entry, follow=True), tuple(components))
