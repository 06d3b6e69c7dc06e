"""Starts the interpreters of apps: from an app group's registration to a process that runs the loader."""

from __future__ import annotations

import os
import socket
import subprocess  # nosec B404  # starts the apps
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Mapping, Optional

from spawner.app_types import app_type_of
from spawner.errors import JumpseatError
from spawner.options import ServerOptions
from spawner.pool.registration import Registration
from spawner.processes.app_environment import (
    CommandLine,
    build_command,
    build_environment,
    kept_names,
    login_shell,
    own_interpreter,
)
from spawner.processes.app_limits import StartLimits, limited_command, start_limits
from spawner.processes.tenants import require_tenants_app, require_tenants_identity
from spawner.processes.users import (
    SystemUsers,
    UserPolicy,
    UserRefused,
    choose_identity,
    file_owners,
    group_label,
    own_identity,
)
from spawner.shared import start_steps
from spawner.start_failure import StartFailure
from spawner.system import linux
from spawner.system.linux import Identity, file_system_identity
from spawner.system.open_as_user import first_unreachable, why_program_is_unreachable
from spawner.system.process_limits import InheritedLimits
from spawner.system.untrusted_socket import refuse_descriptors

_UMASK = 0o022
_SUPERVISORS_PYTHON = "python3"  # from PATH; it has no packages of the app


class StartError(JumpseatError):
    """A process could not be started; the failure says why."""

    def __init__(self, failure: StartFailure) -> None:
        super().__init__("%s: %s" % (failure.step, failure.summary))
        self.failure = failure


@dataclass(frozen=True)
class LaunchedProcess:
    """A process that was just started. The holder owns the descriptors.

    :ivar line: the spawner's end of its control line.
    :ivar output: read end of its output pipe.
    :ivar becomes_user: it is root, and becomes its user before it executes the interpreter.
    """

    pid: int
    line: socket.socket
    output: int
    identity: Identity
    facts: tuple[tuple[str, str], ...]
    environment: Mapping[str, str]
    becomes_user: bool = False


def user_policy(registration: Registration, server: ServerOptions) -> UserPolicy:
    """What the directives say about the user of an app."""
    options = registration.options
    return UserPolicy(
        options.user or "",
        options.group or "",
        server.default_user,
        server.default_group or "",
        server.user_switching,
    )


def identity_for(registration: Registration, server: ServerOptions) -> Identity:
    """The user that an app runs as.

    :raises StartError: its files are missing, or there is no user that it may run as.
    """
    facts = (("app root", registration.app_root), ("entry file", registration.startup_file))
    try:
        files = file_owners(registration.app_root, registration.startup_file)
        if registration.htaccess:
            require_tenants_app(registration, files, SystemUsers())
        if os.geteuid() != 0:
            return own_identity()
        identity = choose_identity(user_policy(registration, server), files, SystemUsers())
        if registration.htaccess:
            require_tenants_identity(registration, identity, SystemUsers())
        return identity
    except UserRefused as error:
        raise StartError(StartFailure(start_steps.CHOOSE_USER, str(error), "", facts)) from error
    except OSError as error:
        summary = "the app's entry file cannot be looked at: %s: %s" % (error.filename, error.strerror)
        raise StartError(StartFailure(start_steps.CHOOSE_USER, summary, "", facts)) from error


def interpreter_of(registration: Registration, server: ServerOptions) -> str:
    """The program that runs an app's entry file: its path, or a name to be looked up in PATH. Empty: there is none."""
    app_type = app_type_of(registration.app_type)
    configured: Optional[str] = getattr(registration.options, app_type.interpreter, None)
    default: Optional[str] = getattr(server, app_type.default_interpreter, None)
    own = own_interpreter(registration.app_root, app_type.own_interpreters)
    return configured or own or default or app_type.interpreter_in_path


def _facts(registration: Registration, identity: Identity, interpreter: str) -> tuple[tuple[str, str], ...]:
    """What helps to find out why a start failed, in order."""
    shell = login_shell(identity, registration.options.load_shell_envvars)
    return (
        *([("interpreter", interpreter)] if interpreter else []),
        ("user", "%s (uid %d, gid %d)" % (identity.user, identity.uid, identity.gid)),
        ("groups", ", ".join(group_label(gid) for gid in identity.groups)),
        ("app root", registration.app_root),
        ("entry file", registration.startup_file),
        *([("login shell", shell)] if shell is not None else []),
    )


class Launcher:
    """Starts the interpreters of apps.

    :param loaders: the folder of the loaders' programs, which every app's user can read.
    :param server_software: httpd's name and version, for the variable SERVER_SOFTWARE.
    :param limits: those that apps get, which are not the spawner's own.
    """

    def __init__(self, loaders: str, server_software: str, limits: InheritedLimits) -> None:
        self._loaders = loaders
        self._server_software = server_software
        self._limits = limits

    def launch(
        self, registration: Registration, server: ServerOptions, cgroup: Optional[Path] = None
    ) -> LaunchedProcess:
        """Start a process that is to load an app.

        :param cgroup: that it has to enter itself.
        :raises StartError: it cannot be started; nothing is left behind.
        """
        identity = identity_for(registration, server)
        interpreter = interpreter_of(registration, server)
        facts = _facts(registration, identity, interpreter)
        blocked = first_unreachable(registration.app_root, identity)
        if blocked is not None:
            summary = "user %s cannot enter the folder %s" % (identity.user, blocked)
            raise StartError(StartFailure(start_steps.ENTER_ROOT, summary, "", facts))
        unreachable = why_program_is_unreachable(interpreter, identity) if os.path.isabs(interpreter) else None
        if unreachable is not None:
            raise StartError(StartFailure(start_steps.EXECUTE, unreachable, "", facts))
        try:
            limits = start_limits(registration.options, cgroup)
            return self._start(registration, identity, interpreter, facts, limits)
        except OSError as error:
            summary = "%s could not be executed: %s" % (error.filename or interpreter, error.strerror or error)
            raise StartError(StartFailure(start_steps.EXECUTE, summary, "", facts)) from error

    def _start(
        self,
        registration: Registration,
        identity: Identity,
        interpreter: str,
        facts: tuple[tuple[str, str], ...],
        limits: StartLimits,
    ) -> LaunchedProcess:
        ours, theirs = control_line()
        output, write_end = -1, -1
        try:
            output, write_end = os.pipe()
            title = "jumpseat: " + registration.key  # no title that the process sets later can be longer
            app_type = app_type_of(registration.app_type)
            program = os.path.join(self._loaders, app_type.program)
            runs_loader = _SUPERVISORS_PYTHON if app_type.supervised else interpreter
            arguments = [runs_loader, program, str(theirs.fileno()), title]
            environment = self._environment(registration, identity)
            command = self._command(registration, identity, arguments, environment)
            if limits.any:
                open_files = self._limits.open_files
                command = limited_command(command, limits, identity, registration.app_root, open_files)
                pid = _execute(command, "/", replace(identity, switch=False), theirs.fileno(), write_end)
            else:
                command = CommandLine(self._limits.with_open_files_limit(command.argv), command.environment)
                pid = _execute(command, registration.app_root, identity, theirs.fileno(), write_end)
            linux.set_oom_score_adj(self._limits.oom_score_adj, pid)
        except BaseException:
            ours.close()
            if output >= 0:
                os.close(output)
            raise
        finally:
            theirs.close()
            if write_end >= 0:
                os.close(write_end)
        return LaunchedProcess(pid, ours, output, identity, facts, environment, limits.any)

    def _environment(self, registration: Registration, identity: Identity) -> dict[str, str]:
        return build_environment(
            identity,
            registration.app_root,
            registration.options.app_env,
            registration.base_uri,
            self._server_software,
            registration.environment,
        )

    def _command(
        self, registration: Registration, identity: Identity, arguments: list[str], environment: Mapping[str, str]
    ) -> CommandLine:
        options = registration.options
        kept = kept_names(options.app_env, registration.base_uri, self._server_software, registration.environment)
        shell = login_shell(identity, options.load_shell_envvars)
        return build_command(arguments, environment, kept, registration.app_root, shell)


def control_line() -> tuple[socket.socket, socket.socket]:
    """A new control line: the spawner's end and the process's.

    The spawner's end is set up before a process has the other: a message that was sent earlier has no sender.

    :raises OSError: there are no descriptors left.
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    set_up_line(ours)
    return ours, theirs


def set_up_line(line: socket.socket) -> None:
    """Set up the spawner's end of a control line: non-blocking, each sender's pid and uid come with its messages, and
    no descriptors do.
    """
    line.setblocking(False)
    line.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
    refuse_descriptors(line)


def _execute(command: CommandLine, folder: str, identity: Identity, line: int, output: int) -> int:
    """Fork and exec; the child enters the folder with its user's rights.

    :returns: the pid.
    :raises OSError: the child could not become the user, enter the folder or execute the program.
    """
    # The child enters the folder before it becomes the user, so the rights to files are dropped here already.
    with file_system_identity(identity):
        process = subprocess.Popen(  # nosec B603  # a list of words, without a shell
            command.argv,
            env=command.environment,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            pass_fds=(line,),
            start_new_session=True,
            umask=_UMASK,
            user=identity.uid if identity.switch else None,
            group=identity.gid if identity.switch else None,
            extra_groups=identity.groups if identity.switch else None,
        )
    process.returncode = 0  # the reaper waits for it, not Popen
    return process.pid
