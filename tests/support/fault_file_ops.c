#include "fault_file_ops.h"

#include "prng.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define FILES_MAX 24
#define FILE_CAPACITY                                                                              \
    ((size_t)64 * 1024) /* bytes that the model keeps of a file, from its beginning */
#define PIECE 512
#define NAMES_MAX 12
#define CHANGES_MAX 12

/* One file: as programs see it, and as it is on the modelled disk. */
struct disk_file {
    dev_t device;
    ino_t inode;
    bool is_used;
    unsigned char live[FILE_CAPACITY];
    size_t live_size;
    unsigned char bytes[FILE_CAPACITY];
    size_t size;
    bool is_dirty[FILE_CAPACITY / PIECE]; /* written since the last sync */
};

/* The names in the folder. */
struct disk_names {
    struct {
        char name[48];
        struct disk_file *file; /* NULL: this entry is free */
    } entry[NAMES_MAX];
};

/* Shared with the processes forked after the first fault_reset; remains when they end. */
static struct disk {
    struct disk_file files[FILES_MAX];
    struct disk_names names;                /* on the disk */
    struct disk_names changes[CHANGES_MAX]; /* after each change that was not synced */
    size_t changes_count;
} * disk;

static struct {
    unsigned counts[8];
    unsigned folder_syncs;
    unsigned ops;
    unsigned left;
    enum fault_kind kind;
    int error;
    bool is_armed;
    bool stays;
    bool has_struck;
    bool half_done; /* there was a short write; the next write fails */
    void (*on_call)(void *context);
    void *context;
} fault;

void fault_reset(void)
{
    memset(&fault, 0, sizeof(fault));
    if (disk == NULL) {
        void *memory =
            mmap(NULL, sizeof(*disk), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED)
            abort();
        disk = memory;
    }
    for (size_t i = 0; i < FILES_MAX; i++)
        disk->files[i].is_used = false;
    memset(&disk->names, 0, sizeof(disk->names));
    disk->changes_count = 0;
}

void fault_plan(unsigned ops, unsigned after, enum fault_kind kind, int error, bool stays)
{
    fault.ops = ops;
    fault.left = after;
    fault.kind = kind;
    fault.error = error;
    fault.stays = stays;
    fault.has_struck = fault.half_done = false;
    fault.is_armed = true;
}

bool fault_end(void)
{
    fault.is_armed = false;
    return fault.has_struck;
}

static unsigned index_of(enum fault_op op)
{
    unsigned index = 0;

    while (1u << index != (unsigned)op)
        index++;
    return index;
}

unsigned fault_count(enum fault_op op)
{
    return fault.counts[index_of(op)];
}

unsigned fault_folder_syncs(void)
{
    return fault.folder_syncs;
}

void fault_watch(void (*on_call)(void *context), void *context)
{
    fault.on_call = on_call;
    fault.context = context;
}

/* Counts the call and returns whether the plan makes it fail. */
static bool strikes(enum fault_op op)
{
    fault.counts[index_of(op)]++;
    if (fault.on_call != NULL && op != FAULT_PREAD)
        fault.on_call(fault.context);
    if (!fault.is_armed || (fault.ops & (unsigned)op) == 0)
        return false;
    if (fault.has_struck)
        return fault.stays;
    if (fault.left-- > 0)
        return false;
    fault.has_struck = true;
    return true;
}

/* For operations that cannot be half done: does the call fail? */
static bool fails(enum fault_op op)
{
    if (!strikes(op) || fault.kind == FAULT_EXIT_AFTER)
        return false;
    if (fault.kind == FAULT_EXIT_BEFORE || fault.kind == FAULT_EXIT_HALF)
        _exit(FAULT_EXIT_STATUS);
    errno = fault.error;
    return true;
}

/* After the call: ends the process if that is the plan. */
static void end_after(enum fault_op op)
{
    if (fault.is_armed && fault.has_struck && fault.kind == FAULT_EXIT_AFTER &&
        (fault.ops & (unsigned)op) != 0)
        _exit(FAULT_EXIT_STATUS);
}

/* The names as programs see them. */
static struct disk_names *live_names(void)
{
    return disk->changes_count > 0 ? &disk->changes[disk->changes_count - 1] : &disk->names;
}

/* Begins a change of the names. When there are too many, the first reaches the disk. */
static struct disk_names *change_names(void)
{
    if (disk->changes_count == CHANGES_MAX) {
        disk->names = disk->changes[0];
        memmove(disk->changes, disk->changes + 1, (CHANGES_MAX - 1) * sizeof(disk->changes[0]));
        disk->changes_count--;
    }
    struct disk_names next = *live_names();
    disk->changes[disk->changes_count++] = next;
    return &disk->changes[disk->changes_count - 1];
}

static void set_name(struct disk_names *names, const char *name, struct disk_file *file)
{
    size_t at = NAMES_MAX;

    for (size_t i = NAMES_MAX; i-- > 0;) {
        if (names->entry[i].file == NULL)
            at = i;
    }
    for (size_t i = 0; i < NAMES_MAX; i++) {
        if (names->entry[i].file != NULL && strcmp(names->entry[i].name, name) == 0)
            at = i;
    }
    if (at == NAMES_MAX || strlen(name) >= sizeof(names->entry[at].name))
        return; /* more than the model keeps */
    (void)snprintf(names->entry[at].name, sizeof(names->entry[at].name), "%s", name);
    names->entry[at].file = file;
}

static struct disk_file *find_name(const struct disk_names *names, const char *name)
{
    for (size_t i = 0; i < NAMES_MAX; i++) {
        if (names->entry[i].file != NULL && strcmp(names->entry[i].name, name) == 0)
            return names->entry[i].file;
    }
    return NULL;
}

static bool has_file(const struct disk_names *names, const struct disk_file *file)
{
    for (size_t i = 0; i < NAMES_MAX; i++) {
        if (names->entry[i].file == file)
            return true;
    }
    return false;
}

/* Is there a name that a power cut could leave for it? */
static bool is_named(const struct disk_file *file)
{
    bool is_found = has_file(&disk->names, file);

    for (size_t i = 0; i < disk->changes_count; i++)
        is_found = is_found || has_file(&disk->changes[i], file);
    return is_found;
}

static struct disk_file *find_file(const struct stat *info)
{
    for (size_t i = 0; i < FILES_MAX; i++) {
        struct disk_file *file = &disk->files[i];
        if (file->is_used && file->device == info->st_dev && file->inode == info->st_ino)
            return file;
    }
    return NULL;
}

static struct disk_file *add_file(const struct stat *info)
{
    struct disk_file *file = NULL;

    for (size_t i = 0; i < FILES_MAX && file == NULL; i++) {
        if (!disk->files[i].is_used || !is_named(&disk->files[i]))
            file = &disk->files[i];
    }
    if (file == NULL)
        return NULL;
    memset(file, 0, sizeof(*file));
    file->is_used = true;
    file->device = info->st_dev;
    file->inode = info->st_ino;
    return file;
}

static bool is_folder(int fd)
{
    struct stat info;

    return fstat(fd, &info) == 0 && S_ISDIR(info.st_mode);
}

/* The bytes that a file has as programs see them. */
static void read_live(struct disk_file *file, int fd)
{
    char path[64];

    /* `fd` may be open for writing only. */
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    int reading = open(path, O_RDONLY | O_CLOEXEC);
    if (reading < 0)
        abort();
    ssize_t size = pread(reading, file->live, sizeof(file->live), 0);
    file->live_size = size > 0 ? (size_t)size : 0;
    memset(file->live + file->live_size, 0, FILE_CAPACITY - file->live_size);
    (void)close(reading);
}

/* The modelled file that `fd` is open on. One that was there before the model began is on the disk.
 */
static struct disk_file *file_of(int fd)
{
    struct stat info;

    if (disk == NULL || fstat(fd, &info) < 0 || !S_ISREG(info.st_mode))
        return NULL;
    struct disk_file *file = find_file(&info);
    if (file != NULL)
        return file;
    file = add_file(&info);
    if (file == NULL)
        return NULL;
    read_live(file, fd);
    memcpy(file->bytes, file->live, sizeof(file->bytes));
    file->size = file->live_size;
    return file;
}

static void mark_dirty(struct disk_file *file, size_t from, size_t to)
{
    for (size_t piece = from / PIECE; piece * PIECE < to && piece < FILE_CAPACITY / PIECE; piece++)
        file->is_dirty[piece] = true;
}

/* The pieces that were written reach the disk; with a prng, half of them. */
static void reach_disk(struct disk_file *file, struct prng *prng)
{
    for (size_t piece = 0; piece < FILE_CAPACITY / PIECE; piece++) {
        if (!file->is_dirty[piece] || (prng != NULL && prng_below(prng, 2) == 0))
            continue;
        memcpy(file->bytes + piece * PIECE, file->live + piece * PIECE, PIECE);
        file->is_dirty[piece] = false;
    }
    if (prng == NULL || prng_below(prng, 2) == 0)
        file->size = file->live_size;
}

/* Follows an opening, which may have made the file or emptied it. */
static void note_open(int fd, const char *name, bool was_there, int flags)
{
    struct stat info;

    if (disk == NULL || fstat(fd, &info) < 0 || !S_ISREG(info.st_mode))
        return;
    struct disk_file *old = find_file(&info);
    if (!was_there && old != NULL)
        old->inode = 0; /* the inode of a removed file is in use again */
    struct disk_file *file = was_there ? file_of(fd) : add_file(&info);
    if (file == NULL)
        return;
    if (was_there && find_name(live_names(), name) == NULL) {
        set_name(&disk->names, name, file);
        for (size_t i = 0; i < disk->changes_count; i++)
            set_name(&disk->changes[i], name, file);
    }
    if (!was_there)
        set_name(change_names(), name, file);
    if ((flags & O_TRUNC) != 0) {
        mark_dirty(file, 0, file->live_size);
        read_live(file, fd);
    }
}

static int do_openat(int dir, const char *name, int flags, mode_t mode)
{
    struct stat info;

    if (fails(FAULT_OPENAT))
        return -1;
    bool was_there = fstatat(dir, name, &info, AT_SYMLINK_NOFOLLOW) == 0;
    int fd = openat(dir, name, flags | O_CLOEXEC, mode);
    if (fd >= 0)
        note_open(fd, name, was_there, flags);
    end_after(FAULT_OPENAT);
    return fd;
}

static ssize_t do_pread(int fd, void *bytes, size_t size, off_t offset)
{
    return fails(FAULT_PREAD) ? -1 : pread(fd, bytes, size, offset);
}

/* Writes half of the bytes of the first part that is not empty. */
static ssize_t write_half(int fd, const struct iovec *parts, int count, off_t offset)
{
    for (int i = 0; i < count; i++) {
        if (parts[i].iov_len > 0)
            return pwrite(fd, parts[i].iov_base, (parts[i].iov_len + 1) / 2, offset);
    }
    return 0;
}

static void note_write(struct disk_file *file, int fd, off_t offset, ssize_t size)
{
    if (file == NULL || size <= 0)
        return;
    read_live(file, fd);
    mark_dirty(file, (size_t)offset, (size_t)(offset + size));
}

static ssize_t do_pwritev(int fd, const struct iovec *parts, int count, off_t offset)
{
    ssize_t result = -1;

    struct disk_file *file = file_of(fd);
    bool is_struck = strikes(FAULT_PWRITEV);
    if (fault.half_done && fault.is_armed) {
        fault.half_done = false;
        errno = fault.error;
    } else if (is_struck && fault.kind == FAULT_EXIT_BEFORE) {
        _exit(FAULT_EXIT_STATUS);
    } else if (is_struck && fault.kind == FAULT_ERROR) {
        errno = fault.error;
    } else if (is_struck && fault.kind != FAULT_EXIT_AFTER) {
        result = write_half(fd, parts, count, offset);
        note_write(file, fd, offset, result);
        fault.half_done = true;
        if (fault.kind == FAULT_EXIT_HALF)
            _exit(FAULT_EXIT_STATUS);
    } else {
        result = pwritev(fd, parts, count, offset);
        note_write(file, fd, offset, result);
        end_after(FAULT_PWRITEV);
    }
    return result;
}

static int do_fdatasync(int fd)
{
    struct disk_file *file = file_of(fd);

    if (fails(FAULT_FDATASYNC)) {
        if (file != NULL)
            memset(file->is_dirty, 0, sizeof(file->is_dirty));
        return -1;
    }
    if (file != NULL)
        reach_disk(file, NULL);
    if (is_folder(fd)) {
        fault.folder_syncs++;
        disk->names = *live_names();
        disk->changes_count = 0;
    }
    end_after(FAULT_FDATASYNC);
    return 0;
}

/* In the model nothing reaches the disk before a sync. */
static void do_start_write(int fd)
{
    (void)fd;
}

static int do_ftruncate(int fd, off_t size)
{
    struct disk_file *file = file_of(fd);

    if (fails(FAULT_FTRUNCATE))
        return -1;
    int result = ftruncate(fd, size);
    if (result == 0 && file != NULL) {
        mark_dirty(file, (size_t)size, file->live_size);
        read_live(file, fd);
    }
    end_after(FAULT_FTRUNCATE);
    return result;
}

static int do_renameat(int dir, const char *from, const char *to)
{
    if (fails(FAULT_RENAMEAT))
        return -1;
    int result = renameat(dir, from, dir, to);
    if (result == 0 && disk != NULL) {
        struct disk_names *names = change_names();
        struct disk_file *file = find_name(names, from);
        set_name(names, from, NULL);
        set_name(names, to, file);
    }
    end_after(FAULT_RENAMEAT);
    return result;
}

static int do_unlinkat(int dir, const char *name)
{
    if (fails(FAULT_UNLINKAT))
        return -1;
    int result = unlinkat(dir, name, 0);
    if (result == 0 && disk != NULL)
        set_name(change_names(), name, NULL);
    end_after(FAULT_UNLINKAT);
    return result;
}

const struct file_ops fault_file_ops = {
    .openat = do_openat,
    .fstat = fstat,
    .fstatat = fstatat,
    .pread = do_pread,
    .pwritev = do_pwritev,
    .fdatasync = do_fdatasync,
    .start_write = do_start_write,
    .ftruncate = do_ftruncate,
    .renameat = do_renameat,
    .unlinkat = do_unlinkat,
};

long fault_disk_read(const char *dir, const char *name, unsigned char *out, size_t capacity,
                     unsigned seed)
{
    static struct disk_file copy;
    char path[512];
    struct stat info;
    struct prng prng = {seed};

    (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
    const struct disk_file *file = stat(path, &info) == 0 ? find_file(&info) : NULL;
    if (file == NULL)
        return -1;
    copy = *file;
    if (seed != 0)
        reach_disk(&copy, &prng);
    if (copy.size > capacity)
        return -1;
    memcpy(out, copy.bytes, copy.size);
    return (long)copy.size;
}

static void empty_folder(const char *dir)
{
    DIR *entries = opendir(dir);
    const struct dirent *entry;

    if (entries == NULL)
        abort();
    while ((entry = readdir(entries)) != NULL) {
        if (entry->d_name[0] != '.')
            (void)unlinkat(dirfd(entries), entry->d_name, 0);
    }
    (void)closedir(entries);
}

static void write_file(const char *dir, const char *name, const struct disk_file *file)
{
    char path[512];

    (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
    if (fd < 0 || write(fd, file->bytes, file->size) != (ssize_t)file->size)
        abort();
    (void)close(fd);
}

void fault_power_cut(const char *dir, unsigned seed)
{
    static struct disk_file copy;
    struct prng prng = {seed};
    const struct disk_names *names = &disk->names;

    if (seed != 0 && disk->changes_count > 0) {
        size_t changes = prng_below(&prng, (uint32_t)disk->changes_count + 1);
        names = changes > 0 ? &disk->changes[changes - 1] : names;
    }
    empty_folder(dir);
    for (size_t i = 0; i < NAMES_MAX; i++) {
        if (names->entry[i].file == NULL)
            continue;
        copy = *names->entry[i].file;
        if (seed != 0)
            reach_disk(&copy, &prng);
        write_file(dir, names->entry[i].name, &copy);
    }
}
