/* sim_worker.h - a worker's process: the real service and its sessions, over simulated connections
 * and a simulated link to the ledger.
 */
#ifndef LOTTERY_SIM_WORKER_H
#define LOTTERY_SIM_WORKER_H

#include "frame_reader.h"
#include "session.h"
#include "sim_client.h"
#include "sim_process.h"
#include "sim_queue.h"

#include <stdbool.h>

#define SIM_WORKERS_MAX 3
#define SIM_CONNS_MAX 32

struct service;
struct sim_agency;
struct sim_worker;

/* A connection of an agency. What one end has sent arrives, in whole or in part, also after that
 * end is gone. What an agency sends is a stream of bytes, which arrives in pieces of any size. */
struct sim_conn {
    struct sim_agency *agency; /* NULL: its end is closed */
    struct sim_worker *worker; /* NULL: its end is closed */
    bool has_session;          /* the worker has accepted it */
    bool is_finishing;         /* the session has sent its last frame */
    bool is_refused;           /* the session takes no more messages */
    struct session session;
    struct frame_reader reader; /* of the worker */
    struct sim_queue to_worker; /* pieces */
    struct sim_queue to_agency; /* frames */
};

struct sim_worker {
    struct sim_process process;
    struct sim_client client;
    struct service *service;  /* NULL: it waits for the first news */
    bool has_winners;         /* the service has read them */
    bool is_telling;          /* the ledger hears that they are lost */
    struct ledger_op lost_op; /* with which it does */
    int dir_fd;
};

extern struct sim_worker sim_workers[SIM_WORKERS_MAX];
extern struct sim_conn sim_conns[SIM_CONNS_MAX];

void sim_conns_reset(void);

/* An agency connects to a worker that is alive. */
struct sim_conn *sim_conn_open(struct sim_agency *agency, struct sim_worker *worker);

/* The agency sends it. */
void sim_conn_send(struct sim_conn *conn, const uint8_t *frame, size_t size);

/* The agency closes its end. */
void sim_conn_hang_up(struct sim_conn *conn);

/* Loses the last of what is on its way, and breaks the connection. */
void sim_conn_break(struct sim_conn *conn, struct prng *prng);

void sim_worker_start(struct sim_worker *worker);
void sim_worker_kill(struct sim_worker *worker);

/* Takes one message of the ledger or of an agency. Returns false if there was nothing to do. */
bool sim_worker_step(struct sim_worker *worker);

#endif
