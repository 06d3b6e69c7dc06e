#include "core/accept.h"
#include "check.h"

static int prefers_json(const char *accept, const char *content_type)
{
    char *copy = accept != NULL ? strdup(accept) : NULL;
    int answer = passenger_accept_prefers_json(copy, content_type);
    free(copy);
    return answer;
}

TEST(browsers_get_html)
{
    CHECK(!prefers_json("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", NULL));
    CHECK(!prefers_json("text/html, application/json;q=0.9", "application/json"));
}

TEST(programs_that_name_json_get_it)
{
    CHECK(prefers_json("application/json", NULL));
    CHECK(prefers_json("Application/JSON ; charset=utf-8", NULL));
    CHECK(prefers_json("application/json, text/plain, */*", NULL));
    CHECK(prefers_json("application/vnd.api+json", NULL));
    CHECK(prefers_json("application/problem+json, */*;q=0.1", NULL));
}

TEST(the_larger_weight_wins)
{
    CHECK(prefers_json("text/html;q=0.5, application/json;q=0.6", NULL));
    CHECK(!prefers_json("application/json;q=0.5, text/html;q=0.6", NULL));
    CHECK(prefers_json("text/html;q=0.899, application/json;q=0.9", NULL));
    CHECK(prefers_json("text/html;level=1;Q=0.1, application/json; q=0.2", NULL));
    CHECK(!prefers_json("application/json;q=0, */*", NULL));
    CHECK(!prefers_json("application/json;q=0", NULL));
    CHECK(prefers_json("text/*;q=0.3, application/*;q=0.4", NULL));
}

TEST(a_range_that_says_more_counts_before_one_that_says_less)
{
    CHECK(!prefers_json("*/*;q=0.9, application/json;q=0.1", NULL));
    CHECK(prefers_json("text/html;q=0.1, */*;q=0.9", NULL));
}

TEST(with_equal_weights_the_first_one_named_wins)
{
    CHECK(prefers_json("application/json, text/html", NULL));
    CHECK(!prefers_json("text/html, application/json", NULL));
}

TEST(a_client_without_preference_gets_what_it_sends)
{
    CHECK(!prefers_json(NULL, NULL));
    CHECK(!prefers_json("*/*", "text/html"));
    CHECK(!prefers_json("", "multipart/form-data; boundary=x"));
    CHECK(prefers_json(NULL, "application/json"));
    CHECK(prefers_json("*/*", "application/json; charset=utf-8"));
    CHECK(prefers_json("image/png", "application/vnd.api+json"));
    CHECK(!prefers_json(NULL, "application/jsonp"));
    CHECK(!prefers_json(NULL, ""));
}

TEST(odd_headers_are_survived)
{
    CHECK(!prefers_json(",,;;==,q=1;", NULL));
    CHECK(prefers_json("application/json;q=", NULL));
    CHECK(prefers_json("application/json;q=2", NULL));
    CHECK(prefers_json("application/json;q", NULL));
    CHECK(prefers_json("application/json;;;", NULL));
    CHECK(!prefers_json("application/json;q=0.", NULL));
    CHECK(!prefers_json("+json", NULL));
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

TESTS(RUN(browsers_get_html),
      RUN(programs_that_name_json_get_it),
      RUN(the_larger_weight_wins),
      RUN(a_range_that_says_more_counts_before_one_that_says_less),
      RUN(with_equal_weights_the_first_one_named_wins),
      RUN(a_client_without_preference_gets_what_it_sends),
      RUN(odd_headers_are_survived),
      RUN(no_random_header_leads_beyond_its_end))
