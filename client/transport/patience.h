/* patience.h - how long to wait for a server, and for what. Pure: it is told the time.
 *
 * Two limits: how long there may be no progress, over all connections and attempts to connect; and
 * how long a connection may be silent while an answer is due. Time is counted in steps, and a step
 * counts for PATIENCE_STEP_MS at most: if the program, or the whole machine, was stopped for a
 * while, that while is not held against the server.
 */
#ifndef LOTTERY_PATIENCE_H
#define LOTTERY_PATIENCE_H

#include <stdbool.h>
#include <stdint.h>

#define PATIENCE_TICK_MS 250  /* time has to be counted at least this often, but while held */
#define PATIENCE_STEP_MS 1000 /* what one step counts for at most */

/* What is being waited for. */
enum patience_wait {
    PATIENCE_HELD,   /* for something without a limit: the waits before it are forgotten in the time
                        that they took */
    PATIENCE_OWN,    /* for nothing: the owner is at work itself. What was spent stays spent */
    PATIENCE_RUNS,   /* for progress */
    PATIENCE_ANSWER, /* for progress, and for an answer on an open connection */
};

struct patience {
    uint64_t limit_ms;  /* without progress; 0 = no limit */
    uint64_t answer_ms; /* without a byte while an answer is due; 0 = no limit */
    enum patience_wait wait;
    uint64_t counted_ms; /* monotonic: until when time has been counted */
    uint64_t spent_ms;   /* without progress */
    uint64_t silent_ms;  /* without a byte */
};

/* All times are milliseconds; `now_ms` is monotonic. It begins held. */
void patience_init(struct patience *patience, uint64_t limit_ms, uint64_t answer_ms,
                   uint64_t now_ms);

/* Counts the time since the last step; returns for how much it counts. */
uint64_t patience_count(struct patience *patience, uint64_t now_ms);

/* Says what is being waited for from now on. Waiting for an answer begins with silence of 0. */
void patience_expect(struct patience *patience, enum patience_wait wait, uint64_t now_ms);

/* There was progress: the wait for it begins again. */
void patience_progress(struct patience *patience, uint64_t now_ms);

/* A byte has arrived. */
void patience_heard(struct patience *patience);

/* Has there been no progress for limit_ms? */
bool patience_is_over(const struct patience *patience);

/* Is an answer due that has not come for answer_ms? */
bool patience_is_silent(const struct patience *patience);

/* How long until time has to be counted again, 1..PATIENCE_TICK_MS; 0 = no limit is running. */
uint64_t patience_next_ms(const struct patience *patience);

#endif
