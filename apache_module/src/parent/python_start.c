#include <Python.h>

#include <stdio.h>

#include "parent/python_start.h"

/* The prefix of the interpreter that the module was built with; given by the build. */
#ifndef JUMPSEAT_PYTHON_HOME
#error "JUMPSEAT_PYTHON_HOME is not defined"
#endif

/* Where cffi and the spawner's other packages are; given by the build. */
#ifndef JUMPSEAT_SITE_PACKAGES
#error "JUMPSEAT_SITE_PACKAGES is not defined"
#endif

/* cffi imports its _cffi_backend before any Python of ours runs: it must find ours, not one of the system's packages. */
static int find_our_packages_first(void)
{
    PyObject *path = PySys_GetObject("path");
    PyObject *folder = PyUnicode_DecodeFSDefault(JUMPSEAT_SITE_PACKAGES);
    int failed = path == NULL || folder == NULL || PyList_Insert(path, 0, folder) != 0;

    Py_XDECREF(folder);
    return failed ? -1 : 0;
}

static PyStatus start(void)
{
    PyPreConfig before;
    PyConfig config;
    PyStatus status;

    PyPreConfig_InitIsolatedConfig(&before);
    before.utf8_mode = 1;
    status = Py_PreInitialize(&before);
    if (PyStatus_Exception(status)) {
        return status;
    }
    PyConfig_InitIsolatedConfig(&config);
    config.write_bytecode = 0;
    config.site_import = 0;
    status = PyConfig_SetBytesString(&config, &config.home, JUMPSEAT_PYTHON_HOME);
    if (!PyStatus_Exception(status)) {
        status = Py_InitializeFromConfig(&config);
    }
    PyConfig_Clear(&config);
    return status;
}

int passenger_python_start(void)
{
    PyStatus status = start();

    if (PyStatus_Exception(status)) {
        fprintf(stderr, "jumpseat: Python (%s) does not start: %s\n", JUMPSEAT_PYTHON_HOME,
                status.err_msg != NULL ? status.err_msg : "it asked to exit");
        return -1;
    }
    if (find_our_packages_first() != 0) {
        PyErr_Print();
        return -1;
    }
    PyEval_SaveThread();
    return 0;
}
