/* What programs are told over HTTP, in every state of a server. */
#include "api.h"

#include "alloc_fault.h"
#include "clock.h"
#include "cmocka_all.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define WORKERS 2
#define SERVER                                                                                     \
    "\"server\":{\"version\":\"" VERSION                                                           \
    "\",\"mode\":\"%s\",\"started\":\"2026-11-26T10:00:00Z\","                                     \
    "\"ready\":true,\"reasons\":[],\"connections\":3,\"bets_stored\":700,\"workers\":["            \
    "{\"worker\":0,\"alive\":true,\"connections\":1},"                                             \
    "{\"worker\":1,\"alive\":true,\"connections\":2}],\"sync\":%s}}\n"
#define DRAW_BEGIN                                                                                 \
    "\"draw\":\"2026-11-26-matutina\",\"mode\":\"manual\",\"seal\":true,\"agencies\":3,"
#define CLOSED "\"closed\":{\"time\":\"2026-11-26T11:00:00Z\",\"by\":\"operator\",\"uid\":1000},"

struct fixture {
    struct server_settings settings;
    struct scoreboard *scoreboard;
    struct ledger_news news;
    struct observer_view view;
    struct buffer out;
};

/* An open draw of three agencies, of which one has finished and two are connected. */
static int begin(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    assert_int_equal(scoreboard_create(WORKERS, &f->scoreboard), STATUS_OK);
    for (uint32_t i = 0; i < WORKERS; i++)
        atomic_store(&f->scoreboard->row[i].is_alive, 1);
    scoreboard_add(f->scoreboard, 0, 1);
    scoreboard_add(f->scoreboard, 1, 2);
    scoreboard_add(f->scoreboard, 1, 3);
    scoreboard_claim(&f->scoreboard->row[0], 1);
    scoreboard_claim(&f->scoreboard->row[1], 3);
    scoreboard_recovered(f->scoreboard->ledger, 100);
    scoreboard_set_agency(f->scoreboard->ledger, 1, 500, true);
    scoreboard_set_agency(f->scoreboard->ledger, 2, 300, false);
    scoreboard_committed(f->scoreboard->ledger, STATUS_OK, 800);
    scoreboard_synced(f->scoreboard->ledger, 30000000);
    scoreboard_synced(f->scoreboard->ledger, 1000123);
    f->news = (struct ledger_news){
        .phase = DRAW_OPEN,
        .agencies = 3,
        .finished = 1,
        .terms = {.mode = DRAW_MANUAL, .has_seal = true, .id = "2026-11-26-matutina"},
    };
    f->view = (struct observer_view){.settings = &f->settings,
                                     .scoreboard = f->scoreboard,
                                     .news = &f->news,
                                     .has_ledger = true,
                                     .started_s = 1795687200};
    *state = f;
    return 0;
}

static int end(void **state)
{
    struct fixture *f = *state;

    buffer_fini(&f->out);
    scoreboard_destroy(f->scoreboard);
    free(f);
    return 0;
}

static const char *status_of(struct fixture *f)
{
    f->out.size = 0;
    assert_int_equal(api_write_status(&f->view, &f->out), STATUS_OK);
    assert_int_equal(buffer_append(&f->out, "", 1), STATUS_OK);
    return f->out.data;
}

static const char *agencies_of(struct fixture *f)
{
    f->out.size = 0;
    assert_int_equal(api_write_agencies(&f->view, &f->out), STATUS_OK);
    assert_int_equal(buffer_append(&f->out, "", 1), STATUS_OK);
    return f->out.data;
}

/* The status is `draw`, and the server as in begin(). */
static void assert_draw(struct fixture *f, const char *draw)
{
    char expected[4096];

    (void)snprintf(expected, sizeof(expected), "%s," SERVER, draw, "lottery",
                   "{\"count\":2,\"seconds\":0.031000123}");
    assert_string_equal(status_of(f), expected);
}

static void close_draw(struct fixture *f)
{
    f->news.phase = DRAW_CLOSED;
    f->news.bets = 790;
    f->news.closed =
        (struct draw_closed){.time_s = 1795690800, .by = DRAW_BY_OPERATOR, .uid = 1000};
}

static void seal_draw(struct fixture *f)
{
    f->news.is_sealed = true;
    f->news.sealed = (struct draw_sealed){.time_s = 1795690801};
    memset(f->news.sealed.root, 0xff, sizeof(f->news.sealed.root));
}

static void hold_draw(struct fixture *f, const char *source)
{
    f->news.phase = DRAW_DRAWN;
    memcpy(f->news.source, source, strlen(source));
    f->news.drawn = (struct draw_drawn){
        .time_s = 1795690802,
        .winner_number = 7574,
        .winners = 2,
        .uid = 1000,
        .source = {f->news.source, strlen(source)},
    };
}

/* From one phase to the next. Bets are those that are stored, until the closing fixes them. */
static void test_phases(void **state)
{
    struct fixture *f = *state;

    assert_draw(f, "{\"phase\":\"open\"," DRAW_BEGIN
                   "\"finished\":1,\"bets\":800,\"close_at\":null,\"closed\":null,\"sealed\":null,"
                   "\"drawn\":null");
    f->news.terms.close_at_s = 1795690800;
    close_draw(f);
    assert_draw(f, "{\"phase\":\"closed\"," DRAW_BEGIN
                   "\"finished\":1,\"bets\":790,\"close_at\":\"2026-11-26T11:00:00Z\"," CLOSED
                   "\"sealed\":null,\"drawn\":null");
    seal_draw(f);
#define SEALED                                                                                     \
    "\"sealed\":{\"time\":\"2026-11-26T11:00:01Z\","                                               \
    "\"root\":\"//////////////////////////////////////////8=\",\"key\":null},"
    assert_draw(f,
                "{\"phase\":\"sealed\"," DRAW_BEGIN
                "\"finished\":1,\"bets\":790,\"close_at\":\"2026-11-26T11:00:00Z\"," CLOSED SEALED
                "\"drawn\":null");
    hold_draw(f, "bolillero 3, escribana G\u00f3mez");
    f->news.has_winners = true;
    assert_draw(f,
                "{\"phase\":\"drawn\"," DRAW_BEGIN
                "\"finished\":1,\"bets\":790,\"close_at\":\"2026-11-26T11:00:00Z\"," CLOSED SEALED
                "\"drawn\":{\"time\":\"2026-11-26T11:00:02Z\",\"number\":7574,"
                "\"source\":\"bolillero 3, escribana G\\u00f3mez\",\"uid\":1000,\"winners\":2,"
                "\"winners_readable\":true}");
}

/* Nothing was told yet: that is no draw without bets. */
static void test_unknown(void **state)
{
    struct fixture *f = *state;

    f->news = (struct ledger_news){0};
    assert_draw(f, "{\"phase\":\"unknown\"");
    assert_string_equal(agencies_of(f), "[]\n");
}

/* There is no ledger, so there are no syncs. */
static void test_echo(void **state)
{
    struct fixture *f = *state;
    char expected[1024];

    f->view.news = NULL;
    f->view.has_ledger = false;
    f->settings.mode = SERVER_MODE_ECHO;
    (void)snprintf(expected, sizeof(expected), "{\"phase\":\"unknown\"," SERVER, "echo", "null");
    assert_string_equal(status_of(f), expected);
    assert_string_equal(agencies_of(f), "[]\n");
}

/* The reasons are those of readiness(), one by one. */
static void test_not_ready(void **state)
{
    struct fixture *f = *state;

    f->view.is_stopping = true;
    atomic_store(&f->scoreboard->row[1].is_alive, 0);
    const char *text = status_of(f);
    assert_non_null(strstr(text, "\"ready\":false,\"reasons\":[\"stopping\",\"1 of 2 workers"));
    assert_non_null(strstr(text, "{\"worker\":1,\"alive\":false,\"connections\":2}"));
}

static void test_agencies(void **state)
{
    struct fixture *f = *state;

    assert_string_equal(agencies_of(f),
                        "[{\"agency\":1,\"bets\":500,\"finished\":true,\"connected\":true},"
                        "{\"agency\":2,\"bets\":300,\"finished\":false,\"connected\":false},"
                        "{\"agency\":3,\"bets\":0,\"finished\":false,\"connected\":true}]\n");
    scoreboard_unclaim(&f->scoreboard->row[0], 1);
    f->news.agencies = 1;
    assert_string_equal(agencies_of(f),
                        "[{\"agency\":1,\"bets\":500,\"finished\":true,\"connected\":false}]\n");
}

/* What an operator has said, with signs that mean something to JSON, HTML or a terminal. */
static void test_hostile_source(void **state)
{
    static const char *const sources[] = {
        "</script><script>alert(1)</script>",
        "\", \"number\": 1, \"x\": \"",
        "\\u0022\\",
        "\u2028\u202e\U0001f3b2",
    };
    struct fixture *f = *state;

    close_draw(f);
    for (size_t i = 0; i < sizeof(sources) / sizeof(sources[0]); i++) {
        hold_draw(f, sources[i]);
        const char *text = status_of(f);
        for (const char *p = text; p[1] != '\0'; p++)
            assert_in_range(*p, 0x20, 0x7e);
        json_t *read = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
        assert_non_null(read);
        const json_t *drawn = json_object_get(read, "drawn");
        assert_string_equal(json_string_value(json_object_get(drawn, "source")), sources[i]);
        assert_int_equal(json_integer_value(json_object_get(drawn, "number")), 7574);
        json_decref(read);
    }
    /* Bytes that no server of ours would have recorded are left out. */
    hold_draw(f, "\xff\x1b[2J");
    assert_non_null(strstr(status_of(f), "\"source\":\"\","));
}

/* The news may be a copy: its text is its own. */
static void test_copied_news(void **state)
{
    struct fixture *f = *state;

    close_draw(f);
    hold_draw(f, "bolillero");
    struct ledger_news *copy = malloc(sizeof(*copy));
    assert_non_null(copy);
    *copy = f->news;
    memset(f->news.source, 'x', sizeof(f->news.source));
    f->view.news = copy;
    assert_non_null(strstr(status_of(f), "\"source\":\"bolillero\","));
    free(copy);
}

static double seconds(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / (double)NS_PER_S;
}

/* As many agencies as there can be: all are there, in their order, and it takes no long time. */
static void test_ten_thousand_agencies(void **state)
{
    struct fixture *f = *state;

    f->news.agencies = SCOREBOARD_AGENCIES_MAX;
    for (uint32_t id = 1; id <= SCOREBOARD_AGENCIES_MAX; id++)
        scoreboard_set_agency(f->scoreboard->ledger, id, id * UINT64_C(1000000), id % 2 == 0);
    const double begin_s = seconds();
    const char *text = agencies_of(f);
    const double taken_s = seconds() - begin_s;
    print_message("%zu bytes in %.3f s\n", f->out.size, taken_s);
    json_t *read = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    assert_int_equal(json_array_size(read), SCOREBOARD_AGENCIES_MAX);
    for (size_t i = 0; i < SCOREBOARD_AGENCIES_MAX; i++) {
        const json_t *row = json_array_get(read, i);
        assert_int_equal(json_integer_value(json_object_get(row, "agency")), i + 1);
        assert_int_equal(json_integer_value(json_object_get(row, "bets")), (i + 1) * 1000000);
        assert_int_equal(json_is_true(json_object_get(row, "finished")), i % 2);
    }
    json_decref(read);
    assert_true(taken_s < 1); /* with sanitizers, on a busy machine */
}

/* Every allocation fails once: no half of an answer is taken for a whole one. */
static void test_no_memory(void **state)
{
    struct fixture *f = *state;
    enum status (*const writes[])(const struct observer_view *,
                                  struct buffer *) = {api_write_status, api_write_agencies};

    for (size_t i = 0; i < sizeof(writes) / sizeof(writes[0]); i++) {
        for (unsigned after = 0;; after++) {
            struct buffer out = {0};
            alloc_fault_after(after);
            enum status status = writes[i](&f->view, &out);
            const bool has_failed = alloc_fault_end();
            buffer_fini(&out);
            assert_int_equal(status, has_failed ? STATUS_NOMEM : STATUS_OK);
            if (!has_failed)
                break;
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_phases, begin, end),
        cmocka_unit_test_setup_teardown(test_unknown, begin, end),
        cmocka_unit_test_setup_teardown(test_echo, begin, end),
        cmocka_unit_test_setup_teardown(test_not_ready, begin, end),
        cmocka_unit_test_setup_teardown(test_agencies, begin, end),
        cmocka_unit_test_setup_teardown(test_hostile_source, begin, end),
        cmocka_unit_test_setup_teardown(test_copied_news, begin, end),
        cmocka_unit_test_setup_teardown(test_ten_thousand_agencies, begin, end),
        cmocka_unit_test_setup_teardown(test_no_memory, begin, end),
    };

    json_set_alloc_funcs(malloc, free);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
