/* settings_change.h - which settings may change while the server runs. */
#ifndef LOTTERY_SETTINGS_CHANGE_H
#define LOTTERY_SETTINGS_CHANGE_H

#include "draw.h"
#include "errbuf.h"
#include "server_settings.h"
#include "status.h"

#include <stdbool.h>
#include <stdint.h>

struct settings_change {
    const struct server_settings *from; /* those that are in force */
    const struct server_settings *to;
    /* The draw in force. */
    const char *id;        /* "" = it has none */
    uint64_t close_at_s;   /* 0 = it has no closing time */
    enum draw_phase phase; /* how far it is */
    bool is_next;          /* the new settings are for the next draw */
};

/* INVALID when one of them may not: *err names it, and says what to do. */
enum status settings_change_check(const struct settings_change *change, struct errbuf *err);

#endif
