/* service.h - what the sessions of one worker share: the ledger, and the winners after the draw.
 *
 * This module answers the messages of agencies. Only it knows both protobuf and the lottery. It
 * does not know sockets: answers leave through struct session_events (session.h), and messages come
 * in through dispatch.h. All calls are made on the thread of one worker's loop.
 */
#ifndef LOTTERY_SERVICE_H
#define LOTTERY_SERVICE_H

#include "errbuf.h"
#include "file_ops.h"
#include "ledger.h"
#include "past_draws.h"
#include "scoreboard.h"
#include "status.h"

#include <stddef.h>

struct service;

/* All of it is borrowed for as long as the service lives. */
struct service_config {
    struct ledger *ledger;      /* which has told its news before the first message comes */
    const struct file_ops *ops; /* with which the winners are read */
    int dir_fd;                 /* the data directory, where they are */
    /* The winners that are being sent are damaged. May be called more than once for one damage.
     * NULL: nobody wants to know. */
    void (*on_damage)(void *owner);
    void *owner; /* handed to on_damage and load_past */
    /* Reads a draw that is over. NULL: there are none. */
    past_draw_load_cb load_past;
    struct scoreboard_row *row; /* where messages, answers and agencies count; NULL: nowhere */
};

/* Creates a worker's service. Returns STATUS_OK or STATUS_NOMEM. */
enum status service_create(const struct service_config *config, struct service **out);

/* Frees a service that has no session and nothing outstanding. NULL is fine. */
void service_destroy(struct service *service);

/* How many messages are still in progress in the ledger. */
size_t service_outstanding(const struct service *service);

/* Sends a Seal to every session that waits for one. Before the ledger has told that there is one it
 * does nothing and succeeds. If its files cannot be read, it returns why, and the sessions go on
 * waiting. Blocks: it reads the files, until that has succeeded once. */
enum status service_send_seals(struct service *service, struct errbuf *err);

/* In a sealed draw, reads what is told with the winners; likewise. Until then none are sent. */
enum status service_read_result(struct service *service, struct errbuf *err);

/* Starts to send the winners to every session that waits, and has its Seal if it wants one. Before
 * the ledger has told that there are winners it does nothing and succeeds. If they cannot be read,
 * it returns why, and the sessions go on waiting. Opens the file of the winners, until that has
 * succeeded once; then it keeps it, unless it is damaged. Blocks: it reads the winners. */
enum status service_send_winners(struct service *service, struct errbuf *err);

#endif
