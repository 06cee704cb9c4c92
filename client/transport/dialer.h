/* dialer.h - makes connections to a server: looks its name up, connects, and tries again until it
 * works.
 *
 * All calls and callbacks happen on the loop's thread; none blocks. One connection at a time. The
 * dialer logs nothing: what is worth a line is an event, and the owner decides.
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
    /* An attempt to connect failed, and will be repeated after a pause. `reason` is static.
     * dialer_close() may be called from here: then nothing is repeated. NULL: not needed. */
    void (*on_retry)(void *owner, const char *reason);
    /* Connected. */
    void (*on_open)(void *owner);
    /* Bytes came, valid during the call. */
    void (*on_data)(void *owner, const uint8_t *data, size_t size);
    /* Everything sent so far was taken by the kernel. NULL: not needed. */
    void (*on_drain)(void *owner);
    /* An open connection is over and gone: finished by us, or ended by the server after we had
     * ended our side (STATUS_OK); or ended by the server before that, or broken (another status).
     * `detail` is static. dialer_connect() may be called from here. */
    void (*on_closed)(void *owner, enum status status, const char *detail);
    /* Nothing has worked for as long as we were told to wait; no further attempt follows, and the
     * owner closes. `detail` is static. */
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
    DIALER_IDLE,       /* not connected, and not about to be */
    DIALER_WAITING,    /* for the time of the next attempt */
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
    uint64_t patience_ms;               /* without progress; 0 = no limit */
    uint64_t progress_ms;               /* monotonic: when there was some */
    uint64_t delay_ms;                  /* before the first attempt; 0 = none, or it is over */
    enum dialer_state state;
    struct backoff backoff;     /* of the pauses between attempts */
    uv_timer_t timer;           /* the pause before an attempt, or patience with it */
    uv_getaddrinfo_t lookup;    /* of the name; may outlive dialer_close() */
    struct addrinfo *addresses; /* what the name resolved to, while connecting */
    struct addrinfo *address;   /* the one being tried */
    struct stream *stream;      /* connecting, open or closing; NULL = none */
    enum status end_status;     /* why the stream is closing */
    const char *end_detail;     /* the same in words; static */
    const char *failure; /* of the last attempt that failed since there was progress; static */
};

/* Prepares; nothing is attempted yet. The caller ends it with dialer_close(). */
void dialer_init(struct dialer *dialer, const struct dialer_config *config);

/* Begins to connect, at once (the first time after delay_ms, and patience begins with the attempt);
 * on_open says when it worked. Does nothing while connected or connecting. */
void dialer_connect(struct dialer *dialer);

/* Connects after a pause, which grows from one to the next until there is progress. */
void dialer_connect_later(struct dialer *dialer);

/* The next of these pauses in milliseconds, for an owner that has to wait for something else. */
uint32_t dialer_next_pause_ms(struct dialer *dialer);

/* Something worked: pauses are short again, and patience starts from here. */
void dialer_made_progress(struct dialer *dialer);

/* Has nothing worked for longer than the patience lasts? */
bool dialer_is_patience_over(const struct dialer *dialer);

/* Sends on an open connection; broken ones swallow it. */
void dialer_send(struct dialer *dialer, const void *data, size_t size);

/* Bytes sent on the open connection that the kernel has not taken yet. */
size_t dialer_backlog(const struct dialer *dialer);

/* Ends our side and goes on reading; on_closed follows when the server ends its own. For an open
 * connection without a backlog. */
void dialer_shutdown(struct dialer *dialer);

/* Sends what is left, then closes; on_closed follows. */
void dialer_finish(struct dialer *dialer);

/* Closes the connection now; on_closed follows with `status` and the static text `detail`. */
void dialer_drop(struct dialer *dialer, enum status status, const char *detail);

/* Is the connection being closed, with on_closed still to come? */
bool dialer_is_closing(const struct dialer *dialer);

/* Is there a connection: being made, open, or being closed? */
bool dialer_has_connection(const struct dialer *dialer);

/* The host of the address. Lives as long as the dialer. */
const char *dialer_host(const struct dialer *dialer);

/* Closes everything for good; no callback follows. May be called again. A name lookup cannot be
 * interrupted: the loop may go on until it ends, and the memory has to last as long as the loop. */
void dialer_close(struct dialer *dialer);

#endif
