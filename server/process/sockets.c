#include "sockets.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define UNIX_BACKLOG 512
#define HTTP_BACKLOG 128

static enum status socket_fail(int fd, struct errbuf *err, const char *what)
{
    int error = errno;

    errbuf_set(err, "%s: %s", what, strerror(error));
    if (fd >= 0)
        (void)close(fd);
    errno = error;
    return STATUS_IO;
}

/* A TCP socket's address. */
union socket_address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

static bool socket_address_read(const char *ip, uint16_t port, union socket_address *out)
{
    memset(out, 0, sizeof(*out));
    if (inet_pton(AF_INET, ip, &out->v4.sin_addr) == 1) {
        out->v4.sin_family = AF_INET;
        out->v4.sin_port = htons(port);
        return true;
    }
    if (inet_pton(AF_INET6, ip, &out->v6.sin6_addr) != 1)
        return false;
    out->v6.sin6_family = AF_INET6;
    out->v6.sin6_port = htons(port);
    return true;
}

static void socket_address_print(const union socket_address *address, struct listen_address *out)
{
    bool is_v4 = address->any.sa_family == AF_INET;
    const void *ip =
        is_v4 ? (const void *)&address->v4.sin_addr : (const void *)&address->v6.sin6_addr;

    (void)inet_ntop(address->any.sa_family, ip, out->ip, sizeof(out->ip));
    out->port = ntohs(is_v4 ? address->v4.sin_port : address->v6.sin6_port);
}

/* Opens and binds a socket. On failure *out_fd is -1, and errno and *err say why. */
static enum status socket_bind(const char *ip, uint16_t port, int *out_fd, struct errbuf *err)
{
    union socket_address address;
    const int off = 0;
    const int on = 1;

    if (!socket_address_read(ip, port, &address)) {
        errbuf_set(err, "SERVER_IP: \"%.64s\" is not an address", ip);
        return STATUS_INVALID;
    }
    socklen_t size = address.any.sa_family == AF_INET ? sizeof(address.v4) : sizeof(address.v6);
    int fd = socket(address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return socket_fail(fd, err, "socket");
    /* Lets us bind the port although connections of a previous server are still in TIME_WAIT. */
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0)
        return socket_fail(fd, err, "SO_REUSEADDR");
    if (address.any.sa_family == AF_INET6 &&
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)) < 0)
        return socket_fail(fd, err, "IPV6_V6ONLY");
    if (bind(fd, &address.any, size) < 0)
        return socket_fail(fd, err, "bind");
    *out_fd = fd;
    return STATUS_OK;
}

static bool socket_is_without_ipv6(int error)
{
    return error == EAFNOSUPPORT || error == EADDRNOTAVAIL || error == EPROTONOSUPPORT;
}

static enum status socket_bind_setting(const struct server_settings *settings, int *out_fd,
                                       struct errbuf *err)
{
    uint16_t port = (uint16_t)settings->port;

    if (strcmp(settings->ip, SERVER_IP_ALL) != 0)
        return socket_bind(settings->ip, port, out_fd, err);
    enum status status = socket_bind("::", port, out_fd, err);
    if (status != STATUS_OK && socket_is_without_ipv6(errno))
        status = socket_bind("0.0.0.0", port, out_fd, err);
    return status;
}

/* Listens on a socket that is bound, and says where. On failure it is closed. */
static enum status socket_start(int fd, int backlog, struct listen_address *out, struct errbuf *err)
{
    union socket_address address = {.any = {0}};
    socklen_t size = sizeof(address);

    if (listen(fd, backlog) < 0)
        return socket_fail(fd, err, "listen");
    if (getsockname(fd, &address.any, &size) < 0)
        return socket_fail(fd, err, "getsockname");
    socket_address_print(&address, out);
    return STATUS_OK;
}

enum status socket_listen(const struct server_settings *settings, int *out_fd,
                          struct listen_address *out, struct errbuf *err)
{
    int fd = -1;

    enum status status = socket_bind_setting(settings, &fd, err);
    if (status == STATUS_OK)
        status = socket_start(fd, (int)settings->listen_backlog, out, err);
    if (status == STATUS_OK)
        *out_fd = fd;
    return status;
}

enum status socket_listen_http(const struct server_settings *settings, int *out_fd,
                               struct listen_address *out, struct errbuf *err)
{
    char ip[SERVER_HTTP_IP_SIZE];
    uint16_t port;
    int fd = -1;

    *out_fd = -1;
    if (!server_settings_http(settings, ip, &port))
        return STATUS_OK;
    enum status status = socket_bind(ip, port, &fd, err);
    if (status == STATUS_OK)
        status = socket_start(fd, HTTP_BACKLOG, out, err);
    if (status == STATUS_OK)
        *out_fd = fd;
    else
        errbuf_wrap(err, "SERVER_HTTP_ADDRESS: %s%s", settings->http_address,
                    errno == EADDRINUSE ? " is taken: set another, or stop the program that "
                                          "listens there"
                                        : "");
    return status;
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
