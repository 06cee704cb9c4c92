#include "address_order.h"

#include <stdbool.h>
#include <string.h>

/* The first entry from `from` on that is of the family, or of any other one. NULL: none is. */
static const struct addrinfo *address_order_find(const struct addrinfo *from, int family,
                                                 bool is_same)
{
    while (from != NULL && ((from->ai_family == family) != is_same ||
                            from->ai_addrlen > sizeof(struct sockaddr_storage)))
        from = from->ai_next;
    return from;
}

size_t address_order(const struct addrinfo *list, struct sockaddr_storage out[ADDRESS_ORDER_MAX])
{
    int family = list != NULL ? list->ai_family : AF_UNSPEC;
    const struct addrinfo *next[2] = {address_order_find(list, family, true),
                                      address_order_find(list, family, false)};
    size_t count = 0;

    for (unsigned turn = 0; count < ADDRESS_ORDER_MAX && (next[0] != NULL || next[1] != NULL);
         turn = 1 - turn) {
        const struct addrinfo *entry = next[turn];
        if (entry == NULL)
            continue;
        memset(&out[count], 0, sizeof(out[count]));
        memcpy(&out[count++], entry->ai_addr, entry->ai_addrlen);
        next[turn] = address_order_find(entry->ai_next, family, turn == 0);
    }
    return count;
}
