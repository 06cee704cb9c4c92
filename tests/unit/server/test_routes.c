/* What the observer answers to which request. */
#include "alloc_fault.h"
#include "cmocka_all.h"
#include "page.h"
#include "routes.h"

#include <stdlib.h>
#include <string.h>

#define TEXT "text/plain; charset=utf-8"

struct fixture {
    struct server_settings settings;
    struct scoreboard *scoreboard;
    struct ledger_news news;
    struct observer_view view;
    struct answer answer;
};

static int begin(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    assert_int_equal(scoreboard_create(1, &f->scoreboard), STATUS_OK);
    atomic_store(&f->scoreboard->row[0].is_alive, 1);
    f->news = (struct ledger_news){.phase = DRAW_OPEN, .agencies = 5};
    f->view = (struct observer_view){.settings = &f->settings,
                                     .scoreboard = f->scoreboard,
                                     .news = &f->news,
                                     .has_ledger = true};
    assert_int_equal(page_init(), STATUS_OK);
    *state = f;
    return 0;
}

static int end(void **state)
{
    struct fixture *f = *state;

    buffer_fini(&f->answer.body);
    scoreboard_destroy(f->scoreboard);
    free(f);
    return 0;
}

static void ask(struct fixture *f, const char *method, const char *path)
{
    const struct request request = {.method = method, .path = path, .has_host = true};

    buffer_fini(&f->answer.body);
    routes_answer(&f->view, &request, &f->answer);
}

/* The answer has this code and type, and a body from one of the two places. */
static void assert_answer(const struct fixture *f, unsigned code, const char *type)
{
    assert_int_equal(f->answer.code, code);
    assert_string_equal(f->answer.type, type);
    assert_true((f->answer.body.size > 0) != (f->answer.fixed.size > 0));
}

static void assert_text(const struct fixture *f, unsigned code, const char *text)
{
    const struct answer *answer = &f->answer;
    const struct text body = answer->fixed.data != NULL
                                 ? answer->fixed
                                 : (struct text){answer->body.data, answer->body.size};

    assert_answer(f, code, TEXT);
    assert_int_equal(body.size, strlen(text));
    assert_memory_equal(body.data, text, body.size);
}

/* Each path has its answer, to HEAD as to GET; only the page has a policy. */
static void test_paths(void **state)
{
    static const char *const methods[] = {"GET", "HEAD"};
    static const struct {
        const char *path;
        const char *type;
    } cases[] = {
        {"/", "text/html; charset=utf-8"},
        {"/healthz", TEXT},
        {"/readyz", TEXT},
        {"/metrics", "text/plain; version=0.0.4; charset=utf-8"},
        {"/api/status", "application/json"},
        {"/api/agencies", "application/json"},
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        for (size_t j = 0; j < 2; j++) {
            ask(f, methods[j], cases[i].path);
            assert_answer(f, 200, cases[i].type);
            assert_null(f->answer.allow);
            assert_int_equal(f->answer.policy != NULL, strcmp(cases[i].path, "/") == 0);
        }
    }
    ask(f, "GET", "/");
    assert_string_equal(f->answer.policy, page_policy());
}

/* It says "ready", or each reason on a line of its own. */
static void test_readiness(void **state)
{
    struct fixture *f = *state;

    ask(f, "GET", "/readyz");
    assert_text(f, 200, "ready\n");
    f->view.is_stopping = true;
    ask(f, "GET", "/readyz");
    assert_text(f, 503, "not ready: stopping\n");
    f->view.has_ledger = false;
    ask(f, "GET", "/readyz");
    assert_text(f, 503, "not ready: stopping\nnot ready: the ledger is away\n");
    ask(f, "GET", "/healthz"); /* all the same */
    assert_text(f, 200, "ok\n");
}

/* Paths are compared as they are; there is nothing around them. */
static void test_unknown_paths(void **state)
{
    static const char *const paths[] = {"",         "//",        "/healthz/", "/Healthz",
                                        "/healthy", "/api",      "/api/",     "/api/status/",
                                        "/metric",  "/metrics2", "*",         "/favicon.ico"};
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        ask(f, "GET", paths[i]);
        assert_text(f, 404, "there is nothing here\n");
    }
}

/* Whatever else is wrong: the method comes first, then what HTTP/1.1 wants, then the body. */
static void test_refused_requests(void **state)
{
    static const char *const methods[] = {"POST",    "PUT",   "DELETE", "OPTIONS", "TRACE",
                                          "CONNECT", "PATCH", "get",    "GETS",    ""};
    struct fixture *f = *state;
    struct request request = {.path = "/nothing", .has_body = true};

    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        request.method = methods[i];
        routes_answer(&f->view, &request, &f->answer);
        assert_text(f, 405, "only GET and HEAD are answered\n");
        assert_string_equal(f->answer.allow, "GET, HEAD");
    }
    request.method = "GET";
    routes_answer(&f->view, &request, &f->answer);
    assert_text(f, 400, "the header Host is missing\n");
    assert_null(f->answer.allow);
    request.has_host = true;
    routes_answer(&f->view, &request, &f->answer);
    assert_text(f, 413, "a request has no body here\n");
    request.has_body = false;
    routes_answer(&f->view, &request, &f->answer);
    assert_text(f, 404, "there is nothing here\n");
}

/* Without memory the answer says so; with it, it is whole. */
static void test_no_memory(void **state)
{
    struct fixture *f = *state;
    bool has_failed = true;

    f->view.is_stopping = true;
    for (unsigned i = 0; has_failed; i++) {
        alloc_fault_after(i);
        ask(f, "GET", "/readyz");
        has_failed = alloc_fault_end();
        assert_text(f, 503, has_failed ? "out of memory\n" : "not ready: stopping\n");
        if (!has_failed)
            assert_true(i > 0);
    }
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_paths),         CASE(test_readiness),
        CASE(test_unknown_paths), CASE(test_refused_requests),
        CASE(test_no_memory),
    };

    return cmocka_run_group_tests_name("routes", tests, NULL, NULL);
}
