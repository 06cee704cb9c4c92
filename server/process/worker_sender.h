/* worker_sender.h - sends what one kind of a draw's files has to the agencies that wait for it, and
 * tries again while that cannot be read.
 */
#ifndef LOTTERY_WORKER_SENDER_H
#define LOTTERY_WORKER_SENDER_H

#include "backoff.h"
#include "errbuf.h"
#include "ledger.h"
#include "status.h"
#include "store.h"

#include <stdbool.h>
#include <uv.h>

struct ledger_client;
struct service;

/* What worker_sender_init() needs; what it points to is borrowed until the loop has run out. */
struct worker_sender_config {
    enum store_files files; /* the kind */
    const char *action;     /* of the log line about a failure */
    /* Sends what is there; does nothing and succeeds before anything is. */
    enum status (*send)(struct service *service, struct errbuf *err);
    void (*on_retry)(void *owner); /* it is time to try again */
    void *owner;                   /* handed to on_retry */
};

struct worker_sender {
    struct worker_sender_config config;
    uv_timer_t timer;         /* active from a failure to the next try */
    struct backoff backoff;   /* of these */
    struct ledger_op lost_op; /* tells the ledger that the files are lost */
    bool is_telling;          /* it has not ended */
};

void worker_sender_init(struct worker_sender *sender, uv_loop_t *loop,
                        const struct worker_sender_config *config);

/* Sends what is there. A failure is logged, and the ledger hears which files are lost or
 * damaged, but not more often than it is tried. */
void worker_sender_run(struct worker_sender *sender, struct service *service,
                       struct ledger_client *ledger);

/* Tells the ledger, unless that is under way, that the files are lost or damaged. */
void worker_sender_tell_lost(struct worker_sender *sender, struct ledger_client *ledger);

/* Closes the timer. */
void worker_sender_close(struct worker_sender *sender);

#endif
