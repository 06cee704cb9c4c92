#include "sockets.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define UNIX_BACKLOG 512

static enum status socket_fail(int fd, struct errbuf *err, const char *what)
{
    errbuf_set(err, "%s: %s", what, strerror(errno));
    if (fd >= 0)
        (void)close(fd);
    return STATUS_IO;
}

enum status socket_listen(const struct server_settings *settings, int *out_fd, uint16_t *out_port,
                          struct errbuf *err)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)settings->port)};
    socklen_t size = sizeof(address);
    const int on = 1;

    /* Anything but an address is a name, such as that of the service in a compose file. */
    if (inet_pton(AF_INET, settings->ip, &address.sin_addr) != 1)
        address.sin_addr.s_addr = htonl(INADDR_ANY);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return socket_fail(fd, err, "socket");
    /* Lets us bind the port although connections of a previous server are still in TIME_WAIT. */
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0)
        return socket_fail(fd, err, "SO_REUSEADDR");
    if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
        return socket_fail(fd, err, "bind");
    if (listen(fd, (int)settings->listen_backlog) < 0)
        return socket_fail(fd, err, "listen");
    if (getsockname(fd, (struct sockaddr *)&address, &size) < 0)
        return socket_fail(fd, err, "getsockname");
    *out_fd = fd;
    *out_port = ntohs(address.sin_port);
    return STATUS_OK;
}

enum status socket_listen_unix(int *out_fd, struct sockaddr_un *out_address, socklen_t *out_size,
                               struct errbuf *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    socklen_t size = sizeof(address);

    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return socket_fail(fd, err, "socket");
    /* Binding the family alone makes Linux pick a free abstract name, see unix(7). */
    if (bind(fd, (struct sockaddr *)&address, sizeof(sa_family_t)) < 0)
        return socket_fail(fd, err, "bind");
    if (listen(fd, UNIX_BACKLOG) < 0)
        return socket_fail(fd, err, "listen");
    if (getsockname(fd, (struct sockaddr *)&address, &size) < 0)
        return socket_fail(fd, err, "getsockname");
    *out_fd = fd;
    *out_address = address;
    *out_size = size;
    return STATUS_OK;
}

enum status socket_pair(int fds[2], struct errbuf *err)
{
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) < 0)
        return socket_fail(-1, err, "socketpair");
    return STATUS_OK;
}
