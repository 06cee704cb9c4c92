/* sim_dir.h - one directory of the simulated disk: the names that processes see, and those that are
 * really on disk.
 *
 * Each name by itself: POSIX orders nothing before a sync. A power cut leaves each name as it was
 * at the last sync or after any later change of that name, whatever becomes of the others; so of a
 * rename, both names may be left, or none.
 */
#ifndef LOTTERY_SIM_DIR_H
#define LOTTERY_SIM_DIR_H

#include "prng.h"

#include <stdbool.h>
#include <stddef.h>

#define SIM_NO_FILE (-1)
#define SIM_NAMES_MAX 64
#define SIM_CHANGES_MAX 512
#define SIM_NAME_SIZE 64

struct sim_name {
    char text[SIM_NAME_SIZE];
    int file; /* index in the disk's files; SIM_NO_FILE: the name is gone (in a change) */
};

struct sim_names {
    struct sim_name names[SIM_NAMES_MAX];
    size_t count;
};

struct sim_dir {
    bool is_removed;                          /* it has no name any more, and takes no new ones */
    struct sim_names cached;                  /* what processes see */
    struct sim_names on_disk;                 /* what the last sync has left there */
    struct sim_name changes[SIM_CHANGES_MAX]; /* since then, in their order */
    size_t changes_count;
};

/* Makes it an empty one. */
void sim_dir_reset(struct sim_dir *dir);

/* The file with that name as processes see it; SIM_NO_FILE if there is none. */
int sim_dir_find(const struct sim_dir *dir, const char *name);

/* Gives the name to a file, or with SIM_NO_FILE to none. */
void sim_dir_set(struct sim_dir *dir, const char *name, int file);

void sim_dir_rename(struct sim_dir *dir, const char *from, const char *to);
void sim_dir_sync(struct sim_dir *dir);
void sim_dir_cut_power(struct sim_dir *dir, struct prng *prng);

/* How many names the file has, as processes see it; one of them, NULL if there is none. */
unsigned sim_dir_names_of(const struct sim_dir *dir, int file);
const char *sim_dir_name_of(const struct sim_dir *dir, int file);

/* Sets used[file] for each file that has a name, or may have one after a power cut. */
void sim_dir_note_used(const struct sim_dir *dir, bool *used);

#endif
