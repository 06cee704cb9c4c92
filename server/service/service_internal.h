/* service_internal.h - the fields of a service, for this module only. */
#ifndef LOTTERY_SERVICE_INTERNAL_H
#define LOTTERY_SERVICE_INTERNAL_H

#include "arena.h"
#include "bet.h"
#include "frame.h"
#include "list.h"
#include "service.h"
#include "winner_files.h"

/* For lines that each of thousands of agencies causes, usually once (see log_limit.h). */
#define FINISHED_BURST 20000

struct service {
    struct service_config config;
    struct list waiting;          /* sessions in SESSION_WAITING, in the order they came */
    struct list spares;           /* unused requests; the one that was used last comes first */
    size_t spares_count;          /* how many there are */
    size_t outstanding;           /* requests that have begun and have not ended */
    struct winner_index *winners; /* owned; NULL until they were opened */
    bool are_winners_damaged;     /* a session has found that: they are to be opened again */
    bool has_logged_damage;       /* of the winners: once is enough */
    struct arena arena;           /* reset for each message */
    struct bet bets[FRAME_BODY_MAX / 2]; /* of one message: a bet takes at least two bytes */
};

#endif
