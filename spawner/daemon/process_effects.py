"""Effects on running processes: out-of-band work, stacks, and their end."""

from __future__ import annotations

import time

from spawner.daemon.event_dispatcher import EffectHandler
from spawner.daemon.process_starter import ProcessStarter
from spawner.logs.log import Log
from spawner.pool import effects
from spawner.processes.app_process import AppProcess, AppRegistry
from spawner.processes.stack_capture import StackCapture
from spawner.state_store.instance_directory import InstanceDirectory


class ProcessEffects:
    """One method for each kind of effect. None of them raises for the fault of an app or of the machine."""

    def __init__(
        self,
        registry: AppRegistry,
        starter: ProcessStarter,
        log: Log,
        stacks: StackCapture,
        instance: InstanceDirectory,
    ) -> None:
        self._registry = registry
        self._starter = starter
        self._log = log
        self._stacks = stacks
        self._instance = instance
        self.handlers: dict[type, EffectHandler] = {
            effects.DoOutOfBandWork: self._work,
            effects.DumpStacks: self._dump_stacks,
            effects.Retire: self._retire,
            effects.CancelRequest: self._cancel_request,
            effects.Terminate: self._terminate,
            effects.Kill: self._kill,
            effects.ForgetProcess: self._forget_process,
        }

    def _work(self, effect: effects.DoOutOfBandWork) -> None:
        """Have a worker do its out-of-band work. On a full line it is not told, and goes on serving."""
        process = self._registry.processes.handle(effect.process_id)
        if process is not None:
            process.line.send([("type", "work_granted")])

    def _dump_stacks(self, effect: effects.DumpStacks) -> None:
        process = self._registry.processes.handle(effect.process_id)
        if process is not None:
            self._stacks.log_stacks(process, effect.reason or self._overdue_reason(process))

    def _overdue_reason(self, process: AppProcess) -> str:
        requests = " and ".join(self._overdue_requests(process)) or "a request"
        return "%s has taken longer than PassengerMaxRequestTime" % requests

    def _overdue_requests(self, process: AppProcess) -> list[str]:
        """The requests of a worker that have passed their deadline, as the worker has written them."""
        resources, now = self._registry.groups.handle(process.key), time.monotonic()
        if resources is None or process.slot is None:
            return []
        requests = resources.scoreboard.requests(process.slot)
        overdue = [one for one in requests if one.deadline and one.deadline <= now]
        return ["%s %s%s" % (one.method, one.host, one.path) for one in overdue]

    def _retire(self, effect: effects.Retire) -> None:
        process = self._registry.processes.handle(effect.process_id)
        if process is None:
            self._starter.cancel(effect.process_id)
            return
        self._remove_own_sockets(process)
        process.line.retire(effect.deadline)

    def _cancel_request(self, effect: effects.CancelRequest) -> None:
        """Have a worker end a request. On a full line it is not told: it is ended when the request goes on."""
        process, request = self._registry.processes.handle(effect.process_id), effect.request
        if process is not None:
            process.line.send([("type", "cancel"), ("cell", str(request.cell)), ("since", str(request.since))])

    def _terminate(self, effect: effects.Terminate) -> None:
        process = self._registry.processes.handle(effect.process_id)
        if process is None:
            self._starter.cancel(effect.process_id)
            return
        self._log.info(3025, "terminating process %d of %s: %s" % (process.pid, process.key, effect.reason))
        self._stacks.when_done(process, process.terminate)

    def _kill(self, effect: effects.Kill) -> None:
        process = self._registry.processes.handle(effect.process_id)
        if process is None:
            self._starter.cancel(effect.process_id)
            return
        if effect.reason:
            self._log.notice(3024, "killing process %d of %s: %s" % (process.pid, process.key, effect.reason))
        process.kill()

    def _forget_process(self, effect: effects.ForgetProcess) -> None:
        self._starter.forget(effect.process_id)
        process = self._registry.processes.detach(effect.process_id)
        if process is None:
            return
        if process.alive:  # it has failed to start and still runs
            process.kill()
        process.close()
        self._remove_own_sockets(process)
        resources = self._registry.groups.handle(process.key)
        if resources is not None and process.slot is not None:
            resources.scoreboard.clear(process.slot)

    def _remove_own_sockets(self, process: AppProcess) -> None:
        resources = self._registry.groups.handle(process.key)
        if resources is not None:
            for route in process.routes:
                self._instance.remove_worker_socket(resources.path, route)
