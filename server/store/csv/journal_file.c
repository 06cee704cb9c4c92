/* Whole journal files.
 *
 * Happy path of making one: write it under another name (two headers, the checkpoint, a reserve of
 * zeros), sync it, rename it over the old one, sync the directory.
 *
 * Failure modes: up to the rename, the old one stays as it was, and the new one is removed so that
 * it takes no space. If the sync of the directory fails, nobody knows which of the two a power cut
 * would leave.
 */
#include "journal_file.h"

#include "clock.h"
#include "crc32c.h"
#include "little_endian.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define VERSION 2
#define ZEROS 4096   /* bytes */
#define ZEROS_MAX 64 /* times that, in one call */
#define ADVICE ": restore the folder from a copy, or move it away to start over"

static const uint8_t magic[8] = {'L', 'O', 'T', 'J', 'R', 'N', 'L', '\n'};

/* The header: magic, checksum of all that follows it, version, then numbers. */
enum {
    HEADER_CRC = 8,
    HEADER_VERSION = 12, /* u32 */
    HEADER_STAMP = 16,
    HEADER_GENERATION = 24,
    HEADER_SYNCED = 32,
    HEADER_BETS_SYNCED = 40 /* then 16 bytes of zero */
};

_Static_assert(JOURNAL_HEADER_B + JOURNAL_HEADER_SIZE <= JOURNAL_START, "headers, then records");

static void journal_header_encode(const struct journal_header *header,
                                  uint8_t out[JOURNAL_HEADER_SIZE])
{
    memset(out, 0, JOURNAL_HEADER_SIZE);
    memcpy(out, magic, sizeof(magic));
    little_put32(out + HEADER_VERSION, VERSION);
    little_put64(out + HEADER_STAMP, header->stamp);
    little_put64(out + HEADER_GENERATION, header->generation);
    little_put64(out + HEADER_SYNCED, header->synced);
    little_put64(out + HEADER_BETS_SYNCED, header->bets_synced);
    little_put32(out + HEADER_CRC,
                 crc32c(0, out + HEADER_VERSION, JOURNAL_HEADER_SIZE - HEADER_VERSION));
}

bool journal_header_decode(const uint8_t bytes[JOURNAL_HEADER_SIZE], struct journal_header *out)
{
    if (memcmp(bytes, magic, sizeof(magic)) != 0 ||
        little_get32(bytes + HEADER_VERSION) != VERSION ||
        little_get32(bytes + HEADER_CRC) !=
            crc32c(0, bytes + HEADER_VERSION, JOURNAL_HEADER_SIZE - HEADER_VERSION))
        return false;
    *out = (struct journal_header){
        little_get64(bytes + HEADER_STAMP), little_get64(bytes + HEADER_GENERATION),
        little_get64(bytes + HEADER_SYNCED), little_get64(bytes + HEADER_BETS_SYNCED)};
    return true;
}

/* Takes the newer of the two headers. DAMAGED when neither is valid. */
static enum status journal_file_load_header(const struct file_ops *ops, int fd,
                                            struct journal_header *out)
{
    *out = (struct journal_header){0};
    for (unsigned i = 0; i < 2; i++) {
        uint8_t bytes[JOURNAL_HEADER_SIZE];
        struct journal_header header;
        size_t size;
        enum status status =
            file_read(ops, fd, bytes, sizeof(bytes), i == 0 ? 0 : JOURNAL_HEADER_B, &size);
        if (status != STATUS_OK)
            return status;
        if (size == sizeof(bytes) && journal_header_decode(bytes, &header) &&
            header.generation > out->generation)
            *out = header;
    }
    return out->generation > 0 ? STATUS_OK : STATUS_DAMAGED;
}

enum status journal_file_write_header(const struct file_ops *ops, int fd,
                                      const struct journal_header *header)
{
    uint8_t bytes[JOURNAL_HEADER_SIZE];
    struct iovec part = {bytes, sizeof(bytes)};

    journal_header_encode(header, bytes);
    return file_write(ops, fd, &part, 1, header->generation % 2 == 1 ? 0 : JOURNAL_HEADER_B);
}

static enum status journal_file_load_checkpoint(const struct file_ops *ops, int fd, uint64_t stamp,
                                                struct draw *draw, struct bets_extent *extent,
                                                uint64_t *end)
{
    uint8_t first[JOURNAL_HEAD_SIZE];
    uint64_t all;
    size_t got;

    enum status status = file_size(ops, fd, &all);
    if (status == STATUS_OK)
        status = file_read(ops, fd, first, sizeof(first), JOURNAL_START, &got);
    if (status != STATUS_OK)
        return status;
    size_t size = got == sizeof(first) ? journal_checkpoint_size(first, stamp) : 0;
    if (size == 0 || size > all - JOURNAL_START)
        return STATUS_DAMAGED;
    uint8_t *bytes = malloc(size);
    if (bytes == NULL)
        return STATUS_NOMEM;
    status = file_read(ops, fd, bytes, size, JOURNAL_START, &got);
    if (status == STATUS_OK)
        status =
            got == size ? journal_decode_checkpoint(bytes, size, draw, extent) : STATUS_DAMAGED;
    free(bytes);
    *end = JOURNAL_START + size;
    return status;
}

enum status journal_file_load(const struct file_ops *ops, int fd, struct journal_header *header,
                              struct draw *draw, struct bets_extent *extent, uint64_t *end,
                              struct errbuf *err)
{
    enum status status = journal_file_load_header(ops, fd, header);

    if (status == STATUS_DAMAGED) {
        errbuf_set(err, JOURNAL_NAME ": no valid header at byte 0 or %d" ADVICE, JOURNAL_HEADER_B);
        return status;
    }
    if (status == STATUS_OK)
        status = journal_file_load_checkpoint(ops, fd, header->stamp, draw, extent, end);
    if (status == STATUS_DAMAGED) {
        errbuf_set(err, JOURNAL_NAME ": no valid checkpoint at byte %d" ADVICE, JOURNAL_START);
        return status;
    }
    return status == STATUS_OK ? STATUS_OK : file_fail(err, JOURNAL_NAME, status);
}

enum status journal_file_read_checkpoint(const struct data_dir *data_dir, struct draw *draw,
                                         struct bets_extent *extent, struct errbuf *err)
{
    struct journal_header header;
    uint64_t end;

    *extent = (struct bets_extent){0};
    int fd = data_dir_open_file(data_dir, JOURNAL_NAME, O_RDONLY);
    if (fd < 0) {
        errbuf_set(err, JOURNAL_NAME ": %s", strerror(errno));
        return status_from_errno(errno);
    }
    enum status status = journal_file_load(data_dir->ops, fd, &header, draw, extent, &end, err);
    (void)close(fd);
    return status;
}

enum status journal_file_write_zeros(const struct file_ops *ops, int fd, uint64_t from, uint64_t to)
{
    static const uint8_t zeros[ZEROS] = {0};
    enum status status = STATUS_OK;

    while (status == STATUS_OK && from < to) {
        struct iovec parts[ZEROS_MAX];
        size_t count = 0;
        uint64_t at = from;
        for (; count < ZEROS_MAX && at < to; count++) {
            size_t size = to - at < ZEROS ? (size_t)(to - at) : ZEROS;
            parts[count] = (struct iovec){(void *)(uintptr_t)zeros, size};
            at += size;
        }
        status = file_write(ops, fd, parts, count, from);
        from = at;
    }
    return status;
}

/* Opens a new file under the other name. What has that name may be the journal itself: a rename
 * that was cut short by a power cut may leave both names. So it loses the name, and not its bytes.
 */
static enum status journal_file_open_new(const struct data_dir *data_dir, struct journal_file *file)
{
    if (data_dir->ops->unlinkat(data_dir->fd, JOURNAL_NEW_NAME) < 0 && errno != ENOENT)
        return status_from_errno(errno);
    file->fd = data_dir_open_file(data_dir, JOURNAL_NEW_NAME, O_RDWR | O_CREAT | O_EXCL);
    return file->fd < 0 ? status_from_errno(errno)
                        : file_identify(data_dir->ops, file->fd, &file->id);
}

/* Writes all of the file and syncs it. */
static enum status journal_file_write_all(const struct file_ops *ops, struct journal_file *file,
                                          const struct buffer *checkpoint)
{
    struct journal_header header = file->header;
    struct iovec part = {checkpoint->data, checkpoint->size};

    enum status status = journal_file_write_zeros(ops, file->fd, 0, JOURNAL_START);
    for (header.generation = 1; status == STATUS_OK && header.generation <= 2; header.generation++)
        status = journal_file_write_header(ops, file->fd, &header);
    if (status == STATUS_OK)
        status = file_write(ops, file->fd, &part, 1, JOURNAL_START);
    if (status == STATUS_OK)
        status = journal_file_write_zeros(ops, file->fd, file->end, file->capacity);
    if (status == STATUS_OK && ops->fdatasync(file->fd) < 0)
        status = status_from_errno(errno);
    return status;
}

/* Puts it in its place. */
static enum status journal_file_publish(const struct data_dir *data_dir)
{
    const struct file_ops *ops = data_dir->ops;

    if (ops->renameat(data_dir->fd, JOURNAL_NEW_NAME, JOURNAL_NAME) < 0)
        return status_from_errno(errno);
    return ops->fdatasync(data_dir->fd) < 0 ? STATUS_UNCERTAIN : STATUS_OK;
}

/* The checkpoint of a new file, and the newer of its headers. */
static enum status journal_file_begin(const struct draw *draw, const struct bets_extent *extent,
                                      struct buffer *checkpoint, struct journal_header *header)
{
    const struct journal_mark mark = {.stamp = (uint64_t)clock_random() << 32 | clock_random(),
                                      .at = JOURNAL_START,
                                      .bets_synced = extent->size};

    enum status status = journal_encode_checkpoint(draw, extent, &mark, checkpoint);
    if (status == STATUS_OK)
        *header =
            (struct journal_header){mark.stamp, 2, JOURNAL_START + checkpoint->size, extent->size};
    return status;
}

enum status journal_file_encode(const struct draw *draw, const struct bets_extent *extent,
                                struct buffer *out)
{
    struct buffer checkpoint = {0};
    struct journal_header header;

    enum status status = journal_file_begin(draw, extent, &checkpoint, &header);
    if (status == STATUS_OK)
        status = buffer_reserve(out, JOURNAL_START + checkpoint.size);
    if (status == STATUS_OK) {
        uint8_t *to = (uint8_t *)out->data + out->size;
        memset(to, 0, JOURNAL_START);
        journal_header_encode(&header, to + JOURNAL_HEADER_B);
        header.generation = 1;
        journal_header_encode(&header, to);
        memcpy(to + JOURNAL_START, checkpoint.data, checkpoint.size);
        out->size += JOURNAL_START + checkpoint.size;
    }
    buffer_fini(&checkpoint);
    return status;
}

enum status journal_file_create(const struct data_dir *data_dir, const struct draw *draw,
                                const struct bets_extent *extent, uint64_t reserve,
                                struct journal_file *out, struct errbuf *err)
{
    struct buffer checkpoint = {0};
    struct journal_file file = {.fd = -1};

    enum status status = journal_file_begin(draw, extent, &checkpoint, &file.header);
    if (status == STATUS_OK) {
        file.end = JOURNAL_START + checkpoint.size;
        file.capacity = file.end + reserve;
        status = journal_file_open_new(data_dir, &file);
    }
    if (status == STATUS_OK) {
        status = journal_file_write_all(data_dir->ops, &file, &checkpoint);
        if (status == STATUS_OK)
            status = journal_file_publish(data_dir);
        if (status != STATUS_OK && status != STATUS_UNCERTAIN) /* or it would keep its space */
            (void)data_dir->ops->unlinkat(data_dir->fd, JOURNAL_NEW_NAME);
    }
    buffer_fini(&checkpoint);
    if (status != STATUS_OK) {
        if (file.fd >= 0)
            (void)close(file.fd);
        return file_fail(err, JOURNAL_NEW_NAME, status);
    }
    *out = file;
    return STATUS_OK;
}
