"""The steps of a start, in their order, as logs, error pages and `jumpseat status` name them (docs/error-pages.md).

A start that fails names the step that failed. The spawner takes the first ones; a loader reports those in OF_LOADERS
itself, in the field `step` of `failed` (docs/protocol.md, section 5); the spawner says of a process which does not
report any more what it was doing.
"""

# By the spawner, before a process exists, or in the child before the interpreter is executed.
CHOOSE_USER = "choose the user"
ENTER_ROOT = "enter the app root"
EXECUTE = "execute the interpreter"

# By the process, until it has said `hello`.
START_LOADER = "start the loader"

# By the loader, between `load` and `loaded`.
READ = "read the entry file"
COMPILE = "compile the entry file"
IMPORT = "import the app"
FIND = "find the application"

# By the preloader and the new worker, between `fork` (a direct process: `loaded`) and `ready`.
FORK = "fork a worker"
AFTER_FORK = "run after_fork()"
ACCEPT = "accept requests"

ALL = (CHOOSE_USER, ENTER_ROOT, EXECUTE, START_LOADER, READ, COMPILE, IMPORT, FIND, FORK, AFTER_FORK, ACCEPT)
OF_LOADERS = (READ, COMPILE, IMPORT, FIND, AFTER_FORK)
