/* The floor: the time that sockets and disk need when nothing parses the bets.
 *
 *     bench-floor OUT FILE...
 *
 * One process per FILE sends its bytes over loopback in writes of WRITE_SIZE. One receiver reads
 * from all ready sockets, appends the bytes to OUT, syncs, and answers each of them with a byte. It
 * closes a connection when all its bytes are on disk, which ends the sender. Prints the number of
 * bytes in OUT.
 */
#include "net.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define WRITE_SIZE 8000
#define READ_SIZE ((size_t)1024 * 1024) /* per socket and round */
#define SENDERS_MAX 64

/* A socket that has sent something in this round. */
struct ready {
    int fd;
    bool has_ended;
};

struct receiver {
    int epoll;
    int file;
    char *buffer; /* READ_SIZE for each socket */
    uint64_t stored;
    int open; /* connections */
};

/* Reads the answers that have arrived, so that the receiver never waits for space to send. */
static void take_answers(int fd)
{
    char answers[256];

    while (recv(fd, answers, sizeof(answers), MSG_DONTWAIT) > 0) {
    }
}

static void send_file(const char *path, uint16_t port)
{
    struct stat info;
    int file = open(path, O_RDONLY | O_CLOEXEC);

    if (file < 0 || fstat(file, &info) < 0)
        die(path);
    size_t left = (size_t)info.st_size;
    const char *at = mmap(NULL, left, PROT_READ, MAP_PRIVATE | MAP_POPULATE, file, 0);
    if (at == MAP_FAILED)
        die(path);
    int fd = net_connect(port);
    while (left > 0) {
        size_t size = left < WRITE_SIZE ? left : WRITE_SIZE;
        net_write(fd, at, size);
        at += size;
        left -= size;
        take_answers(fd);
    }
    if (shutdown(fd, SHUT_WR) < 0)
        die("shutdown");
    char answer;
    while (read(fd, &answer, 1) > 0) {
    }
}

static void watch(const struct receiver *self, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

    if (epoll_ctl(self->epoll, EPOLL_CTL_ADD, fd, &event) < 0)
        die("epoll_ctl");
}

/* Reads once from each ready socket, writes all of it in one go, syncs, answers. */
static void run_round(struct receiver *self)
{
    struct epoll_event events[SENDERS_MAX];
    struct ready ready[SENDERS_MAX];
    size_t size = 0;
    int count = net_wait(self->epoll, events, SENDERS_MAX);

    for (int i = 0; i < count; i++) {
        ready[i].fd = events[i].data.fd;
        ssize_t got = read(ready[i].fd, self->buffer + size, READ_SIZE);
        if (got < 0)
            die("read");
        ready[i].has_ended = got == 0;
        size += (size_t)got;
    }
    if (size > 0) {
        net_write(self->file, self->buffer, size);
        if (fdatasync(self->file) < 0)
            die("fdatasync");
        self->stored += size;
    }
    for (int i = 0; i < count; i++) {
        if (ready[i].has_ended) {
            (void)close(ready[i].fd);
            self->open--;
        } else {
            net_write(ready[i].fd, "", 1);
        }
    }
}

int main(int argc, char **argv)
{
    uint16_t port;
    int senders = argc - 2;

    if (senders < 1 || senders > SENDERS_MAX) {
        (void)fprintf(stderr, "usage: bench-floor OUT FILE... (at most %d)\n", SENDERS_MAX);
        return 2;
    }
    struct receiver self = {.epoll = epoll_create1(EPOLL_CLOEXEC),
                            .file = open(argv[1], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644),
                            .buffer = malloc((size_t)senders * READ_SIZE)};
    if (self.epoll < 0 || self.file < 0 || self.buffer == NULL)
        die(argv[1]);
    int listener = net_listen(&port);
    for (int i = 0; i < senders; i++) {
        if (fork_tied() == 0) {
            free(self.buffer);
            send_file(argv[i + 2], port);
            return EXIT_SUCCESS;
        }
    }
    while (self.open < senders) {
        watch(&self, net_accept(listener));
        self.open++;
    }
    while (self.open > 0)
        run_round(&self);
    wait_children(senders);
    free(self.buffer);
    (void)printf("%" PRIu64 "\n", self.stored);
    return EXIT_SUCCESS;
}
