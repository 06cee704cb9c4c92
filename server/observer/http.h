/* http.h - HTTP on a loop: libmicrohttpd, and limits of our own. No other file knows that library.
 */
#ifndef LOTTERY_OBSERVER_HTTP_H
#define LOTTERY_OBSERVER_HTTP_H

#include "http_conns.h"
#include "routes.h"
#include "status.h"

#include <stdbool.h>
#include <uv.h>

struct MHD_Daemon;

/* What http_start() needs; copied. */
struct http_config {
    uv_loop_t *loop; /* borrowed until the stop has ended */
    int listen_fd;   /* non-blocking; borrowed, stays open */
    /* Fills in the answer to a request. */
    void (*answer)(void *owner, const struct request *request, struct answer *out);
    void *owner; /* handed to it */
};

struct http {
    struct http_config config;
    struct MHD_Daemon *daemon; /* owned */
    struct http_conns conns;
    uv_poll_t listener;     /* of listen_fd */
    uv_poll_t events;       /* of the library's own descriptor */
    uv_idle_t again;        /* runs the library when it has something left to do */
    uv_timer_t sweep;       /* cuts the connections that are late */
    uv_timer_t pause;       /* until it is tried again to accept */
    uint64_t stop_until_ms; /* monotonic; while it stops */
    bool is_stopping;
};

/* Begins to accept and to answer. NOMEM or IO: nothing is open then, or the process has to end. */
enum status http_start(struct http *http, const struct http_config *config);

/* Accepts no more, sends the answers that are in hand, for half a second at most, and closes
 * everything. The struct's memory may be freed when the loop has ended. */
void http_stop(struct http *http);

#endif
