#include "fault_file_ops.h"

#include "prng.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define FILES_MAX 16
#define FILE_CAPACITY                                                                              \
    ((size_t)64 * 1024) /* bytes that the model keeps of a file, from its beginning */
#define PIECE 64

/* One file, as it is on the modelled disk. */
struct disk_file {
    dev_t device;
    ino_t inode;
    unsigned char bytes[FILE_CAPACITY];
    size_t size;
    bool is_dirty[FILE_CAPACITY / PIECE]; /* written since the last sync */
};

/* Shared with the processes forked after the first fault_reset; remains when they end. */
static struct disk {
    struct disk_file files[FILES_MAX];
    size_t count;
} * disk;

static struct {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    unsigned counts[6];
    unsigned folder_syncs;
    unsigned ops;
    unsigned left;
    enum fault_kind kind;
    int error;
    bool is_armed;
    bool stays;
    bool has_struck;
    bool half_done; /* there was a short write; the next write fails */
    bool holds_syncs;
    bool sync_waits;
    void (*on_call)(void *context);
    void *context;
} fault = {.mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

void fault_reset(void)
{
    (void)pthread_mutex_lock(&fault.mutex);
    memset(fault.counts, 0, sizeof(fault.counts));
    fault.folder_syncs = 0;
    fault.is_armed = fault.stays = fault.has_struck = fault.half_done = false;
    fault.holds_syncs = fault.sync_waits = false;
    fault.on_call = NULL;
    if (disk == NULL) {
        void *memory =
            mmap(NULL, sizeof(*disk), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED)
            abort();
        disk = memory;
    }
    disk->count = 0;
    (void)pthread_mutex_unlock(&fault.mutex);
}

void fault_plan(unsigned ops, unsigned after, enum fault_kind kind, int error, bool stays)
{
    (void)pthread_mutex_lock(&fault.mutex);
    fault.ops = ops;
    fault.left = after;
    fault.kind = kind;
    fault.error = error;
    fault.stays = stays;
    fault.has_struck = fault.half_done = false;
    fault.is_armed = true;
    (void)pthread_mutex_unlock(&fault.mutex);
}

bool fault_end(void)
{
    (void)pthread_mutex_lock(&fault.mutex);
    fault.is_armed = false;
    bool has_struck = fault.has_struck;
    (void)pthread_mutex_unlock(&fault.mutex);
    return has_struck;
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
    (void)pthread_mutex_lock(&fault.mutex);
    unsigned count = fault.counts[index_of(op)];
    (void)pthread_mutex_unlock(&fault.mutex);
    return count;
}

unsigned fault_folder_syncs(void)
{
    (void)pthread_mutex_lock(&fault.mutex);
    unsigned count = fault.folder_syncs;
    (void)pthread_mutex_unlock(&fault.mutex);
    return count;
}

void fault_hold_syncs(void)
{
    (void)pthread_mutex_lock(&fault.mutex);
    fault.holds_syncs = true;
    (void)pthread_mutex_unlock(&fault.mutex);
}

void fault_release_syncs(void)
{
    (void)pthread_mutex_lock(&fault.mutex);
    fault.holds_syncs = false;
    (void)pthread_cond_broadcast(&fault.changed);
    (void)pthread_mutex_unlock(&fault.mutex);
}

bool fault_sync_waits(void)
{
    (void)pthread_mutex_lock(&fault.mutex);
    bool waits = fault.sync_waits;
    (void)pthread_mutex_unlock(&fault.mutex);
    return waits;
}

void fault_watch(void (*on_call)(void *context), void *context)
{
    (void)pthread_mutex_lock(&fault.mutex);
    fault.on_call = on_call;
    fault.context = context;
    (void)pthread_mutex_unlock(&fault.mutex);
}

/* Counts the call and returns whether the plan makes it fail. The caller holds the mutex. */
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

/* For operations that cannot be half done: does the call fail? The caller holds the mutex. */
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

static struct disk_file *find_file(const struct stat *info)
{
    for (size_t i = 0; i < disk->count; i++) {
        if (disk->files[i].device == info->st_dev && disk->files[i].inode == info->st_ino)
            return &disk->files[i];
    }
    return NULL;
}

static bool is_folder(int fd)
{
    struct stat info;

    return fstat(fd, &info) == 0 && S_ISDIR(info.st_mode);
}

static struct disk_file *file_of(int fd)
{
    struct stat info;

    if (disk == NULL || fstat(fd, &info) < 0 || !S_ISREG(info.st_mode))
        return NULL;
    struct disk_file *file = find_file(&info);
    if (file != NULL || disk->count == FILES_MAX)
        return file;
    file = &disk->files[disk->count++];
    memset(file, 0, sizeof(*file));
    file->device = info.st_dev;
    file->inode = info.st_ino;
    /* A file that was there before the model started is on the disk. */
    ssize_t size = pread(fd, file->bytes, sizeof(file->bytes), 0);
    file->size = size > 0 ? (size_t)size : 0;
    return file;
}

static void mark_dirty(struct disk_file *file, off_t from, off_t to)
{
    for (off_t piece = from / PIECE; piece * PIECE < to; piece++) {
        if (piece < (off_t)(FILE_CAPACITY / PIECE))
            file->is_dirty[piece] = true;
    }
}

/* The pieces that were written reach the disk; with a prng, half of them. */
static void reach_disk(struct disk_file *file, int fd, struct prng *prng)
{
    struct stat info;
    char path[64];

    /* `fd` may be open for writing only. */
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    int reading = open(path, O_RDONLY | O_CLOEXEC);
    if (reading < 0 || fstat(fd, &info) < 0)
        abort();
    for (size_t piece = 0; piece < FILE_CAPACITY / PIECE; piece++) {
        if (!file->is_dirty[piece] || (prng != NULL && prng_below(prng, 2) == 0))
            continue;
        memset(file->bytes + piece * PIECE, 0, PIECE);
        if (pread(reading, file->bytes + piece * PIECE, PIECE, (off_t)(piece * PIECE)) < 0)
            abort();
        file->is_dirty[piece] = false;
    }
    if (prng == NULL || prng_below(prng, 2) == 0)
        file->size = (size_t)info.st_size < FILE_CAPACITY ? (size_t)info.st_size : FILE_CAPACITY;
    (void)close(reading);
}

static int do_openat(int dir, const char *name, int flags, mode_t mode)
{
    int fd = -1;

    (void)pthread_mutex_lock(&fault.mutex);
    if (!fails(FAULT_OPENAT)) {
        fd = openat(dir, name, flags | O_CLOEXEC, mode);
        if (fd >= 0)
            (void)file_of(fd);
        end_after(FAULT_OPENAT);
    }
    (void)pthread_mutex_unlock(&fault.mutex);
    return fd;
}

static ssize_t do_pread(int fd, void *bytes, size_t size, off_t offset)
{
    ssize_t result = -1;

    (void)pthread_mutex_lock(&fault.mutex);
    if (!fails(FAULT_PREAD))
        result = pread(fd, bytes, size, offset);
    (void)pthread_mutex_unlock(&fault.mutex);
    return result;
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

static ssize_t do_pwritev(int fd, const struct iovec *parts, int count, off_t offset)
{
    ssize_t result = -1;

    (void)pthread_mutex_lock(&fault.mutex);
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
        fault.half_done = true;
        if (fault.kind == FAULT_EXIT_HALF)
            _exit(FAULT_EXIT_STATUS);
    } else {
        result = pwritev(fd, parts, count, offset);
        end_after(FAULT_PWRITEV);
    }
    if (result > 0 && file != NULL)
        mark_dirty(file, offset, offset + result);
    (void)pthread_mutex_unlock(&fault.mutex);
    return result;
}

static int do_fdatasync(int fd)
{
    int result = -1;

    (void)pthread_mutex_lock(&fault.mutex);
    struct disk_file *file = file_of(fd);
    while (!is_folder(fd) && fault.holds_syncs) {
        fault.sync_waits = true;
        (void)pthread_cond_wait(&fault.changed, &fault.mutex);
    }
    fault.sync_waits = false;
    if (!fails(FAULT_FDATASYNC)) {
        result = 0;
        if (file != NULL)
            reach_disk(file, fd, NULL);
        if (is_folder(fd))
            fault.folder_syncs++;
        end_after(FAULT_FDATASYNC);
    } else if (file != NULL) {
        memset(file->is_dirty, 0, sizeof(file->is_dirty));
    }
    (void)pthread_mutex_unlock(&fault.mutex);
    return result;
}

/* In the model nothing reaches the disk before a sync. */
static void do_start_write(int fd)
{
    (void)fd;
}

static int do_ftruncate(int fd, off_t size)
{
    int result = -1;

    (void)pthread_mutex_lock(&fault.mutex);
    if (!fails(FAULT_FTRUNCATE)) {
        result = ftruncate(fd, size);
        end_after(FAULT_FTRUNCATE);
    }
    (void)pthread_mutex_unlock(&fault.mutex);
    return result;
}

static int do_renameat(int dir, const char *from, const char *to)
{
    int result = -1;

    (void)pthread_mutex_lock(&fault.mutex);
    if (!fails(FAULT_RENAMEAT)) {
        result = renameat(dir, from, dir, to);
        end_after(FAULT_RENAMEAT);
    }
    (void)pthread_mutex_unlock(&fault.mutex);
    return result;
}

const struct file_ops fault_file_ops = {
    .openat = do_openat,
    .fstat = fstat,
    .pread = do_pread,
    .pwritev = do_pwritev,
    .fdatasync = do_fdatasync,
    .start_write = do_start_write,
    .ftruncate = do_ftruncate,
    .renameat = do_renameat,
};

long fault_disk_read(const char *dir, const char *name, unsigned char *out, size_t capacity,
                     unsigned seed)
{
    char path[512];
    struct stat info;
    struct prng prng = {seed};

    (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    struct disk_file *file = fstat(fd, &info) == 0 ? find_file(&info) : NULL;
    struct disk_file *copy = file != NULL ? malloc(sizeof(*copy)) : NULL;
    long size = -1;
    if (copy != NULL) {
        *copy = *file;
        if (seed != 0)
            reach_disk(copy, fd, &prng);
        size = copy->size <= capacity ? (long)copy->size : -1;
        if (size > 0)
            memcpy(out, copy->bytes, (size_t)size);
    }
    free(copy);
    (void)close(fd);
    return size;
}
