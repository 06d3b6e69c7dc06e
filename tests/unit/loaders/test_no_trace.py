"""Nothing of the loader is visible in the app; what an app may rely on is there."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any

import pytest

from spawner.state_store.instance_directory import InstanceDirectory
from tests.conformance.loaders import ROOT, START
from tests.unit.loaders.conftest import Starter

ANSWER_JSON = """
import json, os, sys

def application(environ, start_response):
    start_response("200 OK", [])
    return [json.dumps(look(), sort_keys=True).encode()]
"""


def look(starter: Starter, code: str, program: str = START, **environment: str) -> Any:
    """Return what `look()`, defined by `code` in an app, sees within a request."""
    preloader = starter.start(ANSWER_JSON + code, environment=environment, program=program)
    preloader.load()
    return json.loads(preloader.fork().get().body)


TRACES = """
def is_ours(path): return os.path.join(path or "", "").startswith(ROOT)
def look():
    modules = [name for name, module in sys.modules.items()
               if "jumpseat" in name or is_ours(getattr(module, "__file__", None))]
    return modules + [path for path in sys.path + list(sys.path_importer_cache) if is_ours(path)]
"""


def test_nothing_of_the_loader_can_be_imported(starter: Starter) -> None:
    assert look(starter, f"ROOT = {ROOT!r}\n{TRACES}") == []


def test_the_loader_works_and_leaves_no_trace_where_it_was_copied_to(starter: Starter) -> None:
    with tempfile.TemporaryDirectory() as registry:  # a short path: sockets have names that are not
        instance = InstanceDirectory(os.path.join(registry, "httpd-1"), 1, os.getuid(), os.getgid())
        instance.create("/", 1.0)
        root = os.path.join(instance.folder, "")
        program = os.path.join(instance.loaders, "python", "start.py")
        assert look(starter, f"ROOT = {root!r}\n{TRACES}", program=program) == []


def test_the_path_holds_the_app_root_first_and_no_folder_of_the_loader(starter: Starter) -> None:
    path = look(starter, "def look(): return sys.path, list(sys.path_importer_cache)\n")
    assert path[0][0] == str(starter.folder)
    assert not [entry for entry in path[0] + path[1] if os.path.join(entry, "").startswith(ROOT)]


def test_a_module_of_the_app_is_found_although_the_loader_has_one_of_that_name(starter: Starter) -> None:
    for name in ("wire", "input", "request", "response", "worker"):
        starter.write("whose = 'mine'", f"{name}.py")
    code = "import wire, input, request, response, worker\ndef look(): return [wire.whose, input.whose, worker.whose]\n"
    assert look(starter, code) == ["mine", "mine", "mine"]


def test_the_path_is_clean_also_in_safe_path_mode(starter: Starter) -> None:
    code = "def look(): return sys.path\n"
    assert look(starter, code, PYTHONSAFEPATH="1")[0] == str(starter.folder)


def test_no_variable_of_ours_is_in_the_processs_environment(starter: Starter) -> None:
    code = "def look(): return sorted(os.environ)\n"
    seen = look(starter, code, JUMPSEAT_SOMETHING="1", KEPT_SOMETHING="1")
    assert "KEPT_SOMETHING" in seen
    assert not [name for name in seen if "JUMPSEAT" in name]


def test_the_main_module_is_an_empty_one(starter: Starter) -> None:
    code = """
def look():
    import __main__
    return [__main__.__name__, hasattr(__main__, "__file__"), hasattr(__main__, "main")]
"""
    assert look(starter, code) == ["__main__", False, False]


def test_the_entry_file_is_a_registered_module_with_its_own_file(starter: Starter) -> None:
    code = "def look(): return [__name__, __file__, sys.modules[__name__].__dict__ is globals()]\n"
    assert look(starter, code) == ["passenger_wsgi", str(starter.folder / "passenger_wsgi.py"), True]


def test_the_links_of_the_app_root_are_resolved(starter: Starter, tmp_path_factory: pytest.TempPathFactory) -> None:
    link = tmp_path_factory.mktemp("links") / "current"
    link.symlink_to(starter.folder)
    preloader = starter.start(ANSWER_JSON + "def look(): return [__file__, sys.path[0]]\n")
    preloader.load(app_root=str(link))
    seen = json.loads(preloader.fork().get().body)
    assert seen == [str(starter.folder / "passenger_wsgi.py"), str(starter.folder)]


NAMES = ["app.wsgi", "wsgi.py", "deep/down/site.py", "my.shop.cgi", "passenger_wsgi.py"]


@pytest.mark.parametrize("name", NAMES)
def test_an_entry_file_of_any_name_is_the_same_module(starter: Starter, name: str) -> None:
    starter.write(ANSWER_JSON + "def look(): return [__name__, __file__]\n", name)
    preloader = starter.start()
    preloader.load(startup_file=name)
    assert json.loads(preloader.fork().get().body) == ["passenger_wsgi", str(starter.folder / name)]


def test_an_entry_file_hides_no_package_of_its_name(starter: Starter) -> None:
    """As the files shop.wsgi of many projects are, which import from the package shop; here also when it is asked."""
    starter.write("", "shop/__init__.py")
    starter.write("def look(): from shop import late; return late.VALUE\n", "shop/web.py")
    starter.write("VALUE = 7\n", "shop/late.py")
    starter.write(ANSWER_JSON + "from shop.web import look\n", "shop.wsgi")
    preloader = starter.start()
    preloader.load(startup_file="shop.wsgi")
    assert json.loads(preloader.fork().get().body) == 7


@pytest.mark.parametrize("name", ["passenger_wsgi.py", "shop.wsgi"])
def test_an_object_of_a_class_of_the_entry_file_can_be_pickled(starter: Starter, name: str) -> None:
    code = """
import pickle
class Point(object):
    def __init__(self, x): self.x = x
def look(): return pickle.loads(pickle.dumps(Point(3))).x
"""
    starter.write(ANSWER_JSON + code, name)
    preloader = starter.start()
    preloader.load(startup_file=name)
    assert json.loads(preloader.fork().get().body) == 3


def test_the_entry_file_is_compiled_anew_although_its_size_and_second_have_not_changed(starter: Starter) -> None:
    for version in ("1", "2"):
        path = starter.write(ANSWER_JSON + f"def look(): return {version}\n")
        os.utime(path, (1_000_000_000, 1_000_000_000))
        preloader = starter.start()
        preloader.load()
        assert json.loads(preloader.fork().get().body) == int(version)
        preloader.close()


@pytest.mark.parametrize("forked", [True, False])
def test_a_child_process_of_the_app_inherits_no_descriptor_of_ours(starter: Starter, forked: bool) -> None:
    code = """
import subprocess
def look(): return subprocess.check_output(["ls", "-l", "/proc/self/fd"], close_fds=False).decode()
"""
    preloader = starter.start(ANSWER_JSON + code)
    if forked:
        preloader.load()
        preloader.fork()
    else:
        preloader.serve()
    seen = json.loads(preloader.get().body)
    held = [line.split(" -> ") for line in seen.splitlines() if " -> " in line]
    beyond = [target for name, target in held if int(name.split()[-1]) > 2]
    assert not [target for target in beyond if target.startswith(("socket:", "pipe:", "anon_inode:", "/memfd:"))]


def test_an_app_may_execute_its_own_interpreter_with_the_same_arguments(starter: Starter, tmp_path: Path) -> None:
    other = str(tmp_path / "python")
    os.symlink(starter.python, other)
    code = f"""
INTERPRETER = {other!r}
if sys.executable != INTERPRETER:
    os.execl(INTERPRETER, INTERPRETER, *sys.argv)
def look(): return sys.executable
"""
    preloader = starter.start(ANSWER_JSON + code)
    preloader.send_load()
    again = preloader.line.expect("hello")
    assert (preloader.hello["executable"], again["executable"]) == (starter.python, other)
    preloader.load()
    assert json.loads(preloader.fork().get().body) == other
    preloader.retire()
    assert preloader.child.wait() == 0


def test_lines_appear_as_soon_as_they_are_printed(starter: Starter) -> None:
    preloader = starter.start("""
        import sys
        print("from the import")
        def application(environ, start_response):
            print(u"out \\u20ac")
            sys.stderr.write("err\\n")
            environ["wsgi.errors"].write("errors\\n")
            start_response("200 OK", [])
            sys.stdin.read()
            yield b"x"
        """, environment={"LC_ALL": "C"})  # fmt: skip
    preloader.load()
    preloader.output.wait_for("from the import\n")
    worker = preloader.fork()
    assert worker.get().text == "x"
    assert set(worker.output.wait_for("errors\n").splitlines()) >= {"err", "errors"}
    assert worker.output.text().startswith("out ")


def test_the_loader_says_nothing_when_an_app_is_developed_with_all_warnings_as_errors(starter: Starter) -> None:
    preloader = starter.start(
        """
        def application(environ, start_response):
            body = environ["wsgi.input"].read()
            start_response("200 OK", [])
            return environ["wsgi.file_wrapper"](open(__file__, "rb")) if body else [b"ok"]
        """,
        environment={"PYTHONDEVMODE": "1", "PYTHONWARNINGS": "error"},
    )
    preloader.load()
    worker = preloader.fork()
    for framed in (True, False):
        assert worker.get(framed=framed).text == "ok"
        assert worker.get(method="POST", body=b"x" * 100_000, framed=framed).complete
    worker.retire()
    assert worker.output.wait_for_end() == ""
    preloader.line.expect("exited")
    preloader.retire()
    assert preloader.output.wait_for_end() == ""


def test_the_loader_speaks_of_its_interpreter(starter: Starter) -> None:
    preloader = starter.start("application = print")
    assert preloader.hello["executable"] == starter.python
    assert preloader.hello["runtime"].startswith("Python 3.")
    assert os.path.dirname(START) not in preloader.hello["executable"]
