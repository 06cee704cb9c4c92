/* test_sockets.h - connected sockets with small buffers, and a peer that a test drives by hand. */
#ifndef LOTTERY_TEST_SOCKETS_H
#define LOTTERY_TEST_SOCKETS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Both sides are non-blocking and close-on-exec; the caller closes them. `buffer` bytes are asked
 * for as SO_SNDBUF and SO_RCVBUF of both (the kernel rounds up), 0 for its defaults. All functions
 * end the test when the system refuses. */
void sockets_pair_unix(int fds[2], int buffer);
void sockets_pair_tcp(int fds[2], int buffer);

/* Listens on a free port of 127.0.0.1, which is written to *address. The caller closes the fd. */
int sockets_listen(struct sockaddr_in *address);

/* A loopback address at which nobody listens right now. */
struct sockaddr_in sockets_free_address(void);

/* Reads at most `size` bytes without waiting. Returns how many it read; *has_ended is set when the
 * other side has ended its own (or the connection was reset). */
size_t sockets_read(int fd, void *out, size_t size, bool *has_ended);

/* Writes all `size` bytes, waiting (bounded) where the other side is slow. For sizes that the
 * buffers take, or with a reader in another process or thread. */
void sockets_write(int fd, const void *data, size_t size);

/* Ends the connection with a reset instead of an orderly end; closes fd. TCP only. */
void sockets_reset(int fd);

#endif
