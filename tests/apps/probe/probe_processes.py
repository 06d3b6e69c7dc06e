"""What the app sees of its own process, and requests that hold it."""
import grp
import os
import pwd
import resource
import signal
import stat
import sys
import threading

from probe_events import answer, answer_json, query, report, wait_for_gate


def process(environ, start_response):
    told = {
        "pid": os.getpid(), "ppid": os.getppid(), "uid": os.getuid(), "euid": os.geteuid(), "gid": os.getgid(),
        "groups": os.getgroups(), "user": pwd.getpwuid(os.getuid()).pw_name, "group": grp.getgrgid(os.getgid()).gr_name,
        "cwd": os.getcwd(), "argv": sys.argv, "path": sys.path, "environ": dict(os.environ), "version": sys.version_info[:3],
        "executable": sys.executable, "prefix": sys.prefix, "main": getattr(sys.modules["__main__"], "__file__", None),
        "registered": [name for name, module in list(sys.modules.items()) if getattr(module, "application", None)],
        "descriptors": _descriptors(), "threads": [thread.name for thread in threading.enumerate()],
        "capabilities": _status_line("CapEff"), "no-new": _status_line("NoNewPrivs"), "umask": _umask(),
        "signal mask": sorted(int(number) for number in signal.pthread_sigmask(signal.SIG_BLOCK, [])),
        "ignored": [name for name in ("SIGPIPE", "SIGINT", "SIGTERM", "SIGCHLD", "SIGHUP")
                    if signal.getsignal(getattr(signal, name)) == signal.SIG_IGN],
        "core limit": resource.getrlimit(resource.RLIMIT_NOFILE),
    }
    return answer_json(start_response, told)


def _descriptors():
    found = {}
    for name in os.listdir("/proc/self/fd"):
        try:
            target = os.readlink("/proc/self/fd/" + name)
        except OSError:
            continue
        if not target.startswith("/proc/"):
            found[name] = target
    return found


def _status_line(name):
    with open("/proc/self/status") as lines:
        return [line.split()[1] for line in lines if line.startswith(name + ":")][0]


def _umask():
    mask = os.umask(0o22)
    os.umask(mask)
    return mask


def pid(environ, start_response):
    return answer(start_response, str(os.getpid()))


def hold(environ, start_response):
    """Keep this worker busy until the gate of that name is open."""
    name = query(environ)["gate"]
    report("holding-" + query(environ).get("name", str(os.getpid())), os.getpid())
    wait_for_gate(name)
    return answer(start_response, str(os.getpid()))


def log(environ, start_response):
    """Write to all that an app can write to."""
    fields = query(environ)
    if "out" in fields:
        print(fields["out"])
        sys.stdout.flush()
    if "err" in fields:
        sys.stderr.write(fields["err"] + "\n")
        sys.stderr.flush()
    if "errors" in fields:
        environ["wsgi.errors"].write(fields["errors"] + "\n")
        environ["wsgi.errors"].flush()
    if "raw" in fields:
        os.write(1, fields["raw"].encode("latin-1"))
    if "long" in fields:
        os.write(2, b"x" * int(fields["long"]) + b"\n")
    return answer(start_response, str(os.getpid()))


def reach(environ, start_response):
    """Try to open, connect to or list what the app's user must not."""
    import socket
    path = query(environ)["path"]
    try:
        if stat.S_ISSOCK(os.stat(path).st_mode):
            socket.socket(socket.AF_UNIX).connect(path)
        elif os.path.isdir(path):
            os.listdir(path)
        else:
            open(path).close()
    except OSError as error:
        return answer(start_response, type(error).__name__)
    return answer(start_response, "reached")


def write_file(environ, start_response):
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "events", "written")
    with open(path, "w") as stream:
        stream.write("by the app\n")
    return answer(start_response, "written")


def end(environ, start_response):
    """End this process in the way that is asked for."""
    how = query(environ)["how"]
    if how == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if how == "_exit":
        os._exit(3)
    if how == "sys.exit":
        sys.exit(4)
    raise KeyboardInterrupt("interrupted")


ROUTES = {"process": process, "pid": pid, "hold": hold, "log": log, "reach": reach, "write-file": write_file, "end": end}
