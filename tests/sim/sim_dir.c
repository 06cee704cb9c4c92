#include "sim_dir.h"

#include "sim_random.h"

#include <stdlib.h>
#include <string.h>

void sim_dir_reset(struct sim_dir *dir)
{
    dir->is_removed = false;
    dir->cached.count = dir->on_disk.count = 0;
    dir->changes_count = 0;
}

static struct sim_name *find(struct sim_names *names, const char *text)
{
    for (size_t i = 0; i < names->count; i++) {
        if (strcmp(names->names[i].text, text) == 0)
            return &names->names[i];
    }
    return NULL;
}

int sim_dir_find(const struct sim_dir *dir, const char *name)
{
    for (size_t i = 0; i < dir->cached.count; i++) {
        if (strcmp(dir->cached.names[i].text, name) == 0)
            return dir->cached.names[i].file;
    }
    return SIM_NO_FILE;
}

static void apply(struct sim_names *names, const struct sim_name *change)
{
    struct sim_name *name = find(names, change->text);

    if (change->file == SIM_NO_FILE) {
        if (name != NULL)
            *name = names->names[--names->count];
        return;
    }
    if (name == NULL) {
        if (names->count == SIM_NAMES_MAX)
            abort();
        name = &names->names[names->count++];
    }
    *name = *change;
}

void sim_dir_set(struct sim_dir *dir, const char *name, int file)
{
    struct sim_name *change = &dir->changes[dir->changes_count];

    if (dir->changes_count == SIM_CHANGES_MAX || strlen(name) >= SIM_NAME_SIZE)
        abort();
    dir->changes_count++;
    (void)strcpy(change->text, name);
    change->file = file;
    apply(&dir->cached, change);
}

void sim_dir_rename(struct sim_dir *dir, const char *from, const char *to)
{
    sim_dir_set(dir, to, sim_dir_find(dir, from));
    sim_dir_set(dir, from, SIM_NO_FILE);
}

void sim_dir_sync(struct sim_dir *dir)
{
    for (size_t i = 0; i < dir->changes_count; i++)
        apply(&dir->on_disk, &dir->changes[i]);
    dir->changes_count = 0;
}

/* Was an earlier change of the same name lost? Then all later ones are. */
static bool is_behind_lost(const struct sim_dir *dir, const bool *lost, size_t index)
{
    for (size_t i = 0; i < index; i++) {
        if (lost[i] && strcmp(dir->changes[i].text, dir->changes[index].text) == 0)
            return true;
    }
    return false;
}

/* As a journaling file system does it: the first changes are kept, the others are lost. */
static void keep_first(struct sim_dir *dir, struct prng *prng)
{
    size_t kept = prng_below(prng, (uint32_t)dir->changes_count + 1);

    for (size_t i = 0; i < kept; i++)
        apply(&dir->on_disk, &dir->changes[i]);
}

static void keep_any(struct sim_dir *dir, struct prng *prng)
{
    uint32_t parts = 100 + prng_below(prng, 5) * 200;
    bool lost[SIM_CHANGES_MAX];

    for (size_t i = 0; i < dir->changes_count; i++) {
        lost[i] = is_behind_lost(dir, lost, i) || !sim_chance(prng, parts);
        if (!lost[i])
            apply(&dir->on_disk, &dir->changes[i]);
    }
}

void sim_dir_cut_power(struct sim_dir *dir, struct prng *prng)
{
    if (dir->changes_count > 0) {
        if (sim_chance(prng, 300))
            keep_first(dir, prng);
        else
            keep_any(dir, prng);
    }
    dir->changes_count = 0;
    dir->cached = dir->on_disk;
}

unsigned sim_dir_names_of(const struct sim_dir *dir, int file)
{
    unsigned count = 0;

    for (size_t i = 0; i < dir->cached.count; i++)
        count += dir->cached.names[i].file == file;
    return count;
}

const char *sim_dir_name_of(const struct sim_dir *dir, int file)
{
    for (size_t i = 0; i < dir->cached.count; i++) {
        if (dir->cached.names[i].file == file)
            return dir->cached.names[i].text;
    }
    return NULL;
}

void sim_dir_note_used(const struct sim_dir *dir, bool *used)
{
    for (size_t i = 0; i < dir->cached.count; i++)
        used[dir->cached.names[i].file] = true;
    for (size_t i = 0; i < dir->on_disk.count; i++)
        used[dir->on_disk.names[i].file] = true;
    for (size_t i = 0; i < dir->changes_count; i++) {
        if (dir->changes[i].file != SIM_NO_FILE)
            used[dir->changes[i].file] = true;
    }
}
