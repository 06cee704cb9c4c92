/* address_order.h - in which order to try the addresses of a name: RFC 8305, section 4. Pure.
 */
#ifndef LOTTERY_ADDRESS_ORDER_H
#define LOTTERY_ADDRESS_ORDER_H

#include <netdb.h>
#include <stddef.h>
#include <sys/socket.h>

#define ADDRESS_ORDER_MAX 16 /* of one name; further ones are left out */

/* Writes the addresses to `out` and returns how many. The first one of the list stays the first;
 * then the families (IPv6 and IPv4) take turns for as long as both have some. Within a family they
 * stay in the list's order, which is that of RFC 6724. */
size_t address_order(const struct addrinfo *list, struct sockaddr_storage out[ADDRESS_ORDER_MAX]);

#endif
