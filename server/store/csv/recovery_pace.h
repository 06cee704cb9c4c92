/* recovery_pace.h - how far a recovery is, whatever the version of the journal. */
#ifndef LOTTERY_STORE_RECOVERY_PACE_H
#define LOTTERY_STORE_RECOVERY_PACE_H

#include "errbuf.h"
#include "status.h"

#include <stdbool.h>
#include <stdint.h>

/* The caller zeroes it, sets must_stop, and keeps the bytes up to date. */
struct recovery_pace {
    bool (*must_stop)(void); /* NULL: never */
    uint64_t bytes_done;     /* read so far */
    uint64_t bytes_all;      /* to read */
    uint64_t next_report_ms; /* private: when to say how far it is */
};

/* To be called between blocks: logs each second how far it is. STOPPED, with the reason in *err,
 * when must_stop() returns true; otherwise OK. */
enum status recovery_pause(struct recovery_pace *pace, struct errbuf *err);

#endif
