#include "test_sockets.h"

#include "cmocka_all.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#define WAIT_MS 20000

static void make_nonblocking(int fd)
{
    assert_int_equal(fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK), 0);
}

static void set_buffers(int fd, int buffer)
{
    if (buffer == 0)
        return;
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &buffer, sizeof(buffer)), 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof(buffer)), 0);
}

void sockets_pair_unix(int fds[2], int buffer)
{
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    set_buffers(fds[0], buffer);
    set_buffers(fds[1], buffer);
}

int sockets_listen(struct sockaddr_in *address)
{
    socklen_t size = sizeof(*address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    *address = (struct sockaddr_in){.sin_family = AF_INET};
    address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(fd, (struct sockaddr *)address, size), 0);
    assert_int_equal(listen(fd, 16), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)address, &size), 0);
    return fd;
}

struct sockaddr_in sockets_free_address(void)
{
    struct sockaddr_in address;

    assert_int_equal(close(sockets_listen(&address)), 0);
    return address;
}

void sockets_pair_tcp(int fds[2], int buffer)
{
    struct sockaddr_in address;
    int listener = sockets_listen(&address);

    set_buffers(listener, buffer); /* an accepted socket inherits the sizes of the listening one */
    fds[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fds[0] >= 0);
    set_buffers(fds[0], buffer);
    assert_int_equal(connect(fds[0], (struct sockaddr *)&address, sizeof(address)), 0);
    fds[1] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    assert_true(fds[1] >= 0);
    assert_int_equal(close(listener), 0);
    make_nonblocking(fds[0]);
    make_nonblocking(fds[1]);
}

size_t sockets_read(int fd, void *out, size_t size, bool *has_ended)
{
    ssize_t count = read(fd, out, size);

    if (count == 0 || (count < 0 && errno == ECONNRESET))
        *has_ended = true;
    else if (count < 0)
        assert_true(errno == EAGAIN || errno == EINTR);
    return count > 0 ? (size_t)count : 0;
}

void sockets_write(int fd, const void *data, size_t size)
{
    const uint8_t *at = data;

    while (size > 0) {
        ssize_t count = send(fd, at, size, MSG_NOSIGNAL);
        if (count < 0) {
            struct pollfd poll_fd = {.fd = fd, .events = POLLOUT};
            assert_int_equal(errno, EAGAIN);
            assert_int_equal(poll(&poll_fd, 1, WAIT_MS), 1);
            continue;
        }
        at += count;
        size -= (size_t)count;
    }
}

void sockets_reset(int fd)
{
    struct linger linger = {.l_onoff = 1, .l_linger = 0};

    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)), 0);
    assert_int_equal(close(fd), 0);
}
