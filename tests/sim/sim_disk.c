#include "sim_disk.h"

#include "sim_random.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#define FILES_MAX 128

struct sim_disk sim_disk;
static struct sim_file files[FILES_MAX];
static uint64_t size_max; /* of all files together */

struct sim_disk_faults sim_disk_faults;
struct sim_disk_counts sim_disk_counts;

/* Which files can still be reached, by a name or a descriptor. */
struct used {
    bool is_used[FILES_MAX];
};

static struct used find_used(void)
{
    struct used used = {{false}};

    for (int i = 0; i < SIM_DIRS_MAX; i++)
        sim_dir_note_used(&sim_disk.dirs[i], used.is_used);
    sim_fd_note_used(used.is_used);
    return used;
}

int sim_disk_new_file(void)
{
    struct used used = find_used();

    for (int i = 0; i < FILES_MAX; i++) {
        if (used.is_used[i])
            continue;
        sim_file_reset(&files[i]);
        return i;
    }
    abort();
}

struct sim_file *sim_disk_file(int index)
{
    return &files[index];
}

static uint64_t size_of_all(void)
{
    struct used used = find_used();
    uint64_t size = 0;

    for (int i = 0; i < FILES_MAX; i++)
        size += used.is_used[i] ? files[i].cached.size : 0;
    return size;
}

void sim_disk_set_space(uint64_t bytes)
{
    size_max = bytes == SIM_NO_LIMIT ? SIM_NO_LIMIT : size_of_all() + bytes;
}

size_t sim_disk_space_for(const struct sim_file *file, size_t size, uint64_t offset)
{
    uint64_t end = offset + size;
    uint64_t used;

    if (size_max == SIM_NO_LIMIT || end <= file->cached.size)
        return size;
    used = size_of_all();
    uint64_t limit = file->cached.size + (size_max > used ? size_max - used : 0);
    if (end <= limit)
        return size;
    return limit > offset ? (size_t)(limit - offset) : 0;
}

bool sim_disk_is_full(void)
{
    return size_max != SIM_NO_LIMIT && size_of_all() >= size_max;
}

void sim_disk_reset(struct prng *prng)
{
    sim_disk.prng = prng;
    sim_disk.dir_at_path = sim_disk.dir_of_server = 0;
    for (int i = 0; i < SIM_DIRS_MAX; i++)
        sim_dir_reset(&sim_disk.dirs[i]);
    size_max = SIM_NO_LIMIT;
    sim_fd_reset();
}

void sim_disk_cut_power(void)
{
    struct used used;

    sim_disk_counts.power_cuts++;
    for (int i = 0; i < SIM_DIRS_MAX; i++)
        sim_dir_cut_power(&sim_disk.dirs[i], sim_disk.prng);
    used = find_used();
    for (int i = 0; i < FILES_MAX; i++) {
        if (used.is_used[i])
            sim_file_cut_power(&files[i], sim_disk.prng);
    }
}

void sim_disk_work_in_background(void)
{
    const struct sim_names *names = &sim_disk.dirs[sim_disk.dir_of_server].cached;

    for (size_t i = 0; i < names->count; i++) {
        struct sim_file *file = &files[names->names[i].file];
        if (sim_chance(sim_disk.prng, 500))
            sim_file_write_back(file, sim_disk.prng);
        sim_file_drop(file, sim_disk.prng, 500);
    }
}

void sim_disk_calm_down(void)
{
    struct used used = find_used();

    sim_disk_faults = (struct sim_disk_faults){0};
    size_max = SIM_NO_LIMIT;
    for (int i = 0; i < FILES_MAX; i++) {
        if (used.is_used[i])
            sim_file_drop(&files[i], sim_disk.prng, 1000);
    }
}

void sim_disk_enter(void)
{
    if (sim_disk.dir_at_path == SIM_NO_DIR)
        abort();
    sim_disk.dir_of_server = sim_disk.dir_at_path;
}

int sim_disk_open_dir(void)
{
    return sim_fd_new(&(struct sim_fd){.file = SIM_NO_FILE,
                                       .dir = sim_disk.dir_of_server,
                                       .flags = O_RDONLY,
                                       .owner = sim_current});
}

struct sim_file *sim_disk_find(const char *name)
{
    int found = SIM_NO_FILE;

    if (sim_disk.dir_at_path != SIM_NO_DIR)
        found = sim_dir_find(&sim_disk.dirs[sim_disk.dir_at_path], name);
    return found == SIM_NO_FILE ? NULL : &files[found];
}

const char *sim_disk_name_of(const struct sim_fd *fd)
{
    const char *name = NULL;

    if (fd->file == SIM_NO_FILE)
        return "the directory";
    for (int i = 0; i < SIM_DIRS_MAX && name == NULL; i++)
        name = sim_dir_name_of(&sim_disk.dirs[i], fd->file);
    return name != NULL ? name : "a file without a name";
}
