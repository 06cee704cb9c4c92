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
#include "stop_signals.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

struct agency;

/* What one mode does. The events are those of the dialer (dialer.h). */
struct mode {
    size_t state_size; /* bytes of the mode's struct, which agency.state points to; comes zeroed */
    /* Begins the work. Anything but AGENCY_EXIT_OK ends the program with it; the reason was logged.
     */
    enum agency_exit (*start)(struct agency *agency);
    /* Closes what the mode opened; nothing is called any more afterwards. */
    void (*close)(struct agency *agency);
    void (*on_open)(struct agency *agency);
    void (*on_data)(struct agency *agency, const uint8_t *data, size_t size);
    void (*on_drain)(struct agency *agency); /* NULL: not needed */
    void (*on_closed)(struct agency *agency, const char *detail);
};

struct agency {
    const struct client_settings *settings; /* borrowed */
    const struct mode *mode;                /* the one that the settings name */
    void *state;                            /* the mode's struct, owned */
    uv_loop_t loop;
    struct stream_hub *hub;       /* owned */
    struct dialer dialer;         /* makes the connections to the central */
    struct stop_signals signals;  /* end the agency */
    uv_timer_t grace;             /* how long the end waits for what cannot be interrupted */
    enum agency_exit exit_status; /* valid once is_ending */
    bool is_ending;               /* agency_end was called */
};

/* The work is done, or has failed: closes everything, and the program ends with `status`. */
void agency_end(struct agency *agency, enum agency_exit status);

/* Logs `action` as failed, and why, then ends with AGENCY_EXIT_FAIL. */
void agency_fail(struct agency *agency, const char *action, const char *reason);

/* The last connection was closed as planned: logs it, then ends with AGENCY_EXIT_OK. */
void agency_succeed(struct agency *agency);

/* A connection is over before the work is: logs why, and connects again after a pause. */
void agency_reconnect(struct agency *agency, const char *reason);

/* Hands bytes of the connection to the mode's reader; drops the connection when something else than
 * an expected answer came. */
void agency_read_answers(struct agency *agency, struct answer_reader *reader, const uint8_t *data,
                         size_t size);

/* What a handler of answers returns: is the next one still of interest, or is the connection or
 * the agency ending? */
bool agency_is_reading(const struct agency *agency);

#endif
