/* sim_file.h - one file of the simulated disk: what processes read, and what is really on disk.
 *
 * The two differ in pieces of 512 bytes. A piece that was written is dirty until it reaches the
 * disk, which may happen at any time (sim_file_write_back) and has happened after a sync. A power
 * cut keeps any of the dirty pieces and loses the others. A sync that fails does what kernels do:
 * it writes some pieces and forgets that the others are dirty; these can be read as they were
 * written until they are dropped from memory (sim_file_drop), and no later sync saves them.
 *
 * Bytes beyond `used` are zeros and take no memory, so reserved space costs nothing.
 */
#ifndef LOTTERY_SIM_FILE_H
#define LOTTERY_SIM_FILE_H

#include "prng.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SIM_PIECE_SIZE ((size_t)512)
#define SIM_NOT_CUT UINT64_MAX

struct sim_image {
    uint8_t *bytes;  /* owned */
    size_t capacity; /* of bytes; whole pieces */
    size_t used;     /* bytes that may not be zero; whole pieces */
    uint64_t size;   /* of the file */
};

enum sim_piece { SIM_CLEAN, SIM_DIRTY, SIM_FORGOTTEN };

struct sim_file {
    struct sim_image cached; /* what processes read and write */
    struct sim_image disk;   /* what is left if the power is cut now */
    uint8_t *pieces;         /* owned; an enum sim_piece for each piece of `cached` */
    size_t pieces_count;     /* of them that may not be SIM_CLEAN */
    size_t pieces_capacity;  /* of pieces */
    uint64_t cut_to;         /* smallest size since the last sync, if it was cut; SIM_NOT_CUT */
    bool has_forgotten;      /* some of the pieces may be SIM_FORGOTTEN */
};

/* Makes it an empty file; the memory that it had is kept for it. */
void sim_file_reset(struct sim_file *file);

/* Makes it a copy that is on disk. */
void sim_file_copy(struct sim_file *file, const struct sim_file *from);

void sim_file_fini(struct sim_file *file);

void sim_file_write(struct sim_file *file, const void *bytes, size_t size, uint64_t offset);
size_t sim_file_read(const struct sim_file *file, void *bytes, size_t size, uint64_t offset);
void sim_file_cut(struct sim_file *file, uint64_t size);
void sim_file_sync(struct sim_file *file);
void sim_file_fail_sync(struct sim_file *file, struct prng *prng);
void sim_file_write_back(struct sim_file *file, struct prng *prng);
void sim_file_drop(struct sim_file *file, struct prng *prng, uint32_t parts); /* in 1000 */
void sim_file_cut_power(struct sim_file *file, struct prng *prng);

/* The bytes as processes see them, `size` of them in a row; valid until the next write. */
const uint8_t *sim_file_bytes(struct sim_file *file, size_t size);

#endif
