/* sockets.h - the sockets that outlive workers and coordinator. */
#ifndef LOTTERY_SOCKETS_H
#define LOTTERY_SOCKETS_H

#include "errbuf.h"
#include "server_settings.h"
#include "status.h"

#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

/* Opens the TCP socket where agencies connect: on the address that SERVER_IP is, or on all when it
 * is a name. *out_port is the port, also when the setting is 0 and the kernel picks one. Not
 * blocking. */
enum status socket_listen(const struct server_settings *settings, int *out_fd, uint16_t *out_port,
                          struct errbuf *err);

/* Opens the Unix socket where workers reach the coordinator, under a name that the kernel picks: no
 * file stays, whatever dies. Not blocking. */
enum status socket_listen_unix(int *out_fd, struct sockaddr_un *out_address, socklen_t *out_size,
                               struct errbuf *err);

#endif
