/* tls_bio.h - what libssl reads from and writes to: two buffers in memory, which hold nothing when
 * nothing is under way. OpenSSL's own BIO_s_mem() would keep its memory as long as the connection
 * lives, and copy what we have already read once more.
 */
#ifndef LOTTERY_TLS_BIO_H
#define LOTTERY_TLS_BIO_H

#include "buffer.h"

#include <openssl/bio.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The two directions, and what has passed. A zeroed struct is empty; the owner ends it with
 * tls_wire_fini(). */
struct tls_wire {
    struct buffer in;    /* came over the wire */
    size_t in_read;      /* how many bytes of it libssl has taken */
    const char *lent;    /* came after `in`, and is still its owner's: tls_wire_lend() */
    size_t lent_size;    /* bytes of it that libssl has not taken */
    struct buffer out;   /* is to go over the wire */
    size_t taken;        /* bytes that libssl has taken, as long as there is a limit; below */
    size_t limit;        /* it gets no more than this in all; SIZE_MAX = any number of bytes */
    uint8_t first[2];    /* the first bytes that came */
    size_t first_size;   /* how many of them have come */
    bool is_stopped;     /* the owner wants libssl to fail with its next read */
    bool is_over_limit;  /* it failed because of the limit */
    bool is_out_closed;  /* what libssl writes from now on is dropped */
    bool is_out_of_room; /* it failed because there was no memory for what it wrote */
};

/* The table of a BIO whose data is a struct tls_wire. The caller frees it after all such BIOs with
 * BIO_meth_free. NULL: no memory. */
BIO_METHOD *tls_bio_create_method(void);

/* A BIO for `wire`, which is borrowed. NULL: no memory. */
BIO *tls_bio_create(const BIO_METHOD *method, struct tls_wire *wire);

/* Lets libssl read these bytes, after those that were fed or kept, where they are: until
 * tls_wire_keep(), which copies the rest. Not again before that. STATUS_NOMEM: the rest is lost. */
void tls_wire_lend(struct tls_wire *wire, const void *data, size_t size);
enum status tls_wire_keep(struct tls_wire *wire);

/* Appends to what libssl reads. STATUS_NOMEM: nothing was appended. */
enum status tls_wire_feed(struct tls_wire *wire, const void *data, size_t size);

/* Moves everything that libssl has written to the end of `out`. STATUS_NOMEM: nothing was moved. */
enum status tls_wire_take(struct tls_wire *wire, struct buffer *out);

/* Drops what libssl has not read. */
void tls_wire_forget_input(struct tls_wire *wire);

/* Could what came first be the beginning of a TLS record, of a handshake or an alert? True as long
 * as nothing else has come. */
bool tls_wire_looks_like_tls(const struct tls_wire *wire);

/* Is there something for libssl to begin with? As long as the first record is not whole there is
 * not: libssl has 64 KiB for a connection in its handshake, and a peer should not get them for a
 * few bytes. Later, and for a record that is too long to be one, always true. */
bool tls_wire_may_begin(const struct tls_wire *wire);

void tls_wire_fini(struct tls_wire *wire);

#endif
