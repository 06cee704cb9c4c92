/* sim_agency.h - a model agency: it has bets, and wants all of them to count.
 *
 * It speaks the protocol as the contract allows: asks where it was, sends batches of any size
 * without waiting, Finished right after the last one, sends again what it has sent, and connects
 * again when it likes. It remembers what it was promised.
 */
#ifndef LOTTERY_SIM_AGENCY_H
#define LOTTERY_SIM_AGENCY_H

#include "sim_queue.h"

#include <stdbool.h>
#include <stdint.h>

#define SIM_AGENCIES_MAX 5
#define SIM_BETS_MAX 40 /* of an agency, beside those that an old directory has */
#define SIM_FLIGHT_MAX 8

struct sim_conn;

/* A message that has no answer yet. */
struct sim_sent {
    bool is_finished;
    uint64_t offset;
    uint64_t total;        /* of a Finished */
    uint32_t count;        /* bets; 0: asks */
    uint64_t acked;        /* when it was sent */
    bool is_known;         /* is the agency one of those of the server that it was sent to? */
    bool says_content;     /* it has a checksum */
    bool is_content_wrong; /* which is not that of the bets */
};

struct sim_agency {
    uint32_t id;
    uint32_t base;         /* bets that an old directory has of it, acknowledged */
    uint32_t bets;         /* how many it has in all */
    uint32_t batch_max;    /* bets in a batch */
    uint32_t window;       /* messages in flight */
    bool is_hasty;         /* sends Finished right after its bets without waiting for their acks */
    bool is_done;          /* has its winners */
    struct sim_conn *conn; /* NULL: not connected */

    /* Of this connection. */
    bool knows;    /* where it is: it has asked, or does without */
    uint64_t next; /* offset of the next batch */
    bool has_sent_finished;
    struct sim_sent sent[SIM_FLIGHT_MAX]; /* ring */
    unsigned sent_first;
    unsigned sent_count;
    uint32_t winners; /* documents that have come so far */
    uint32_t looked;  /* bets that were looked at to find them */

    /* What it was promised. */
    uint64_t acked;              /* bets that count */
    bool is_finished;            /* it was told winners */
    bool ends[SIM_BETS_MAX + 1]; /* [n]: a batch that it has sent ends n bets after `base` */
};

extern struct sim_agency sim_agencies[SIM_AGENCIES_MAX]; /* agency i + 1 */

/* Begins the history of agency `id`. */
void sim_agency_init(struct sim_agency *agency, uint32_t id);

/* Does one thing: takes an answer, sends a message, or connects. Returns false if it can do
 * nothing. */
bool sim_agency_step(struct sim_agency *agency);

/* May its bets count up to this one: are they whole batches? */
bool sim_agency_may_end(const struct sim_agency *agency, uint64_t count);

/* Gives up its connection. */
void sim_agency_hang_up(struct sim_agency *agency);

#endif
