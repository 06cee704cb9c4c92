/* The shortest way to a durable answer: loopback, write, fdatasync, loopback.
 *
 *     bench-roundtrip OUT SIZE COUNT
 *
 * COUNT times, one after another, a client sends SIZE bytes, and a server process appends them to
 * OUT, syncs and answers with a byte.
 */
#include "net.h"
#include "samples.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define SIZE_MAX_BYTES 8192

static void serve(int listener, int file, size_t size, unsigned long count)
{
    char message[SIZE_MAX_BYTES];
    int fd = net_accept(listener);

    for (unsigned long i = 0; i < count; i++) {
        net_read(fd, message, size);
        net_write(file, message, size);
        if (fdatasync(file) < 0)
            die("fdatasync");
        net_write(fd, "", 1);
    }
}

static void ask(uint16_t port, size_t size, struct samples *samples)
{
    char message[SIZE_MAX_BYTES] = {0};
    char answer;
    int fd = net_connect(port);

    while (samples->count < samples->capacity) {
        uint64_t begin = now_ns();
        net_write(fd, message, size);
        net_read(fd, &answer, 1);
        samples_add(samples, now_ns() - begin);
    }
}

int main(int argc, char **argv)
{
    struct samples samples;
    uint16_t port;

    if (argc != 4) {
        (void)fprintf(stderr, "usage: bench-roundtrip OUT SIZE COUNT\n");
        return 2;
    }
    size_t size = parse_number(argv[2]);
    unsigned long count = parse_number(argv[3]);
    if (size < 1 || size > SIZE_MAX_BYTES || count < 1) {
        (void)fprintf(stderr, "bench-roundtrip: SIZE is 1 to %d, COUNT at least 1\n",
                      SIZE_MAX_BYTES);
        return 2;
    }
    int file = open(argv[1], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (file < 0)
        die(argv[1]);
    int listener = net_listen(&port);
    if (fork_tied() == 0) {
        serve(listener, file, size, count);
        return EXIT_SUCCESS;
    }
    samples_init(&samples, count);
    uint64_t begin = now_ns();
    ask(port, size, &samples);
    samples_print(&samples, now_ns() - begin);
    samples_fini(&samples);
    wait_children(1);
    return EXIT_SUCCESS;
}
