/* region.h - the memory that a client and the ledger share, with the encoded bets of batches.
 *
 * The client writes, the ledger only reads. The client uses it as a ring: a batch lies in one
 * piece, and places are freed in the order in which they were taken. The size is sealed, so the
 * ledger can never be made to read beyond the end of the file.
 */
#ifndef LOTTERY_LEDGER_REGION_H
#define LOTTERY_LEDGER_REGION_H

#include "errbuf.h"
#include "status.h"

#include <stddef.h>
#include <stdint.h>

/* The client's end. A zeroed struct has no memory, and no room. */
struct region {
    char *memory; /* mapped */
    size_t size;  /* bytes */
    int fd;       /* of the memory; owned; meaningless while there is none */
    /* Numbers that only grow; N is the byte N % size of the memory. */
    uint64_t head; /* the end of the last place that is in use */
    uint64_t tail; /* the end of the last place that was freed; head when none is in use */
    uint64_t next; /* what region_reserve() has returned */
};

/* STATUS_NOMEM or STATUS_IO with a reason in *err. */
enum status region_create(size_t size, struct region *out, struct errbuf *err);
void region_fini(struct region *region);

/* Returns memory for `size` bytes in one piece, or NULL when there is not that much now. It is the
 * caller's after region_take(), and until then it can be asked for again. */
char *region_reserve(struct region *region, size_t size);

/* Takes the first `size` bytes of what region_reserve() has returned last. Returns their place in
 * the region, for the ledger; region_free() wants the same number. */
uint64_t region_take(struct region *region, size_t size);

/* Frees the place of `size` bytes at `at`, the one that was taken first of those in use. */
void region_free(struct region *region, uint64_t at, size_t size);

/* The ledger's end: maps the memory for reading. `fd` stays the caller's. INVALID when the file is
 * not sealed or has another size, otherwise NOMEM. */
enum status region_map(int fd, size_t size, const char **out);
void region_unmap(const char *memory, size_t size); /* NULL is fine */

#endif
