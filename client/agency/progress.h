/* progress.h - one line on a terminal that shows the progress; without a terminal, nothing. */
#ifndef LOTTERY_PROGRESS_H
#define LOTTERY_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
    bool is_on;        /* output and errors both go to a terminal */
    bool is_shown;     /* there is a line to be wiped */
    uint64_t start_ms; /* monotonic */
};

void progress_init(struct progress *progress);

/* Shows "SENT/TOTAL bets, RATE/s, WHAT". `what` says what is being waited for. */
void progress_show(struct progress *progress, uint64_t sent, uint64_t total, const char *what);

/* Wipes the line. */
void progress_clear(struct progress *progress);

#endif
