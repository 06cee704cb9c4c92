/* control_socket.h - the listening socket of the operator, and its name in the file system. */
#ifndef LOTTERY_CONTROL_SOCKET_H
#define LOTTERY_CONTROL_SOCKET_H

#include "errbuf.h"
#include "status.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct control_socket {
    const char *path; /* borrowed */
    int fd;           /* listens, does not block; owned; -1: not open */
    dev_t device;     /* with inode: which file the name was given to */
    ino_t inode;
};

/* Listens at `path` with mode 0600, from the first moment on. A socket that lies there already is
 * replaced: the caller knows that its server is dead. Anything else that lies there, also a
 * symbolic link, is left alone: INVALID. INVALID also when the path is too long for a socket; else
 * as errno says. *err says why, and names the path. On failure out->fd is -1. */
enum status control_socket_open(const char *path, struct control_socket *out, struct errbuf *err);

/* Removes the name, if it is still this socket's, and closes it. May be called again. */
void control_socket_close(struct control_socket *socket);

/* The user of the process at the other end of a connected Unix socket. False: the system does not
 * say. */
bool control_socket_peer(int fd, uint32_t *out_uid);

#endif
