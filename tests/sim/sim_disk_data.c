/* The operations of the simulated disk that read and write files. */
#include "sim_disk_ops.h"
#include "sim_random.h"
#include "sim_trace.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>

ssize_t sim_disk_pread(int fd, void *bytes, size_t size, off_t offset)
{
    struct sim_file *file;

    sim_disk_begin(true);
    file = sim_disk_file_of(fd); /* others had their turns */
    if (file == NULL)
        return sim_disk_error(EBADF);
    if (file->has_forgotten && sim_disk_fails(100))
        sim_file_drop(file, sim_disk.prng, 500);
    if (size > 1 && sim_disk_fails(sim_disk_faults.short_transfer))
        size = 1 + prng_below(sim_disk.prng, (uint32_t)(size < UINT32_MAX ? size : UINT32_MAX));
    return (ssize_t)sim_file_read(file, bytes, size, (uint64_t)offset);
}

/* Writes the first `limit` bytes of the parts. */
static void write_parts(struct sim_file *file, const struct iovec *parts, int count, size_t limit,
                        uint64_t offset)
{
    for (int i = 0; i < count && limit > 0; i++) {
        size_t size = parts[i].iov_len < limit ? parts[i].iov_len : limit;
        sim_file_write(file, parts[i].iov_base, size, offset);
        offset += size;
        limit -= size;
    }
}

static size_t size_of_parts(const struct iovec *parts, int count)
{
    size_t size = 0;

    for (int i = 0; i < count; i++)
        size += parts[i].iov_len;
    return size;
}

ssize_t sim_disk_pwritev(int fd, const struct iovec *parts, int count, off_t offset)
{
    const struct sim_fd *descriptor = sim_fd_of(fd);
    struct sim_file *file = sim_disk_file_of(fd);
    size_t size = size_of_parts(parts, count);
    size_t room;

    sim_disk_counts.operations++;
    if (file == NULL || (descriptor->flags & O_ACCMODE) == O_RDONLY)
        return sim_disk_error(EBADF);
    if (count > IOV_MAX)
        return sim_disk_error(EINVAL);
    if (size == 0)
        return 0;
    if (sim_process_dies_here()) {
        write_parts(file, parts, count, prng_next(sim_disk.prng) % (size + 1), (uint64_t)offset);
        sim_process_exit();
    }
    room = sim_disk_space_for(file, size, (uint64_t)offset);
    if (sim_disk_fails(sim_disk_faults.short_transfer))
        room = 1 + prng_next(sim_disk.prng) % size < room ? size / 2 : room;
    if (room == 0 || sim_disk_fails(sim_disk_faults.write_fails)) {
        sim_disk_counts.failed_writes++;
        SIM_TRACE("    fails to write to %s", sim_disk_name_of(descriptor));
        return sim_disk_error(room == 0 ? ENOSPC : EIO);
    }
    write_parts(file, parts, count, room, (uint64_t)offset);
    SIM_TRACE("    writes %zu of %zu bytes at %u of %s", room < size ? room : size, size,
              (unsigned)offset, sim_disk_name_of(descriptor));
    return (ssize_t)(room < size ? room : size);
}

int sim_disk_fdatasync(int fd)
{
    const struct sim_fd *descriptor = sim_fd_of(fd);

    sim_disk_begin(false);
    if (descriptor == NULL)
        return sim_disk_error(EBADF);
    if (sim_disk_fails(sim_disk_faults.sync_fails)) {
        sim_disk_counts.failed_syncs++;
        SIM_TRACE("    fails to sync %s", sim_disk_name_of(descriptor));
        if (descriptor->file != SIM_NO_FILE)
            sim_file_fail_sync(sim_disk_file(descriptor->file), sim_disk.prng);
        return sim_disk_error(EIO);
    }
    SIM_TRACE("    syncs %s", sim_disk_name_of(descriptor));
    if (descriptor->file == SIM_NO_FILE)
        sim_dir_sync(&sim_disk.dirs[descriptor->dir]);
    else
        sim_file_sync(sim_disk_file(descriptor->file));
    sim_process_point();
    return 0;
}

void sim_disk_start_write(int fd)
{
    struct sim_file *file = sim_disk_file_of(fd);

    if (file != NULL)
        sim_file_write_back(file, sim_disk.prng);
}

int sim_disk_ftruncate(int fd, off_t size)
{
    const struct sim_fd *descriptor = sim_fd_of(fd);
    struct sim_file *file = sim_disk_file_of(fd);

    sim_disk_begin(false);
    if (file == NULL || (descriptor->flags & O_ACCMODE) == O_RDONLY)
        return sim_disk_error(EBADF);
    if (sim_disk_fails(sim_disk_faults.write_fails))
        return sim_disk_error(EIO);
    SIM_TRACE("    cuts %s to %u bytes", sim_disk_name_of(descriptor), (unsigned)size);
    sim_file_cut(file, (uint64_t)size);
    sim_process_point();
    return 0;
}
