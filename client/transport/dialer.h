/* dialer.h - connects to a server: looks its name up, connects, and tries again until it works.
 *
 * All calls and callbacks happen on the loop's thread; none blocks. One connection at a time. The
 * dialer logs nothing itself: it reports events, and the owner decides which ones to log.
 */
#ifndef LOTTERY_DIALER_H
#define LOTTERY_DIALER_H

#include "backoff.h"
#include "status.h"
#include "stream.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#define DIALER_HOST_SIZE 512

struct dialer_events {
    /* The wait before the first attempt has begun (dialer_config.delay_ms). NULL: not needed. */
    void (*on_delay)(void *owner, uint64_t delay_ms);
    /* An attempt to connect failed, and will be repeated after a pause. `reason` is static. If
     * dialer_close() is called from here, it is not repeated. NULL: not needed. */
    void (*on_retry)(void *owner, const char *reason);
    /* Connected. */
    void (*on_open)(void *owner);
    /* Bytes have arrived; they are valid during the call. */
    void (*on_data)(void *owner, const uint8_t *data, size_t size);
    /* Everything sent so far was taken by the kernel. NULL: not needed. */
    void (*on_drain)(void *owner);
    /* An open connection is closed. STATUS_OK: we finished it, or the server ended it after we had
     * ended our side. Another status: the server ended it before that, or it broke. `detail` is
     * static. dialer_connect() may be called from here. */
    void (*on_closed)(void *owner, enum status status, const char *detail);
    /* There was no progress for patience_ms; no further attempt follows, and the owner has to call
     * dialer_close(). `detail` is static. */
    void (*on_give_up)(void *owner, const char *detail);
};

/* What a dialer needs from its owner. */
struct dialer_config {
    struct stream_hub *hub;             /* borrowed until dialer_close() */
    const char *address;                /* "host:port", as value_address() takes it; copied */
    uint64_t patience_ms;               /* how long to go on without any progress; 0 = no limit */
    uint64_t delay_ms;                  /* wait of the first dialer_connect(); 0 = none */
    const struct dialer_events *events; /* borrowed */
    void *owner;                        /* handed to the events */
};

enum dialer_state {
    DIALER_IDLE,       /* not connected and not trying to connect */
    DIALER_WAITING,    /* in the pause before the next attempt */
    DIALER_RESOLVING,  /* the name is being looked up */
    DIALER_CONNECTING, /* an address is being tried */
    DIALER_OPEN,       /* connected, until on_closed */
    DIALER_SHUT,       /* the same, after dialer_shutdown() */
    DIALER_CLOSED      /* by dialer_close(), for good */
};

struct dialer {
    struct stream_hub *hub;             /* borrowed */
    const struct dialer_events *events; /* borrowed */
    void *owner;                        /* handed to the events */
    char host[DIALER_HOST_SIZE];        /* of the address */
    char port[8];                       /* of the address, in decimal */
    uint64_t patience_ms;               /* how long to go on without progress; 0 = no limit */
    uint64_t progress_ms;               /* monotonic: when there last was progress */
    uint64_t delay_ms;                  /* before the first attempt; 0 = none, or it is over */
    enum dialer_state state;
    struct backoff backoff;     /* of the pauses between attempts */
    uv_timer_t timer;           /* the pause before an attempt, or the patience left during one */
    uv_getaddrinfo_t lookup;    /* of the name; may outlive dialer_close() */
    struct addrinfo *addresses; /* what the name resolved to, while connecting */
    struct addrinfo *address;   /* the one being tried */
    struct stream *stream;      /* connecting, open or closing; NULL = none */
    enum status end_status;     /* why the stream is closing */
    const char *end_detail;     /* the same in words; static */
    const char *failure;        /* why the last attempt since the last progress failed; static */
};

/* Prepares the dialer without connecting. The caller ends it with dialer_close(). */
void dialer_init(struct dialer *dialer, const struct dialer_config *config);

/* Begins to connect at once, or the first time after delay_ms (patience_ms counts from the end of
 * that delay). on_open reports success. Does nothing while connected or connecting. */
void dialer_connect(struct dialer *dialer);

/* Connects after a pause. Each pause is longer than the one before, until there is progress. */
void dialer_connect_later(struct dialer *dialer);

/* Returns the next of these pauses in milliseconds, for an owner that waits for something else. */
uint32_t dialer_next_pause_ms(struct dialer *dialer);

/* Notes progress: pauses are short again, and patience_ms counts from now. */
void dialer_made_progress(struct dialer *dialer);

/* Has there been no progress for longer than patience_ms? */
bool dialer_is_patience_over(const struct dialer *dialer);

/* Sends on an open connection; on a broken one it does nothing. */
void dialer_send(struct dialer *dialer, const void *data, size_t size);

/* Bytes sent on the open connection that the kernel has not taken yet. */
size_t dialer_backlog(const struct dialer *dialer);

/* Ends our side and goes on reading; on_closed follows when the server ends its own. For an open
 * connection without a backlog. */
void dialer_shutdown(struct dialer *dialer);

/* Sends what is left, then closes; on_closed follows. */
void dialer_finish(struct dialer *dialer);

/* Closes an open connection now; on_closed follows with `status` and the static text `detail`. The
 * first call counts. One that is still being made is given up, and the next address is tried. */
void dialer_drop(struct dialer *dialer, enum status status, const char *detail);

/* Is the connection being closed, with on_closed still to come? Not yet while dialer_finish() sends
 * what is left. */
bool dialer_is_closing(const struct dialer *dialer);

/* Is there a connection that is being made, open, or being closed? */
bool dialer_has_connection(const struct dialer *dialer);

/* The host of the address. Lives as long as the dialer. */
const char *dialer_host(const struct dialer *dialer);

/* Closes everything for good; no callback follows. May be called again. A name lookup cannot be
 * interrupted: the loop may go on until it ends, and the memory has to last as long as the loop. */
void dialer_close(struct dialer *dialer);

#endif
