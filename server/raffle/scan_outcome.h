/* scan_outcome.h - what a job has found. */
#ifndef LOTTERY_SCAN_OUTCOME_H
#define LOTTERY_SCAN_OUTCOME_H

#include "draw.h"

struct scan_outcome {
    struct draw_sealed sealed; /* STORE_SEAL */
    struct draw_drawn drawn;   /* STORE_WINNERS; source is borrowed from the order */
};

#endif
