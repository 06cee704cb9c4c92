/* The operator's socket.
 *
 * Happy path: the socket is readable: accept, ask the kernel for the peer's user, hand the
 * connection to the set (control_conn.h).
 *
 * Failure modes: the socket cannot be opened: logged, and nobody can connect; all else works. A
 * user who may not, or too many connections: the peer is told so in one frame and closed, and the
 * log says it. No descriptor for a connection: it waits in the queue, and the next tick of the
 * timer tries again. The server stops while connections do not end: they are closed after CLOSE_MS.
 *
 * The timer ticks only while there are connections, or one waits for a descriptor.
 */
#include "control.h"

#include "assertion.h"
#include "clock.h"
#include "control_conn.h"
#include "control_message.h"
#include "control_socket.h"
#include "log.h"
#include "log_limit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAX_CONNS 16
#define IDLE_MS 60000
#define FRAME_MS 5000
#define UNREAD_MS 10000
#define CLOSE_MS 1500 /* from the stop on */
#define TICK_MS 500
#define BURST 16 /* accepted in one turn of the loop */

struct control {
    struct control_config config;
    struct control_socket socket;
    uv_poll_t poll;   /* of the socket; only if has_poll */
    uv_timer_t timer; /* for limits of time */
    struct stream_hub *hub;
    struct control_conns conns;
    uint64_t close_ms; /* monotonic: when what is still open is closed */
    bool has_poll;     /* the poll has to be closed */
    bool is_closing;   /* control_close was called */
    bool is_closed;    /* all handles are closed, or closing */
};

static bool control_is_allowed(uint32_t uid)
{
    return uid == 0 || uid == geteuid();
}

static void control_on_tick(uv_timer_t *timer);

/* Begins to tick, unless it does already. */
static void control_tick(struct control *control)
{
    if (!uv_is_active((uv_handle_t *)&control->timer))
        (void)uv_timer_start(&control->timer, control_on_tick, TICK_MS, TICK_MS);
}

/* Tells the peer why it is not taken, as far as it can be told at once, and closes. */
static void control_turn_away(const struct control *control, int fd, uint32_t uid,
                              const char *reason)
{
    uint8_t frame[FRAME_MAX_SIZE];
    size_t size =
        control_message_result(CONTROL_REFUSED, reason, control->conns.config.instance, frame);

    LOG_LIMITED(LOG_BURST, WARNING, "control", FAIL, LOG_TEXT("reason", reason),
                LOG_UINT("uid", uid));
    (void)send(fd, frame, size, MSG_NOSIGNAL | MSG_DONTWAIT);
    (void)close(fd);
}

static void control_turn_away_user(const struct control *control, int fd, uint32_t uid)
{
    char reason[96];

    (void)snprintf(reason, sizeof(reason),
                   "user %u may not operate this server, only root and user %u may", (unsigned)uid,
                   (unsigned)geteuid());
    control_turn_away(control, fd, uid, reason);
}

static void control_take(struct control *control, int fd)
{
    uint32_t uid;

    if (!control_socket_peer(fd, &uid)) {
        (void)close(fd);
        return;
    }
    if (!control->config.is_allowed(uid)) {
        control_turn_away_user(control, fd, uid);
        return;
    }
    if (control->conns.count >= control->config.max_conns) {
        control_turn_away(control, fd, uid, "too many connections of operators");
        return;
    }
    enum status status = control_conns_add(&control->conns, fd, uid);
    if (status != STATUS_OK)
        LOG_LIMITED(LOG_BURST, WARNING, "control", FAIL, LOG_TEXT("reason", status_text(status)));
    control_tick(control);
}

static void control_on_readable(uv_poll_t *poll, int status, int events)
{
    struct control *control = poll->data;

    (void)status; /* accept reports errors better */
    (void)events;
    for (int i = 0; i < BURST; i++) {
        int fd = accept4(control->socket.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd >= 0) {
            control_take(control, fd);
            continue;
        }
        if (errno == ECONNABORTED || errno == EINTR)
            continue;
        if (errno == EAGAIN)
            return;
        LOG_LIMITED(LOG_BURST, WARNING, "control", FAIL, LOG_TEXT("reason", strerror(errno)));
        (void)uv_poll_stop(&control->poll);
        control_tick(control);
        return;
    }
}

static void control_listen(struct control *control)
{
    struct errbuf err = {{0}};

    enum status status = control_socket_open(control->config.path, &control->socket, &err);
    if (status == STATUS_OK &&
        uv_poll_init(control->config.loop, &control->poll, control->socket.fd) < 0) {
        errbuf_set(&err, "the event loop refuses the socket");
        control_socket_close(&control->socket);
        status = STATUS_IO;
    }
    if (status != STATUS_OK) {
        LOG(WARNING, "control", FAIL, LOG_TEXT("reason", err.text));
        return;
    }
    control->has_poll = true;
    control->poll.data = control;
    (void)uv_poll_start(&control->poll, UV_READABLE, control_on_readable);
}

/* The last connection is gone, and no other will come. */
static void control_close_rest(struct control *control)
{
    if (!control->is_closing || control->is_closed || control->conns.open > 0)
        return;
    control->is_closed = true;
    stream_hub_close(control->hub);
    uv_close((uv_handle_t *)&control->timer, NULL);
}

static void control_on_gone(void *owner)
{
    control_close_rest(owner);
}

static void control_on_tick(uv_timer_t *timer)
{
    struct control *control = timer->data;
    const uint64_t now = clock_monotonic_ms();

    if (control->is_closing) {
        if (now >= control->close_ms)
            control_conns_close(&control->conns);
        return;
    }
    control_conns_check(&control->conns, now);
    if (control->has_poll) /* it may have been stopped for want of descriptors */
        (void)uv_poll_start(&control->poll, UV_READABLE, control_on_readable);
    if (control->conns.open == 0)
        (void)uv_timer_stop(timer);
}

/* Replaces the limits that are 0. */
static struct control_config control_config_complete(const struct control_config *config)
{
    struct control_config complete = *config;

    if (complete.is_allowed == NULL)
        complete.is_allowed = control_is_allowed;
    if (complete.max_conns == 0)
        complete.max_conns = MAX_CONNS;
    if (complete.idle_ms == 0)
        complete.idle_ms = IDLE_MS;
    if (complete.frame_ms == 0)
        complete.frame_ms = FRAME_MS;
    if (complete.unread_ms == 0)
        complete.unread_ms = UNREAD_MS;
    return complete;
}

/* Which start of the module this is; not 0. */
static uint64_t control_instance(void)
{
    return ((uint64_t)clock_random() << 32 | clock_random()) | 1;
}

enum status control_create(const struct control_config *config, struct control **out)
{
    struct control *control = calloc(1, sizeof(*control));

    if (control == NULL)
        return STATUS_NOMEM;
    control->config = control_config_complete(config);
    enum status status = stream_hub_create(config->loop, &control->hub);
    if (status != STATUS_OK) {
        free(control);
        return status;
    }
    (void)uv_timer_init(config->loop, &control->timer);
    control->timer.data = control;
    control_conns_init(&control->conns, &(struct control_conns_config){
                                            .hub = control->hub,
                                            .backend = config->backend,
                                            .backend_owner = config->owner,
                                            .instance = control_instance(),
                                            .idle_ms = control->config.idle_ms,
                                            .frame_ms = control->config.frame_ms,
                                            .unread_ms = control->config.unread_ms,
                                            .on_gone = control_on_gone,
                                            .owner = control,
                                        });
    control_listen(control);
    *out = control;
    return STATUS_OK;
}

void control_close(struct control *control)
{
    if (control->is_closing)
        return;
    control->is_closing = true;
    control->close_ms = clock_monotonic_ms() + CLOSE_MS;
    if (control->has_poll)
        uv_close((uv_handle_t *)&control->poll, NULL);
    control_socket_close(&control->socket);
    control_conns_stop(&control->conns);
    control_tick(control);
    control_close_rest(control);
}

void control_destroy(struct control *control)
{
    if (control == NULL)
        return;
    ASSERT(control->is_closed);
    control_conns_fini(&control->conns);
    free(control);
}
