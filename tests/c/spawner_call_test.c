#include <errno.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/capabilities.h"
#include "core/deadlines.h"
#include "core/generated/constants.h"
#include "core/message.h"
#include "request/spawner_call.h"
#include "check.h"

enum { SECONDS = 20 };

/* A spawner that takes questions into its queue and answers none. */
static int listen_at(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    strcpy(address.sun_path, path);
    unlink(path);
    CHECK(bind(listener, (struct sockaddr *)&address, sizeof(address)) == 0);
    CHECK(listen(listener, 8) == 0);
    return listener;
}

static passenger_question question_to(const char *path, int stop_event)
{
    return (passenger_question){.path = path, .bytes = "1:x,", .length = 4, .stop_event = stop_event,
                                .deadline = passenger_monotonic_now() + apr_time_from_sec(SECONDS)};
}

static void *answer_once(void *listener)
{
    char question[16];
    int connection = accept(*(int *)listener, NULL, NULL);
    ssize_t length = recv(connection, question, sizeof(question), 0);
    send(connection, question, (size_t)length, 0);
    close(connection);
    return NULL;
}

TEST(a_question_is_answered)
{
    passenger_answer answer;
    pthread_t thread;
    int listener = listen_at("answers.sock");
    passenger_question question = question_to("answers.sock", -1);
    CHECK(pthread_create(&thread, NULL, answer_once, &listener) == 0);
    CHECK(passenger_spawner_ask(check_pool(), &question, &answer) == APR_SUCCESS);
    CHECK(answer.length == 4 && memcmp(answer.bytes, "1:x,", 4) == 0);
    pthread_join(thread, NULL);
}

TEST(a_spawner_that_does_not_answer_is_given_up_at_the_deadline)
{
    passenger_answer answer;
    (void)listen_at("silent.sock");
    passenger_question question = question_to("silent.sock", -1);
    question.deadline = passenger_monotonic_now() + apr_time_from_msec(100);
    CHECK(passenger_spawner_ask(check_pool(), &question, &answer) == APR_TIMEUP);
    CHECK(passenger_monotonic_now() >= question.deadline);
}

TEST(a_stop_ends_a_wait_for_the_answer)
{
    passenger_answer answer;
    int stop = eventfd(1, EFD_CLOEXEC);
    (void)listen_at("stopped.sock");
    passenger_question question = question_to("stopped.sock", stop);
    CHECK(passenger_spawner_ask(check_pool(), &question, &answer) == ECANCELED);
    CHECK(passenger_monotonic_now() < question.deadline - apr_time_from_sec(SECONDS / 2));
}

TEST(a_stop_ends_a_wait_for_a_spawner_that_is_not_there)
{
    passenger_answer answer;
    int stop = eventfd(1, EFD_CLOEXEC);
    passenger_question question = question_to("no-such.sock", stop);
    CHECK(passenger_spawner_ask(check_pool(), &question, &answer) == ECANCELED);
    CHECK(passenger_monotonic_now() < question.deadline - apr_time_from_sec(SECONDS / 2));
}

TEST(where_nothing_can_be_waited_for_nothing_spins)
{
    passenger_answer answer;
    struct rlimit limit;
    (void)listen_at("limited.sock");
    passenger_question question = question_to("limited.sock", -1);
    CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    /* Room for one descriptor, which is 0; poll() refuses to look at more. */
    limit.rlim_cur = 1;
    close(STDIN_FILENO);
    CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    CHECK(passenger_spawner_ask(check_pool(), &question, &answer) == EINVAL);
    CHECK(passenger_monotonic_now() < question.deadline - apr_time_from_sec(SECONDS / 2));
}

/* The answer of these fields, encoded as the spawner does. */
static passenger_answer answer_of(const char *const *fields)
{
    passenger_message *message = passenger_message_create(check_pool(), 8);
    passenger_answer answer;
    size_t length;
    for (; fields[0] != NULL; fields += 2) {
        passenger_message_add(message, fields[0], fields[1]);
    }
    answer.bytes = passenger_message_encode(message, PASSENGER_CONTROL_MESSAGE_LIMIT, &length);
    answer.length = length;
    return answer;
}

static passenger_answer_kind kind_of(const char *const *fields, passenger_group_address *address, const char **reason)
{
    passenger_answer answer = answer_of(fields);
    return passenger_answer_read(&answer, address, reason);
}

TEST(a_group_that_is_registered_has_a_socket_a_token_and_capabilities)
{
    const char *const fields[] = {"type", "registered", "socket", "/run/a.sock", "app_token", "",
                                  "capabilities", "token frames", NULL};
    passenger_group_address address;
    const char *reason;
    CHECK(kind_of(fields, &address, &reason) == PASSENGER_ANSWER_REGISTERED);
    CHECK_TEXT(address.socket_path, "/run/a.sock");
    CHECK_TEXT(address.token, "");
    CHECK(address.capabilities == (PASSENGER_CAPABILITY_TOKEN | PASSENGER_CAPABILITY_FRAMES));
}

TEST(a_refusal_has_its_reason_or_none_and_an_address_beside_it_does_not_count)
{
    const char *const with[] = {"type", "refused", "reason", "no loader", "socket", "/x", "app_token", "t", NULL};
    const char *const without[] = {"type", "refused", NULL};
    passenger_group_address address;
    const char *reason;
    CHECK(kind_of(with, &address, &reason) == PASSENGER_ANSWER_REFUSED);
    CHECK_TEXT(reason, "no loader");
    CHECK(kind_of(without, &address, &reason) == PASSENGER_ANSWER_REFUSED && reason == NULL);
}

TEST(an_answer_without_what_a_request_needs_is_malformed)
{
    static const char *const answers[][7] = {
        {"socket", "/x", "app_token", "t", NULL},
        {"type", "registered", "app_token", "t", NULL},
        {"type", "registered", "socket", "/x", NULL},
        {"type", "pong", "socket", "/x", "app_token", "t", NULL},
    };
    passenger_group_address address;
    const char *reason;
    for (size_t index = 0; index < sizeof(answers) / sizeof(answers[0]); index++) {
        CHECK(kind_of(answers[index], &address, &reason) == PASSENGER_ANSWER_MALFORMED);
    }
    passenger_answer garbage = {.bytes = "garbage", .length = 7};
    CHECK(passenger_answer_read(&garbage, &address, &reason) == PASSENGER_ANSWER_MALFORMED);
}

TESTS(RUN(a_question_is_answered), RUN(a_spawner_that_does_not_answer_is_given_up_at_the_deadline),
      RUN(a_stop_ends_a_wait_for_the_answer), RUN(a_stop_ends_a_wait_for_a_spawner_that_is_not_there),
      RUN(where_nothing_can_be_waited_for_nothing_spins),
      RUN(a_group_that_is_registered_has_a_socket_a_token_and_capabilities),
      RUN(a_refusal_has_its_reason_or_none_and_an_address_beside_it_does_not_count),
      RUN(an_answer_without_what_a_request_needs_is_malformed))
