/* operator.h - what the operator can ask of the coordinator: the backend of the control socket.
 *
 * Every act, and what was refused of it, is recorded in the draw with the user's id before it is
 * answered; a draw's closing and its number have records of their own besides.
 */
#ifndef LOTTERY_OPERATOR_H
#define LOTTERY_OPERATOR_H

#include "control.h"
#include "coordinator_core.h"
#include "data_dir.h"
#include "ledger_client.h"
#include "note_key.h"
#include "supervisor_link.h"

#include <stdbool.h>
#include <uv.h>

/* What operator_start() needs; copied, and what it points to is borrowed until operator_fini(). */
struct operator_config {
    uv_loop_t *loop;
    struct ledger_client *client;
    const struct data_dir *data_dir; /* of the draw */
    const char *socket;              /* path of the control socket */
    int supervisor_fd;               /* our end of the link to the supervisor */
    /* Why a number cannot be given now; NULL: it can. And gives it; operator_on_order() follows. */
    const char *(*refuses_number)(void *owner);
    void (*give_number)(void *owner, const struct draw_order *order);
    /* The key that checks the seals, as text; NULL: there is none, or not known yet. */
    const char *(*vkey)(void *owner);
    void *owner; /* handed to all of them */
};

/* How far a list of winners was read. */
struct operator_place {
    uint64_t row;    /* of the next line */
    uint64_t offset; /* where it begins */
};

struct operator
{
    struct operator_config config;
    struct control *control;
    struct supervisor_link link;
    struct operator_act *drawing; /* waits for the draw; NULL: none */
    struct operator_act *moving;  /* waits for the supervisor; NULL: none */
    unsigned refusals;            /* that were recorded */
    struct operator_place place;  /* of the last page of winners */
    bool is_linked;               /* the link is there */
};

/* Begins to listen. NOMEM, IO: nothing is open then. */
enum status operator_start(struct operator* self, const struct operator_config *config);

/* There is news of the ledger. */
void operator_on_news(struct operator* self);

/* What has become of the number that was given; `reason` says why it was not drawn. */
void operator_on_order(struct operator* self, enum coordinator_order order, const char *reason);

/* Takes no more commands and closes what is open; before the ledger's client is closed. */
void operator_close(struct operator* self);

/* Frees everything, when the loop has run out. */
void operator_fini(struct operator* self);

#endif
