/* Generated from apache_module/app_types.py by `python -m apache_module.generate`; do not edit. */
#ifndef PASSENGER_APP_TYPES_H
#define PASSENGER_APP_TYPES_H

typedef struct passenger_app_type {
    const char *name;            /* in messages */
    const char *startup_file;    /* an app root that has it holds such an app */
    const char *endings;         /* of the names of its entry files, separated by blanks */
} passenger_app_type;

/* The type of an app that PassengerAppStartCommand starts. */
#define PASSENGER_PROGRAM_TYPE "program"

/* In the order in which their entry files are looked for; ended by one without a name. */
static const passenger_app_type passenger_app_types[] = {
    {"wsgi", "passenger_wsgi.py", ".py .wsgi"},
    {"rack", "config.ru", ".ru"},
    {"node", "app.js", ".js .mjs .cjs"},
    {"program", "Passengerfile.json", ".json"},
    {0},
};

/* How the names of what loaders tell apps of a request begin; ended by NULL. */
static const char *const passenger_request_keys[] = {"wsgi.", "rack.", NULL};

#endif
