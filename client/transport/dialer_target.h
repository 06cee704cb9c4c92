/* dialer_target.h - what a dialer connects to: the entries of a list of addresses.
 */
#ifndef LOTTERY_DIALER_TARGET_H
#define LOTTERY_DIALER_TARGET_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <uv.h>

#define DIALER_HOST_SIZE 512
#define DIALER_TARGETS_MAX 8

struct dialer; /* dialer.h */

/* One entry of the list of addresses. */
struct dialer_target {
    struct dialer *dialer;
    char host[DIALER_HOST_SIZE];
    char port[8];            /* in decimal */
    uv_getaddrinfo_t lookup; /* of the host; may outlive the attempt, and dialer_close() */
    bool is_looking_up;      /* it has not ended */
};

/* Reads a list, as value_is_address_list() wants it, into `out`, which is zeroed. Returns how many
 * entries it has. */
size_t dialer_target_read_list(const char *list, struct dialer *dialer,
                               struct dialer_target out[DIALER_TARGETS_MAX]);

/* The address of a target whose host is one already. It is not looked up: a name server that does
 * not answer is no obstacle then. */
bool dialer_target_take_literal(const struct dialer_target *target, struct sockaddr_storage *out);

#endif
