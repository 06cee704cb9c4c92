/* tls_peer.h - who a certificate says that its owner is.
 *
 * The name is in its subject alternative name, as a URI (RFC 5280, 4.2.1.6): `lottery:agency:17`,
 * the number as decimal digits without leading zeros, or `lottery:server`.
 */
#ifndef LOTTERY_TLS_PEER_H
#define LOTTERY_TLS_PEER_H

#include <stdint.h>

enum tls_peer_role {
    TLS_PEER_AGENCY,
    TLS_PEER_SERVER /* the server's own certificate, or one that names lottery:server */
};

struct tls_peer {
    enum tls_peer_role role;
    uint32_t agency; /* of an agency: its id, >= 1; otherwise 0 */
};

#endif
