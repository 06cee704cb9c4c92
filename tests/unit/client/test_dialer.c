/* The dialer, over real sockets that the test accepts by hand.
 *
 * The clock is a fake one, so the test decides when patience is over. Pauses and ticks are real, a
 * tenth and a quarter of a second; nothing here depends on how long they take. Names are looked up
 * in a table of the test's own: getaddrinfo() is defined here.
 */
#include "capture.h"
#include "cmocka_all.h"
#include "dialer.h"
#include "fake_clock.h"
#include "log.h"
#include "loop.h"
#include "test_sockets.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PATIENCE_MS 3000
#define ANSWER_MS 2000
#define QUEUE 8 /* connections that fill a listener's queue */

static sem_t slow_lookup; /* a lookup of slow.test ends when it is posted */

/* Adds an address of 127.0.0.0/8 to the front of a list. */
static struct addrinfo *address_in_front(uint32_t host, const char *port, struct addrinfo *next)
{
    struct addrinfo *entry = calloc(1, sizeof(*entry) + sizeof(struct sockaddr_in));
    struct sockaddr_in *address = (struct sockaddr_in *)(void *)(entry + 1);

    *address = (struct sockaddr_in){.sin_family = AF_INET,
                                    .sin_port = htons((uint16_t)atoi(port)),
                                    .sin_addr.s_addr = htonl(0x7f000000 + host)};
    *entry = (struct addrinfo){.ai_family = AF_INET,
                               .ai_addrlen = sizeof(*address),
                               .ai_addr = (struct sockaddr *)address,
                               .ai_next = next};
    return entry;
}

/* Takes the place of the C library's, in libuv's threads, too. */
int getaddrinfo(const char *host, const char *port, const struct addrinfo *hints,
                struct addrinfo **out)
{
    assert_int_equal(hints->ai_family, AF_UNSPEC);
    if (strcmp(host, "slow.test") == 0)
        assert_int_equal(sem_wait(&slow_lookup), 0);
    else if (strcmp(host, "two.test") != 0)
        return EAI_NONAME;
    *out = strcmp(host, "two.test") == 0 ? address_in_front(2, port, NULL) : NULL;
    *out = address_in_front(1, port, *out);
    return 0;
}

void freeaddrinfo(struct addrinfo *list)
{
    while (list != NULL) {
        struct addrinfo *next = list->ai_next;
        free(list);
        list = next;
    }
}

static void slow_lookup_may_end(void)
{
    assert_int_equal(sem_post(&slow_lookup), 0);
}

struct fixture {
    uv_loop_t loop;
    struct stream_hub *hub;
    struct dialer dialer;
    struct sockaddr_in address; /* where the listener is, or was */
    int listener;               /* -1 = closed */
    int peer;                   /* the accepted connection; -1 = none */
    unsigned opens;
    unsigned datas;
    unsigned drains;
    unsigned closes;
    unsigned give_ups;
    unsigned retries;
    unsigned failures; /* calls of on_failed */
    unsigned delays;
    uint64_t delay_ms; /* of the last on_delay */
    enum status close_status;
    char detail[128];  /* of the last close, retry or giving up */
    char failed[256];  /* "host address port reason" of each on_failed, one a line */
    bool is_connected; /* of the last on_give_up */
    char got[64];
    size_t got_size;
    void (*on_data)(struct fixture *f);   /* runs in that callback */
    void (*on_closed)(struct fixture *f); /* runs in that callback */
    void (*on_retry)(struct fixture *f);  /* the same */
};

static void on_open(void *owner)
{
    struct fixture *f = owner;

    assert_int_equal(f->dialer.state, DIALER_OPEN);
    assert_int_equal(f->opens, f->closes);
    f->opens++;
}

static void on_data(void *owner, const uint8_t *data, size_t size)
{
    struct fixture *f = owner;

    assert_true(size <= sizeof(f->got) - f->got_size);
    memcpy(f->got + f->got_size, data, size);
    f->got_size += size;
    f->datas++;
    if (f->on_data != NULL)
        f->on_data(f);
}

static void on_drain(void *owner)
{
    struct fixture *f = owner;

    f->drains++;
}

static void on_closed(void *owner, enum status status, const char *detail)
{
    struct fixture *f = owner;

    f->closes++;
    assert_int_equal(f->opens, f->closes);
    f->close_status = status;
    (void)snprintf(f->detail, sizeof(f->detail), "%s", detail);
    if (f->on_closed != NULL)
        f->on_closed(f);
}

static void on_give_up(void *owner, bool is_connected, const char *reason)
{
    struct fixture *f = owner;

    f->give_ups++;
    f->is_connected = is_connected;
    (void)snprintf(f->detail, sizeof(f->detail), "%s", reason);
}

static void on_failed(void *owner, const char *reason)
{
    struct fixture *f = owner;
    size_t used = strlen(f->failed);

    f->failures++;
    (void)snprintf(f->failed + used, sizeof(f->failed) - used, "%s %s %s\n",
                   dialer_host(&f->dialer), dialer_address(&f->dialer), reason);
}

static void on_delay(void *owner, uint64_t delay_ms)
{
    struct fixture *f = owner;

    assert_int_equal(f->dialer.state, DIALER_WAITING);
    f->delays++;
    f->delay_ms = delay_ms;
}

static void on_retry(void *owner, const char *reason)
{
    struct fixture *f = owner;

    assert_false(dialer_has_connection(&f->dialer));
    f->retries++;
    (void)snprintf(f->detail, sizeof(f->detail), "%s", reason);
    if (f->on_retry != NULL)
        f->on_retry(f);
}

static const struct dialer_events events = {
    .on_delay = on_delay,
    .on_failed = on_failed,
    .on_retry = on_retry,
    .on_open = on_open,
    .on_data = on_data,
    .on_drain = on_drain,
    .on_closed = on_closed,
    .on_give_up = on_give_up,
};

/* Only the events that every owner must have, as the health check does. */
static const struct dialer_events fewest_events = {
    .on_open = on_open,
    .on_data = on_data,
    .on_closed = on_closed,
    .on_give_up = on_give_up,
};

static void init_dialer_for(struct fixture *f, const char *address,
                            const struct dialer_events *wanted, uint64_t patience_ms,
                            uint64_t delay_ms)
{
    dialer_init(&f->dialer, &(struct dialer_config){
                                .hub = f->hub,
                                .addresses = address,
                                .patience_ms = patience_ms,
                                .answer_ms = ANSWER_MS,
                                .delay_ms = delay_ms,
                                .events = wanted,
                                .owner = f,
                            });
}

/* Prepares the dialer for the listener's address. */
static void init_dialer(struct fixture *f, uint64_t patience_ms, uint64_t delay_ms)
{
    char address[64];

    (void)snprintf(address, sizeof(address), "127.0.0.1:%u", ntohs(f->address.sin_port));
    init_dialer_for(f, address, &events, patience_ms, delay_ms);
}

/* Prepares it for that name, with the listener's port. */
static void init_dialer_named(struct fixture *f, const char *name)
{
    char address[64];

    (void)snprintf(address, sizeof(address), "%s:%u", name, ntohs(f->address.sin_port));
    init_dialer_for(f, address, &events, PATIENCE_MS, 0);
}

/* Closes the dialer of the fixture, so that it can be prepared in another way. */
static void close_dialer(struct fixture *f)
{
    dialer_close(&f->dialer);
    loop_turn(&f->loop);
}

static int begin(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    fake_clock_begin(1000000);
    assert_int_equal(sem_init(&slow_lookup, 0, 0), 0);
    loop_begin(&f->loop);
    assert_int_equal(stream_hub_create(&f->loop, &f->hub), STATUS_OK);
    f->listener = sockets_listen(&f->address);
    assert_int_equal(fcntl(f->listener, F_SETFL, O_NONBLOCK), 0);
    f->peer = -1;
    init_dialer(f, PATIENCE_MS, 0);
    *state = f;
    return 0;
}

static void close_fd(int *fd)
{
    if (*fd >= 0)
        assert_int_equal(close(*fd), 0);
    *fd = -1;
}

/* Closes the dialer in whatever state the case has left it: nothing is called any more, and the
 * loop has no open handles. */
static int end(void **state)
{
    struct fixture *f = *state;
    unsigned calls = f->opens + f->closes + f->give_ups + f->retries;

    dialer_close(&f->dialer);
    dialer_close(&f->dialer); /* may be called again */
    stream_hub_close(f->hub);
    loop_end(&f->loop);
    assert_int_equal(f->opens + f->closes + f->give_ups + f->retries, calls);
    close_fd(&f->listener);
    close_fd(&f->peer);
    free(f);
    fake_clock_end();
    return 0;
}

/* Listens on an address of 127.0.0.0/8; port 0 is any free one. In network order, like *out. */
static int sockets_listen_at(const char *ip, in_port_t port, struct sockaddr_in *out)
{
    socklen_t size = sizeof(*out);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    *out = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = port};
    assert_true(fd >= 0);
    assert_int_equal(inet_pton(AF_INET, ip, &out->sin_addr), 1);
    assert_int_equal(bind(fd, (const struct sockaddr *)out, size), 0);
    assert_int_equal(listen(fd, 1), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)out, &size), 0);
    return fd;
}

static bool has_accepted(void *context)
{
    struct fixture *f = context;

    f->peer = accept4(f->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (f->peer < 0)
        assert_true(errno == EAGAIN);
    return f->peer >= 0;
}

/* Waits until both ends have the connection. */
static void wait_open(struct fixture *f)
{
    unsigned opens = f->opens;

    loop_until(&f->loop, has_accepted, f, "a connection");
    if (f->opens == f->closes)
        loop_until_count(&f->loop, &f->opens, opens + 1, "on_open");
    assert_int_equal(f->dialer.state, DIALER_OPEN);
}

static bool is_waiting(void *context)
{
    const struct fixture *f = context;

    return f->dialer.state == DIALER_WAITING;
}

static bool is_resolving(void *context)
{
    const struct fixture *f = context;

    return f->dialer.state == DIALER_RESOLVING;
}

static bool has_failure(void *context)
{
    const struct fixture *f = context;

    return f->dialer.failure[0] != '\0';
}

static bool has_drained(void *context)
{
    const struct fixture *f = context;

    return dialer_backlog(&f->dialer) == 0;
}

/* Bytes are sent both ways, and on_drain is called when the kernel has taken ours. */
static void test_connects_and_carries_bytes(void **state)
{
    struct fixture *f = *state;
    char text[16] = {0};
    bool has_ended = false;

    dialer_send(&f->dialer, "lost", 4); /* there is no connection yet */
    assert_int_equal(dialer_backlog(&f->dialer), 0);
    dialer_connect(&f->dialer);
    wait_open(f);
    dialer_send(&f->dialer, "hello", 5);
    assert_int_equal(dialer_backlog(&f->dialer), 5);
    loop_until_count(&f->loop, &f->drains, 1, "on_drain");
    assert_int_equal(dialer_backlog(&f->dialer), 0);
    assert_int_equal(sockets_read(f->peer, text, sizeof(text), &has_ended), 5);
    assert_string_equal(text, "hello");
    sockets_write(f->peer, "there", 5);
    loop_until_count(&f->loop, &f->datas, 1, "on_data");
    assert_int_equal(f->got_size, 5);
    assert_memory_equal(f->got, "there", 5);
    assert_int_equal(f->closes + f->give_ups, 0);
}

/* Connecting twice makes only one connection. */
static void test_one_connection_at_a_time(void **state)
{
    struct fixture *f = *state;

    dialer_connect(&f->dialer);
    dialer_connect(&f->dialer);
    dialer_connect_later(&f->dialer);
    wait_open(f);
    dialer_connect(&f->dialer);
    dialer_connect_later(&f->dialer);
    assert_int_equal(f->dialer.state, DIALER_OPEN);
    for (int i = 0; i < 10; i++)
        loop_turn(&f->loop);
    assert_int_equal(accept4(f->listener, NULL, NULL, SOCK_CLOEXEC), -1);
    assert_int_equal(f->opens, 1);
}

/* While the server is not there yet, the dialer tries again until it is; that is not a failure. */
static void test_server_comes_later(void **state)
{
    struct fixture *f = *state;
    const int on = 1;

    close_fd(&f->listener);
    dialer_connect(&f->dialer);
    loop_until_count(&f->loop, &f->retries, 1, "on_retry");
    assert_string_equal(f->detail, "connection refused");
    assert_int_equal(f->dialer.state, DIALER_WAITING);
    assert_int_equal(f->opens + f->closes + f->give_ups, 0);
    f->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_true(f->listener >= 0);
    assert_int_equal(setsockopt(f->listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)), 0);
    assert_int_equal(bind(f->listener, (struct sockaddr *)&f->address, sizeof(f->address)), 0);
    assert_int_equal(listen(f->listener, 1), 0);
    wait_open(f);
    assert_int_equal(f->opens, 1);
}

static void connect_again(struct fixture *f)
{
    dialer_connect(&f->dialer);
}

/* The server ends the connection: on_closed is called once, with the reason, and may begin the next
 * connection. */
static void test_server_closes(void **state)
{
    struct fixture *f = *state;

    f->on_closed = connect_again;
    dialer_connect(&f->dialer);
    for (unsigned i = 1; i <= 3; i++) {
        wait_open(f);
        close_fd(&f->peer);
        loop_until_count(&f->loop, &f->closes, i, "on_closed");
        assert_int_equal(f->close_status, STATUS_IO);
        assert_string_equal(f->detail, "the central closed the connection");
    }
    wait_open(f);
    assert_int_equal(f->opens, 4);
}

static void connect_later(struct fixture *f)
{
    dialer_connect_later(&f->dialer);
}

/* When a connection breaks, on_closed has the reason; after a pause there is another connection. */
static void test_connection_breaks(void **state)
{
    struct fixture *f = *state;

    f->on_closed = connect_later;
    dialer_connect(&f->dialer);
    wait_open(f);
    sockets_reset(f->peer);
    f->peer = -1;
    loop_until_count(&f->loop, &f->closes, 1, "on_closed");
    assert_int_equal(f->close_status, STATUS_IO);
    assert_string_not_equal(f->detail, "");
    assert_int_equal(f->dialer.state, DIALER_WAITING);
    wait_open(f);
}

/* Reads at the peer; true when the dialer's side has ended. */
static bool peer_has_all(void *context)
{
    struct fixture *f = context;
    bool has_ended = false;

    f->got_size +=
        sockets_read(f->peer, f->got + f->got_size, sizeof(f->got) - f->got_size, &has_ended);
    return has_ended;
}

/* Finishing sends the rest, then ends our side; that is not a failure. */
static void test_finish(void **state)
{
    struct fixture *f = *state;

    dialer_finish(&f->dialer); /* nothing to finish */
    dialer_connect(&f->dialer);
    wait_open(f);
    dialer_send(&f->dialer, "bye", 3);
    dialer_finish(&f->dialer);
    loop_until(&f->loop, peer_has_all, f, "the end of what was sent");
    assert_int_equal(f->got_size, 3);
    assert_memory_equal(f->got, "bye", 3);
    close_fd(&f->peer);
    loop_until_count(&f->loop, &f->closes, 1, "on_closed");
    assert_int_equal(f->close_status, STATUS_OK);
    assert_int_equal(f->dialer.state, DIALER_IDLE);
}

/* After our side has ended, bytes still arrive. The server's own end is then not a failure, but a
 * reset is. */
static void test_shutdown(void **state)
{
    struct fixture *f = *state;

    dialer_shutdown(&f->dialer); /* nothing to end */
    for (unsigned i = 1; i <= 2; i++) {
        dialer_connect(&f->dialer);
        wait_open(f);
        f->got_size = 0;
        dialer_shutdown(&f->dialer);
        dialer_shutdown(&f->dialer);
        loop_until(&f->loop, peer_has_all, f, "our end");
        assert_int_equal(f->got_size, 0);
        sockets_write(f->peer, "last", 4);
        loop_until_count(&f->loop, &f->datas, i, "what still comes");
        assert_memory_equal(f->got, "last", 4);
        if (i == 1)
            close_fd(&f->peer);
        else
            sockets_reset(f->peer);
        f->peer = -1;
        loop_until_count(&f->loop, &f->closes, i, "on_closed");
        assert_int_equal(f->close_status, i == 1 ? STATUS_OK : STATUS_IO);
    }
}

/* Dropping calls on_closed once with the caller's reason, even if it is done several times. */
static void test_drop(void **state)
{
    struct fixture *f = *state;

    dialer_drop(&f->dialer, STATUS_IO, "nothing to drop");
    dialer_connect(&f->dialer);
    wait_open(f);
    dialer_drop(&f->dialer, STATUS_MALFORMED, "nonsense");
    dialer_drop(&f->dialer, STATUS_IO, "later reason");
    loop_until_count(&f->loop, &f->closes, 1, "on_closed");
    assert_int_equal(f->close_status, STATUS_MALFORMED);
    assert_string_equal(f->detail, "nonsense");
    for (int i = 0; i < 10; i++)
        loop_turn(&f->loop);
    assert_int_equal(f->closes, 1);
}

/* Nobody answers for longer than patience_ms: on_give_up is called once, and there is no further
 * attempt. */
static void test_gives_up(void **state)
{
    struct fixture *f = *state;

    close_fd(&f->listener);
    fake_clock.step_ms = PATIENCE_MS / 10;
    dialer_connect(&f->dialer);
    loop_until_count(&f->loop, &f->give_ups, 1, "on_give_up");
    assert_int_equal(f->dialer.state, DIALER_IDLE);
    assert_string_equal(f->detail, "connection refused");
    assert_false(f->is_connected);
    assert_true(f->retries > 0);
    assert_int_equal(f->opens + f->closes, 0);
    for (int i = 0; i < 10; i++)
        loop_turn(&f->loop);
    assert_int_equal(f->give_ups, 1);
}

static void close_there(struct fixture *f)
{
    dialer_close(&f->dialer);
}

/* An owner may close in on_retry; then there is no other attempt. */
static void test_close_in_on_retry(void **state)
{
    struct fixture *f = *state;

    close_fd(&f->listener);
    f->on_retry = close_there;
    dialer_connect(&f->dialer);
    loop_until_count(&f->loop, &f->retries, 1, "on_retry");
    assert_int_equal(f->dialer.state, DIALER_CLOSED);
    dialer_connect(&f->dialer);
    dialer_connect_later(&f->dialer);
    assert_int_equal(f->dialer.state, DIALER_CLOSED);
}

/* Optional events may be NULL: then delay, retries and drains are not reported, and nothing is
 * logged. */
static void test_fewest_events(void **state)
{
    struct fixture *f = *state;
    struct capture capture;
    char address[64];

    (void)snprintf(address, sizeof(address), "127.0.0.1:%u", ntohs(f->address.sin_port));
    log_set_level(LOG_DEBUG);
    capture_begin(&capture);
    close_dialer(f);
    init_dialer_for(f, "none.test:80", &fewest_events, PATIENCE_MS, 1);
    dialer_connect(&f->dialer);
    loop_until(&f->loop, has_failure, f, "a failed attempt");
    close_dialer(f);
    init_dialer_for(f, address, &fewest_events, PATIENCE_MS, 1);
    dialer_connect(&f->dialer);
    wait_open(f);
    dialer_send(&f->dialer, "hello", 5);
    loop_until(&f->loop, has_drained, f, "the bytes to leave");
    capture_end(&capture);
    log_set_level(LOG_INFO);
    assert_int_equal(capture.writes, 0);
    capture_free(&capture);
    assert_int_equal(f->delays + f->retries + f->drains, 0);
}

/* Makes the listener one that the kernel does not answer for: its queue is full. */
static void fill_queue(const struct fixture *f, int fds[QUEUE])
{
    assert_int_equal(listen(f->listener, 0), 0);
    for (size_t i = 0; i < QUEUE; i++) {
        fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        assert_true(fds[i] >= 0);
        (void)connect(fds[i], (const struct sockaddr *)&f->address, sizeof(f->address));
    }
}

static void empty_queue(int fds[QUEUE])
{
    for (size_t i = 0; i < QUEUE; i++)
        close_fd(&fds[i]);
}

/* An attempt that gets no answer at all ends when patience is over. */
static void test_no_answer_to_an_attempt(void **state)
{
    struct fixture *f = *state;
    int fds[QUEUE];

    fill_queue(f, fds);
    fake_clock.step_ms = PATIENCE_MS / 10;
    dialer_connect(&f->dialer);
    loop_until_count(&f->loop, &f->give_ups, 1, "on_give_up");
    assert_string_equal(f->detail, "no answer to the attempt to connect");
    assert_int_equal(f->opens + f->closes, 0);
    empty_queue(fds);
}

/* Without a limit of patience, an attempt without an answer is repeated after a while. */
static void test_an_attempt_has_a_limit(void **state)
{
    struct fixture *f = *state;
    int fds[QUEUE];

    close_dialer(f);
    init_dialer(f, 0, 0);
    fill_queue(f, fds);
    fake_clock.step_ms = 1000;
    dialer_connect(&f->dialer);
    f->dialer.attempt_ms = 9000; /* of the ten seconds that it has */
    loop_until_count(&f->loop, &f->retries, 1, "on_retry");
    assert_string_equal(f->detail, "no answer to the attempt to connect");
    assert_int_equal(f->give_ups, 0);
    empty_queue(fds);
}

/* Closes every connection at once. */
static bool has_given_up_on_closing(void *context)
{
    struct fixture *f = context;

    if (has_accepted(f))
        close_fd(&f->peer);
    return f->give_ups > 0;
}

/* A connection alone is no progress: a server that takes connections and closes them is given up,
 * and the reason is what happened to them. */
static void test_accepts_and_closes(void **state)
{
    struct fixture *f = *state;

    f->on_closed = connect_later;
    fake_clock.step_ms = PATIENCE_MS / 20;
    dialer_connect(&f->dialer);
    loop_until(&f->loop, has_given_up_on_closing, f, "on_give_up");
    assert_true(f->opens > 1);
    assert_string_equal(f->detail, "the central closed the connection");
    assert_true(f->is_connected);
}

/* An answer that is due and does not come ends the connection, and in the end the patience. */
static void test_no_answer(void **state)
{
    struct fixture *f = *state;

    dialer_connect(&f->dialer);
    wait_open(f);
    dialer_expect(&f->dialer, PATIENCE_ANSWER);
    fake_clock.step_ms = ANSWER_MS / 4;
    loop_until_count(&f->loop, &f->closes, 1, "on_closed");
    assert_string_equal(f->detail, "no answer in time");
    assert_int_equal(f->give_ups, 0);
    assert_int_equal(f->dialer.patience.wait, PATIENCE_RUNS);
    loop_until_count(&f->loop, &f->give_ups, 1, "on_give_up");
    assert_string_equal(f->detail, "no answer in time");
    assert_true(f->is_connected);
}

/* Patience shorter than an answer may take: the connection is still open when it is over. */
static void test_no_answer_at_all(void **state)
{
    struct fixture *f = *state;

    close_dialer(f);
    init_dialer(f, 1000, 0);
    dialer_connect(&f->dialer);
    wait_open(f);
    dialer_expect(&f->dialer, PATIENCE_ANSWER);
    fake_clock.step_ms = 300;
    loop_until_count(&f->loop, &f->give_ups, 1, "on_give_up");
    assert_string_equal(f->detail, "the central does not answer");
    assert_true(f->is_connected);
    assert_int_equal(f->closes, 0);
}

/* What the owner notes is the reason, until there is progress. */
static void test_noted_failure(void **state)
{
    struct fixture *f = *state;

    dialer_connect(&f->dialer);
    wait_open(f);
    dialer_note_failure(&f->dialer, "forgotten");
    dialer_made_progress(&f->dialer);
    assert_string_equal(f->dialer.failure, "");
    dialer_note_failure(&f->dialer, "the disk is full");
    dialer_expect(&f->dialer, PATIENCE_RUNS);
    fake_clock.step_ms = 300;
    loop_until_count(&f->loop, &f->give_ups, 1, "on_give_up");
    assert_string_equal(f->detail, "the disk is full");
    assert_true(f->is_connected);
}

static void progress_on_data(struct fixture *f)
{
    dialer_made_progress(&f->dialer);
}

/* The limit is reached while the answer waits to be read: it is read first, and counts. */
static void test_the_answer_is_there(void **state)
{
    struct fixture *f = *state;

    f->on_data = progress_on_data;
    dialer_connect(&f->dialer);
    wait_open(f);
    dialer_expect(&f->dialer, PATIENCE_ANSWER);
    f->dialer.patience.spent_ms = PATIENCE_MS;
    f->dialer.patience.silent_ms = ANSWER_MS;
    sockets_write(f->peer, "here", 4);
    (void)uv_timer_start(&f->dialer.ticker, f->dialer.ticker.timer_cb, 0, 0);
    loop_until_count(&f->loop, &f->datas, 1, "on_data");
    for (int i = 0; i < 10; i++)
        loop_turn(&f->loop);
    assert_int_equal(f->give_ups + f->closes, 0);
}

/* While the owner waits without a limit, nothing ends, and no timer runs. */
static void test_held(void **state)
{
    struct fixture *f = *state;

    dialer_connect(&f->dialer);
    wait_open(f);
    dialer_expect(&f->dialer, PATIENCE_HELD);
    assert_false(uv_is_active((uv_handle_t *)&f->dialer.ticker));
    fake_clock.now_ms += 1000 * PATIENCE_MS;
    for (int i = 0; i < 10; i++)
        loop_turn(&f->loop);
    assert_int_equal(f->give_ups + f->closes, 0);
    assert_int_equal(f->dialer.state, DIALER_OPEN);
}

/* A loss after a long wait without a limit is followed by a short pause; one after another is not.
 */
static void test_pauses_after_held(void **state)
{
    struct fixture *f = *state;

    f->on_closed = connect_later;
    dialer_connect(&f->dialer);
    for (unsigned i = 1; i <= 2; i++) {
        wait_open(f);
        f->dialer.patience.spent_ms = 1000;
        f->dialer.backoff.ceiling_ms = 5000;
        dialer_expect(&f->dialer, PATIENCE_HELD);
        fake_clock.now_ms += i == 1 ? 1000 : 10;
        close_fd(&f->peer);
        loop_until_count(&f->loop, &f->closes, i, "on_closed");
        assert_true(f->dialer.backoff.ceiling_ms == (i == 1 ? 200 : 5000));
    }
}

/* A name with two addresses, of which the first does not answer: the second is tried soon after,
 * and wins. */
static void test_a_name_with_two_addresses(void **state)
{
    struct fixture *f = *state;
    struct sockaddr_in good;
    int fds[QUEUE];
    int listener = sockets_listen_at("127.0.0.2", f->address.sin_port, &good);

    fill_queue(f, fds);
    close_dialer(f);
    init_dialer_named(f, "two.test");
    dialer_connect(&f->dialer);
    loop_until_count(&f->loop, &f->opens, 1, "on_open");
    assert_string_equal(dialer_address(&f->dialer), "127.0.0.2");
    assert_string_equal(dialer_host(&f->dialer), "two.test");
    assert_int_equal(f->failures + f->retries, 0);
    close_fd(&listener);
    empty_queue(fds);
}

/* The first address refuses: the second is tried at once. If that one refuses, too, both are
 * reported, and then the retry. */
static void test_two_addresses_that_refuse(void **state)
{
    struct fixture *f = *state;

    close_fd(&f->listener);
    close_dialer(f);
    init_dialer_named(f, "two.test");
    dialer_connect(&f->dialer);
    loop_until_count(&f->loop, &f->retries, 1, "on_retry");
    assert_string_equal(f->failed, "two.test 127.0.0.1 connection refused\n"
                                   "two.test 127.0.0.2 connection refused\n");
    assert_string_equal(f->detail, "connection refused");
}

/* The entries of a list are tried in their order; an entry without an answer has its share of the
 * patience. */
static void test_list_of_addresses(void **state)
{
    struct fixture *f = *state;
    char list[128];
    struct sockaddr_in good;
    int fds[QUEUE];
    int listener = sockets_listen_at("127.0.0.3", 0, &good);

    fill_queue(f, fds);
    close_dialer(f);
    (void)snprintf(list, sizeof(list), "none.test:1,127.0.0.1:%u, 127.0.0.3:%u",
                   ntohs(f->address.sin_port), ntohs(good.sin_port));
    init_dialer_for(f, list, &events, PATIENCE_MS, 0);
    dialer_connect(&f->dialer);
    fake_clock.step_ms = 100;
    loop_until_count(&f->loop, &f->opens, 1, "on_open");
    assert_string_equal(dialer_host(&f->dialer), "127.0.0.3");
    assert_string_equal(f->failed, "none.test  unknown node or service\n"
                                   "127.0.0.1 127.0.0.1 no answer to the attempt to connect\n");
    assert_int_equal(f->retries + f->give_ups, 0);
    close_fd(&listener);
    empty_queue(fds);
}

/* After a connection with progress the same entry comes first again; after one without, the next.
 */
static void test_list_after_a_loss(void **state)
{
    struct fixture *f = *state;
    char list[128];
    struct sockaddr_in second;
    int listener = sockets_listen_at("127.0.0.2", 0, &second);

    close_dialer(f);
    (void)snprintf(list, sizeof(list), "127.0.0.1:%u,127.0.0.2:%u", ntohs(f->address.sin_port),
                   ntohs(second.sin_port));
    init_dialer_for(f, list, &events, PATIENCE_MS, 0);
    f->on_closed = connect_again;
    dialer_connect(&f->dialer);
    wait_open(f);
    dialer_made_progress(&f->dialer);
    close_fd(&f->peer);
    loop_until_count(&f->loop, &f->closes, 1, "on_closed");
    wait_open(f);
    assert_string_equal(dialer_host(&f->dialer), "127.0.0.1");
    close_fd(&f->peer); /* without progress */
    loop_until_count(&f->loop, &f->opens, 3, "on_open");
    assert_string_equal(dialer_host(&f->dialer), "127.0.0.2");
    close_fd(&listener);
}

/* A name server that does not answer: the next entry is tried, and the lookup goes on meanwhile. */
static void test_slow_name_server(void **state)
{
    struct fixture *f = *state;
    char list[128];

    close_dialer(f);
    (void)snprintf(list, sizeof(list), "slow.test:1,127.0.0.1:%u", ntohs(f->address.sin_port));
    init_dialer_for(f, list, &events, PATIENCE_MS, 0);
    dialer_connect(&f->dialer);
    fake_clock.step_ms = 100;
    loop_until_count(&f->loop, &f->opens, 1, "on_open");
    assert_string_equal(f->failed, "slow.test  no answer from the name service\n");
    assert_true(f->dialer.targets[0].is_looking_up);
    slow_lookup_may_end();
}

/* The same name, and no other: the next attempt waits for the lookup that is going on. */
static void test_lookup_ends_later(void **state)
{
    struct fixture *f = *state;

    close_dialer(f);
    init_dialer_named(f, "slow.test");
    f->dialer.patience.limit_ms = 0;
    dialer_connect(&f->dialer);
    f->dialer.attempt_ms = 9000;
    fake_clock.step_ms = 1000;
    loop_until_count(&f->loop, &f->retries, 1, "on_retry");
    fake_clock.step_ms = 0;
    loop_until(&f->loop, is_resolving, f, "the next attempt");
    assert_true(f->dialer.targets[0].is_looking_up);
    slow_lookup_may_end();
    wait_open(f);
    assert_string_equal(dialer_address(&f->dialer), "127.0.0.1");
}

/* An IPv6 address in brackets. */
static void test_ipv6(void **state)
{
    struct fixture *f = *state;
    struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    socklen_t size = sizeof(address);
    char list[64];

    int listener = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (listener < 0 || bind(listener, (const struct sockaddr *)&address, sizeof(address)) < 0) {
        print_message("skipped: no ::1 on this machine\n");
        close_fd(&listener);
        _skip(__FILE__, __LINE__);
    }
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &size), 0);
    close_dialer(f);
    (void)snprintf(list, sizeof(list), "[::1]:%u", ntohs(address.sin6_port));
    init_dialer_for(f, list, &events, PATIENCE_MS, 0);
    dialer_connect(&f->dialer);
    loop_until_count(&f->loop, &f->opens, 1, "on_open");
    assert_string_equal(dialer_address(&f->dialer), "::1");
    close_fd(&listener);
}

/* The first attempt comes after the delay, and patience counts from it; later attempts have no
 * delay. */
static void test_delay(void **state)
{
    struct fixture *f = *state;

    close_dialer(f);
    init_dialer(f, PATIENCE_MS, 20);
    dialer_connect(&f->dialer);
    dialer_connect(&f->dialer);
    assert_int_equal(f->dialer.state, DIALER_WAITING);
    fake_clock.now_ms += 10 * PATIENCE_MS;
    wait_open(f);
    assert_int_equal(f->delays, 1);
    assert_true(f->delay_ms == 20);
    assert_true(f->dialer.patience.spent_ms == 0);
    dialer_drop(&f->dialer, STATUS_IO, "test");
    loop_until_count(&f->loop, &f->closes, 1, "on_closed");
    dialer_connect(&f->dialer);
    assert_int_equal(f->dialer.state, DIALER_CONNECTING);
    assert_int_equal(f->delays, 1);
}

/* If the first attempt fails after a delay longer than patience_ms, there is another attempt. */
static void test_delay_then_failure(void **state)
{
    struct fixture *f = *state;

    close_fd(&f->listener);
    close_dialer(f);
    init_dialer(f, PATIENCE_MS, 20);
    dialer_connect(&f->dialer);
    fake_clock.now_ms += 10 * PATIENCE_MS;
    loop_until_count(&f->loop, &f->retries, 1, "on_retry");
    assert_int_equal(f->dialer.state, DIALER_WAITING);
    assert_int_equal(f->give_ups, 0);
}

/* Closing before the first attempt; end() checks the rest. */
static void test_close_during_delay(void **state)
{
    struct fixture *f = *state;

    close_dialer(f);
    init_dialer(f, PATIENCE_MS, 1000000);
    dialer_connect(&f->dialer);
    loop_turn(&f->loop);
    assert_int_equal(f->dialer.state, DIALER_WAITING);
}

/* Pauses grow while attempts fail, and are short again after progress. */
static void test_pauses_grow(void **state)
{
    struct fixture *f = *state;
    uint32_t first = f->dialer.backoff.first_ms;

    close_fd(&f->listener);
    dialer_connect(&f->dialer);
    loop_until(&f->loop, is_waiting, f, "a pause");
    assert_true(f->dialer.backoff.ceiling_ms > first);
    assert_true(f->dialer.backoff.max_ms > f->dialer.backoff.ceiling_ms);
    dialer_made_progress(&f->dialer);
    assert_true(f->dialer.backoff.ceiling_ms <= first);
}

/* An unknown name is tried again, too: it may exist later. */
static void test_unknown_name(void **state)
{
    struct fixture *f = *state;

    close_dialer(f);
    init_dialer_for(f, "none.test:80", &events, PATIENCE_MS, 0);
    assert_string_equal(dialer_host(&f->dialer), "none.test");
    assert_string_equal(dialer_port(&f->dialer), "80");
    dialer_connect(&f->dialer);
    assert_int_equal(f->dialer.state, DIALER_RESOLVING);
    loop_until(&f->loop, is_waiting, f, "a pause");
    assert_string_equal(dialer_address(&f->dialer), "");
    fake_clock.step_ms = PATIENCE_MS / 10;
    loop_until_count(&f->loop, &f->give_ups, 1, "on_give_up");
    assert_string_equal(f->detail, "unknown node or service");
    assert_false(f->is_connected);
}

/* Closing during the lookup, while connecting, waiting or open, and before anything has begun;
 * end() checks the rest. */
static void test_close_while_resolving(void **state)
{
    struct fixture *f = *state;

    close_dialer(f);
    init_dialer_named(f, "slow.test");
    slow_lookup_may_end();
    dialer_connect(&f->dialer);
    assert_int_equal(f->dialer.state, DIALER_RESOLVING);
}

static bool is_connecting(void *context)
{
    const struct fixture *f = context;

    return f->dialer.state >= DIALER_CONNECTING;
}

static void test_close_while_connecting(void **state)
{
    struct fixture *f = *state;

    dialer_connect(&f->dialer);
    loop_until(&f->loop, is_connecting, f, "an address");
}

static void test_close_while_waiting(void **state)
{
    struct fixture *f = *state;

    close_fd(&f->listener);
    dialer_connect(&f->dialer);
    loop_until(&f->loop, is_waiting, f, "a pause");
    dialer_close(&f->dialer);
    dialer_connect(&f->dialer);
    dialer_connect_later(&f->dialer);
}

static void test_close_while_open(void **state)
{
    struct fixture *f = *state;

    dialer_connect(&f->dialer);
    wait_open(f);
}

static void test_close_unused(void **state)
{
    (void)state;
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_connects_and_carries_bytes),
        CASE(test_one_connection_at_a_time),
        CASE(test_server_comes_later),
        CASE(test_server_closes),
        CASE(test_connection_breaks),
        CASE(test_finish),
        CASE(test_shutdown),
        CASE(test_drop),
        CASE(test_gives_up),
        CASE(test_close_in_on_retry),
        CASE(test_fewest_events),
        CASE(test_no_answer_to_an_attempt),
        CASE(test_an_attempt_has_a_limit),
        CASE(test_accepts_and_closes),
        CASE(test_no_answer),
        CASE(test_no_answer_at_all),
        CASE(test_noted_failure),
        CASE(test_the_answer_is_there),
        CASE(test_held),
        CASE(test_pauses_after_held),
        CASE(test_a_name_with_two_addresses),
        CASE(test_two_addresses_that_refuse),
        CASE(test_list_of_addresses),
        CASE(test_list_after_a_loss),
        CASE(test_slow_name_server),
        CASE(test_lookup_ends_later),
        CASE(test_ipv6),
        CASE(test_delay),
        CASE(test_delay_then_failure),
        CASE(test_close_during_delay),
        CASE(test_pauses_grow),
        CASE(test_unknown_name),
        CASE(test_close_while_resolving),
        CASE(test_close_while_connecting),
        CASE(test_close_while_waiting),
        CASE(test_close_while_open),
        CASE(test_close_unused),
    };

    return cmocka_run_group_tests_name("dialer", tests, NULL, NULL);
}
