#include "config/instance.h"

#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include <apr_escape.h>
#include <apr_general.h>
#include <apr_strings.h>

#include "config/configuration.h"

enum { TOKEN_BYTES = 32, PATH_SIZE = sizeof(((struct sockaddr_un *)NULL)->sun_path) };

static struct {
    int is_created;
    char token[2 * TOKEN_BYTES + 1];
    char directory[PATH_SIZE];
    char spawner_socket[PATH_SIZE];
    passenger_instance instance;
} self;

const passenger_instance *passenger_instance_get(void)
{
    return self.is_created ? &self.instance : NULL;
}

/* The folder by the configuration that was read last. Called in httpd's parent, whose pid is in the name. */
static void name_directory(char directory[PATH_SIZE])
{
    apr_snprintf(directory, PATH_SIZE, "%s/httpd-%ld",
                 passenger_server_instance_registry_dir(passenger_server_wide_options()), (long)getpid());
}

apr_status_t passenger_instance_create(void)
{
    unsigned char random[TOKEN_BYTES];
    apr_status_t status = apr_generate_random_bytes(random, sizeof random);

    if (status != APR_SUCCESS) {
        return status;
    }
    apr_escape_hex(self.token, random, sizeof random, 0, NULL);
    name_directory(self.directory);
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
    char directory[PATH_SIZE];

    name_directory(directory);
    return strcmp(directory, self.directory) != 0;
}
