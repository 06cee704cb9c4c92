/* progress.h - one line on a terminal that shows the progress, and a summary at the end; without a
 * terminal, nothing.
 *
 * The line fits into the terminal's width. With NO_COLOR in the environment it is written without
 * escape sequences; on a terminal that knows nothing (TERM=dumb) there is only the summary.
 */
#ifndef LOTTERY_PROGRESS_H
#define LOTTERY_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct progress {
    bool is_terminal;  /* output and errors both go to a terminal */
    bool is_on;        /* the line can be shown on it */
    bool is_plain;     /* without escape sequences */
    bool has_begun;    /* the server has said how many bets it has */
    bool has_ended;    /* it has all of them */
    size_t shown;      /* characters of the line that is to be wiped */
    uint64_t before;   /* bets that the server had before this run */
    uint64_t start_ms; /* monotonic: when sending began, ... */
    uint64_t end_ms;   /* ... and ended */
};

void progress_init(struct progress *progress);

/* Sending begins; the server has `before` bets already. Only the first call counts. */
void progress_begin(struct progress *progress, uint64_t before);

/* The server has all bets: the time for the rate ends. Only the first call counts. */
void progress_end(struct progress *progress);

/* Shows "STORED/TOTAL bets, RATE/s, WHAT". The rate is that of what this run has sent; `what` says
 * what is being waited for, in ASCII. */
void progress_show(struct progress *progress, uint64_t stored, uint64_t total, const char *what);

/* Wipes the line. */
void progress_clear(struct progress *progress);

/* Writes the summary: bets, time, rate, winners. */
void progress_sum_up(struct progress *progress, uint64_t stored, uint64_t winners);

#endif
