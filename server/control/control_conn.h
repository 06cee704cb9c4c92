/* control_conn.h - the connections of the operator's socket. */
#ifndef LOTTERY_CONTROL_CONN_H
#define LOTTERY_CONTROL_CONN_H

#include "control.h"
#include "list.h"
#include "status.h"
#include "stream.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What control_conns_init() needs; what it points to is borrowed. */
struct control_conns_config {
    struct stream_hub *hub;
    const struct control_backend *backend;
    void *backend_owner;
    uint64_t instance; /* see proto/control.proto */
    /* As in struct control_config. */
    uint64_t idle_ms;
    uint64_t frame_ms;
    uint64_t unread_ms;
    /* A connection's stream is gone. */
    void (*on_gone)(void *owner);
    void *owner;
};

struct control_conns {
    struct control_conns_config config;
    struct list conns; /* also those whose peer is gone while their command runs */
    size_t count;      /* of them */
    size_t open;       /* of them: have a stream */
};

void control_conns_init(struct control_conns *conns, const struct control_conns_config *config);

/* Takes over the connected socket `fd`, whose peer is a process of the user `uid`. On failure it is
 * closed: NOMEM, IO. */
enum status control_conns_add(struct control_conns *conns, int fd, uint32_t uid);

/* Checks the limits of time: to be called now and then while there are open ones. */
void control_conns_check(struct control_conns *conns, uint64_t now_ms);

/* Takes no more commands, sends what is answered, and ends all connections. */
void control_conns_stop(struct control_conns *conns);

/* Closes those that are still open. */
void control_conns_close(struct control_conns *conns);

/* Frees all, when their streams are gone. */
void control_conns_fini(struct control_conns *conns);

#endif
