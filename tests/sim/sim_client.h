/* sim_client.h - a process's end of its link to the ledger, as ledger_client.h promises it.
 *
 * Operations leave in their order and end in their order. When the link is lost, the client
 * connects again and hands in again what has no outcome, from the same places of its region.
 */
#ifndef LOTTERY_SIM_CLIENT_H
#define LOTTERY_SIM_CLIENT_H

#include "ledger.h"
#include "message.h"
#include "region.h"
#include "sim_link.h"
#include "sim_process.h"

#define SIM_FDS_MAX 16

struct sim_client {
    struct ledger base;          /* must be first */
    struct sim_process *process; /* whose end it is */
    struct sim_link *link;       /* NULL: not connected */
    struct sim_region *shared;   /* the memory of `region` */
    struct region region;
    struct list ops; /* without an outcome, in their order */
    struct ledger_news news;
    bool has_news;
    void (*on_news)(struct sim_client *client); /* they have come */
    struct message_pieces pieces;               /* of the next news */
    struct draw_drawn drawn;   /* of the operation that hands in the draw's outcome */
    struct draw_sealed sealed; /* of the one that hands in the seal */
    struct draw_act act;       /* of the one that records it */
    int fds[SIM_FDS_MAX];      /* during done() of what brings files */
    size_t fds_count;
};

/* Begins without a link; `process` is alive. `on_news` may be NULL. */
void sim_client_init(struct sim_client *client, struct sim_process *process,
                     void (*on_news)(struct sim_client *client));

/* The process is dead: closes the link. */
void sim_client_fini(struct sim_client *client);

/* Connects if there is no link, else takes one message or notices that the link is lost. Within a
 * turn of the process. Returns false if there was nothing to do. */
bool sim_client_step(struct sim_client *client);

/* As of ledger_client.h. */
void sim_client_close_draw(struct sim_client *client, struct ledger_op *op, enum draw_closed_by by,
                           uint32_t uid);
void sim_client_files_lost(struct sim_client *client, struct ledger_op *op, enum store_files files);
void sim_client_open_files(struct sim_client *client, struct ledger_op *op, enum store_files files,
                           size_t count);
void sim_client_seal(struct sim_client *client, struct ledger_op *op,
                     const struct draw_sealed *sealed, bool is_new);
void sim_client_draw(struct sim_client *client, struct ledger_op *op,
                     const struct draw_drawn *drawn, bool is_new);
void sim_client_result(struct sim_client *client, struct ledger_op *op, bool is_new);

/* During done(), its file is open as fds[0]. */
void sim_client_snapshot(struct sim_client *client, struct ledger_op *op);

/* Texts are borrowed until the operation ends. */
void sim_client_act(struct sim_client *client, struct ledger_op *op, const struct draw_act *act);

#endif
