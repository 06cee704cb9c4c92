/* dialer.h - connects to a server: looks its names up, connects, and tries again until it works.
 *
 * It owns the patience with the server (patience.h): the owner says what it waits for and when
 * there was progress, and is told when to give up. To connect alone is no progress. Before a limit
 * counts as reached, everything that has arrived is handed out.
 *
 * All calls and callbacks happen on the loop's thread; none blocks. One connection at a time. The
 * dialer logs nothing itself: it reports events, and the owner decides which ones to log.
 *
 * With TLS, connected means that the handshake is over and the server is trusted. That it does not
 * trust us we are told only after that (TLS 1.3): then a connection opens, and soon on_closed says
 * STATUS_UNTRUSTED.
 */
#ifndef LOTTERY_DIALER_H
#define LOTTERY_DIALER_H

#include "backoff.h"
#include "dialer_target.h"
#include "patience.h"
#include "race.h"
#include "status.h"
#include "stream.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#define DIALER_REASON_SIZE 256

struct dialer_events {
    /* The wait before the first attempt has begun (dialer_config.delay_ms). NULL: not needed. */
    void (*on_delay)(void *owner, uint64_t delay_ms);
    /* An address cannot be reached or is not trusted, or a name cannot be looked up, and others are
     * tried, or the same again. dialer_host(), dialer_address() and dialer_port() say which one.
     * `reason` is static. dialer_close() may be called from here. NULL: not needed. */
    void (*on_failed)(void *owner, const char *reason);
    /* None of the addresses can be reached; they are tried again after a pause. `reason` is that of
     * the last one, static. If dialer_close() is called from here, they are not. NULL: not needed.
     */
    void (*on_retry)(void *owner, const char *reason);
    /* Connected. */
    void (*on_open)(void *owner);
    /* Bytes have arrived; they are valid during the call. */
    void (*on_data)(void *owner, const uint8_t *data, size_t size);
    /* Everything sent so far was taken by the kernel. NULL: not needed. */
    void (*on_drain)(void *owner);
    /* An open connection is closed. STATUS_OK: we finished it, or the server ended it after we had
     * ended our side. Another status: the server ended it before that, or it broke; with TLS, an
     * end without close_notify is one, too. STATUS_UNTRUSTED: the server refuses our certificate.
     * `detail` is static. dialer_connect() may be called from here. */
    void (*on_closed)(void *owner, enum status status, const char *detail);
    /* There was no progress for patience_ms; no further attempt follows, and the owner has to call
     * dialer_close(). `reason` is valid during the call. `is_connected`: it is about a connection;
     * otherwise about the attempts to make one, to which a refused certificate belongs. */
    void (*on_give_up)(void *owner, bool is_connected, const char *reason);
};

/* What a dialer needs from its owner. */
struct dialer_config {
    struct stream_hub *hub;             /* borrowed until dialer_close() */
    const char *addresses;              /* a list, as value_is_address_list() wants it; copied */
    uint64_t patience_ms;               /* how long to go on without any progress; 0 = no limit */
    uint64_t answer_ms;                 /* how long an answer may take; 0 = no limit */
    uint64_t delay_ms;                  /* wait of the first dialer_connect(); 0 = none */
    const struct dialer_events *events; /* borrowed */
    void *owner;                        /* handed to the events */
    const struct tls_context *tls;      /* borrowed until all is closed; NULL: without TLS */
    /* The name or IP address that the server's certificate has to have; borrowed as long. NULL: the
     * host of the entry that is tried. */
    const char *tls_server_name;
    bool tls_any_name; /* instead of that: any name will do, only its authority is checked */
};

enum dialer_state {
    DIALER_IDLE,       /* not connected and not trying to connect */
    DIALER_WAITING,    /* in the pause before the next attempt */
    DIALER_RESOLVING,  /* a name is being looked up */
    DIALER_CONNECTING, /* addresses are being tried */
    DIALER_OPEN,       /* connected, until on_closed */
    DIALER_SHUT,       /* the same, after dialer_shutdown() */
    DIALER_CLOSED      /* by dialer_close(), for good */
};

struct dialer {
    struct stream_hub *hub;             /* borrowed */
    const struct dialer_events *events; /* borrowed */
    void *owner;                        /* handed to the events */
    struct dialer_target targets[DIALER_TARGETS_MAX];
    size_t target_count;
    size_t target; /* the one that is being tried, or was connected last, or comes next */
    size_t named;  /* the one that dialer_host() tells */
    size_t tried;  /* how many have failed since the last connection or pause */
    enum dialer_state state;
    struct patience patience;
    uint64_t attempt_limit_ms;        /* what one target may take at most */
    uint64_t attempt_ms;              /* what it has taken so far */
    uint64_t delay_ms;                /* before the first attempt; 0 = none, or it is over */
    struct backoff backoff;           /* of the pauses between attempts */
    uv_timer_t pause;                 /* before an attempt */
    uv_timer_t ticker;                /* counts time while a limit is running */
    uv_check_t judge;                 /* a limit is reached: runs when the input has been read */
    struct race race;                 /* the attempts to connect to one target */
    const char *tls_server_name;      /* as in dialer_config, borrowed */
    bool tls_any_name;                /* as in dialer_config */
    char address[INET6_ADDRSTRLEN];   /* the one that was connected, or failed, last; "" = none */
    struct stream *stream;            /* open or closing; NULL = none */
    const char *attempt_reason;       /* why an address failed last; static */
    bool has_progress;                /* since the connection was made */
    enum status end_status;           /* why the stream is closing */
    const char *end_detail;           /* the same in words; static */
    char failure[DIALER_REASON_SIZE]; /* why there is no progress; "" = not known */
    bool is_failure_connected;        /* it is about a connection, not about making one */
    bool is_failure_kept;             /* it is not disproved by the next connection */
};

/* Prepares the dialer without connecting. The caller ends it with dialer_close(). */
void dialer_init(struct dialer *dialer, const struct dialer_config *config);

/* Begins to connect at once, or the first time after delay_ms (patience_ms counts from the end of
 * that delay). on_open reports success. Does nothing while connected or connecting. The addresses
 * are tried in their order: first the one that was connected last, or the one after it if there was
 * no progress then. */
void dialer_connect(struct dialer *dialer);

/* Connects after a pause. Each pause is longer than the one before, until there is progress. */
void dialer_connect_later(struct dialer *dialer);

/* Returns the next of these pauses in milliseconds, for an owner that waits for something else. */
uint32_t dialer_next_pause_ms(struct dialer *dialer);

/* Says what the owner waits for from now on. PATIENCE_ANSWER is for an open connection: the dialer
 * drops it when no byte comes for answer_ms. At first nothing is being waited for (PATIENCE_HELD),
 * and to connect begins PATIENCE_RUNS, as does the end of a connection on which an answer was due.
 */
void dialer_expect(struct dialer *dialer, enum patience_wait wait);

/* Notes progress: pauses are short again, and patience_ms counts from now. */
void dialer_made_progress(struct dialer *dialer);

/* Notes why there is no progress although the server answers: what on_give_up will say, unless
 * there is progress or another reason before. Copied, and cut to DIALER_REASON_SIZE. */
void dialer_note_failure(struct dialer *dialer, const char *reason);

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
 * first call counts. Without a connection it does nothing. */
void dialer_drop(struct dialer *dialer, enum status status, const char *detail);

/* Is the connection being closed, with on_closed still to come? Not yet while dialer_finish() sends
 * what is left. */
bool dialer_is_closing(const struct dialer *dialer);

/* Is there a connection that is being made, open, or being closed? */
bool dialer_has_connection(const struct dialer *dialer);

/* The host and port, as the list has them, of what is being tried or connected, or was last. They
 * live as long as the dialer. */
const char *dialer_host(const struct dialer *dialer);
const char *dialer_port(const struct dialer *dialer);

/* The address that is connected or has failed, in digits; "" = none yet, the name was not found. */
const char *dialer_address(const struct dialer *dialer);

/* Closes everything for good; no callback follows. May be called again. A name lookup cannot be
 * interrupted: the loop may go on until it ends, and the memory has to last as long as the loop. */
void dialer_close(struct dialer *dialer);

#endif
