"""The steps of a start, in their order, as logs, error pages and `jumpseat status` name them (docs/error-pages.md)."""

CHOOSE_USER = "choose the user"
ENTER_ROOT = "enter the app root"
EXECUTE = "execute the interpreter"
START_LOADER = "start the loader"
READ = "read the entry file"
COMPILE = "compile the entry file"
IMPORT = "import the app"
FIND = "find the application"
FORK = "fork a worker"
AFTER_FORK = "run after_fork()"
ACCEPT = "accept requests"

ALL = (CHOOSE_USER, ENTER_ROOT, EXECUTE, START_LOADER, READ, COMPILE, IMPORT, FIND, FORK, AFTER_FORK, ACCEPT)
