/* The operations of the simulated disk that name files. */
#include "sim_disk_ops.h"

#include "sim_random.h"
#include "sim_trace.h"

#include <errno.h>
#include <fcntl.h>

void (*sim_disk_while_reading)(void);

int sim_disk_error(int error)
{
    errno = error;
    return -1;
}

bool sim_disk_fails(uint32_t parts)
{
    return sim_current != NULL && sim_chance(sim_disk.prng, parts);
}

struct sim_file *sim_disk_file_of(int fd)
{
    const struct sim_fd *descriptor = sim_fd_of(fd);

    return descriptor == NULL || descriptor->file < 0 ? NULL : sim_disk_file(descriptor->file);
}

void sim_disk_begin(bool is_reading)
{
    sim_disk_counts.operations++;
    sim_process_point();
    if (is_reading && sim_current != NULL && !sim_current->may_write &&
        sim_disk_while_reading != NULL) {
        sim_disk_while_reading();
        sim_process_point();
    }
}

static struct sim_dir *dir_of(int fd)
{
    const struct sim_fd *descriptor = sim_fd_of(fd);

    return descriptor == NULL || descriptor->file >= 0 ? NULL : &sim_disk.dirs[descriptor->dir];
}

static int create(struct sim_dir *dir, const char *name)
{
    int file;

    if (sim_disk_is_full() && sim_disk_fails(500))
        return sim_disk_error(ENOSPC);
    if (dir->is_removed)
        return sim_disk_error(ENOENT);
    file = sim_disk_new_file();
    if (name != NULL)
        sim_dir_set(dir, name, file);
    return file;
}

static int disk_openat(int fd, const char *name, int flags, mode_t mode)
{
    struct sim_dir *dir = dir_of(fd);
    int file;

    (void)mode;
    sim_disk_begin(false);
    if (dir == NULL)
        return sim_disk_error(EBADF);
    if (sim_disk_fails(sim_disk_faults.open_fails))
        return sim_disk_error(EMFILE);
    file = sim_dir_find(dir, name);
    if ((flags & O_TMPFILE) == O_TMPFILE)
        file = create(dir, NULL);
    else if (file != SIM_NO_FILE && (flags & O_CREAT) != 0 && (flags & O_EXCL) != 0)
        return sim_disk_error(EEXIST);
    else if (file == SIM_NO_FILE && (flags & O_CREAT) != 0)
        file = create(dir, name);
    else if (file == SIM_NO_FILE)
        return sim_disk_error(ENOENT);
    if (file < 0)
        return -1;
    if ((flags & O_ACCMODE) != O_RDONLY && sim_current != NULL && !sim_current->may_write)
        sim_fail("%s opened %s for writing", sim_current->name, name);
    if ((flags & O_TRUNC) != 0)
        sim_file_cut(sim_disk_file(file), 0);
    return sim_fd_new(&(struct sim_fd){.file = file, .flags = flags, .owner = sim_current});
}

static void stat_directory(int dir, struct stat *out)
{
    *out = (struct stat){.st_ino = (ino_t)dir + 1,
                         .st_dev = 1,
                         .st_nlink = sim_disk.dirs[dir].is_removed ? 0 : 2,
                         .st_mode = S_IFDIR | 0750};
}

static void stat_file(int file, struct stat *out)
{
    unsigned names = 0;

    for (int i = 0; i < SIM_DIRS_MAX; i++)
        names += sim_dir_names_of(&sim_disk.dirs[i], file);
    *out = (struct stat){.st_ino = (ino_t)file + 100,
                         .st_dev = 1,
                         .st_nlink = names,
                         .st_mode = S_IFREG | 0640,
                         .st_size = (off_t)sim_disk_file(file)->cached.size};
}

/* Only the data directory itself is asked about by its path. */
static int disk_fstatat(int fd, const char *name, struct stat *out, int flags)
{
    const struct sim_dir *dir = dir_of(fd);
    int file;

    (void)flags;
    sim_disk_begin(false);
    if (fd == AT_FDCWD) {
        if (sim_disk.dir_at_path == SIM_NO_DIR)
            return sim_disk_error(ENOENT);
        stat_directory(sim_disk.dir_at_path, out);
        return 0;
    }
    if (dir == NULL)
        return sim_disk_error(EBADF);
    file = sim_dir_find(dir, name);
    if (file == SIM_NO_FILE)
        return sim_disk_error(ENOENT);
    stat_file(file, out);
    return 0;
}

static int disk_fstat(int fd, struct stat *out)
{
    const struct sim_fd *descriptor = sim_fd_of(fd);

    sim_disk_begin(false);
    if (descriptor == NULL)
        return sim_disk_error(EBADF);
    if (descriptor->file == SIM_NO_FILE)
        stat_directory(descriptor->dir, out);
    else
        stat_file(descriptor->file, out);
    return 0;
}

static int disk_renameat(int fd, const char *from, const char *to)
{
    struct sim_dir *dir = dir_of(fd);

    sim_disk_begin(false);
    if (dir == NULL)
        return sim_disk_error(EBADF);
    if (sim_dir_find(dir, from) == SIM_NO_FILE)
        return sim_disk_error(ENOENT);
    if (sim_disk_fails(sim_disk_faults.write_fails))
        return sim_disk_error(EIO);
    SIM_TRACE("    renames %s to %s", from, to);
    sim_dir_rename(dir, from, to);
    sim_process_point();
    return 0;
}

static int disk_unlinkat(int fd, const char *name)
{
    struct sim_dir *dir = dir_of(fd);

    sim_disk_begin(false);
    if (dir == NULL)
        return sim_disk_error(EBADF);
    if (sim_dir_find(dir, name) == SIM_NO_FILE)
        return sim_disk_error(ENOENT);
    SIM_TRACE("    removes %s", name);
    sim_dir_set(dir, name, SIM_NO_FILE);
    sim_process_point();
    return 0;
}

const struct file_ops sim_disk_ops = {
    .openat = disk_openat,
    .fstat = disk_fstat,
    .fstatat = disk_fstatat,
    .pread = sim_disk_pread,
    .pwritev = sim_disk_pwritev,
    .fdatasync = sim_disk_fdatasync,
    .start_write = sim_disk_start_write,
    .ftruncate = sim_disk_ftruncate,
    .renameat = disk_renameat,
    .unlinkat = disk_unlinkat,
};
