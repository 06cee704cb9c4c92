/* mode.h - what the three modes of an agency have in common. */
#ifndef LOTTERY_MODE_H
#define LOTTERY_MODE_H

#include "agency.h"
#include "client_settings.h"
#include "dialer.h"
#include "stop_signals.h"

#include <stdbool.h>

struct agency;

struct mode {
    size_t size; /* bytes of the mode's own struct, which agency.own points to; comes zeroed */
    const struct dialer_events *events; /* owner is the agency */
    /* Begins the work. Anything but AGENCY_EXIT_OK ends the program with it; the reason was logged.
     */
    enum agency_exit (*start)(struct agency *agency);
    /* Closes what the mode opened; nothing is called any more afterwards. */
    void (*close)(struct agency *agency);
};

struct agency {
    const struct client_settings *settings;
    const struct mode *mode;
    void *own; /* the mode's struct */
    uv_loop_t loop;
    struct stream_hub *hub;
    struct dialer dialer;
    struct stop_signals signals;
    uv_timer_t grace; /* for what can not be interrupted, at the end */
    enum agency_exit exit_status;
    bool is_ending;
};

extern const struct mode lottery_mode;
extern const struct mode bet_mode;
extern const struct mode echo_mode;

/* The work is done, or has failed: closes everything, and the program ends with `status`. */
void agency_end(struct agency *agency, enum agency_exit status);

/* Logs `action` as failed, and why, then ends with AGENCY_EXIT_FAIL. */
void agency_fail(struct agency *agency, const char *action, const char *reason);

/* The events of every mode that only log, and what its on_open logs. */
void agency_on_delay(void *owner, uint64_t delay_ms);
void agency_on_retry(void *owner, const char *reason);
void agency_log_connected(const struct agency *agency);

/* The on_give_up of every mode. */
void agency_give_up(void *owner, const char *detail);

#endif
