/* holding.h - one attempt to hold the raffle, off the loop.
 *
 * All parts of the stored bets are scanned at once, each by a thread of its own; the winners are
 * put together in the order of the bets and made durable.
 */
#ifndef LOTTERY_HOLDING_H
#define LOTTERY_HOLDING_H

#include "raffle.h"
#include "store.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <uv.h>

#define HOLDING_PARTS_MAX 64

struct holding;

struct holding_part {
    uv_work_t work;
    struct holding *holding;
    unsigned index;
    struct winner_list winners;
    enum status status;
    struct errbuf err;
};

struct holding {
    struct store *store; /* borrowed */
    uv_loop_t *loop;
    uint32_t winner_number;
    /* The outcome is durable (STATUS_OK; `winners` says how many), or not: `err` says why. On the
     * loop's thread, once for each start. */
    void (*on_done)(void *owner, enum status status, uint64_t winners, struct errbuf *err);
    void *owner;

    struct holding_part parts[HOLDING_PARTS_MAX];
    unsigned count;   /* parts of this attempt */
    unsigned running; /* parts whose work has not ended */
    _Atomic bool is_cancelled;
    bool is_active; /* between start and on_done */
    struct draw draw;
    uv_work_t saving;
    enum status status;
    struct errbuf err;
};

/* Begins an attempt; the first five fields are filled in by the caller, is_active is false. Returns
 * what failed, and on_done will not come then. */
enum status holding_start(struct holding *holding);

/* Gives the scan up; on_done comes soon, with STATUS_STOPPED unless it was too late for that. */
void holding_cancel(struct holding *holding);

#endif
