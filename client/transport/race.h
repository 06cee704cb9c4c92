/* race.h - connects to the first of several addresses that answers: RFC 8305, "Happy Eyeballs".
 *
 * The addresses are tried in their order, the next one as soon as one has failed, or RACE_DELAY_MS
 * after the one before. The first connection wins, and the other attempts are given up. All calls
 * and callbacks happen on the loop's thread; none blocks.
 *
 * With TLS, an attempt has succeeded when its handshake is over. For RFC 8305 that is generally
 * when TCP's is (section 5); but then an address at which nobody speaks TLS, or somebody else, or a
 * machine that hangs, would win, and the others would not be tried.
 */
#ifndef LOTTERY_RACE_H
#define LOTTERY_RACE_H

#include "address_order.h"
#include "list.h"
#include "stream.h"

#include <stdbool.h>
#include <stddef.h>

#define RACE_DELAY_MS 250 /* as RFC 8305 recommends */
#define RACE_ENDING_MAX 8 /* failed attempts whose peers are still being told */

struct race_events {
    /* An address cannot be reached, or, with TLS, its peer is not trusted. `reason` is static.
     * race_stop() may be called from here. */
    void (*on_failed)(void *owner, const struct sockaddr *address, const char *reason);
    /* One is connected, and the race is over. The stream is the owner's, who has to call
     * stream_hand_over() and in the end stream_close(). */
    void (*on_won)(void *owner, struct stream *stream, const struct sockaddr *address);
    /* All have failed, and the race is over. */
    void (*on_lost)(void *owner);
};

struct race {
    struct stream_hub *hub;           /* borrowed */
    const struct race_events *events; /* borrowed */
    void *owner;                      /* handed to the events */
    struct sockaddr_storage addresses[ADDRESS_ORDER_MAX];
    size_t count;                  /* of them */
    size_t next;                   /* the next one to try */
    const struct tls_context *tls; /* how to prove ourselves, borrowed; NULL: without TLS */
    const char *tls_server_name;   /* as for stream_create_tls(); borrowed while a race goes on */
    struct list lanes;             /* the attempts that are going on, by race_lane.in_race */
    struct list ending;            /* those that have failed, while their peers are told why */
    uv_timer_t timer;              /* until the next one begins */
    bool is_running;               /* neither won nor lost nor stopped */
};

/* Prepares the race without connecting, and without TLS. The owner ends it with race_close(). */
void race_init(struct race *race, struct stream_hub *hub, const struct race_events *events,
               void *owner);

/* Begins to connect to race->addresses, which the caller has filled in, as it has race->count and,
 * for TLS, race->tls and race->tls_server_name. The events may be called from here. No race may be
 * running. */
void race_start(struct race *race);

/* Gives up what is going on. With a reason, on_failed is called for each attempt; on_lost is not
 * called. Does nothing when no race is running. */
void race_stop(struct race *race, const char *reason);

/* Is a race going on? */
bool race_is_running(const struct race *race);

/* Stops, and closes the timer and what is ending. No callback follows. */
void race_close(struct race *race);

#endif
