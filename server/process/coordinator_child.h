/* coordinator_child.h - the supervisor's end of the link to the coordinator, over all of the
 * coordinator's lives; supervisor_link.h describes the link and its messages. */
#ifndef LOTTERY_COORDINATOR_CHILD_H
#define LOTTERY_COORDINATOR_CHILD_H

#include "errbuf.h"
#include "status.h"
#include "supervisor_link.h"

#include <stdbool.h>
#include <stdint.h>

struct coordinator_child {
    int near_fd;    /* our end; readable when the coordinator has asked for something */
    int far_fd;     /* the coordinator's end; open here as well, for the next coordinator */
    bool has_ended; /* one has, and coordinator_child_forget() is due */
};

/* Opens the pair. STATUS_IO with a reason in *err; coordinator_child_fini() is due all the same. */
enum status coordinator_child_init(struct coordinator_child *self, struct errbuf *err);
void coordinator_child_fini(struct coordinator_child *self);

/* Takes the next message that the coordinator has sent; false when there is none. What is not a
 * valid message of a coordinator is dropped. Does not block. */
bool coordinator_child_hear(const struct coordinator_child *self, struct supervisor_message *out);

/* Answers the PREPARE or COMMIT `number`: PREPARED, or REFUSED with a reason. A coordinator that
 * does not read its answers loses them. */
void coordinator_child_prepared(const struct coordinator_child *self, uint32_t number);
void coordinator_child_refuse(const struct coordinator_child *self, uint32_t number,
                              const struct errbuf *reason);

/* Tells the coordinator, or the next one if none runs, what became of a movement: MOVED. An empty
 * reason: it has taken place. */
void coordinator_child_tell_moved(const struct coordinator_child *self,
                                  const struct movement *movement, const struct errbuf *reason);

/* When the coordinator has ended, and what it had sent was heard: what was sent to it is not for
 * its successor. */
void coordinator_child_forget(struct coordinator_child *self);

#endif
