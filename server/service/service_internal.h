/* service_internal.h - what a service is made of, for the files of this folder. */
#ifndef LOTTERY_SERVICE_INTERNAL_H
#define LOTTERY_SERVICE_INTERNAL_H

#include "arena.h"
#include "bet.h"
#include "frame.h"
#include "list.h"
#include "service.h"
#include "winner_index.h"

struct service {
    struct service_config config;
    struct list waiting;         /* sessions in SESSION_WAITING, in the order they came */
    struct list spares;          /* requests that are kept for reuse, the last used first */
    size_t outstanding;          /* requests that have begun and not ended */
    struct winner_index winners; /* once has_winners */
    bool has_winners;
    struct arena arena;                  /* reset per message */
    struct bet bets[FRAME_BODY_MAX / 2]; /* an empty bet takes two bytes: no frame has more */
};

#endif
