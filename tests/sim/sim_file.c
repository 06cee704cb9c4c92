#include "sim_file.h"

#include "sim_process.h"
#include "sim_random.h"

#include <string.h>

static size_t round_up(size_t size)
{
    return (size + SIM_PIECE_SIZE - 1) / SIM_PIECE_SIZE * SIM_PIECE_SIZE;
}

/* Makes the first `size` bytes real ones. */
static void image_use(struct sim_image *image, size_t size)
{
    size = round_up(size);
    if (size > image->capacity) {
        image->capacity = size * 2;
        image->bytes = sim_realloc(image->bytes, image->capacity);
    }
    if (size > image->used) {
        memset(image->bytes + image->used, 0, size - image->used);
        image->used = size;
    }
}

static void image_cut(struct sim_image *image, uint64_t size)
{
    image->size = size;
    if (size >= image->used)
        return;
    image->used = round_up((size_t)size);
    memset(image->bytes + size, 0, image->used - (size_t)size);
}

static void image_copy_piece(struct sim_image *to, const struct sim_image *from, size_t piece)
{
    size_t at = piece * SIM_PIECE_SIZE;

    if (at >= from->used) {
        if (at < to->used)
            memset(to->bytes + at, 0, SIM_PIECE_SIZE);
        return;
    }
    image_use(to, at + SIM_PIECE_SIZE);
    memcpy(to->bytes + at, from->bytes + at, SIM_PIECE_SIZE);
}

static void image_copy(struct sim_image *to, const struct sim_image *from)
{
    to->used = 0;
    image_use(to, from->used);
    if (from->used > 0)
        memcpy(to->bytes, from->bytes, from->used);
    to->size = from->size;
}

static void mark_clean(struct sim_file *file)
{
    if (file->pieces_count > 0)
        memset(file->pieces, SIM_CLEAN, file->pieces_count);
    file->pieces_count = 0;
    file->cut_to = SIM_NOT_CUT;
    file->has_forgotten = false;
}

void sim_file_reset(struct sim_file *file)
{
    file->cached.used = file->disk.used = 0;
    file->cached.size = file->disk.size = 0;
    mark_clean(file);
}

void sim_file_copy(struct sim_file *file, const struct sim_file *from)
{
    sim_file_reset(file);
    image_copy(&file->cached, &from->cached);
    image_copy(&file->disk, &from->cached);
}

void sim_file_fini(struct sim_file *file)
{
    sim_free(file->cached.bytes);
    sim_free(file->disk.bytes);
    sim_free(file->pieces);
    *file = (struct sim_file){.cut_to = SIM_NOT_CUT};
}

static void mark(struct sim_file *file, size_t from, size_t to)
{
    size_t first = from / SIM_PIECE_SIZE;
    size_t end = round_up(to) / SIM_PIECE_SIZE;

    if (end > file->pieces_capacity) {
        file->pieces = sim_realloc(file->pieces, end * 2);
        memset(file->pieces + file->pieces_capacity, SIM_CLEAN, end * 2 - file->pieces_capacity);
        file->pieces_capacity = end * 2;
    }
    if (first < end)
        memset(file->pieces + first, SIM_DIRTY, end - first);
    if (end > file->pieces_count)
        file->pieces_count = end;
}

static bool is_zero(const uint8_t *bytes, size_t size)
{
    return size == 0 || (bytes[0] == 0 && memcmp(bytes, bytes + 1, size - 1) == 0);
}

void sim_file_write(struct sim_file *file, const void *bytes, size_t size, uint64_t offset)
{
    size_t at = (size_t)offset;
    size_t end = at + size;
    size_t used = file->cached.used > file->disk.used ? file->cached.used : file->disk.used;

    if (size == 0)
        return;
    if (end > file->cached.size)
        file->cached.size = end;
    if (at >= file->cached.used && is_zero(bytes, size)) {
        if (at < used) /* zeros there, too, over what is on disk */
            mark(file, at, end < used ? end : used);
        return;
    }
    image_use(&file->cached, end);
    memcpy(file->cached.bytes + at, bytes, size);
    mark(file, at, end);
}

size_t sim_file_read(const struct sim_file *file, void *bytes, size_t size, uint64_t offset)
{
    size_t real = 0;

    if (offset >= file->cached.size)
        return 0;
    if (size > file->cached.size - offset)
        size = (size_t)(file->cached.size - offset);
    if (offset < file->cached.used) {
        real = file->cached.used - (size_t)offset;
        real = real < size ? real : size;
        memcpy(bytes, file->cached.bytes + offset, real);
    }
    memset((char *)bytes + real, 0, size - real);
    return size;
}

const uint8_t *sim_file_bytes(struct sim_file *file, size_t size)
{
    image_use(&file->cached, size);
    return file->cached.bytes;
}

void sim_file_cut(struct sim_file *file, uint64_t size)
{
    size_t pieces;

    if (size < file->cached.size && size < file->cut_to)
        file->cut_to = size;
    image_cut(&file->cached, size);
    pieces = file->cached.used / SIM_PIECE_SIZE;
    if (file->pieces_count > pieces) {
        memset(file->pieces + pieces, SIM_CLEAN, file->pieces_count - pieces);
        file->pieces_count = pieces;
    }
    if (size % SIM_PIECE_SIZE != 0 && size < file->cached.used)
        mark(file, (size_t)size, (size_t)size + 1);
}

/* The cut reaches the disk. */
static void disk_cut(struct sim_file *file)
{
    if (file->cut_to < file->disk.size)
        image_cut(&file->disk, file->cut_to);
    file->cut_to = SIM_NOT_CUT;
}

void sim_file_sync(struct sim_file *file)
{
    disk_cut(file);
    for (size_t i = 0; i < file->pieces_count; i++) {
        if (file->pieces[i] != SIM_DIRTY)
            continue;
        image_copy_piece(&file->disk, &file->cached, i);
        file->pieces[i] = SIM_CLEAN;
    }
    file->disk.size = file->cached.size;
}

void sim_file_fail_sync(struct sim_file *file, struct prng *prng)
{
    uint32_t written = prng_below(prng, 1001);

    if (sim_chance(prng, 500)) {
        disk_cut(file);
        file->disk.size = file->cached.size;
    }
    for (size_t i = 0; i < file->pieces_count; i++) {
        if (file->pieces[i] != SIM_DIRTY)
            continue;
        file->pieces[i] = SIM_FORGOTTEN;
        file->has_forgotten = true;
        if (!sim_chance(prng, written) || i * SIM_PIECE_SIZE >= file->disk.size)
            continue;
        image_copy_piece(&file->disk, &file->cached, i);
        file->pieces[i] = SIM_CLEAN;
    }
}

void sim_file_write_back(struct sim_file *file, struct prng *prng)
{
    for (size_t i = 0; i < file->pieces_count; i++) {
        uint64_t end = (i + 1) * SIM_PIECE_SIZE;
        if (file->pieces[i] != SIM_DIRTY || end > file->cut_to || !sim_chance(prng, 500))
            continue;
        image_copy_piece(&file->disk, &file->cached, i);
        file->pieces[i] = SIM_CLEAN;
        end = end < file->cached.size ? end : file->cached.size;
        if (end > file->disk.size)
            file->disk.size = end;
    }
}

void sim_file_drop(struct sim_file *file, struct prng *prng, uint32_t parts)
{
    if (!file->has_forgotten)
        return;
    for (size_t i = 0; i < file->pieces_count; i++) {
        if (file->pieces[i] != SIM_FORGOTTEN || !sim_chance(prng, parts))
            continue;
        image_copy_piece(&file->cached, &file->disk, i);
        file->pieces[i] = SIM_CLEAN;
    }
}

/* How far the file goes after the power cut: the sizes before and after what was not synced, or
 * any size between. */
static uint64_t size_after_cut(const struct sim_file *file, struct prng *prng)
{
    uint64_t low = file->disk.size < file->cached.size ? file->disk.size : file->cached.size;
    uint64_t high = file->disk.size > file->cached.size ? file->disk.size : file->cached.size;

    switch (prng_below(prng, 3)) {
    case 0:
        return file->disk.size;
    case 1:
        return file->cached.size;
    default:
        return low + (high > low ? prng_next(prng) % (high - low + 1) : 0);
    }
}

void sim_file_cut_power(struct sim_file *file, struct prng *prng)
{
    uint32_t kept = prng_below(prng, 5) * 250; /* parts in 1000; 0: none, 1000: all */
    uint64_t limit = UINT64_MAX;
    uint64_t size;

    if (file->cut_to != SIM_NOT_CUT) {
        if (sim_chance(prng, 500))
            disk_cut(file);
        else
            limit = file->cut_to; /* what came after the cut is lost with it */
    }
    size = limit == UINT64_MAX ? size_after_cut(file, prng) : file->disk.size;
    for (size_t i = 0; i < file->pieces_count; i++) {
        uint64_t at = i * SIM_PIECE_SIZE;
        if (file->pieces[i] == SIM_DIRTY && at < size && at + SIM_PIECE_SIZE <= limit &&
            sim_chance(prng, kept))
            image_copy_piece(&file->disk, &file->cached, i);
    }
    image_cut(&file->disk, size);
    image_copy(&file->cached, &file->disk);
    mark_clean(file);
}
