"""Random numbers after a fork: four workers draw four sequences, whoever draws."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Iterator

import pytest

from tests.unit.loaders.conftest import Starter

SERVE = """
def application(environ, start_response):
    start_response("200 OK", [])
    return [repr(draw()).encode()]
"""


def drawn(starter: Starter, source: str, workers: int = 4) -> list[str]:
    """What the first request of each of some workers draws."""
    preloader = starter.start(source + SERVE)
    preloader.load()
    numbers = []
    for _ in range(workers):
        worker = preloader.fork()
        numbers.append(worker.get().text)
        worker.retire()
        worker.wait_for_end()
    return numbers


@pytest.fixture
def with_numpy(tmp_path: Path) -> Iterator[Starter]:
    """The environment of the tests themselves, which has numpy."""
    with ExitStack() as stack:
        yield Starter(sys.executable, tmp_path, stack)


def test_pythons_own_generator_differs(starter: Starter) -> None:
    source = "import random\nrandom.seed(1)\ndef draw(): return [random.random() for _ in range(3)]\n"
    assert len(set(drawn(starter, source))) == 4


@pytest.mark.parametrize("call", ["rand()", "random()", "lrand48()"])
def test_the_c_librarys_generators_differ(starter: Starter, call: str) -> None:
    source = (
        "import ctypes\nlibc = ctypes.CDLL(None)\n"
        "libc.srand(1); libc.srandom(1); libc.srand48(ctypes.c_long(1))\n"
        f"def draw(): return [libc.{call} for _ in range(3)]\n"
    )
    assert len(set(drawn(starter, source))) == 4


def test_numpys_global_generator_differs(with_numpy: Starter) -> None:
    source = "import numpy\nnumpy.random.seed(1)\ndef draw(): return numpy.random.rand(3).tolist()\n"
    assert len(set(drawn(with_numpy, source))) == 4


def test_numpy_alone_brings_no_warning(with_numpy: Starter) -> None:
    """Its OpenBLAS has threads, which it ends before a fork."""
    source = "import numpy\nnumpy.ones((300, 300)) @ numpy.ones((300, 300))\napplication = print\n"
    assert with_numpy.import_warnings(source) == []


def test_numpys_linear_algebra_works_in_the_workers(with_numpy: Starter) -> None:
    source = (
        "import numpy\nlarge = numpy.ones((300, 300))\nlarge @ large\n"
        "def draw(): return float((large @ large)[0, 0])\n"
    )
    assert drawn(with_numpy, source, 2) == ["300.0", "300.0"]


@pytest.mark.parametrize(
    ("made", "kind"),
    [
        ("numpy.random.default_rng()", "numpy.random._generator.Generator"),
        ("numpy.random.RandomState(5)", "numpy.random.mtrand.RandomState"),
        ("numpy.random.PCG64()", "numpy.random._pcg64.PCG64"),
    ],
)
def test_a_generator_of_numpys_in_a_global_is_named(with_numpy: Starter, made: str, kind: str) -> None:
    source = f"import numpy\nclass Shop: pass\nRNG = {made}\nSAME = RNG\napplication = print\n"
    (warning,) = with_numpy.import_warnings(source)
    place = f"{with_numpy.folder}/passenger_wsgi.py:3"
    assert warning.startswith(f"random:RNG the random generator 'RNG' of {place} ({kind}) was created")


def test_a_generator_in_a_global_of_the_app_is_named(starter: Starter) -> None:
    starter.write("import random\n\nDICE = random.Random()\nFAIR = random.SystemRandom()\n", "game.py")
    (warning,) = starter.import_warnings("import game\napplication = print\n")
    place = f"{starter.folder}/game.py:3"
    assert warning.startswith(f"random:DICE the random generator 'DICE' of {place} (random.Random) was created")
    assert "after_fork()" in warning


def test_a_generator_of_a_library_is_its_own_business(starter: Starter) -> None:
    starter.write("import random\nJITTER = random.Random()\n", "site-packages/retry.py")
    path = str(starter.folder / "site-packages")
    source = f"import sys; sys.path.append({path!r})\nimport retry\napplication = print\n"
    assert starter.import_warnings(source) == []


def test_an_app_without_foreign_code_does_not_get_ctypes(starter: Starter) -> None:
    source = "import random\ndef draw():\n    import sys\n    return 'ctypes' in sys.modules\n"
    assert drawn(starter, source, 1) == ["False"]


def test_a_library_whose_seeding_fails_costs_no_worker(starter: Starter) -> None:
    starter.write("def seed(): raise ValueError\n", "torch.py")
    assert drawn(starter, "import torch\ndef draw(): return 'served'\n", 1) == ["'served'"]
