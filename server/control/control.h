/* control.h - the operator's socket: takes the commands of lottery-ctl and hands them to a backend.
 *
 * A Unix stream socket with mode 0600. Its peers are programs of root or of the server's own user;
 * others are turned away. What travels is proto/control.proto. The module checks the form of each
 * command; what it means, and whether it may be done, is decided by the backend.
 *
 * Everything runs on the loop of the caller, and nothing blocks.
 */
#ifndef LOTTERY_CONTROL_H
#define LOTTERY_CONTROL_H

#include "draw.h"
#include "status.h"
#include "text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#define CONTROL_SOCKET "control.sock" /* its name in the data directory */
#define CONTROL_PAGE_MAX 256 /* rows of agencies or winners that the backend gives at once */
#define CONTROL_TEXT_MAX 511 /* bytes of a reason; longer ones are cut */

struct control;

/* How a command has ended; the values are those of the protocol. */
enum control_result {
    CONTROL_DONE = 1,    /* all of it; what is on record is on disk */
    CONTROL_REFUSED = 2, /* it may not be done, or not now; nothing has changed */
    CONTROL_FAILED = 3,  /* it could not be done, or it is not known whether it was */
    CONTROL_MOVING = 4   /* next, reload: it is decided, and the server now moves. The peer connects
                            again and waits until another instance of this module answers */
};

/* A command that runs. The module's; the backend may use it until it ends the request. */
struct control_request {
    uint32_t uid;        /* who asks: the user id of the peer's process */
    uint32_t number;     /* draw: 0..9999 */
    struct text source;  /* draw: it is a draw_is_text(), perhaps empty */
    const char *draw;    /* next: it is valid, see draw_id.h */
    uint64_t close_at_s; /* next: UTC, seconds since 1970, up to the year 9999; 0: none */
    uint64_t from;       /* agencies, winners: how many rows come before those that are wanted */
    void *context;       /* the backend's own; NULL at first */
};

/* What the operator can ask for. Each operation is ended exactly once, by one of the functions
 * control_end...(), within the call or in a later turn of the loop, however long that takes:
 * there is no limit of time. The peer may be gone by then; that makes no difference to the backend,
 * and the command is not taken back.
 *
 * Several requests may run at a time, also several that act: up to control_config.max_conns.
 *
 * status    ends with control_end_status
 * agencies  ends with control_end_agencies: the agencies from+1, from+2, ... in the order of their
 *           ids. A long list is asked for in pages, whenever the peer has read the one before; the
 *           requests of one list have the same struct, one after the other
 * winners   the same with control_end_winners, in the order of the bets. REFUSED while there are
 *           none
 * close     DONE when the closing is on record. The peer waits for the seal by itself
 * draw      DONE when the draw is on record and its winners can be read
 * next      MOVING when all is prepared, checked and decided
 * reload    the same
 * backup    ends with control_end_backup
 *
 * Each may also end with control_end(): REFUSED or FAILED, and why. */
struct control_backend {
    void (*status)(void *owner, struct control_request *request);
    void (*agencies)(void *owner, struct control_request *request);
    void (*winners)(void *owner, struct control_request *request);
    void (*close)(void *owner, struct control_request *request);
    void (*draw)(void *owner, struct control_request *request);
    void (*next)(void *owner, struct control_request *request);
    void (*reload)(void *owner, struct control_request *request);
    void (*backup)(void *owner, struct control_request *request);
};

/* The state of the draw. Borrowed during the call, with all that it points to. */
struct control_status {
    enum draw_phase phase;     /* DRAW_NEW: not known yet, and nothing else counts */
    struct draw_terms terms;   /* its id, mode, seal on?, closing time */
    uint32_t agencies;         /* N */
    uint32_t finished;         /* of these */
    bool has_bets;             /* `bets` is known */
    uint64_t bets;             /* of all agencies */
    struct draw_closed closed; /* from DRAW_CLOSED on: time, by, uid; the rest is not looked at */
    bool is_sealed;            /* the seal is on record */
    struct draw_sealed sealed; /* if is_sealed */
    const char *vkey;          /* if is_sealed: the key for checking, see docs/protocol.md; NULL:
                                  not known */
    struct draw_drawn drawn;   /* in DRAW_DRAWN: time, number, winners, uid, source */
    bool has_winners;          /* in DRAW_DRAWN: the winners can be read */
};

struct control_agency {
    uint32_t id;
    bool has_finished;
    uint64_t bets; /* of it that count */
};

struct control_winner {
    uint32_t agency;
    struct text document; /* borrowed during the call; at most 16 ASCII letters or digits */
};

/* Where the bytes of a file of a backup are from; the values are those of the protocol. */
enum control_source {
    CONTROL_CONTENT = 1,   /* `content` */
    CONTROL_BEGINNING = 2, /* the first `size` bytes of the file that is `inode` on `device` */
    CONTROL_WHOLE = 3,     /* the file as it is */
    CONTROL_IF_ANY = 4     /* the same, if it is there */
};

struct control_file {
    const char *name; /* in the data directory, and in the copy; as the protocol wants it */
    enum control_source source;
    struct text content; /* CONTENT; of any size */
    uint64_t size;       /* BEGINNING: bytes; the next two, too */
    uint64_t device;
    uint64_t inode;
};

/* What a copy of the draw has. Borrowed during the call, with all that it points to. */
struct control_snapshot {
    const char *draw; /* its id; empty: it has none */
    enum draw_phase phase;
    bool is_sealed;
    uint64_t bets;
    const struct control_file *files;
    size_t count;
};

/* End the request, which the backend must not touch any more. The backend is not called from within
 * these functions. `text` is for people, UTF-8 in one line, NULL or empty if there is nothing to
 * say; borrowed during the call. */
void control_end(struct control_request *request, enum control_result result, const char *text);

/* DONE, with the state. */
void control_end_status(struct control_request *request, const struct control_status *status);

/* DONE, with at most CONTROL_PAGE_MAX rows. `has_more`: others follow, and count > 0. */
void control_end_agencies(struct control_request *request, const struct control_agency *rows,
                          size_t count, bool has_more);
void control_end_winners(struct control_request *request, const struct control_winner *rows,
                         size_t count, bool has_more);

/* DONE, with what a copy has; `text` says what it lacks, as in control_end(). */
void control_end_backup(struct control_request *request, const struct control_snapshot *snapshot,
                        const char *text);

/* What control_create() needs; what it points to is borrowed until control_destroy(). */
struct control_config {
    uv_loop_t *loop;
    const char *path; /* of the socket: CONTROL_SOCKET in the data directory, which is locked: a
                         socket that lies there already is one that a dead server has left */
    const struct control_backend *backend;
    void *owner; /* handed to the backend */

    /* Who may connect? NULL: root, and the user of this process. */
    bool (*is_allowed)(uint32_t uid);

    /* Limits; 0: the default. A request that runs holds its connection's place. */
    size_t max_conns;   /* connections at a time; 16 */
    uint64_t idle_ms;   /* between two commands; 60 s */
    uint64_t frame_ms;  /* from the begin of a frame to its end; 5 s */
    uint64_t unread_ms; /* in which the peer reads nothing of its answer; 10 s */
};

/* Creates it and begins to listen. Where the path is too long for a socket, or something lies there
 * that is not a socket, or the system refuses, the log has a WARNING, and there is no socket: that
 * is a success as well. NOMEM. */
enum status control_create(const struct control_config *config, struct control **out);

/* Stops: takes no more connections and commands, removes the socket's name, sends what was answered
 * and tells those whose commands run that the server stops; then closes. All handles are closed
 * after a few turns of the loop, and two seconds at the latest. Requests that run may still be
 * ended, which then has no effect. May be called again. */
void control_close(struct control *control);

/* Frees it, with the requests that were never ended, after control_close() and when the loop has
 * closed all handles. NULL is fine. */
void control_destroy(struct control *control);

#endif
