#include "sim_disk.h"

#include "sim_random.h"
#include "sim_trace.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define FD_FIRST 1000000 /* of the simulated descriptors */
#define FDS_MAX 512
#define FILES_MAX 128
#define NAMES_MAX 64
#define CHANGES_MAX 256
#define NAME_SIZE 64

#define DIRECTORY (-2) /* instead of a file, in a descriptor */
#define NO_FILE (-1)

struct name {
    char text[NAME_SIZE];
    int file; /* index */
};

struct directory {
    struct name names[NAMES_MAX];
    size_t count;
};

/* What was done to the directory and may not be on disk: `name` is now that of `file`, or of none,
 * and of a file that was renamed, `old_name` is gone. */
struct change {
    struct name name;
    char old_name[NAME_SIZE];
};

struct descriptor {
    bool is_open;
    int file;
    int flags;         /* of openat */
    const void *owner; /* a process, or a link */
};

static struct sim_file files[FILES_MAX];
static struct directory cached;
static struct directory on_disk;
static struct change changes[CHANGES_MAX]; /* in their order */
static size_t changes_count;
static struct descriptor descriptors[FDS_MAX];
static int descriptors_end; /* after the last one that may be open */
static struct prng *random_source;
static uint64_t size_max;

struct sim_disk_faults sim_disk_faults;
struct sim_disk_counts sim_disk_counts;
void (*sim_disk_while_reading)(void);

/* The linker's --wrap gives these their names. */
int __real_close(int fd);
int __wrap_close(int fd);
int __wrap_munmap(void *bytes, size_t size);

static int fail(int error)
{
    errno = error;
    return -1;
}

static bool fault(uint32_t parts)
{
    return sim_current != NULL && sim_chance(random_source, parts);
}

static struct descriptor *descriptor_of(int fd)
{
    if (fd < FD_FIRST || fd >= FD_FIRST + FDS_MAX || !descriptors[fd - FD_FIRST].is_open)
        return NULL;
    return &descriptors[fd - FD_FIRST];
}

static struct sim_file *file_of(int fd)
{
    const struct descriptor *descriptor = descriptor_of(fd);

    return descriptor == NULL || descriptor->file < 0 ? NULL : &files[descriptor->file];
}

static int new_descriptor(int file, int flags, const void *owner)
{
    for (int i = 0; i < FDS_MAX; i++) {
        if (descriptors[i].is_open)
            continue;
        descriptors[i] = (struct descriptor){true, file, flags, owner};
        if (i >= descriptors_end)
            descriptors_end = i + 1;
        return FD_FIRST + i;
    }
    abort(); /* somebody does not close his */
}

static struct name *find(struct directory *directory, const char *text)
{
    for (size_t i = 0; i < directory->count; i++) {
        if (strcmp(directory->names[i].text, text) == 0)
            return &directory->names[i];
    }
    return NULL;
}

static void set_name(struct directory *directory, const char *text, int file)
{
    struct name *name = find(directory, text);

    if (name == NULL) {
        if (directory->count == NAMES_MAX)
            abort();
        name = &directory->names[directory->count++];
        (void)strcpy(name->text, text);
    }
    name->file = file;
}

static void remove_name(struct directory *directory, const char *text)
{
    struct name *name = find(directory, text);

    if (name != NULL)
        *name = directory->names[--directory->count];
}

static void apply(struct directory *directory, const struct change *change)
{
    if (change->old_name[0] != '\0')
        remove_name(directory, change->old_name);
    if (change->name.text[0] != '\0')
        set_name(directory, change->name.text, change->name.file);
}

static void change_directory(const char *old_name, const char *new_name, int file)
{
    struct change *change = &changes[changes_count];

    if (changes_count++ == CHANGES_MAX)
        abort();
    *change = (struct change){.name = {.file = file}};
    (void)strcpy(change->old_name, old_name);
    (void)strcpy(change->name.text, new_name);
    apply(&cached, change);
}

/* How many names the file has in a directory. */
static unsigned names_of(const struct directory *directory, int file)
{
    unsigned count = 0;

    for (size_t i = 0; i < directory->count; i++)
        count += directory->names[i].file == file;
    return count;
}

/* A name of the file, for the trace. */
static const char *name_of(int file)
{
    if (file == DIRECTORY)
        return "the directory";
    for (size_t i = 0; i < cached.count; i++) {
        if (cached.names[i].file == file)
            return cached.names[i].text;
    }
    return "a file without a name";
}

/* Which files can still be reached, by a name, a descriptor or a mapping. */
struct used {
    bool is_used[FILES_MAX];
};

static struct used find_used(void)
{
    struct used used;

    for (int i = 0; i < FILES_MAX; i++)
        used.is_used[i] = files[i].is_mapped;
    for (size_t i = 0; i < cached.count; i++)
        used.is_used[cached.names[i].file] = true;
    for (size_t i = 0; i < on_disk.count; i++)
        used.is_used[on_disk.names[i].file] = true;
    for (size_t i = 0; i < changes_count; i++) {
        if (changes[i].name.file >= 0)
            used.is_used[changes[i].name.file] = true;
    }
    for (int i = 0; i < descriptors_end; i++) {
        if (descriptors[i].is_open && descriptors[i].file >= 0)
            used.is_used[descriptors[i].file] = true;
    }
    return used;
}

static int new_file(void)
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

/* How many of `size` bytes at `offset` have space. */
static size_t space_for(const struct sim_file *file, size_t size, uint64_t offset)
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

void sim_disk_reset(struct prng *prng)
{
    random_source = prng;
    cached.count = on_disk.count = 0;
    changes_count = 0;
    size_max = SIM_NO_LIMIT;
    for (int i = 0; i < FILES_MAX; i++)
        files[i].is_mapped = false;
    for (int i = 0; i < descriptors_end; i++)
        descriptors[i].is_open = false;
    descriptors_end = 0;
}

void sim_disk_cut_power(void)
{
    size_t kept = prng_below(random_source, (uint32_t)changes_count + 1);
    struct used used;

    sim_disk_counts.power_cuts++;
    for (size_t i = 0; i < kept; i++)
        apply(&on_disk, &changes[i]);
    changes_count = 0;
    cached = on_disk;
    for (int i = 0; i < FILES_MAX; i++)
        files[i].is_mapped = false;
    used = find_used();
    for (int i = 0; i < FILES_MAX; i++) {
        if (used.is_used[i])
            sim_file_cut_power(&files[i], random_source);
    }
}

void sim_disk_work_in_background(void)
{
    for (size_t i = 0; i < cached.count; i++) {
        struct sim_file *file = &files[cached.names[i].file];
        if (sim_chance(random_source, 500))
            sim_file_write_back(file, random_source);
        sim_file_drop(file, random_source, 500);
    }
}

void sim_disk_calm_down(void)
{
    sim_disk_faults = (struct sim_disk_faults){0};
    size_max = SIM_NO_LIMIT;
    for (size_t i = 0; i < cached.count; i++)
        sim_file_drop(&files[cached.names[i].file], random_source, 1000);
}

int sim_disk_open_dir(void)
{
    return new_descriptor(DIRECTORY, O_RDONLY, sim_current);
}

int sim_disk_send(int fd, const void *owner)
{
    const struct descriptor *descriptor = descriptor_of(fd);

    return descriptor == NULL ? -1 : new_descriptor(descriptor->file, descriptor->flags, owner);
}

void sim_disk_close_all(const void *owner)
{
    for (int i = 0; i < descriptors_end; i++) {
        if (descriptors[i].owner == owner)
            descriptors[i].is_open = false;
    }
    while (descriptors_end > 0 && !descriptors[descriptors_end - 1].is_open)
        descriptors_end--;
}

struct sim_file *sim_disk_find(const char *name)
{
    const struct name *found = find(&cached, name);

    return found == NULL ? NULL : &files[found->file];
}

/* Before each operation: the process may die here, and in one that only reads others go on. */
static void begin(bool is_reading)
{
    sim_disk_counts.operations++;
    sim_process_point();
    if (is_reading && sim_current != NULL && !sim_current->may_write &&
        sim_disk_while_reading != NULL) {
        sim_disk_while_reading();
        sim_process_point();
    }
}

static int create(const char *name)
{
    int file;

    if (size_max != SIM_NO_LIMIT && size_of_all() >= size_max && fault(500))
        return fail(ENOSPC);
    file = new_file();
    if (name != NULL)
        change_directory("", name, file);
    return file;
}

static int disk_openat(int dir, const char *name, int flags, mode_t mode)
{
    const struct descriptor *directory = descriptor_of(dir);
    const struct name *found;
    int file = NO_FILE;

    (void)mode;
    begin(false);
    if (directory == NULL || directory->file != DIRECTORY)
        return fail(EBADF);
    if (fault(sim_disk_faults.open_fails))
        return fail(EMFILE);
    found = find(&cached, name);
    if ((flags & O_TMPFILE) == O_TMPFILE)
        file = create(NULL);
    else if (found != NULL && (flags & O_CREAT) != 0 && (flags & O_EXCL) != 0)
        return fail(EEXIST);
    else if (found != NULL)
        file = found->file;
    else if ((flags & O_CREAT) != 0)
        file = create(name);
    else
        return fail(ENOENT);
    if (file < 0)
        return -1;
    if ((flags & O_ACCMODE) != O_RDONLY && sim_current != NULL && !sim_current->may_write)
        sim_fail("%s opened %s for writing", sim_current->name, name);
    if ((flags & O_TRUNC) != 0)
        sim_file_cut(&files[file], 0);
    return new_descriptor(file, flags, sim_current);
}

static void stat_directory(struct stat *out)
{
    *out = (struct stat){.st_ino = 1, .st_dev = 1, .st_nlink = 2, .st_mode = S_IFDIR | 0750};
}

static void stat_file(int file, struct stat *out)
{
    *out = (struct stat){.st_ino = (ino_t)file + 2,
                         .st_dev = 1,
                         .st_nlink = names_of(&cached, file),
                         .st_mode = S_IFREG | 0640,
                         .st_size = (off_t)files[file].cached.size};
}

/* Only the folder itself is asked about by its path. */
static int disk_fstatat(int dir, const char *name, struct stat *out, int flags)
{
    const struct name *found = find(&cached, name);

    (void)flags;
    begin(false);
    if (dir == AT_FDCWD) {
        stat_directory(out);
        return 0;
    }
    if (found == NULL)
        return fail(ENOENT);
    stat_file(found->file, out);
    return 0;
}

static int disk_fstat(int fd, struct stat *out)
{
    const struct descriptor *descriptor = descriptor_of(fd);

    begin(false);
    if (descriptor == NULL)
        return fail(EBADF);
    if (descriptor->file == DIRECTORY)
        stat_directory(out);
    else
        stat_file(descriptor->file, out);
    return 0;
}

static ssize_t disk_pread(int fd, void *bytes, size_t size, off_t offset)
{
    struct sim_file *file;

    begin(true);
    file = file_of(fd); /* others had their turns */
    if (file == NULL)
        return fail(EBADF);
    if (file->has_forgotten && fault(100))
        sim_file_drop(file, random_source, 500);
    if (size > 1 && fault(sim_disk_faults.short_transfer))
        size = 1 + prng_below(random_source, (uint32_t)(size < UINT32_MAX ? size : UINT32_MAX));
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

static ssize_t disk_pwritev(int fd, const struct iovec *parts, int count, off_t offset)
{
    const struct descriptor *descriptor = descriptor_of(fd);
    struct sim_file *file = file_of(fd);
    size_t size = size_of_parts(parts, count);
    size_t room;

    sim_disk_counts.operations++;
    if (file == NULL || (descriptor->flags & O_ACCMODE) == O_RDONLY)
        return fail(EBADF);
    if (count > IOV_MAX)
        return fail(EINVAL);
    if (size == 0)
        return 0;
    if (sim_process_dies_here()) {
        write_parts(file, parts, count, prng_next(random_source) % (size + 1), (uint64_t)offset);
        sim_process_exit();
    }
    room = space_for(file, size, (uint64_t)offset);
    if (fault(sim_disk_faults.short_transfer))
        room = 1 + prng_next(random_source) % size < room ? size / 2 : room;
    if (room == 0 || fault(sim_disk_faults.write_fails)) {
        sim_disk_counts.failed_writes++;
        SIM_TRACE("    fails to write to %s", name_of(descriptor->file));
        return fail(room == 0 ? ENOSPC : EIO);
    }
    write_parts(file, parts, count, room, (uint64_t)offset);
    SIM_TRACE("    writes %zu of %zu bytes at %u of %s", room < size ? room : size, size,
              (unsigned)offset, name_of(descriptor->file));
    return (ssize_t)(room < size ? room : size);
}

static void sync_directory(void)
{
    for (size_t i = 0; i < changes_count; i++)
        apply(&on_disk, &changes[i]);
    changes_count = 0;
}

static int disk_fdatasync(int fd)
{
    const struct descriptor *descriptor = descriptor_of(fd);

    begin(false);
    if (descriptor == NULL)
        return fail(EBADF);
    if (fault(sim_disk_faults.sync_fails)) {
        sim_disk_counts.failed_syncs++;
        SIM_TRACE("    fails to sync %s", name_of(descriptor->file));
        if (descriptor->file != DIRECTORY)
            sim_file_fail_sync(&files[descriptor->file], random_source);
        return fail(EIO);
    }
    SIM_TRACE("    syncs %s", name_of(descriptor->file));
    if (descriptor->file == DIRECTORY)
        sync_directory();
    else
        sim_file_sync(&files[descriptor->file]);
    sim_process_point();
    return 0;
}

static void disk_start_write(int fd)
{
    struct sim_file *file = file_of(fd);

    if (file != NULL)
        sim_file_write_back(file, random_source);
}

static int disk_ftruncate(int fd, off_t size)
{
    const struct descriptor *descriptor = descriptor_of(fd);
    struct sim_file *file = file_of(fd);

    begin(false);
    if (file == NULL || (descriptor->flags & O_ACCMODE) == O_RDONLY)
        return fail(EBADF);
    if (fault(sim_disk_faults.write_fails))
        return fail(EIO);
    SIM_TRACE("    cuts %s to %u bytes", name_of(descriptor->file), (unsigned)size);
    sim_file_cut(file, (uint64_t)size);
    sim_process_point();
    return 0;
}

static int disk_renameat(int dir, const char *from, const char *to)
{
    const struct name *found = find(&cached, from);

    (void)dir;
    begin(false);
    if (found == NULL)
        return fail(ENOENT);
    if (fault(sim_disk_faults.write_fails))
        return fail(EIO);
    SIM_TRACE("    renames %s to %s", from, to);
    change_directory(from, to, found->file);
    sim_process_point();
    return 0;
}

static int disk_unlinkat(int dir, const char *name)
{
    (void)dir;
    begin(false);
    if (find(&cached, name) == NULL)
        return fail(ENOENT);
    SIM_TRACE("    removes %s", name);
    change_directory(name, "", NO_FILE);
    sim_process_point();
    return 0;
}

static const void *disk_map(int fd, size_t size)
{
    struct sim_file *file = file_of(fd);

    begin(false);
    if (file == NULL || size > file->cached.size) {
        errno = EINVAL;
        return NULL;
    }
    file->is_mapped = true;
    return sim_file_bytes(file, size);
}

const struct file_ops sim_disk_ops = {
    .openat = disk_openat,
    .fstat = disk_fstat,
    .fstatat = disk_fstatat,
    .pread = disk_pread,
    .pwritev = disk_pwritev,
    .fdatasync = disk_fdatasync,
    .start_write = disk_start_write,
    .ftruncate = disk_ftruncate,
    .renameat = disk_renameat,
    .unlinkat = disk_unlinkat,
    .map = disk_map,
};

int __wrap_close(int fd)
{
    struct descriptor *descriptor = descriptor_of(fd);

    if (fd < FD_FIRST)
        return __real_close(fd);
    if (descriptor == NULL)
        sim_fail("a descriptor was closed twice");
    descriptor->is_open = false;
    return 0;
}

/* A mapping is the file's own memory. */
int __wrap_munmap(void *bytes, size_t size)
{
    (void)bytes;
    (void)size;
    return 0;
}
