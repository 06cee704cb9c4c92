/* The health check of a running server.
 *
 * Happy path: connect, ask, receive the answer, close the connection; the loop runs out. With TLS
 * it shows the server's own certificate, which may ask. That of the server that answers only has to
 * come from the authority: it need not be for the address that we connect to.
 *
 * Failure modes: the files of TLS cannot be read, nobody listens, the answer is a wrong one, the
 * connection ends without one, or TIMEOUT_MS have passed, for example because the ledger is away:
 * everything is closed, and the server is not healthy, for a reason that is printed.
 */
#include "health.h"

#include "dialer.h"
#include "errbuf.h"
#include "tls_context.h"
#include "wire.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define TIMEOUT_S 2
#define HEALTH_ADDRESS_SIZE 544
#define CLOSING_TURNS 10 /* of the loop, more than closing everything needs */
#define TIMEOUT_MS (UINT64_C(1000) * TIMEOUT_S)
#define RECORD_ALERT 0x15 /* the first bytes of a TLS alert */
#define RECORD_MAJOR 0x03

struct health {
    enum server_mode mode;
    uv_loop_t loop;
    struct stream_hub *hub;
    struct dialer dialer;
    struct tls_context *tls; /* owned; NULL: the server is asked without TLS */
    uv_timer_t timeout;      /* for the whole check */
    bool is_open;            /* there is a connection */
    bool is_healthy;         /* the expected answer has arrived */
    bool is_stuck;           /* a lookup of the name goes on, in a thread that cannot be ended */
    struct errbuf err;       /* why it is not healthy */
};

static void health_end(struct health *health)
{
    dialer_close(&health->dialer);
    stream_hub_close(health->hub);
    uv_close((uv_handle_t *)&health->timeout, NULL);
    uv_stop(&health->loop); /* it would wait for a lookup */
}

/* To ask how many bets an agency has goes the same way as to store some. */
static void health_on_timeout(uv_timer_t *timer)
{
    struct health *health = timer->data;

    if (!health->is_open)
        errbuf_set(&health->err, "no connection within %d s", TIMEOUT_S);
    else if (health->mode == SERVER_MODE_ECHO)
        errbuf_set(&health->err, "no answer within %d s", TIMEOUT_S);
    else
        errbuf_set(&health->err,
                   "no answer within %d s: the central cannot store bets at the moment", TIMEOUT_S);
    health_end(health);
}

/* The check makes only one attempt. */
static void health_on_retry(void *owner, const char *reason)
{
    struct health *health = owner;

    errbuf_set(&health->err, "cannot connect: %s", reason);
    health_end(health);
}

/* Never called: the check has a limit of its own. */
static void health_on_give_up(void *owner, bool is_connected, const char *reason)
{
    struct health *health = owner;

    (void)is_connected;
    errbuf_set(&health->err, "%s", reason);
    health_end(health);
}

/* In mode lottery, sends NewBets without bets: any Ack will do, whatever its code. In mode echo,
 * ends our side without a line: the server then has to end its own. */
static void health_on_open(void *owner)
{
    struct health *health = owner;
    Lottery__V1__NewBets question;
    uint8_t frame[FRAME_MAX_SIZE];

    health->is_open = true;
    if (health->mode == SERVER_MODE_ECHO) {
        dialer_shutdown(&health->dialer);
        return;
    }
    lottery__v1__new_bets__init(&question);
    question.agency_id = 1;
    size_t size = wire_pack(LOTTERY__V1__OPCODE__OPCODE_NEW_BETS, &question.base, frame);
    dialer_send(&health->dialer, frame, size);
}

/* A server with TLS answers our question with an alert (RFC 8446, 5.1). */
static const char *health_wrong_answer(const struct health *health, const uint8_t *data,
                                       size_t size)
{
    if (health->tls != NULL || size < 2 || data[0] != RECORD_ALERT || data[1] != RECORD_MAJOR)
        return "wrong answer";
    return "the server wants TLS: set TLS_CERT, TLS_KEY and TLS_CA";
}

static void health_on_data(void *owner, const uint8_t *data, size_t size)
{
    struct health *health = owner;

    if (health->mode == SERVER_MODE_ECHO || data[0] != LOTTERY__V1__OPCODE__OPCODE_ACK) {
        dialer_drop(&health->dialer, STATUS_MALFORMED, health_wrong_answer(health, data, size));
        return;
    }
    health->is_healthy = true;
    dialer_finish(&health->dialer);
}

static void health_on_closed(void *owner, enum status status, const char *detail)
{
    struct health *health = owner;

    if (health->mode == SERVER_MODE_ECHO && status == STATUS_OK)
        health->is_healthy = true;
    else if (status == STATUS_MALFORMED)
        errbuf_set(&health->err, "%s", detail);
    else
        errbuf_set(&health->err, "the connection ended without an answer: %s", detail);
    health_end(health);
}

static const struct dialer_events health_events = {
    .on_retry = health_on_retry,
    .on_open = health_on_open,
    .on_data = health_on_data,
    .on_closed = health_on_closed,
    .on_give_up = health_on_give_up,
};

/* Where the server listens. If that is everywhere, this is loopback. */
static void health_address(const struct server_settings *settings, char *out, size_t size)
{
    const char *ip = strcmp(settings->ip, SERVER_IP_ALL) == 0 ? "127.0.0.1" : settings->ip;

    (void)snprintf(out, size, strchr(ip, ':') != NULL ? "[%s]:%u" : "%s:%u", ip, settings->port);
}

static void health_run(struct health *health, const char *address)
{
    if (uv_loop_init(&health->loop) < 0) {
        errbuf_set(&health->err, "cannot create the event loop");
        return;
    }
    enum status status = stream_hub_create(&health->loop, &health->hub);
    if (status != STATUS_OK) {
        errbuf_set(&health->err, "%s", status_text(status));
        (void)uv_loop_close(&health->loop);
        return;
    }
    dialer_init(&health->dialer, &(struct dialer_config){.hub = health->hub,
                                                         .addresses = address,
                                                         .events = &health_events,
                                                         .owner = health,
                                                         .tls = health->tls,
                                                         .tls_any_name = true});
    (void)uv_timer_init(&health->loop, &health->timeout);
    health->timeout.data = health;
    (void)uv_timer_start(&health->timeout, health_on_timeout, TIMEOUT_MS, 0);
    dialer_connect(&health->dialer);
    (void)uv_run(&health->loop, UV_RUN_DEFAULT);
    for (int i = 0; i < CLOSING_TURNS; i++)
        (void)uv_run(&health->loop, UV_RUN_NOWAIT);
    health->is_stuck = uv_loop_close(&health->loop) != 0;
}

/* No list: the check trusts the server that it is part of. */
static enum status health_load_tls(struct health *health, const struct server_settings *settings)
{
    const struct tls_files files = {
        .cert = settings->tls_cert, .key = settings->tls_key, .ca = settings->tls_ca};

    health->tls = NULL;
    if (!server_settings_has_tls(settings))
        return STATUS_OK;
    return tls_context_create(TLS_CLIENT, &files, &health->tls, &health->err);
}

int health_ask(const struct server_settings *settings)
{
    static struct health health; /* big, and asked once in a process */
    char address[HEALTH_ADDRESS_SIZE];

    health.mode = settings->mode;
    health.is_open = false;
    health.is_healthy = false;
    health.is_stuck = false;
    health.err.text[0] = '\0';
    /* When the server is gone, write returns an error; the signal would end the process. */
    (void)signal(SIGPIPE, SIG_IGN);
    health_address(settings, address, sizeof(address));
    if (settings->port == 0)
        errbuf_set(&health.err, "SERVER_PORT is 0, so the port is not known");
    else if (health_load_tls(&health, settings) == STATUS_OK)
        health_run(&health, address);
    if (!health.is_stuck)
        tls_context_destroy(health.tls);
    health.tls = NULL;
    if (health.is_healthy)
        return 0;
    (void)fprintf(stderr, "lottery-server: %s: %s\n", address, health.err.text);
    if (health.is_stuck)
        _exit(1); /* exit() would wait for libuv's lookup thread */
    return 1;
}
