#include "dialer_target.h"

#include "assertion.h"
#include "values.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(DIALER_HOST_SIZE == VALUE_HOST_SIZE, "a host of the list fits");
_Static_assert(DIALER_TARGETS_MAX == VALUE_ADDRESSES_MAX, "the list fits");

size_t dialer_target_read_list(const char *list, struct dialer *dialer,
                               struct dialer_target out[DIALER_TARGETS_MAX])
{
    size_t count = 0;

    ASSERT(value_is_address_list(list)); /* it was checked when the setting was read */
    while (*list != '\0') {
        struct dialer_target *target = &out[count++];
        uint16_t port = 0;
        (void)value_address_next(&list, target->host, sizeof(target->host), &port);
        (void)snprintf(target->port, sizeof(target->port), "%u", port);
        target->dialer = dialer;
        target->lookup.data = target;
    }
    return count;
}

bool dialer_target_take_literal(const struct dialer_target *target, struct sockaddr_storage *out)
{
    int port = (int)strtol(target->port, NULL, 10);

    memset(out, 0, sizeof(*out));
    return uv_ip4_addr(target->host, port, (struct sockaddr_in *)(void *)out) == 0 ||
           uv_ip6_addr(target->host, port, (struct sockaddr_in6 *)(void *)out) == 0;
}
