/* generation.h - all that belongs to one run of the supervisor's children: the settings that they
 * follow, the draw that they work on, its folder, their sockets, the children themselves.
 *
 * A supervisor has one generation, and for a moment two: one that runs, and one that is prepared
 * and takes its place (supervisor_movement.c).
 */
#ifndef LOTTERY_GENERATION_H
#define LOTTERY_GENERATION_H

#include "coordinator_child.h"
#include "data_dir.h"
#include "draw_id.h"
#include "errbuf.h"
#include "ledger_child.h"
#include "roles.h"
#include "server_settings.h"
#include "status.h"

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

struct tls_context; /* tls_context.h */

/* What generation_create() needs; settings and id are copied, `tls` is taken over, also on failure,
 * and the others are borrowed. */
struct generation_config {
    const struct server_settings *settings;
    int http_fd; /* see struct roles_config, like started_s */
    uint64_t started_s;
    struct tls_context *tls;           /* for agencies' connections; NULL: they are plain */
    const struct data_dir *base_dir;   /* the data directory itself, locked; NULL in mode echo */
    const char *id;                    /* of the draw; "" = it has none */
    uint64_t close_at_s;               /* of a draw that begins; 0: no closing time */
    bool must_exist;                   /* the draw has begun: its folder is not made */
    const struct generation *replaces; /* one that works on the same draw, or NULL */
    void (*on_fork)(void *context);    /* see struct roles_config */
    void *context;
};

struct generation {
    struct server_settings settings;
    struct generation_config config; /* its pointers to settings and id are those here */
    char id[DRAW_ID_MAX + 1];
    char path[PATH_MAX + DRAW_ID_MAX + 2]; /* of data_dir */
    bool is_lottery;                       /* not mode echo; otherwise only roles count */
    bool is_folder_made;                   /* the folder was made for this generation */
    struct data_dir data_dir;              /* the draw's, locked */
    struct ledger_child ledger;
    struct coordinator_child coordinator;
    struct roles roles;
};

/* Opens and prepares everything that can fail before the first fork; no child is started. On
 * failure all is as it was, and *err says why: INUSE, NOTFOUND, IO, NOMEM, ... Blocks for the disk.
 */
enum status generation_create(const struct generation_config *config, struct generation **out,
                              struct errbuf *err);

/* Frees everything; none of the children runs. NULL is fine. */
void generation_destroy(struct generation *self);

/* The same for one that never ran: its folder is removed if it was made for it. */
void generation_undo(struct generation *self);

/* Takes over what `before` has counted, or the other way round if a movement goes back: before the
 * first child of this one starts, when none of the other's runs any more. */
void generation_take_counts(struct generation *self, const struct generation *before);

/* In a process that was forked for another generation: wipes the key of this one, and unmaps its
 * scoreboard. */
void generation_leave(struct generation *self);

/* Is its folder one in which its draw can begin: empty, or left by an attempt at the same draw that
 * ended before there was any bet? Otherwise INVALID, and *err says what to do. DAMAGED, IO, ... if
 * that cannot be said. Blocks for the disk. */
enum status generation_check_new(const struct generation *self, struct errbuf *err);

#endif
