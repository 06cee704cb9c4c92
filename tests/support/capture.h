/* capture.h - captures what the code under test writes to stdout, write by write.
 *
 * stdout becomes one end of a packet socket, so that every write(2) is a packet of its own. The
 * packets wait in the kernel: write at most some 100 KiB between begin and end.
 */
#ifndef LOTTERY_CAPTURE_H
#define LOTTERY_CAPTURE_H

#include <stddef.h>

struct capture {
    int saved;     /* the real stdout */
    int fd;        /* where packets come out */
    char *text;    /* everything that was written, NUL-terminated; owned */
    size_t size;   /* bytes of text */
    size_t *sizes; /* of each write; owned */
    size_t writes; /* how many */
};

/* Redirects stdout. Nothing of the test framework may be written before capture_end. */
void capture_begin(struct capture *capture);

/* Brings stdout back and fills in text, size, sizes and writes. */
void capture_end(struct capture *capture);

/* Frees what capture_end filled in. */
void capture_free(struct capture *capture);

#endif
