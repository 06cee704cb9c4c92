/* peer_ip.h - the IP address of a peer. An IPv4 address is kept as the IPv6 address that stands for
 * it (::ffff:192.0.2.1), as the kernel reports it on a socket for both. Pure.
 */
#ifndef LOTTERY_PEER_IP_H
#define LOTTERY_PEER_IP_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#define PEER_IP_SIZE INET6_ADDRSTRLEN /* bytes of an address as text, including its NUL */

/* The address of an IPv4 or IPv6 peer; :: for anything else. */
struct in6_addr peer_ip_of(const struct sockaddr_storage *address);

/* The same for an IPv4 address alone. */
struct in6_addr peer_ip_of_v4(struct in_addr ip);

/* Is it one by which a machine reaches itself: 127.0.0.0/8 or ::1? */
bool peer_ip_is_loopback(const struct in6_addr *ip);

/* Writes the address to `out`, IPv4 as four numbers, and returns it. */
const char *peer_ip_print(const struct in6_addr *ip, char out[PEER_IP_SIZE]);

/* What limits count as one address: an IPv4 address, or the first 64 bits of an IPv6 address. A
 * customer usually gets such a /64 as a whole, and can use any address in it. */
uint64_t peer_ip_key(const struct in6_addr *ip);

#endif
