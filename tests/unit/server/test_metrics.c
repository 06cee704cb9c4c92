/* What Prometheus is told: the format, and each value from a view in which all of them differ. */
#include "alloc_fault.h"
#include "cmocka_all.h"
#include "exposition.h"
#include "lottery.pb-c.h"
#include "metrics.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORKERS 3
#define AGENCIES 4
#define FIRST_COUNT 1000 /* what the first enum scoreboard_count counts; each other one more */

struct fixture {
    struct server_settings settings;
    struct scoreboard *scoreboard;
    struct ledger_news news;
    struct observer_view view;
    char *text; /* owned; what metrics_write() wrote */
};

static void fill_scoreboard(struct scoreboard *scoreboard)
{
    for (int i = 0; i < SCOREBOARD_COUNTS; i++)
        scoreboard_count(&scoreboard->row[i % WORKERS], (enum scoreboard_count)i,
                         FIRST_COUNT + (uint64_t)i);
    atomic_store(&scoreboard->row[0].is_alive, 1);
    atomic_store(&scoreboard->row[2].is_alive, 1);
    for (uint64_t i = 0; i < 5; i++)
        scoreboard_add(scoreboard, 0, i);
    scoreboard_claim(&scoreboard->row[0], 1);
    scoreboard_claim(&scoreboard->row[1], 1);
    scoreboard_claim(&scoreboard->row[1], 4);
    scoreboard_recovered(scoreboard->ledger, 100);
    scoreboard_set_agency(scoreboard->ledger, 1, 150, true);
    scoreboard_set_agency(scoreboard->ledger, 4, 61, false);
    scoreboard_committed(scoreboard->ledger, STATUS_OK, 211);
    scoreboard_synced(scoreboard->ledger, 250000);    /* 0.25 ms, a bound */
    scoreboard_synced(scoreboard->ledger, 300000000); /* 0.3 s */
    scoreboard_synced(scoreboard->ledger, 9000000000);
}

static int begin(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    assert_int_equal(scoreboard_create(WORKERS, &f->scoreboard), STATUS_OK);
    fill_scoreboard(f->scoreboard);
    f->news = (struct ledger_news){.phase = DRAW_OPEN, .agencies = AGENCIES, .finished = 1};
    f->view = (struct observer_view){.settings = &f->settings,
                                     .scoreboard = f->scoreboard,
                                     .news = &f->news,
                                     .has_ledger = true,
                                     .started_s = 1790000000};
    *state = f;
    return 0;
}

static int end(void **state)
{
    struct fixture *f = *state;

    scoreboard_destroy(f->scoreboard);
    free(f->text);
    free(f);
    return 0;
}

/* Makes the text again. */
static void write_metrics(struct fixture *f)
{
    struct buffer out = {0};

    assert_int_equal(metrics_write(&f->view, &out), STATUS_OK);
    assert_int_equal(buffer_append(&out, "", 1), STATUS_OK);
    assert_int_equal(strlen(out.data) + 1, out.size);
    free(f->text);
    f->text = out.data;
}

/* The line is in the text, once. */
static void assert_line(const struct fixture *f, const char *line)
{
    char whole[300];

    (void)snprintf(whole, sizeof(whole), "\n%s\n", line);
    const char *found = strstr(f->text, whole);
    if (found == NULL)
        fail_msg("no line \"%s\" in:\n%s", line, f->text);
    else
        assert_null(strstr(found + 1, whole));
}

static void assert_sample(const struct fixture *f, const char *series, uint64_t value)
{
    char line[200];

    (void)snprintf(line, sizeof(line), "%s %" PRIu64, series, value);
    assert_line(f, line);
}

static void assert_count(const struct fixture *f, const char *series, int count)
{
    assert_sample(f, series, FIRST_COUNT + (uint64_t)count);
}

static void assert_absent(const struct fixture *f, const char *name)
{
    if (strstr(f->text, name) != NULL)
        fail_msg("%s is in:\n%s", name, f->text);
}

/* ------------------------------------------------------------------ the format */

static bool begins_with(const char *line, const char *what)
{
    return strncmp(line, what, strlen(what)) == 0;
}

/* A name as Prometheus wants it: of this server, lower case, and one of a counter ends in _total.
 */
static void assert_name(const char *name, const char *type)
{
    const char *total = strstr(name, "_total");

    assert_true(begins_with(name, "lottery_"));
    for (const char *c = name; *c != '\0'; c++)
        assert_true(islower((unsigned char)*c) || isdigit((unsigned char)*c) || *c == '_');
    assert_int_equal(strcmp(type, "counter") == 0, total != NULL);
    assert_true(total == NULL || total[strlen("_total")] == '\0');
}

/* Is it a sample of the family? Those of a histogram have names of their own. */
static void assert_is_sample(const char *line, const char *name, const char *type)
{
    static const char *const parts[] = {"_bucket{le=\"", "_sum ", "_count "};
    const char *rest = line + strlen(name);

    assert_true(begins_with(line, name));
    if (strcmp(type, "histogram") == 0)
        assert_true(begins_with(rest, parts[0]) || begins_with(rest, parts[1]) ||
                    begins_with(rest, parts[2]));
    else
        assert_true(*rest == ' ' || *rest == '{');
}

/* Each family is there once, with help and type before its samples, of which there is one at least;
 * returns how many there are. */
static unsigned assert_format(const struct fixture *f)
{
    char *copy = strdup(f->text);
    char name[100] = "";
    char type[20] = "";
    char help[110];
    unsigned families = 0;
    bool has_sample = true;

    assert_non_null(copy);
    assert_int_equal(copy[strlen(copy) - 1], '\n');
    for (char *line = strtok(copy, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        if (!begins_with(line, "#")) {
            assert_is_sample(line, name, type);
            has_sample = true;
            continue;
        }
        assert_true(has_sample);
        assert_int_equal(sscanf(line, "# HELP %99s", name), 1);
        assert_true(strlen(line) > strlen("# HELP  ") + strlen(name) + 10);
        assert_int_equal(line[strlen(line) - 1], '.');
        (void)snprintf(help, sizeof(help), "# HELP %s ", name);
        assert_null(strstr(strstr(f->text, help) + 1, help));
        line = strtok(NULL, "\n");
        assert_non_null(line);
        char typed[100];
        assert_int_equal(sscanf(line, "# TYPE %99s %19s", typed, type), 2);
        assert_string_equal(typed, name);
        assert_name(name, type);
        has_sample = false;
        families++;
    }
    assert_true(has_sample);
    free(copy);
    return families;
}

static void test_format(void **state)
{
    struct fixture *f = *state;

    write_metrics(f);
    assert_int_equal(assert_format(f), 26);
    f->settings.metrics = SERVER_METRICS_PER_AGENCY;
    write_metrics(f);
    assert_int_equal(assert_format(f), 29);
    f->view.news = NULL;
    write_metrics(f);
    assert_int_equal(assert_format(f), 11);
}

/* ------------------------------------------------------------------ the values */

static void test_server(void **state)
{
    struct fixture *f = *state;

    write_metrics(f);
    assert_line(f, "# TYPE lottery_build_info gauge");
    assert_line(f, "lottery_build_info{version=\"" LOTTERY_VERSION "\"} 1");
    assert_sample(f, "lottery_start_time_seconds", 1790000000);
    assert_sample(f, "lottery_ready", 0); /* one worker is missing */
    assert_sample(f, "lottery_workers", WORKERS);
    assert_sample(f, "lottery_workers_alive", 2);
    atomic_store(&f->scoreboard->row[1].is_alive, 1);
    write_metrics(f);
    assert_sample(f, "lottery_ready", 1);
    assert_sample(f, "lottery_workers_alive", 3);
}

static void test_connections(void **state)
{
    struct fixture *f = *state;

    write_metrics(f);
    assert_sample(f, "lottery_connections", 5);
    assert_count(f, "lottery_connections_accepted_total", SCOREBOARD_ACCEPTED);
    assert_count(f, "lottery_connections_refused_total{reason=\"server_limit\"}",
                 SCOREBOARD_REFUSED_SERVER);
    assert_count(f, "lottery_connections_refused_total{reason=\"address_limit\"}",
                 SCOREBOARD_REFUSED_ADDRESS);
    assert_count(f, "lottery_connections_refused_total{reason=\"resources\"}",
                 SCOREBOARD_REFUSED_RESOURCES);
    assert_count(f, "lottery_tls_handshakes_failed_total", SCOREBOARD_HANDSHAKES_FAILED);
    assert_count(f, "lottery_received_bytes_total", SCOREBOARD_RECEIVED_BYTES);
    assert_count(f, "lottery_sent_bytes_total", SCOREBOARD_SENT_BYTES);
}

static void test_messages(void **state)
{
    struct fixture *f = *state;

    write_metrics(f);
    assert_count(f, "lottery_messages_received_total{message=\"new_bets\"}", SCOREBOARD_NEW_BETS);
    assert_count(f, "lottery_messages_received_total{message=\"question\"}", SCOREBOARD_QUESTIONS);
    assert_count(f, "lottery_messages_received_total{message=\"finished\"}", SCOREBOARD_FINISHED);
    assert_count(f, "lottery_messages_received_total{message=\"malformed\"}", SCOREBOARD_MALFORMED);
    assert_count(f, "lottery_messages_sent_total{message=\"winners\"}", SCOREBOARD_WINNERS);
    assert_count(f, "lottery_messages_sent_total{message=\"seal\"}", SCOREBOARD_SEALS);
    assert_count(f, "lottery_bets_acknowledged_total", SCOREBOARD_BETS);
}

/* Every code of the protocol has its series, named as there. */
static void test_answers(void **state)
{
    static const char prefix[] = "ACK_CODE_";
    const ProtobufCEnumDescriptor *codes = &lottery__v1__ack_code__descriptor;
    struct fixture *f = *state;
    char series[100];
    uint64_t sum = 0;

    write_metrics(f);
    for (unsigned i = 0; i < codes->n_values; i++) {
        const ProtobufCEnumValue *code = &codes->values[i];
        int size = snprintf(series, sizeof(series), "lottery_answers_total{code=\"%s\"}",
                            code->name + strlen(prefix));
        assert_true(begins_with(code->name, prefix));
        for (int k = (int)strlen("lottery_answers_total{code="); k < size; k++)
            series[k] = (char)tolower((unsigned char)series[k]);
        if (code->value == LOTTERY__V1__ACK_CODE__ACK_CODE_UNSPECIFIED) {
            assert_absent(f, series);
            continue;
        }
        assert_count(f, series, SCOREBOARD_ANSWERS + code->value);
        sum += FIRST_COUNT + SCOREBOARD_ANSWERS + (uint64_t)code->value;
    }
    assert_sample(f, "lottery_messages_sent_total{message=\"ack\"}", sum);
}

static void test_store(void **state)
{
    struct fixture *f = *state;

    write_metrics(f);
    assert_sample(f, "lottery_bets_stored_total", 111);
    assert_sample(f, "lottery_store_commit_groups_total", 1);
    assert_sample(f, "lottery_store_writable", 1);
    assert_sample(f, "lottery_ledger_connected", 1);
    scoreboard_committed(f->scoreboard->ledger, STATUS_NOSPACE, 300);
    f->view.has_ledger = false;
    write_metrics(f);
    assert_sample(f, "lottery_bets_stored_total", 111);
    assert_sample(f, "lottery_store_commit_groups_total", 2);
    assert_sample(f, "lottery_store_writable", 0);
    assert_sample(f, "lottery_ledger_connected", 0);
}

/* Each bucket has all that took no longer than its bound, the last one all of them. */
static void test_syncs(void **state)
{
    struct fixture *f = *state;

    write_metrics(f);
    assert_sample(f, "lottery_store_sync_seconds_bucket{le=\"0.0001\"}", 0);
    assert_sample(f, "lottery_store_sync_seconds_bucket{le=\"0.00025\"}", 1);
    assert_sample(f, "lottery_store_sync_seconds_bucket{le=\"0.25\"}", 1);
    assert_sample(f, "lottery_store_sync_seconds_bucket{le=\"0.5\"}", 2);
    assert_sample(f, "lottery_store_sync_seconds_bucket{le=\"1\"}", 2);
    assert_sample(f, "lottery_store_sync_seconds_bucket{le=\"2.5\"}", 2);
    assert_sample(f, "lottery_store_sync_seconds_bucket{le=\"+Inf\"}", 3);
    assert_line(f, "lottery_store_sync_seconds_sum 9.30025");
    assert_sample(f, "lottery_store_sync_seconds_count", 3);
}

static void assert_phase(struct fixture *f, const char *expected)
{
    static const char *const phases[] = {"open", "closed", "sealed", "drawn"};
    char series[100];

    write_metrics(f);
    for (size_t i = 0; i < 4; i++) {
        (void)snprintf(series, sizeof(series), "lottery_draw_phase{phase=\"%s\"}", phases[i]);
        assert_sample(f, series, strcmp(phases[i], expected) == 0);
    }
}

static void test_draw(void **state)
{
    struct fixture *f = *state;

    assert_phase(f, "open");
    assert_sample(f, "lottery_draw_bets", 211);
    assert_sample(f, "lottery_agencies", AGENCIES);
    assert_sample(f, "lottery_agencies_finished", 1);
    assert_sample(f, "lottery_agencies_connected", 2);
    f->news.phase = DRAW_CLOSED;
    assert_phase(f, "closed");
    f->news.is_sealed = true;
    f->news.drawn.winners = 7; /* not yet */
    assert_phase(f, "sealed");
    assert_sample(f, "lottery_winners", 0);
    f->news.phase = DRAW_DRAWN;
    assert_phase(f, "drawn");
    assert_sample(f, "lottery_winners", 7);
}

/* Series of single agencies are there only if the settings ask for them. */
static void test_agencies(void **state)
{
    struct fixture *f = *state;

    write_metrics(f);
    assert_absent(f, "lottery_agency_");
    assert_absent(f, "agency=");
    f->settings.metrics = SERVER_METRICS_PER_AGENCY;
    write_metrics(f);
    assert_sample(f, "lottery_agency_bets{agency=\"1\"}", 150);
    assert_sample(f, "lottery_agency_bets{agency=\"2\"}", 0);
    assert_sample(f, "lottery_agency_bets{agency=\"4\"}", 61);
    assert_sample(f, "lottery_agency_finished{agency=\"1\"}", 1);
    assert_sample(f, "lottery_agency_finished{agency=\"4\"}", 0);
    assert_sample(f, "lottery_agency_connections{agency=\"1\"}", 2);
    assert_sample(f, "lottery_agency_connections{agency=\"3\"}", 0);
    assert_absent(f, "agency=\"0\"");
    assert_absent(f, "agency=\"5\"");
}

/* What is not known is not said. */
static void test_unknown(void **state)
{
    struct fixture *f = *state;

    f->settings.metrics = SERVER_METRICS_PER_AGENCY;
    f->news = (struct ledger_news){.phase = DRAW_NEW}; /* the ledger has told nothing */
    write_metrics(f);
    assert_absent(f, "lottery_draw_");
    assert_absent(f, "lottery_agenc");
    assert_absent(f, "lottery_winners");
    assert_sample(f, "lottery_bets_stored_total", 111);
    f->view.news = NULL; /* mode echo */
    write_metrics(f);
    assert_absent(f, "lottery_bets");
    assert_absent(f, "lottery_store");
    assert_absent(f, "lottery_answers");
    assert_count(f, "lottery_connections_accepted_total", SCOREBOARD_ACCEPTED);
}

/* Wherever there is no memory, that is the status, also if there is some again afterwards. */
static void test_no_memory(void **state)
{
    struct fixture *f = *state;
    bool has_failed = true;

    for (unsigned i = 0; has_failed; i++) {
        struct buffer out = {0};
        alloc_fault_after(i);
        enum status status = metrics_write(&f->view, &out);
        has_failed = alloc_fault_end();
        assert_int_equal(status, has_failed ? STATUS_NOMEM : STATUS_OK);
        buffer_fini(&out);
    }
}

/* ------------------------------------------------------------------ the writer */

static void assert_written(struct buffer *out, const char *expected)
{
    assert_int_equal(out->size, strlen(expected));
    assert_memory_equal(out->data, expected, out->size);
    buffer_fini(out);
}

static void test_label_values(void **state)
{
    struct buffer out = {0};
    struct exposition exposition = {.out = &out};
    char value[1000];

    (void)state;
    exposition_family(&exposition, EXPOSITION_GAUGE, "a", "Help.");
    exposition_add_for(&exposition, "b", "", 1);
    exposition_add_for(&exposition, "b", "\\", 2);
    exposition_add_for(&exposition, "b", "\"x\"\n\\n", 3);
    exposition_add_for(&exposition, "b", "ñ %s", UINT64_MAX);
    assert_written(&out, "# HELP a Help.\n# TYPE a gauge\na{b=\"\"} 1\na{b=\"\\\\\"} 2\n"
                         "a{b=\"\\\"x\\\"\\n\\\\n\"} 3\na{b=\"ñ %s\"} 18446744073709551615\n");
    memset(value, 'x', sizeof(value) - 1);
    value[sizeof(value) - 1] = '\0';
    exposition_add_for(&exposition, "b", value, 4);
    assert_int_equal(out.size, strlen("a{b=\"\"} 4\n") + sizeof(value) - 1);
    assert_int_equal(exposition.status, STATUS_OK);
    buffer_fini(&out);
}

static void test_times(void **state)
{
    const uint64_t bounds[] = {1, 1000000000, 12345678900};
    const uint64_t up_to[] = {0, 1, 2};
    struct buffer out = {0};
    struct exposition exposition = {.out = &out};

    (void)state;
    exposition_family(&exposition, EXPOSITION_HISTOGRAM, "a", "Help.");
    exposition_add_times(&exposition, bounds, up_to, 3, 9, 0);
    assert_written(&out, "# HELP a Help.\n# TYPE a histogram\na_bucket{le=\"0.000000001\"} 0\n"
                         "a_bucket{le=\"1\"} 1\na_bucket{le=\"12.3456789\"} 2\n"
                         "a_bucket{le=\"+Inf\"} 9\na_sum 0\na_count 9\n");
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_format),
        CASE(test_server),
        CASE(test_connections),
        CASE(test_messages),
        CASE(test_answers),
        CASE(test_store),
        CASE(test_syncs),
        CASE(test_draw),
        CASE(test_agencies),
        CASE(test_unknown),
        CASE(test_no_memory),
        cmocka_unit_test(test_label_values),
        cmocka_unit_test(test_times),
    };

    return cmocka_run_group_tests_name("metrics", tests, NULL, NULL);
}
