#include "core/accept.h"
#include "check.h"

static int prefers_json(const char *accept, const char *content_type)
{
    char *copy = accept != NULL ? strdup(accept) : NULL;
    int answer = passenger_accept_prefers_json(copy, content_type);
    free(copy);
    return answer;
}

/* The next field of a line of tests/protocol: NULL for (none). */
static const char *field(char **line)
{
    char *text = strsep(line, "\t");
    CHECK(text != NULL);
    return strcmp(text, "(none)") == 0 ? NULL : text;
}

TEST(clients_get_json_or_html_as_the_shared_table_says)
{
    char line[512];
    int count = 0;
    FILE *table = fopen(VECTORS "/accept_header.tsv", "r");
    CHECK(table != NULL);
    while (fgets(line, sizeof(line), table) != NULL) {
        char *rest = line;
        line[strcspn(line, "\n")] = '\0';
        if (line[0] == '\0' || line[0] == '#') {
            continue;
        }
        int wants_json = strcmp(field(&rest), "json") == 0;
        const char *accept = field(&rest);
        const char *content_type = field(&rest);
        if (prefers_json(accept, content_type) != wants_json) {
            fprintf(stderr, "Accept: %s, Content-Type: %s\n", accept, content_type);
            CHECK(!"as in the table");
        }
        count++;
    }
    CHECK(count > 30);
    fclose(table);
}

TEST(no_random_header_leads_beyond_its_end)
{
    static const char letters[] = "application/json;q=0.5,text/html*";
    unsigned state = 815;
    for (int round = 0; round < 20000; round++) {
        char header[64];
        size_t length = check_random(&state) % (sizeof(header) - 1);
        for (size_t index = 0; index < length; index++) {
            header[index] = letters[check_random(&state) % (sizeof(letters) - 1)];
        }
        header[length] = '\0';
        prefers_json(header, header);
    }
}

TESTS(RUN(clients_get_json_or_html_as_the_shared_table_says),
      RUN(no_random_header_leads_beyond_its_end))
