/* ledger_core_state.h - what the files of the core share: ledger_core.h's own state. Nobody else
 * includes it.
 *
 * ledger_core_settings: what is refused or recorded at the beginning
 * ledger_core_decide:   what becomes of each message
 * ledger_core_commit:   makes the group durable, then answers
 * ledger_core_news:     what everybody is told
 * ledger_core_peers:    who is there
 * ledger_core_store:    what the store's statuses mean
 * ledger_core:          puts them together
 */
#ifndef LOTTERY_LEDGER_CORE_STATE_H
#define LOTTERY_LEDGER_CORE_STATE_H

#include "ledger_core.h"
#include "list.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ledger_peer {
    void *context;                /* the owner's */
    const char *region;           /* borrowed; NULL: none */
    size_t region_size;           /* bytes */
    uint32_t in_group;            /* its operations in the group */
    bool is_closed;               /* waits for the commit */
    struct message_pieces pieces; /* of its next request */
    bool needs_news;              /* has not had any */
    struct list_node in_list;     /* in the core's peers, or leaving */
};

/* An operation of the group, and what was decided about it. */
struct operation {
    struct ledger_peer *peer;
    uint32_t kind;          /* enum message_kind */
    uint32_t agency;        /* append, ask, finish */
    enum status status;     /* until the commit has failed */
    uint32_t stored;        /* append: bets that it added; open_files: how many files */
    enum store_files files; /* of which kind, where it is about files */
    bool are_files_right;   /* once it is committed, these are */
    uint32_t checksum;      /* of the agency's bets */
    bool has_finished;      /* the agency */
    uint64_t received;      /* of the agency */
};

/* What the store does for the core. */
enum core_work {
    CORE_COMMITS,
    CORE_MAINTAINS,
    CORE_MAINTAINS_IDLE,
    CORE_OPENS_FILES,
    CORE_PUBLISHES_FILES,
    CORE_TAKES_SNAPSHOT,
    CORE_WORKS /* how many */
};

struct ledger_core {
    struct ledger_core_config config;
    struct list peers;            /* open ones, by in_list */
    struct list leaving;          /* closed ones with operations in the group, by in_list */
    struct operation *operations; /* the group; owned */
    size_t operations_max;
    size_t operations_count;
    struct draw_record
        *records; /* of the group that were accepted; owned; one more than the above */
    size_t records_count;
    size_t bytes;                             /* of the group's bets */
    struct ledger_news told;                  /* the last news that everybody got */
    struct ledger_peer *writers[STORE_FILES]; /* the peers that got the last files; NULL: none */
    bool is_news_due;             /* a peer has had none yet, or they may have changed */
    bool has_failed;              /* the process has to end */
    bool are_right[STORE_FILES];  /* the files are those of the draw */
    bool knows_supervisor;        /* the supervisor knows that the draw was held */
    bool has_trouble[CORE_WORKS]; /* this work failed last: logged once, not for each group */
};

#endif
