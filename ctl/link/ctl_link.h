/* ctl_link.h - lottery-ctl's connection to a server: frames over its Unix socket. Calls block. */
#ifndef LOTTERY_CTL_LINK_H
#define LOTTERY_CTL_LINK_H

#include "errbuf.h"
#include "frame.h"
#include "status.h"

#include <protobuf-c/protobuf-c.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CTL_CONNECT_MS 5000 /* how long an attempt to connect may take */
#define CTL_NO_LIMIT UINT64_MAX

struct ctl_link {
    const char *path;     /* of the socket; borrowed */
    int fd;               /* owned; -1: not connected */
    size_t size;          /* bytes of `in` */
    size_t taken;         /* of these, belong to the frame that was read last */
    const sigset_t *mask; /* of signals, while it waits; borrowed; NULL: as it is */
    uint8_t in[FRAME_MAX_SIZE];
};

/* Not connected yet. */
void ctl_link_init(struct ctl_link *link, const char *path);

/* Connects, unless it is connected. Waits up to a second for somebody to listen. INVALID when the
 * path is too long for a socket; STOPPED when a signal came; else as errno says. *err begins with
 * the path. */
enum status ctl_link_open(struct ctl_link *link, struct errbuf *err);

/* Ends the connection. May be called again. */
void ctl_link_close(struct ctl_link *link);

/* Sends a command, which fits into a frame. GONE when the server has closed the connection: it may
 * have said why, which ctl_link_read() finds; STOPPED; IO. */
enum status ctl_link_send(struct ctl_link *link, uint8_t opcode, const ProtobufCMessage *message,
                          struct errbuf *err);

/* Waits for the next frame, for at most `limit_ms` without a byte. *out is valid until the next
 * call. GONE when the server ends the connection; IO, also when the time is over; STOPPED when a
 * signal came; MALFORMED. After an error the link has to be closed. */
enum status ctl_link_read(struct ctl_link *link, struct frame *out, uint64_t limit_ms,
                          struct errbuf *err);

#endif
