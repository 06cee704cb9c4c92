/* mode.h - an agency, and what its three modes have in common.
 *
 * agency.c chooses the mode and runs it; the mode does its work through these calls.
 */
#ifndef LOTTERY_MODE_H
#define LOTTERY_MODE_H

#include "agency.h"
#include "answer_reader.h"
#include "client_settings.h"
#include "dialer.h"
#include "log.h"
#include "log_watch.h"
#include "stop_signals.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

struct agency;
struct tls_context; /* tls_context.h */

#define MODE_EXTENT_UNKNOWN UINT64_MAX

/* How much of a mode's work is done: bets that the server has acknowledged, or messages that it has
 * answered. */
struct mode_extent {
    uint64_t sent;
    uint64_t total; /* MODE_EXTENT_UNKNOWN: the file is still being checked */
};

/* What one mode does. The events are those of the dialer (dialer.h). */
struct mode {
    const char *action; /* the log's name of what it does with the server */
    uint64_t answer_ms; /* how long an answer of the server may take */
    size_t state_size;  /* bytes of the mode's struct; agency.state points to it, zeroed at first */
    /* Begins the work. If it returns anything but AGENCY_EXIT_OK, the program ends with that
     * status; the reason has been logged. */
    enum agency_exit (*start)(struct agency *agency);
    /* Closes what the mode opened; none of its functions is called afterwards. */
    void (*close)(struct agency *agency);
    /* How far the work is, for the log when a signal ends it. */
    struct mode_extent (*extent)(const struct agency *agency);
    void (*on_open)(struct agency *agency);
    void (*on_data)(struct agency *agency, const uint8_t *data, size_t size);
    void (*on_drain)(struct agency *agency); /* NULL: not needed */
    void (*on_closed)(struct agency *agency, const char *detail);
    /* Instead of on_closed, when the server refuses our certificate. NULL: on_closed does. */
    void (*on_refused)(struct agency *agency, const char *detail);
};

struct agency {
    const struct client_settings *settings; /* borrowed */
    const struct mode *mode;                /* the one that the settings name */
    void *state;                            /* the mode's struct, owned */
    uv_loop_t loop;
    struct stream_hub *hub;       /* owned */
    struct tls_context *tls;      /* owned; NULL: without TLS */
    struct dialer dialer;         /* makes the connections to the server */
    bool has_heard;               /* bytes have come on the connection */
    struct stop_signals signals;  /* end the agency */
    struct log_watch log;         /* writes log lines that stdout did not take at once */
    uv_timer_t grace;             /* limits how long the end waits for a name lookup */
    enum agency_exit exit_status; /* valid once is_ending */
    bool is_ending;               /* agency_end was called */
    bool was_stopped;             /* by a signal, before the work was done */
    struct mode_extent extent;    /* at that time */
};

/* Ends the agency, whose work is done or has failed: closes everything, and the program ends with
 * `status`. */
void agency_end(struct agency *agency, enum agency_exit status);

/* Logs `action` as failed, and why, then ends with AGENCY_EXIT_FAIL. */
void agency_fail(struct agency *agency, const char *action, const char *reason);

/* Ends the agency with `status`, after a log line. To be called when the last connection was closed
 * as planned. */
void agency_conclude(struct agency *agency, enum agency_exit status);

/* Logs that connecting, or a connection, failed: where, and why. */
void agency_log_connect(const struct agency *agency, enum log_level level, enum log_result result,
                        const char *reason);

/* Logs why a connection ended before the work was done, and connects again after a pause. */
void agency_reconnect(struct agency *agency, const char *reason);

/* Hands bytes of the connection to the mode's reader; drops the connection when they are not an
 * expected answer. */
void agency_read_answers(struct agency *agency, struct answer_reader *reader, const uint8_t *data,
                         size_t size);

/* Does the agency still want the next answer? False while the connection or the agency is ending.
 * The handlers of answers return this. */
bool agency_is_reading(const struct agency *agency);

#endif
