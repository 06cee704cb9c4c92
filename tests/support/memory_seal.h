/* memory_seal.h - the files of a draw's seal, made in memory, and file operations that open them
 * there. Who makes them needs no bets: nobody who only sends a seal looks at these.
 */
#ifndef LOTTERY_MEMORY_SEAL_H
#define LOTTERY_MEMORY_SEAL_H

#include "buffer.h"
#include "draw.h"
#include "file_ops.h"
#include "note_key.h"

enum memory_seal_file {
    MEMORY_SEAL_LEAVES,
    MEMORY_SEAL_NOTE,
    MEMORY_SEAL_RESULT,
    MEMORY_SEAL_FILES
};

struct memory_seal {
    struct buffer files[MEMORY_SEAL_FILES]; /* owned */
    bool is_missing[MEMORY_SEAL_FILES];     /* that one cannot be opened */
    uint8_t root[DRAW_ROOT_SIZE];
    struct note_key key; /* that has signed the notes */
};

/* Makes the files of the draw `id` with `bets` of each agency 1..agencies, which won by this
 * number. Ends the program when it cannot. */
void memory_seal_init(struct memory_seal *seal, const char *id, uint32_t agencies, uint64_t bets,
                      uint32_t number, const char *source);
void memory_seal_fini(struct memory_seal *seal);

/* Whose files memory_seal_ops opens; NULL: there are none. Borrowed. */
void memory_seal_use(const struct memory_seal *seal);

/* The system calls, but that openat opens a file of the seal for reading, whatever the directory,
 * and nothing else. */
extern const struct file_ops memory_seal_ops;

#endif
