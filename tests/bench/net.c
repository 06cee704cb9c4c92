#include "net.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define BACKLOG 128

void die(const char *what)
{
    perror(what);
    exit(EXIT_FAILURE);
}

static struct sockaddr_in loopback(uint16_t port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static int open_socket(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        die("socket");
    return fd;
}

static void set_nodelay(int fd)
{
    int on = 1;

    if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) < 0)
        die("TCP_NODELAY");
}

int net_listen(uint16_t *port)
{
    struct sockaddr_in address = loopback(0);
    socklen_t size = sizeof(address);
    int fd = open_socket();

    if (bind(fd, (struct sockaddr *)&address, size) < 0 || listen(fd, BACKLOG) < 0 ||
        getsockname(fd, (struct sockaddr *)&address, &size) < 0)
        die("listen");
    *port = ntohs(address.sin_port);
    return fd;
}

int net_connect(uint16_t port)
{
    struct sockaddr_in address = loopback(port);
    int fd = open_socket();

    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
        die("connect");
    set_nodelay(fd);
    return fd;
}

int net_accept(int listener)
{
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

    if (fd < 0)
        die("accept");
    set_nodelay(fd);
    return fd;
}

void net_write(int fd, const void *data, size_t size)
{
    const char *at = data;

    while (size > 0) {
        ssize_t written = write(fd, at, size);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            die("write");
        at += written;
        size -= (size_t)written;
    }
}

void net_read(int fd, void *out, size_t size)
{
    char *at = out;

    while (size > 0) {
        ssize_t count = read(fd, at, size);
        if (count < 0 && errno == EINTR)
            continue;
        if (count == 0)
            errno = ECONNRESET;
        if (count <= 0)
            die("read");
        at += count;
        size -= (size_t)count;
    }
}

int net_wait(int epoll, struct epoll_event *events, int capacity)
{
    int count;

    do
        count = epoll_wait(epoll, events, capacity, -1);
    while (count < 0 && errno == EINTR); /* also after a SIGSTOP and SIGCONT */
    if (count < 0)
        die("epoll_wait");
    return count;
}

int fork_tied(void)
{
    pid_t parent = getpid();
    pid_t child = fork();

    if (child < 0)
        die("fork");
    if (child == 0) {
        if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
            die("prctl");
        if (getppid() != parent) /* the parent died before prctl took effect */
            exit(EXIT_FAILURE);
    }
    return child;
}

void wait_children(int count)
{
    for (int i = 0; i < count; i++) {
        int status;
        if (wait(&status) < 0)
            die("wait");
        if (!WIFEXITED(status) || WEXITSTATUS(status) != EXIT_SUCCESS)
            exit(EXIT_FAILURE);
    }
}

unsigned long parse_number(const char *text)
{
    char *end;

    errno = 0;
    unsigned long number = strtoul(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0') {
        errno = errno != 0 ? errno : EINVAL;
        die(text);
    }
    return number;
}
