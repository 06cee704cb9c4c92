/* signing_key.h - the key that signs a server's seals: where it is, and its public half. */
#ifndef LOTTERY_SIGNING_KEY_H
#define LOTTERY_SIGNING_KEY_H

#include "data_dir.h"
#include "note_key.h"

#include <stdbool.h>

#define SIGNING_KEY_NAME "seal-key.pem" /* in the data directory, if no other file is set */

struct signing_key {
    int dir_fd;                /* where the path begins, or AT_FDCWD; borrowed */
    const char *path;          /* borrowed */
    bool may_make;             /* if there is no such file, it is made for a draw without a seal */
    bool has_failed;           /* that was logged */
    char vkey[NOTE_VKEY_SIZE]; /* empty until it was loaded */
};

/* `setting`: the path of LOTTERY_SEAL_KEY; empty: SIGNING_KEY_NAME in the data directory. Both are
 * borrowed. */
void signing_key_init(struct signing_key *key, const struct data_dir *base_dir,
                      const char *setting);

/* Loads the public half, unless that was done; makes the key at first need, if no other file is
 * set. Not for a draw that is sealed already (`is_sealed`): another key than that of the seal would
 * sign its result, so the one that is lost has to be restored. Logs the key to check with, or,
 * once, why there is none. Blocks. */
void signing_key_prepare(struct signing_key *key, bool is_sealed);

#endif
