/* Which settings may change while the server runs. */
#include "cmocka_all.h"
#include "settings_change.h"

#include <stdlib.h>
#include <string.h>

struct fixture {
    struct server_settings from;
    struct server_settings to;
    struct settings_change change;
    struct errbuf err;
};

static int begin(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    f->from = (struct server_settings){.port = 12345,
                                       .ip = "server",
                                       .listen_backlog = 5,
                                       .workers = 2,
                                       .agencies = 5,
                                       .winner_number = 7574,
                                       .data_dir = "data",
                                       .seal = SERVER_SEAL_UNSET};
    f->to = f->from;
    f->change =
        (struct settings_change){.from = &f->from, .to = &f->to, .id = "a1", .phase = DRAW_OPEN};
    *state = f;
    return 0;
}

static int end(void **state)
{
    free(*state);
    return 0;
}

static void assert_allowed(struct fixture *f)
{
    if (settings_change_check(&f->change, &f->err) != STATUS_OK)
        fail_msg("%s", f->err.text);
    f->to = f->from;
}

static void assert_refused(struct fixture *f, const char *reason)
{
    assert_int_equal(settings_change_check(&f->change, &f->err), STATUS_INVALID);
    if (strstr(f->err.text, reason) != f->err.text)
        fail_msg("\"%s\" does not begin \"%s\"", reason, f->err.text);
    f->to = f->from;
}

/* What belongs to the listening socket, the mode and the data directory never changes, whatever it
 * is for. */
static void test_fixed(void **state)
{
    struct fixture *f = *state;

    for (unsigned i = 0; i < 2; i++) {
        f->change.is_next = i == 1;
        f->change.phase = i == 1 ? DRAW_DRAWN : DRAW_OPEN;
        f->to.port = 0;
        assert_refused(f, "SERVER_PORT cannot change while the server runs: set it back, or "
                          "restart the server");
        strcpy(f->to.ip, "::1");
        assert_refused(f, "SERVER_IP cannot change while the server runs");
        f->to.listen_backlog = 6;
        assert_refused(f, "SERVER_LISTEN_BACKLOG cannot change while the server runs");
        f->to.mode = SERVER_MODE_ECHO;
        assert_refused(f, "SERVER_MODE cannot change while the server runs");
        strcpy(f->to.data_dir, "other");
        assert_refused(f, "LOTTERY_DATA_DIR cannot change while the server runs");
        strcpy(f->to.http_address, "9090");
        assert_refused(f, "SERVER_HTTP_ADDRESS cannot change while the server runs");
    }
}

/* Nothing, and what the children alone go by. */
static void test_others(void **state)
{
    struct fixture *f = *state;

    assert_allowed(f);
    f->to.workers = 3;
    f->to.log_level = LOG_DEBUG;
    f->to.metrics = SERVER_METRICS_PER_AGENCY;
    f->to.log_format = LOG_FORMAT_JSON;
    f->to.max_connections = f->to.max_connections_per_ip = f->to.max_buffered = 7;
    f->to.handshake_timeout = f->to.frame_timeout = f->to.idle_timeout = 8;
    strcpy(f->to.tls_cert, "server.crt");
    strcpy(f->to.tls_key, "server.key");
    strcpy(f->to.tls_ca, "ca.crt");
    strcpy(f->to.tls_crl, "ca.crl");
    strcpy(f->to.tls_place, "config.ini:9: TLS_CRL");
    strcpy(f->to.ip_place, "config.ini:7");
    strcpy(f->to.close_at_place, "config.ini:8");
    assert_allowed(f);
}

/* There may be more agencies as long as the draw is open, and never fewer. */
static void test_agencies(void **state)
{
    struct fixture *f = *state;

    for (f->change.phase = DRAW_OPEN; f->change.phase <= DRAW_DRAWN; f->change.phase++) {
        f->to.agencies = 4;
        assert_refused(f, "LOTTERY_AGENCIES is 4: this draw has 5, and takes only more: set it "
                          "back");
        f->to.agencies = 6;
        if (f->change.phase == DRAW_OPEN)
            assert_allowed(f);
        else
            assert_refused(f, "LOTTERY_AGENCIES is 6: this draw has 5, and takes no more since it "
                              "was closed");
    }
}

/* The number is the draw's until it is drawn; an operator's draw has none before. */
static void test_number(void **state)
{
    struct fixture *f = *state;

    for (f->change.phase = DRAW_OPEN; f->change.phase < DRAW_DRAWN; f->change.phase++) {
        f->to.winner_number = 1;
        assert_refused(f, "LOTTERY_WINNER_NUMBER cannot change in a draw that has begun: set it "
                          "back, or wait for the next draw");
    }
    f->to.winner_number = 1;
    assert_allowed(f);
    f->change.phase = DRAW_OPEN;
    f->from.draw = f->to.draw = SERVER_DRAW_MANUAL;
    f->to.winner_number = 1;
    assert_allowed(f);
}

/* How a draw is run it is run to its end. */
static void test_terms(void **state)
{
    struct fixture *f = *state;

    for (f->change.phase = DRAW_OPEN; f->change.phase <= DRAW_DRAWN; f->change.phase++) {
        f->to.draw = SERVER_DRAW_MANUAL;
        assert_refused(f, "LOTTERY_DRAW cannot change in a draw that has begun");
        f->to.seal = SERVER_SEAL_YES;
        assert_refused(f, "LOTTERY_SEAL cannot change in a draw that has begun");
        f->to.seal = SERVER_SEAL_NO; /* what it was by default */
        assert_allowed(f);
    }
}

/* The closing time is for the first draw, which keeps it; others have their own. */
static void test_closing_time(void **state)
{
    struct fixture *f = *state;

    f->from.draw = f->to.draw = SERVER_DRAW_MANUAL;
    f->to.close_at_s = 9;
    assert_refused(f, "LOTTERY_CLOSE_AT cannot change in a draw that has begun");
    f->from.close_at_s = f->change.close_at_s = 8;
    assert_refused(f, "LOTTERY_CLOSE_AT cannot change in a draw that has begun");
    f->to.close_at_s = 0;
    f->change.close_at_s = 7;
    assert_allowed(f);
    f->change.close_at_s = 8;
    f->change.phase = DRAW_DRAWN;
    f->to.close_at_s = 0;
    assert_allowed(f);
}

/* The id of the settings is for the first draw: it matters where there is no other. */
static void test_id(void **state)
{
    struct fixture *f = *state;

    strcpy(f->to.draw_id, "b2");
    assert_allowed(f);
    f->change.id = "";
    strcpy(f->to.draw_id, "b2");
    assert_refused(f, "LOTTERY_DRAW_ID cannot change in a draw that has begun");
}

/* The key that has sealed a draw signs its result, too. */
static void test_key(void **state)
{
    struct fixture *f = *state;

    for (f->change.phase = DRAW_OPEN; f->change.phase <= DRAW_DRAWN; f->change.phase++) {
        strcpy(f->to.seal_key, "key.pem");
        assert_allowed(f);
    }
    f->from.seal = f->to.seal = SERVER_SEAL_YES;
    for (f->change.phase = DRAW_OPEN; f->change.phase <= DRAW_DRAWN; f->change.phase++) {
        strcpy(f->to.seal_key, "key.pem");
        if (f->change.phase == DRAW_OPEN)
            assert_allowed(f);
        else
            assert_refused(f, "LOTTERY_SEAL_KEY cannot change in a draw that has begun");
    }
}

/* For the next draw all of it may be different. */
static void test_next(void **state)
{
    struct fixture *f = *state;

    f->change.is_next = true;
    f->change.phase = DRAW_DRAWN;
    f->change.id = "";
    f->to.agencies = 1;
    f->to.winner_number = 2;
    f->to.draw = SERVER_DRAW_MANUAL;
    f->to.seal = SERVER_SEAL_YES;
    f->to.close_at_s = 3;
    strcpy(f->to.draw_id, "b2");
    strcpy(f->to.seal_key, "key.pem");
    assert_allowed(f);
}

/* In mode echo there is no draw to which they could belong. */
static void test_echo(void **state)
{
    struct fixture *f = *state;

    f->from.mode = f->to.mode = SERVER_MODE_ECHO;
    f->to.agencies = 1;
    f->to.winner_number = 2;
    assert_allowed(f);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_fixed), CASE(test_others),       CASE(test_agencies), CASE(test_number),
        CASE(test_terms), CASE(test_closing_time), CASE(test_id),       CASE(test_key),
        CASE(test_next),  CASE(test_echo),
    };

    return cmocka_run_group_tests_name("settings_change", tests, NULL, NULL);
}
