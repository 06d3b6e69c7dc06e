#include <apr_strings.h>

#include "check.h"
#include "core/generated/constants.h"
#include "core/http_request.h"

/* Writes the request to `/path?query` with these headers (name, value, ..., NULL), and gives the head as text. */
static const char *written(passenger_http_request request, const char *const *headers)
{
    apr_pool_t *pool = check_pool();
    apr_table_t *table = apr_table_make(pool, 8);
    const char *bytes;
    size_t length;
    for (; headers[0] != NULL; headers += 2) {
        apr_table_addn(table, headers[0], headers[1]);
    }
    request.headers = table;
    request.method = request.method != NULL ? request.method : "GET";
    request.target = request.target != NULL ? request.target : "/path?query";
    request.host = "site.example";
    request.client_address = "192.0.2.1";
    switch (passenger_http_request_write(&request, pool, &bytes, &length)) {
    case PASSENGER_HTTP_REQUEST_TOO_LONG:
        return "too long";
    case PASSENGER_HTTP_REQUEST_MALFORMED:
        return "malformed";
    case PASSENGER_HTTP_REQUEST_OK:
        break;
    }
    const char *text = apr_pstrmemdup(pool, bytes, length);
    CHECK(strlen(text) == length && length > 4 && strcmp(text + length - 4, "\r\n\r\n") == 0);
    return text;
}

#define HEADERS(...) ((const char *const[]){__VA_ARGS__, NULL})
#define PLAIN ((passenger_http_request){.method = NULL})
#define FORWARDED "X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: site.example\r\n"
#define HEAD "GET /path?query HTTP/1.1\r\nHost: site.example\r\n"

TEST(headers_go_on_as_they_came)
{
    CHECK_TEXT(written(PLAIN, HEADERS("Accept", "a/b", "x-OWN", "", "X-Own", "\xfc\t2", "X1", "1")),
               HEAD "Accept: a/b\r\nx-OWN: \r\nX-Own: \xfc\t2\r\nX1: 1\r\n" FORWARDED "Connection: close\r\n\r\n");
}

TEST(headers_of_the_clients_connection_end_here)
{
    CHECK_TEXT(written(PLAIN, HEADERS("Connection", "Upgrade, X-Hop", "X-Hop", "a", "x-hop", "b", "X-Hops", "c", "Keep-Alive",
                                      "d", "TE", "e", "trailer", "f", "Transfer-Encoding", "chunked", "Upgrade", "g",
                                      "Proxy-Connection", "h", "Proxy-Authorization", "i", "connection", ",x-two,", "X-Two",
                                      "j")),
               HEAD "X-Hops: c\r\n" FORWARDED "Connection: close\r\n\r\n");
}

TEST(headers_that_only_the_server_may_set_end_here)
{
    CHECK_TEXT(written(PLAIN, HEADERS("Host", "other", "Content-Length", "5", "Proxy", "x", "Jumpseat-Token", "x", "Expect",
                                      "100-continue", "jumpseat-acknowledge", "1")),
               HEAD FORWARDED "Connection: close\r\n\r\n");
}

TEST(names_that_could_pass_for_another_end_here)
{
    CHECK_TEXT(written(PLAIN, HEADERS("X_Forwarded_For", "1", "X.Y", "2", "X!", "3", "", "4", "\xc3\xbc", "5")),
               HEAD FORWARDED "Connection: close\r\n\r\n");
}

TEST(what_proxies_have_said_is_continued)
{
    CHECK_TEXT(written(PLAIN, HEADERS("X-Forwarded-For", "10.0.0.1", "X-Forwarded-For", "10.0.0.2", "X-Forwarded-Proto",
                                      "https", "X-Forwarded-Host", "front")),
               HEAD "X-Forwarded-Host: front\r\nX-Forwarded-For: 10.0.0.1,10.0.0.2, 192.0.2.1\r\n"
                    "X-Forwarded-Proto: https\r\nConnection: close\r\n\r\n");
}

TEST(the_scheme_of_a_client_by_tls_is_https_whatever_it_says)
{
    const char *head = written((passenger_http_request){.is_https = 1}, HEADERS("X-Forwarded-Proto", "http"));
    CHECK(strstr(head, "\r\nX-Forwarded-Proto: https\r\n") != NULL);
    CHECK(strstr(head, "X-Forwarded-Proto: http\r\n") == NULL);
}

TEST(a_host_that_is_named_in_connection_is_set_anew)
{
    CHECK_TEXT(written(PLAIN, HEADERS("X-Forwarded-Host", "x", "Connection", "X-Forwarded-Host")),
               HEAD FORWARDED "Connection: close\r\n\r\n");
}

TEST(the_body_is_framed_by_its_length_or_in_chunks)
{
    passenger_http_request length = {.framing = PASSENGER_HTTP_LENGTH, .length = 12345678901};
    passenger_http_request chunked = {.framing = PASSENGER_HTTP_CHUNKED, .expects_continue = 1, .may_be_kept = 1};
    CHECK_TEXT(written(length, HEADERS("Content-Length", "3")),
               HEAD FORWARDED "Content-Length: 12345678901\r\nConnection: close\r\n\r\n");
    CHECK_TEXT(written(chunked, HEADERS("Transfer-Encoding", "chunked")),
               HEAD FORWARDED "Transfer-Encoding: chunked\r\nExpect: 100-continue\r\nConnection: keep-alive\r\n\r\n");
}

TEST(extensions_are_spelled_as_headers)
{
    passenger_message *extensions = passenger_message_create(check_pool(), 2);
    passenger_message_add(extensions, "JUMPSEAT_TOKEN", "secret");
    passenger_message_add(extensions, "JUMPSEAT_TIME_LIMIT", "5");
    CHECK_TEXT(written((passenger_http_request){.extensions = extensions}, HEADERS("Jumpseat-Token", "forged")),
               HEAD FORWARDED "Connection: close\r\nJumpseat-Token: secret\r\nJumpseat-Time-Limit: 5\r\n\r\n");
}

TEST(what_would_break_the_head_is_refused)
{
    CHECK_TEXT(written((passenger_http_request){.target = "/a b"}, HEADERS("A", "b")), "malformed");
    CHECK_TEXT(written((passenger_http_request){.target = "/a\r\nX: y"}, HEADERS("A", "b")), "malformed");
    CHECK_TEXT(written((passenger_http_request){.target = ""}, HEADERS("A", "b")), "malformed");
    CHECK_TEXT(written((passenger_http_request){.method = "GET /"}, HEADERS("A", "b")), "malformed");
    CHECK_TEXT(written(PLAIN, HEADERS("A", "b\r\nX: y")), "malformed");
    CHECK_TEXT(written(PLAIN, HEADERS("X-Forwarded-For", "b\nX: y")), "malformed");
}

TEST(a_head_of_more_than_the_limit_is_refused)
{
    size_t room = PASSENGER_REQUEST_HEAD_LIMIT - strlen(written(PLAIN, HEADERS("A", "")));
    char *value = apr_pcalloc(check_pool(), room + 2);
    memset(value, 'x', room);
    CHECK(strlen(written(PLAIN, HEADERS("A", value))) == PASSENGER_REQUEST_HEAD_LIMIT);
    value[room] = 'x';
    CHECK_TEXT(written(PLAIN, HEADERS("A", value)), "too long");
}

TESTS(RUN(headers_go_on_as_they_came),
      RUN(headers_of_the_clients_connection_end_here),
      RUN(headers_that_only_the_server_may_set_end_here),
      RUN(names_that_could_pass_for_another_end_here),
      RUN(what_proxies_have_said_is_continued),
      RUN(the_scheme_of_a_client_by_tls_is_https_whatever_it_says),
      RUN(a_host_that_is_named_in_connection_is_set_anew),
      RUN(the_body_is_framed_by_its_length_or_in_chunks),
      RUN(extensions_are_spelled_as_headers),
      RUN(what_would_break_the_head_is_refused),
      RUN(a_head_of_more_than_the_limit_is_refused))
