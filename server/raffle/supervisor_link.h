/* supervisor_link.h - the coordinator's end of the link to the supervisor: the next draw, and new
 * settings.
 *
 * Both replace all processes but the supervisor, which is a movement. It has two halves, so that
 * the act of an operator can be recorded in between: what it needs is read, made and checked while
 * everything runs (PREPARE), and anything wrong changes nothing; then it takes place (COMMIT), or
 * what was prepared is undone (CANCEL, or the end of the coordinator). After COMMIT the coordinator
 * gets SIGTERM, as all children do; the next one belongs to the new draw or the new settings.
 *
 * One movement at a time: the supervisor refuses a second one, whoever asks for it. A signal can
 * ask for new settings, too. The coordinator hears about that afterwards, as it hears about a
 * movement that failed when the children were stopped already: it belongs in the record of acts.
 */
#ifndef LOTTERY_SUPERVISOR_LINK_H
#define LOTTERY_SUPERVISOR_LINK_H

#include "draw.h"
#include "errbuf.h"
#include "status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

enum movement_kind {
    MOVEMENT_NEXT = 1,  /* the next draw begins, in a folder of its own */
    MOVEMENT_RELOAD = 2 /* the settings are read again */
};

struct movement {
    enum movement_kind kind;
    uint32_t uid;             /* of the operator */
    uint64_t close_at_s;      /* MOVEMENT_NEXT: UTC, seconds since 1970; 0: no closing time */
    char id[DRAW_ID_MAX + 1]; /* MOVEMENT_NEXT: of the next draw */
};

enum supervisor_message_kind {
    /* From the coordinator. */
    SUPERVISOR_PREPARE = 1, /* number from 1 on, movement */
    SUPERVISOR_COMMIT = 2,  /* the one that was prepared */
    SUPERVISOR_CANCEL = 3,  /* the one that was prepared, or is asked for */
    SUPERVISOR_PHASE = 4,   /* phase */
    /* From the supervisor. */
    SUPERVISOR_PREPARED = 5,
    SUPERVISOR_REFUSED = 6, /* reason */
    SUPERVISOR_MOVED = 7    /* movement, reason; number 0 */
};

/* One message, sent whole (SOCK_SEQPACKET). */
struct supervisor_message {
    enum supervisor_message_kind kind;
    uint32_t number;          /* all but PHASE: of the PREPARE that it belongs to */
    enum draw_phase phase;    /* PHASE: of the draw in force */
    struct movement movement; /* PREPARE, MOVED */
    struct errbuf reason;     /* REFUSED; MOVED: "" = it has taken place */
};

/* Is what was received, `size` bytes, a whole message with valid members? */
bool supervisor_message_is_valid(const struct supervisor_message *message, size_t size);

/* What supervisor_link_start() needs; copied. */
struct supervisor_link_config {
    uv_loop_t *loop; /* borrowed until the close */
    int fd;          /* our end of the pair, non-blocking; borrowed, stays open */
    /* The movement is prepared: commit or cancel it. */
    void (*on_prepared)(void *owner);
    /* It is not, and nothing has changed; `reason` is for the operator. Also after a commit, if the
     * supervisor could not begin it any more. */
    void (*on_refused)(void *owner, const char *reason);
    /* A movement that no coordinator has asked for has taken place (`reason` is NULL) or not, or
     * one that an earlier coordinator had asked for has failed. Once for each, soon after the
     * start, unless the coordinator dies before it has read it. May be NULL. */
    void (*on_moved)(void *owner, const struct movement *movement, const char *reason);
    void *owner; /* handed to all of them */
};

enum supervisor_link_state {
    SUPERVISOR_LINK_IDLE,
    SUPERVISOR_LINK_ASKED,    /* PREPARE was sent */
    SUPERVISOR_LINK_PREPARED, /* and answered */
    SUPERVISOR_LINK_COMMITTED /* the end of this process is near */
};

struct supervisor_link {
    struct supervisor_link_config config;
    uv_poll_t poll;
    enum supervisor_link_state state;
    uint32_t number;       /* of the last PREPARE */
    enum draw_phase phase; /* the last one that was told */
};

/* Starts to read what the supervisor says. STATUS_IO: nothing is open then. */
enum status supervisor_link_start(struct supervisor_link *link,
                                  const struct supervisor_link_config *config);

/* Asks for a movement. One of the callbacks follows, not during this call. INUSE while another one
 * is asked for, prepared or committed; IO: the supervisor cannot be reached. */
enum status supervisor_link_prepare(struct supervisor_link *link, const struct movement *movement);

/* Has the prepared movement take place. IO: the supervisor cannot be reached, and the movement is
 * still prepared. */
enum status supervisor_link_commit(struct supervisor_link *link);

/* Takes the movement back that was asked for or prepared; no callback follows. Does nothing when
 * there is none, or when it is committed. */
void supervisor_link_cancel(struct supervisor_link *link);

/* Tells the supervisor the draw's phase, which decides what a reload may change. To be called with
 * each news; only a new phase is sent. */
void supervisor_link_tell_phase(struct supervisor_link *link, enum draw_phase phase);

/* No callback follows. The struct's memory may be freed when the loop has ended. */
void supervisor_link_close(struct supervisor_link *link);

#endif
