/* agency.h - an agency's whole run. */
#ifndef LOTTERY_AGENCY_H
#define LOTTERY_AGENCY_H

#include "client_settings.h"

/* The exit status of the program, as in --help and in the README. */
enum agency_exit {
    AGENCY_EXIT_OK = 0,   /* the work is done, or a signal stopped it */
    AGENCY_EXIT_FAIL = 1, /* it could not be done */
    AGENCY_EXIT_USAGE = 2 /* the command line, a setting or the bet in the environment is bad */
};

/* Does the work of the mode until it is done or has failed, or until SIGTERM or SIGINT, which the
 * caller has blocked (stop_signals.h). Returns the program's exit status. */
int agency_run(const struct client_settings *settings);

#endif
