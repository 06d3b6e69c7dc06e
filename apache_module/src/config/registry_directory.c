#include "config/registry_directory.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <apr_strings.h>
#include <apr_user.h>

#include "config/value_check.h"

/* The longest name below the registry: pids have at most seven digits on Linux; the longest socket is a worker's
 * own. */
#define LONGEST_SOCKET "/httpd-4194304/apps/0123456789abcdef.0123456789abcdef.sock"

enum {
    LINKS_LIMIT = 40, /* as in the kernel's own resolution of paths */
    WRITABLE_BY_OTHERS = S_IWGRP | S_IWOTH,
    ENTERED_BY_OTHERS = S_IXGRP | S_IXOTH
};

/* A path that is followed name by name. */
typedef struct path_walk {
    apr_pool_t *pool;
    const char *done; /* without a slash at its end: "" is the root */
    const char *rest; /* what is still to be followed; begins with a slash, or is empty */
    int links;
} path_walk;

int passenger_registry_is_shared(const char *path)
{
    struct stat status;

    return stat(path, &status) == 0 && (status.st_mode & WRITABLE_BY_OTHERS) != 0;
}

static const char *check_length(apr_pool_t *pool, const char *path)
{
    size_t suffix = passenger_registry_is_shared(path) ? PASSENGER_INSTANCE_SUFFIX_LENGTH + 1 : 0;
    size_t room = sizeof(((struct sockaddr_un *)NULL)->sun_path) - sizeof LONGEST_SOCKET - suffix;

    if (strlen(path) <= room) {
        return NULL;
    }
    return apr_psprintf(pool, "%s has %lu bytes; with more than %lu, the names of sockets below it would exceed the "
                        "system's limit", path, (unsigned long)strlen(path), (unsigned long)room);
}

static const char *user_name(apr_pool_t *pool, uid_t uid)
{
    char *name;

    return apr_uid_name_get(&name, uid, pool) == APR_SUCCESS ? name : apr_psprintf(pool, "%lu", (unsigned long)uid);
}

static const char *check_owner(apr_pool_t *pool, const char *path, const struct stat *status)
{
    if (status->st_uid == 0 || status->st_uid == geteuid()) {
        return NULL;
    }
    return apr_psprintf(pool, "%s belongs to user %s, who could replace what is below it: use a folder that root or "
                        "the user who starts httpd owns", path, user_name(pool, status->st_uid));
}

/* Whether only root and the user who starts httpd may make names in the folder. In a folder above the registry, the
 * user's own group counts as the user: many systems give each user such a group. */
static int is_private(const struct stat *status, int is_registry)
{
    int own_group = status->st_gid == 0 || (geteuid() != 0 && status->st_gid == getegid());

    if (!is_registry && own_group) {
        return (status->st_mode & S_IWOTH) == 0;
    }
    return (status->st_mode & WRITABLE_BY_OTHERS) == 0;
}

/* Checks a folder above the registry, or the registry. */
static const char *check_folder(apr_pool_t *pool, const char *path, const struct stat *status, int is_registry)
{
    const char *wrong = check_owner(pool, path, status);

    if (wrong != NULL) {
        return wrong;
    }
    if (!S_ISDIR(status->st_mode)) {
        return apr_psprintf(pool, "%s is not a folder", path);
    }
    if ((status->st_mode & S_ISVTX) == 0 && !is_private(status, is_registry)) {
        return apr_psprintf(pool, "%s has mode %04o, so that other users could rename what is in it: chmod go-w it, "
                            "or give it the sticky bit (chmod +t)", path, (unsigned)(status->st_mode & 07777));
    }
    if (geteuid() == 0 && (status->st_mode & ENTERED_BY_OTHERS) == 0) {
        return apr_psprintf(pool, "%s has mode %04o, so that neither Apache's user nor the users of apps can enter it: "
                            "chmod go+x it", path, (unsigned)(status->st_mode & 07777));
    }
    return NULL;
}

/* Goes on with what the link names. */
static const char *follow_link(path_walk *walk, const char *path, const struct stat *status)
{
    char target[PATH_MAX];
    const char *wrong = check_owner(walk->pool, path, status);
    ssize_t length = readlink(path, target, sizeof target - 1);

    if (wrong != NULL) {
        return wrong;
    }
    if (*walk->rest == '\0') {
        return apr_psprintf(walk->pool, "%s is a link and not a folder: name the folder itself", path);
    }
    if (length <= 0 || ++walk->links > LINKS_LIMIT) {
        return apr_psprintf(walk->pool, "the link %s cannot be followed", path);
    }
    target[length] = '\0';
    walk->done = target[0] == '/' ? "" : walk->done;
    walk->rest = apr_pstrcat(walk->pool, "/", target, walk->rest, NULL);
    return NULL;
}

/* Goes one name further. NULL, or what is wrong there. */
static const char *take_step(path_walk *walk)
{
    size_t slashes = strspn(walk->rest, "/");
    size_t length = strcspn(walk->rest + slashes, "/");
    const char *name = apr_pstrmemdup(walk->pool, walk->rest + slashes, length);
    const char *path = apr_pstrcat(walk->pool, walk->done, "/", name, NULL);
    const char *parent_end = strrchr(walk->done, '/');
    struct stat status;

    walk->rest += slashes + length;
    if (length == 0 || strcmp(name, ".") == 0) {
        return NULL;
    }
    if (strcmp(name, "..") == 0) {
        walk->done = parent_end != NULL ? apr_pstrmemdup(walk->pool, walk->done, (apr_size_t)(parent_end - walk->done))
                                        : "";
        return NULL;
    }
    if (lstat(path, &status) != 0) {
        /* The spawner makes the registry itself. */
        return errno == ENOENT && *walk->rest == '\0' ? NULL
                                                      : apr_psprintf(walk->pool, "%s: %s", path, strerror(errno));
    }
    if (S_ISLNK(status.st_mode)) {
        return follow_link(walk, path, &status);
    }
    walk->done = path;
    return check_folder(walk->pool, path, &status, *walk->rest == '\0');
}

/* Checks each folder and each link from the root to the registry. */
static const char *check_way(apr_pool_t *pool, const char *path)
{
    path_walk walk = {.pool = pool, .done = "", .rest = path};
    const char *wrong = NULL;

    while (wrong == NULL && *walk.rest != '\0') {
        wrong = take_step(&walk);
    }
    return wrong;
}

/* Tries whether the spawner can make a folder in the registry, or beside it where the registry has yet to be made: the
 * rights alone do not say so. A disk that is full now is no reason against the folder. */
static const char *check_writable(apr_pool_t *pool, const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *folder = access(path, F_OK) == 0 ? path : apr_pstrmemdup(pool, path, (apr_size_t)(slash - path));
    char *trial = apr_pstrcat(pool, folder, "/.jumpseat-XXXXXX", NULL);

    if (mkdtemp(trial) != NULL) {
        rmdir(trial);
        return NULL;
    }
    if (errno == ENOSPC || errno == EDQUOT) {
        return NULL;
    }
    return apr_psprintf(pool, "user %s cannot make a folder in %s: %s", user_name(pool, geteuid()),
                        *folder != '\0' ? folder : "/", strerror(errno));
}

const char *passenger_check_registry(apr_pool_t *pool, const char *value, const char **result)
{
    const char *wrong = passenger_check_created_directory(pool, value, result);

    if (wrong == NULL) {
        wrong = check_length(pool, *result);
    }
    if (wrong == NULL) {
        wrong = check_way(pool, *result);
    }
    return wrong != NULL ? wrong : check_writable(pool, *result);
}
