"""Effects that tell somebody something: hooks, restart.error.txt, those who wait for a restart, the log."""

from __future__ import annotations

from typing import Mapping

from spawner.admin.restart_command import RestartProgress
from spawner.daemon.event_dispatcher import EffectHandler
from spawner.logs.log import Log
from spawner.pages.restart_error_file import RestartErrorFiles
from spawner.pool import effects
from spawner.pool.pool import Pool
from spawner.processes.hooks import HookEvent, Hooks
from spawner.processes.launcher import StartError, identity_for


class NotificationEffects:
    """One method for each kind of effect."""

    def __init__(
        self, pool: Pool, log: Log, hooks: Hooks, error_files: RestartErrorFiles, restarts: RestartProgress
    ) -> None:
        self._pool = pool
        self._log = log
        self._hooks = hooks
        self._error_files = error_files
        self.handlers: Mapping[type, EffectHandler] = {
            effects.RunHook: self._run_hook,
            effects.NoteDeployment: self._note_deployment,
            effects.Progress: restarts.publish,
            effects.Log: self._write_log,
        }

    def _run_hook(self, effect: effects.RunHook) -> None:
        group = self._pool.groups.get(effect.key)
        app_root = group.registration.app_root if group is not None else ""
        self._hooks.run(HookEvent(effect.name, effect.key, app_root, effect.pid, effect.error_id, effect.message))

    def _note_deployment(self, effect: effects.NoteDeployment) -> None:
        group = self._pool.groups.get(effect.key)
        if group is None:
            return
        try:
            identity = identity_for(group.registration, self._pool.server)
        except StartError:  # the app has no user: the failure says so, and nobody may write
            return
        self._error_files.update(group.registration, identity, effect.generation, effect.failure)

    def _write_log(self, effect: effects.Log) -> None:
        """Errors of an app go into its virtual host's log, too: its administrator may see no other one."""
        group = self._pool.groups.get(effect.key)
        error_log = group.registration.error_log if group is not None and effect.level in ("error", "warn") else ""
        self._log.write(effect.level, effect.number, effect.text, error_log)
