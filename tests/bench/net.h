/* net.h - blocking loopback sockets for the benchmark programs. All functions end the program with
 * a message when the system refuses. */
#ifndef LOTTERY_BENCH_NET_H
#define LOTTERY_BENCH_NET_H

#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>

/* Ends the program with "what: errno's text" and status 1. */
_Noreturn void die(const char *what);

/* Listens on a free port of 127.0.0.1, which is written to *port. */
int net_listen(uint16_t *port);

/* Connects to 127.0.0.1; small writes are sent at once. */
int net_connect(uint16_t port);

int net_accept(int listener);

/* Writes all `size` bytes. */
void net_write(int fd, const void *data, size_t size);

/* Reads exactly `size` bytes. */
void net_read(int fd, void *out, size_t size);

/* Waits for events of `epoll`; writes them to `events` and returns how many, at least 1. */
int net_wait(int epoll, struct epoll_event *events, int capacity);

/* Forks a child that is killed when its parent dies. Returns as fork does. */
int fork_tied(void);

/* Waits for `count` children; ends the program when one of them failed. */
void wait_children(int count);

/* Reads `text` as a decimal number; ends the program when it is not one. */
unsigned long parse_number(const char *text);

#endif
