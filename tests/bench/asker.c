/* Asks an HTTP server at a constant rate, with as little work as that takes.
 *
 *     bench-asker PORT PER_SECOND PATH...
 *
 * The paths are asked for one after the other, on one connection that stays open. Who falls behind
 * catches up. On SIGTERM it ends, and prints how many answers it got, each of them 200, and in how
 * many nanoseconds.
 */
#include "net.h"
#include "samples.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_SECOND UINT64_C(1000000000)
#define ANSWER_SIZE ((size_t)1024 * 1024) /* bytes; larger answers are not asked for here */
#define REQUEST_SIZE 256

static volatile sig_atomic_t is_over;

static void on_term(int number)
{
    (void)number;
    is_over = 1;
}

static void fail(const char *what)
{
    (void)fprintf(stderr, "bench-asker: %s\n", what);
    exit(EXIT_FAILURE);
}

/* The size of the whole answer that begins with these bytes, a string; 0: its head is not there
 * yet. */
static size_t answer_size(const char *answer)
{
    static const char length[] = "\r\nContent-Length: ";
    const char *end = strstr(answer, "\r\n\r\n");

    if (end == NULL)
        return 0;
    const char *found = strcasestr(answer, length);
    if (strncmp(answer, "HTTP/1.1 200 ", 13) != 0 || found == NULL || found > end)
        fail("another answer was expected");
    return (size_t)(end + 4 - answer) + strtoul(found + strlen(length), NULL, 10);
}

static void ask(int fd, const char *path, char *answer)
{
    char request[REQUEST_SIZE];
    size_t size = 0;
    size_t whole = 0;

    int request_size =
        snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: lottery\r\n\r\n", path);
    net_write(fd, request, (size_t)request_size);
    while (whole == 0 || size < whole) {
        ssize_t count = read(fd, answer + size, ANSWER_SIZE - 1 - size);
        if (count <= 0)
            fail("the connection ended");
        size += (size_t)count;
        answer[size] = '\0';
        if (whole == 0)
            whole = answer_size(answer);
    }
}

static void wait_until_ns(uint64_t ns)
{
    const struct timespec until = {.tv_sec = (time_t)(ns / NS_PER_SECOND),
                                   .tv_nsec = (long)(ns % NS_PER_SECOND)};

    (void)clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
}

int main(int argc, char **argv)
{
    static char answer[ANSWER_SIZE];

    if (argc < 4) {
        (void)fprintf(stderr, "usage: bench-asker PORT PER_SECOND PATH...\n");
        return 2;
    }
    (void)signal(SIGTERM, on_term);
    const uint64_t pause_ns = NS_PER_SECOND / parse_number(argv[2]);
    const int fd = net_connect((uint16_t)parse_number(argv[1]));
    const uint64_t begin_ns = now_ns();
    uint64_t count = 0;

    for (; !is_over; count++) {
        ask(fd, argv[3 + count % (uint64_t)(argc - 3)], answer);
        wait_until_ns(begin_ns + (count + 1) * pause_ns);
    }
    (void)printf("%" PRIu64 " %" PRIu64 "\n", count, now_ns() - begin_ns);
    return 0;
}
