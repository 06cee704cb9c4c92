/* service_internal.h - the fields of a service, for this module only. */
#ifndef LOTTERY_SERVICE_INTERNAL_H
#define LOTTERY_SERVICE_INTERNAL_H

#include "arena.h"
#include "bet.h"
#include "draw.h"
#include "draw_files.h"
#include "frame.h"
#include "list.h"
#include "past_draws.h"
#include "service.h"

/* For lines that each of thousands of agencies causes, usually once (see log_limit.h). */
#define FINISHED_BURST 20000

struct service {
    struct service_config config;
    struct list waiting;           /* sessions in SESSION_WAITING, in the order they came */
    struct list unsealed;          /* the same, of those that have to get a Seal first */
    struct list spares;            /* unused requests; the one that was used last comes first */
    size_t spares_count;           /* how many there are */
    size_t outstanding;            /* requests that have begun and have not ended */
    struct draw_files files;       /* of the draw; none are open until they can be read */
    struct past_draws past;        /* the draws that are over */
    char draw_id[DRAW_ID_MAX + 1]; /* the id of the draw, once the ledger was asked for it; the draw
                                      of a service stays the same */
    bool are_winners_damaged;      /* a session has found that: they are to be opened again */
    bool has_logged_damage;        /* of the winners: once is enough */
    struct arena arena;            /* reset for each message */
    struct bet bets[FRAME_BODY_MAX / 2]; /* of one message: a bet takes at least two bytes */
};

/* The id of the draw; empty: it has none. Valid as long as the service is. */
const char *service_draw_id(struct service *service);

#endif
