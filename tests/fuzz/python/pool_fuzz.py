"""The pool's decisions: the random walk of the unit tests, guided by the branches that it reaches. Checked: the pool's
invariants after every event, and that in the end everything comes to rest, serves, and can be shut down."""

from __future__ import annotations

from typing import Any

from tests.fuzz.python.harness import Input, fuzz, instrumented

with instrumented():
    from tests.unit.pool.test_random_walk import NAMES, RandomWalk

_MOST_STEPS = 60
_SEVERAL = [set(), {"one"}, {"two", "three"}, set(NAMES)]


def _options(given: Input) -> dict[str, Any]:
    bits = given.number(2)
    return {
        "spawn_method": "direct" if bits & 1 else "smart",
        "rolling_restarts": bool(bits & 2),
        "min_instances": bits >> 2 & 3,
        "max_instances": (0, 0, 2, 3)[bits >> 4 & 3],
        "resist_deployment_errors": bool(bits & 64),
        "max_requests": 10 if bits & 128 else 0,
        "memory_limit": 100 if bits & 256 else 0,
        "hard_memory_limit": 200 if bits & 512 else 0,
    }


def _step(walk: RandomWalk, given: Input) -> None:
    key, number = given.choice(NAMES), given.number()
    processes = walk.world.pool.processes.values()
    starting = any(process.starting for process in processes)
    steps = {
        0: lambda: walk.request(key=key),
        1: lambda: walk.touch(key=key),
        2: lambda: walk.ask_for_restart(
            key=key, method=(None, "rolling", "blocking")[number % 3], start_if_cold=bool(number & 64)
        ),
        3: lambda: walk.look(key=key, busy=bool(number & 1), waiting=bool(number & 2), overdue=bool(number & 4)),
        4: lambda: walk.look_at_memory(key=key, megabytes=(50, 150, 250)[number % 3], which=number >> 2 & 3),
        5: lambda: walk.always_restart(key=key, on=bool(number & 1)),
        6: lambda: walk.detach(number=number),
        7: lambda: walk.say(
            number=number >> 2, what=("max_requests_reached", "work_requested", "work_done")[number % 3]
        ),
        8: lambda: walk.overflow(key=key),
        9: lambda: walk.come_up(number=number) if starting else None,
        10: lambda: walk.be_forked(number=number) if walk.unheard() else None,
        11: lambda: walk.fail(number=number) if starting else None,
        12: lambda: walk.die(number=number) if processes else None,
        13: lambda: walk.wait(seconds=(0.1, 1.0, 10.0, 100.0)[number % 4]),
        14: lambda: walk.reload(
            keys=_SEVERAL[number & 3],
            pool_size=1 + (number >> 2 & 3),
            changed=_options(given) if number & 16 else None,
            vhost_ids=_SEVERAL[number >> 5 & 3],
        ),
        15: lambda: walk.another_spawner(lost={bit for bit in range(8) if number >> bit & 1}),
        16: walk.come_to_rest,
        17: lambda: walk.deploy(key=key),
    }
    steps[given.number() % len(steps)]()
    walk.no_deadline_is_overdue_after_it_was_acted_on()
    walk.a_group_that_is_to_have_workers_has_one_or_one_is_coming_or_it_waits_for_its_turn()
    walk.one_worker_of_a_group_at_most_is_at_work_and_none_goes_on_when_it_is_overdue()
    walk.a_restart_that_somebody_waits_for_is_under_way_or_was_answered()


def one(data: bytes) -> None:
    """One walk."""
    given = Input(data)
    walk = RandomWalk()
    each = (_options(given), _options(given), _options(given))
    walk.start(pool_size=1 + given.number() % 5, each=each, warm=bool(given.number() & 1))
    for _ in range(_MOST_STEPS):
        if not given.left:
            break
        _step(walk, given)
    walk.teardown()


if __name__ == "__main__":
    fuzz(one)
