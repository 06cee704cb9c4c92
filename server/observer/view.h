/* view.h - all that the observer knows at a moment; its answers are made from this alone. */
#ifndef LOTTERY_OBSERVER_VIEW_H
#define LOTTERY_OBSERVER_VIEW_H

#include "ledger.h"
#include "scoreboard.h"
#include "server_settings.h"

#include <stdbool.h>
#include <stdint.h>

struct observer_view {
    const struct server_settings *settings;
    const struct scoreboard *scoreboard;
    const struct ledger_news *news; /* NULL in mode echo; news->agencies == 0: nothing told yet */
    bool has_ledger;                /* the link to the ledger is open */
    bool is_stopping;               /* the server stops, or changes over to another generation */
    uint64_t started_s;             /* when the server started, seconds since 1970 */
};

#endif
