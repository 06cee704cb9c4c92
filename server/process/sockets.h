/* sockets.h - the sockets that outlive workers, coordinator and ledger. */
#ifndef LOTTERY_SOCKETS_H
#define LOTTERY_SOCKETS_H

#include "errbuf.h"
#include "server_settings.h"
#include "status.h"

#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

/* Opens the TCP socket where agencies connect: on the address SERVER_IP, or on all addresses when
 * that is a name. *out_port is the real port, also when the setting is 0 and the kernel picks one.
 * The socket is non-blocking. */
enum status socket_listen(const struct server_settings *settings, int *out_fd, uint16_t *out_port,
                          struct errbuf *err);

/* Opens the Unix socket where workers and coordinator reach the ledger. Its name is abstract and
 * picked by the kernel, so no file is left over whichever process dies. The socket is non-blocking.
 */
enum status socket_listen_unix(int *out_fd, struct sockaddr_un *out_address, socklen_t *out_size,
                               struct errbuf *err);

/* Opens a pair of connected Unix sockets for whole messages (SOCK_SEQPACKET), non-blocking. */
enum status socket_pair(int fds[2], struct errbuf *err);

#endif
