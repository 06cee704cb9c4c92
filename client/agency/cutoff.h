/* cutoff.h - an agency whose draw was closed before all rows of its file were taken.
 *
 * The central then refuses further bets (DRAW_CLOSED) and says how many it has. The agency says in
 * its log which row is the first that was not taken, asks for the winners among the others, and
 * ends as failed.
 */
#ifndef LOTTERY_CUTOFF_H
#define LOTTERY_CUTOFF_H

#include "bets_file.h"
#include "errbuf.h"
#include "lottery.pb-c.h"
#include "status.h"

#include <stdbool.h>
#include <stdint.h>

/* Zeroed at first. */
struct cutoff {
    bool is_closed;       /* the central has said that it takes no more bets of the agency */
    struct errbuf reason; /* what it said */
    bool is_told;         /* the log says which row is the first that was not taken, ... */
    uint64_t told_row;    /* ... this one */
    bool is_warned;       /* of a central that names no draw */
};

/* Warns, once, if the Ack names no draw and our bets are for one: then they are in whatever draw
 * the central has, whose version knows nothing of draws. */
void cutoff_check_draw(struct cutoff *cutoff, const Lottery__V1__Ack *ack, const char *draw,
                       uint32_t agency);

/* Notes that the Ack says that no more bets are taken. */
void cutoff_note(struct cutoff *cutoff, const Lottery__V1__Ack *ack);

/* Were some rows of the file not taken? Then its log has said so. */
bool cutoff_has_happened(const struct cutoff *cutoff);

/* Logs that the current row of the file, which has the number `row` and is not the end, is the
 * first one that was not taken; only once. Blocks on the file; fails if it cannot be read. */
enum status cutoff_tell(struct cutoff *cutoff, struct bets_file *file, uint64_t row,
                        uint32_t agency, struct errbuf *err);

#endif
