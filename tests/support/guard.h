/* guard.h - input that ends right before a page that cannot be accessed.
 *
 * Reading one byte too many ends the test, with or without a sanitizer. Sanitizers do not see the
 * reads of a library that was compiled without them.
 */
#ifndef LOTTERY_GUARD_H
#define LOTTERY_GUARD_H

#include <stddef.h>
#include <stdint.h>

struct guarded {
    uint8_t *bytes;  /* `size` bytes; bytes + size is not readable */
    size_t size;     /* bytes */
    void *map;       /* the mapping that guarded_free unmaps */
    size_t map_size; /* bytes of it */
};

/* Copies `size` bytes (0 is fine) so that they end right before a PROT_NONE page. The copy may be
 * written to. The caller frees it with guarded_free. Ends the test when there is no memory. */
struct guarded guarded_copy(const void *data, size_t size);

/* Unmaps the copy. */
void guarded_free(struct guarded *guarded);

#endif
