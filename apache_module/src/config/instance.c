#include "config/instance.h"

#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include <apr_escape.h>
#include <apr_general.h>
#include <apr_strings.h>

#include "config/configuration.h"
#include "config/registry_directory.h"

enum { TOKEN_BYTES = 32, PATH_SIZE = sizeof(((struct sockaddr_un *)NULL)->sun_path) };

static struct {
    int is_created;
    char token[2 * TOKEN_BYTES + 1];
    char registry[PATH_SIZE];
    char directory[PATH_SIZE];
    char spawner_socket[PATH_SIZE];
    passenger_instance instance;
} self;

const passenger_instance *passenger_instance_get(void)
{
    return self.is_created ? &self.instance : NULL;
}

static const char *configured_registry(void)
{
    return passenger_server_instance_registry_dir(passenger_server_wide_options());
}

/* The folder's name has the pid of httpd's parent. Where others may make names, a random part follows: nobody can make
 * the name first. */
static apr_status_t name_directory(void)
{
    unsigned char random[PASSENGER_INSTANCE_SUFFIX_LENGTH / 2];
    char suffix[PASSENGER_INSTANCE_SUFFIX_LENGTH + 2] = "-";
    apr_status_t status = apr_generate_random_bytes(random, sizeof random);

    if (status != APR_SUCCESS) {
        return status;
    }
    apr_escape_hex(suffix + 1, random, sizeof random, 0, NULL);
    apr_cpystrn(self.registry, configured_registry(), sizeof self.registry);
    apr_snprintf(self.directory, sizeof self.directory, "%s/httpd-%ld%s", self.registry, (long)getpid(),
                 passenger_registry_is_shared(self.registry) ? suffix : "");
    return APR_SUCCESS;
}

apr_status_t passenger_instance_create(void)
{
    unsigned char random[TOKEN_BYTES];
    apr_status_t status = apr_generate_random_bytes(random, sizeof random);

    if (status == APR_SUCCESS) {
        status = name_directory();
    }
    if (status != APR_SUCCESS) {
        return status;
    }
    apr_escape_hex(self.token, random, sizeof random, 0, NULL);
    apr_snprintf(self.spawner_socket, sizeof self.spawner_socket, "%s/spawner.sock", self.directory);
    self.instance = (passenger_instance){.directory = self.directory, .spawner_socket = self.spawner_socket,
                                         .token = self.token};
    self.is_created = 1;
    return APR_SUCCESS;
}

void passenger_instance_begin_epoch(void)
{
    self.instance.epoch++;
}

int passenger_instance_would_move(void)
{
    return strcmp(configured_registry(), self.registry) != 0;
}
