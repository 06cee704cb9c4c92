/* dialer.h - connects to the lottery central: resolves, connects, and tries again until it works.
 *
 * All calls and callbacks happen on the loop's thread; none blocks. One connection at a time.
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
    /* Connected. */
    void (*on_open)(void *owner);
    /* Bytes came, valid during the call. */
    void (*on_data)(void *owner, const uint8_t *data, size_t size);
    /* Everything sent so far was taken by the kernel. */
    void (*on_drain)(void *owner);
    /* An open connection is over and gone: ended by the central, broken, or finished by us (then
     * with STATUS_OK). dialer_connect() may be called from here. */
    void (*on_closed)(void *owner, enum status status, const char *detail);
    /* Nothing has worked for as long as we were told to wait; no further attempt follows, and the
     * owner closes. */
    void (*on_give_up)(void *owner, const char *detail);
};

enum dialer_state {
    DIALER_IDLE,    /* not connected, and not about to be */
    DIALER_WAITING, /* for the time of the next attempt */
    DIALER_RESOLVING,
    DIALER_CONNECTING,
    DIALER_OPEN
};

struct dialer {
    struct stream_hub *hub;             /* borrowed */
    const struct dialer_events *events; /* borrowed */
    void *owner;
    char host[DIALER_HOST_SIZE];
    char port[8];
    uint64_t patience_ms; /* without progress; 0 = no end */
    uint64_t progress_ms; /* monotonic: when there was some */
    uint64_t delay_ms;    /* before the first attempt; 0 = none, or it is over */
    enum dialer_state state;
    struct backoff backoff;
    uv_timer_t timer; /* the pause before an attempt, or patience with it */
    uv_getaddrinfo_t lookup;
    struct addrinfo *addresses; /* what the name resolved to, while connecting */
    struct addrinfo *address;   /* the one being tried */
    struct stream *stream;      /* connecting, open or closing; NULL = none */
    bool is_lookup_running;
    bool is_closing;        /* dialer_close was called */
    bool was_open;          /* the stream that is closing */
    enum status end_status; /* why it is closing */
    const char *end_detail; /* static */
    const char *failure;    /* of the last attempt that failed since there was progress; static */
};

/* Prepares; `address` is "host:port", checked before. `patience_ms` is how long to go on without
 * any progress, 0 for ever. */
void dialer_init(struct dialer *dialer, struct stream_hub *hub, const char *address,
                 uint64_t patience_ms, const struct dialer_events *events, void *owner);

/* Makes the first dialer_connect() wait this long before its attempt. Patience begins with the
 * attempt. To be called before the first dialer_connect(). */
void dialer_delay(struct dialer *dialer, uint64_t delay_ms);

/* Begins to connect, at once; on_open tells when it worked. Does nothing while connected or
 * connecting. */
void dialer_connect(struct dialer *dialer);

/* Connects after a pause, which grows from one to the next until there is progress. */
void dialer_connect_later(struct dialer *dialer);

/* Something worked: pauses begin short again, and patience anew. */
void dialer_made_progress(struct dialer *dialer);

/* Has nothing worked for longer than the patience lasts? */
bool dialer_is_patience_over(const struct dialer *dialer);

/* Sends on an open connection; broken ones swallow it. */
void dialer_send(struct dialer *dialer, const void *data, size_t size);
size_t dialer_backlog(const struct dialer *dialer);

/* Sends what is left, then closes; on_closed follows. */
void dialer_finish(struct dialer *dialer);

/* Closes the connection now; on_closed follows with `status` and the static text `detail`. */
void dialer_drop(struct dialer *dialer, enum status status, const char *detail);

/* Is the connection being closed, with on_closed still to come? */
bool dialer_is_closing(const struct dialer *dialer);

/* Closes everything for good; no callback follows. */
void dialer_close(struct dialer *dialer);

#endif
