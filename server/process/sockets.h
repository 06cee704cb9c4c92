/* sockets.h - the sockets that outlive workers, coordinator and ledger. */
#ifndef LOTTERY_SOCKETS_H
#define LOTTERY_SOCKETS_H

#include "errbuf.h"
#include "server_settings.h"
#include "status.h"

#include <netinet/in.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

/* Where a socket listens. */
struct listen_address {
    char ip[INET6_ADDRSTRLEN]; /* "::": all addresses, IPv4 as well */
    uint16_t port;             /* the real one, also when the setting is 0 */
};

/* Opens the TCP socket where agencies connect: on the address SERVER_IP, as resolve_listen_ip()
 * leaves it. On all addresses means IPv6 and IPv4, or IPv4 alone where the machine has no IPv6. The
 * socket is non-blocking. */
enum status socket_listen(const struct server_settings *settings, int *out_fd,
                          struct listen_address *out, struct errbuf *err);

/* Opens the TCP socket where the observer answers, if SERVER_HTTP_ADDRESS says so; otherwise
 * *out_fd is -1. It is non-blocking. The reason in *err names the setting. */
enum status socket_listen_http(const struct server_settings *settings, int *out_fd,
                               struct listen_address *out, struct errbuf *err);

/* Opens the Unix socket where workers and coordinator reach the ledger. Its name is abstract and
 * picked by the kernel, so no file is left over whichever process dies. The socket is non-blocking.
 */
enum status socket_listen_unix(int *out_fd, struct sockaddr_un *out_address, socklen_t *out_size,
                               struct errbuf *err);

/* Opens a pair of connected Unix sockets for whole messages (SOCK_SEQPACKET), non-blocking. */
enum status socket_pair(int fds[2], struct errbuf *err);

#endif
