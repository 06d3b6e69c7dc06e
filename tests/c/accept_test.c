#include "core/accept.h"
#include "vectors.h"

static int prefers_json(const char *accept, const char *content_type)
{
    char *copy = accept != NULL ? strdup(accept) : NULL;
    int answer = passenger_accept_prefers_json(copy, content_type);
    free(copy);
    return answer;
}

static const char *header(const vector *row, size_t column)
{
    return vector_is(row, column, "(none)") ? NULL : row->columns[column];
}

static void check_row(const vector *row)
{
    if (prefers_json(header(row, 1), header(row, 2)) != vector_is(row, 0, "json")) {
        fprintf(stderr, "Accept: %s, Content-Type: %s\n", row->columns[1], row->columns[2]);
        CHECK(!"as in the table");
    }
}

TEST(clients_get_json_or_html_as_the_shared_table_says)
{
    vectors_each(VECTORS "/accept_header.tsv", check_row, 31);
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
