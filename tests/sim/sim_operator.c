#include "sim_operator.h"

#include "sim_disk.h"
#include "sim_ledger.h"
#include "sim_random.h"
#include "sim_trace.h"
#include "sim_world.h"

#include <string.h>

enum meddling {
    DIR_MOVED,
    DIR_MOVED_ANOTHER_THERE, /* an empty one */
    DIR_REMOVED,             /* there is a copy elsewhere */
    DIR_REPLACED,            /* by a copy */
    FILE_MOVED,
    FILE_REMOVED,
    FILE_REPLACED,
    MEDDLINGS
};

struct sim_operator sim_operator;
static enum meddling kind;

void sim_operator_reset(void)
{
    sim_operator = (struct sim_operator){0};
}

/* His own copy of a file, in `dir`, on disk. */
static void copy_file(struct sim_dir *dir, const char *name, int file)
{
    int copy = sim_disk_new_file();

    sim_file_copy(sim_disk_file(copy), sim_disk_file(file));
    sim_dir_set(dir, name, copy);
    sim_dir_sync(dir);
}

/* The directory that is not the server's. */
static int other_dir(void)
{
    return 1 - sim_disk.dir_of_server;
}

static void copy_dir(const struct sim_dir *from, struct sim_dir *to)
{
    sim_dir_reset(to);
    for (size_t i = 0; i < from->cached.count; i++)
        copy_file(to, from->cached.names[i].text, from->cached.names[i].file);
}

static void remove_dir(struct sim_dir *dir)
{
    while (dir->cached.count > 0)
        sim_dir_set(dir, dir->cached.names[0].text, SIM_NO_FILE);
    sim_dir_sync(dir);
    dir->is_removed = true;
}

static void meddle_with_dir(void)
{
    struct sim_dir *dir = &sim_disk.dirs[sim_disk.dir_of_server];
    struct sim_dir *other = &sim_disk.dirs[other_dir()];

    sim_operator.dir = sim_disk.dir_of_server;
    sim_disk.dir_at_path = SIM_NO_DIR;
    if (kind == DIR_MOVED_ANOTHER_THERE) {
        sim_dir_reset(other);
        sim_disk.dir_at_path = other_dir();
    } else if (kind != DIR_MOVED) {
        copy_dir(dir, other);
        sim_operator.dir = other_dir();
    }
    if (kind == DIR_REMOVED)
        remove_dir(dir);
    if (kind == DIR_REPLACED)
        sim_disk.dir_at_path = other_dir();
}

static void meddle_with_file(const char *name)
{
    struct sim_dir *dir = &sim_disk.dirs[sim_disk.dir_of_server];
    struct sim_dir *home = &sim_disk.dirs[SIM_DIR_OF_OPERATOR];
    int file = sim_dir_find(dir, name);

    sim_operator.name = name;
    sim_operator.dir = sim_disk.dir_of_server;
    sim_dir_reset(home);
    if (kind == FILE_MOVED)
        sim_dir_set(home, name, file);
    else
        copy_file(home, name, file);
    sim_dir_sync(home);
    sim_dir_set(dir, name, kind == FILE_REPLACED ? sim_dir_find(home, name) : SIM_NO_FILE);
    sim_operator.file = sim_dir_find(home, name);
}

void sim_operator_meddle(void)
{
    static const char *const names[] = {"bets.csv", "bets.journal"};
    const char *name = names[prng_below(&sim_world.prng, 2)];
    struct sim_dir *dir = &sim_disk.dirs[sim_disk.dir_of_server];

    if (sim_operator.has_meddled || !sim_ledger.was_ready)
        return;
    kind = (enum meddling)prng_below(&sim_world.prng, MEDDLINGS);
    sim_operator = (struct sim_operator){.has_meddled = true,
                                         .has_lost_winners = sim_operator.has_lost_winners,
                                         .finished = sim_ledger.committed_finished,
                                         .phase = sim_ledger.committed_phase};
    SIM_TRACE("somebody meddles with %s: %d", kind < FILE_MOVED ? "the directory" : name,
              (int)kind);
    sim_counts.meddlings++;
    sim_dir_sync(dir);
    if (kind < FILE_MOVED)
        meddle_with_dir();
    else
        meddle_with_file(name);
    sim_dir_sync(dir);
}

void sim_operator_lose_winners(void)
{
    static const char *const names[] = {"winners.csv", "winners.index"};
    const char *name = names[prng_below(&sim_world.prng, 2)];
    struct sim_dir *dir = &sim_disk.dirs[sim_disk.dir_of_server];

    if (sim_dir_find(dir, name) == SIM_NO_FILE)
        return;
    SIM_TRACE("somebody removes %s", name);
    sim_dir_set(dir, name, SIM_NO_FILE);
    sim_operator.has_lost_winners = true;
    sim_counts.lost_winners++;
}

void sim_operator_put_back(void)
{
    struct sim_dir *dir;

    if (!sim_operator.has_meddled)
        return;
    SIM_TRACE("it is put back");
    sim_operator.has_meddled = false;
    sim_disk.dir_at_path = sim_operator.dir;
    if (sim_operator.name == NULL)
        return;
    dir = &sim_disk.dirs[sim_operator.dir];
    sim_dir_set(dir, sim_operator.name, sim_operator.file);
    sim_dir_sync(dir);
}

bool sim_operator_may_put_back_now(void)
{
    return sim_operator.has_meddled &&
           (kind == DIR_MOVED || kind == DIR_MOVED_ANOTHER_THERE || kind == FILE_MOVED);
}

void sim_operator_note_start(void)
{
    if (!sim_operator.has_meddled)
        return;
    if (kind != FILE_REPLACED)
        sim_fail("a ledger started, and what it works on is elsewhere");
    sim_operator.has_meddled = false;
}

void sim_operator_check_sent(const struct message *message)
{
    if (!sim_operator.has_meddled)
        return;
    if (message->kind == MESSAGE_OUTCOME && message->outcome.status == STATUS_OK &&
        message->outcome.stored > 0)
        sim_fail("the ledger acks what lies elsewhere");
    if (message->kind == MESSAGE_NEWS && (message->news.finished > sim_operator.finished ||
                                          message->news.phase > sim_operator.phase))
        sim_fail("the ledger reports a record that lies elsewhere");
}
