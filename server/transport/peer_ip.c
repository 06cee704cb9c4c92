#include "peer_ip.h"

#include <arpa/inet.h>
#include <string.h>

#define V4_AT 12 /* where an IPv4 address is in an IPv6 address */

static const uint8_t v4_prefix[V4_AT] = {[10] = 0xff, [11] = 0xff};

struct in6_addr peer_ip_of_v4(struct in_addr ip)
{
    struct in6_addr mapped = in6addr_any;

    memcpy(mapped.s6_addr, v4_prefix, V4_AT);
    memcpy(mapped.s6_addr + V4_AT, &ip, sizeof(ip));
    return mapped;
}

struct in6_addr peer_ip_of(const struct sockaddr_storage *address)
{
    if (address->ss_family == AF_INET)
        return peer_ip_of_v4(((const struct sockaddr_in *)address)->sin_addr);
    if (address->ss_family == AF_INET6)
        return ((const struct sockaddr_in6 *)address)->sin6_addr;
    return in6addr_any;
}

bool peer_ip_is_loopback(const struct in6_addr *ip)
{
    return IN6_IS_ADDR_LOOPBACK(ip) ||
           (IN6_IS_ADDR_V4MAPPED(ip) && ip->s6_addr[V4_AT] == IN_LOOPBACKNET);
}

const char *peer_ip_print(const struct in6_addr *ip, char out[PEER_IP_SIZE])
{
    if (IN6_IS_ADDR_V4MAPPED(ip))
        return inet_ntop(AF_INET, ip->s6_addr + V4_AT, out, PEER_IP_SIZE);
    return inet_ntop(AF_INET6, ip, out, PEER_IP_SIZE);
}

uint64_t peer_ip_key(const struct in6_addr *ip)
{
    size_t at = IN6_IS_ADDR_V4MAPPED(ip) ? V4_AT : 0;
    size_t end = IN6_IS_ADDR_V4MAPPED(ip) ? sizeof(ip->s6_addr) : 8;
    uint64_t key = 0;

    for (; at < end; at++)
        key = key << 8 | ip->s6_addr[at];
    return key;
}
