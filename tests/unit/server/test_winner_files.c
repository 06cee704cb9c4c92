#include "alloc_fault.h"
#include "cmocka_all.h"
#include "fault_file_ops.h"
#include "prng.h"
#include "tmpdir.h"
#include "winner_files.h"
#include "winner_layout.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PARTS_MAX 4

/* A list of winners, the files made from it, and what the draw recorded. */
struct fixture {
    char *path;             /* owned: the folder */
    int dir_fd;             /* of it */
    uint32_t agencies;      /* N */
    struct winner *winners; /* owned; in the order of the bets */
    size_t count;           /* of them */
    size_t parts;           /* how many they are spread over */
    int part_fds[PARTS_MAX];
    struct winner_counts *counts[PARTS_MAX]; /* owned; [0..agencies] */
    struct draw_drawn drawn;
    struct errbuf err;
};

static int setup(void **state)
{
    struct fixture *self = calloc(1, sizeof(*self));

    assert_non_null(self);
    self->path = tmpdir_make();
    self->dir_fd = open(self->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(self->dir_fd >= 0);
    fault_reset();
    *state = self;
    return 0;
}

static void drop_parts(struct fixture *self)
{
    for (size_t i = 0; i < self->parts; i++) {
        (void)close(self->part_fds[i]);
        free(self->counts[i]);
    }
    self->parts = 0;
}

static int teardown(void **state)
{
    struct fixture *self = *state;

    drop_parts(self);
    free(self->winners);
    (void)close(self->dir_fd);
    tmpdir_remove(self->path);
    free(self);
    return 0;
}

/* Makes `count` winners of agencies 1..agencies, those of every third agency left out. */
static void make_winners(struct fixture *self, uint32_t agencies, size_t count)
{
    struct prng prng = {agencies + count};

    self->agencies = agencies;
    self->count = count;
    self->winners = calloc(count + 1, sizeof(*self->winners));
    assert_non_null(self->winners);
    for (size_t i = 0; i < count; i++) {
        struct winner *winner = &self->winners[i];
        do
            winner->agency = 1 + prng_below(&prng, agencies);
        while (agencies > 1 && winner->agency % 3 == 0);
        winner->document_size = (uint8_t)(1 + prng_below(&prng, BET_DOCUMENT_MAX));
        for (size_t k = 0; k < winner->document_size; k++)
            winner->document[k] = (char)('0' + prng_below(&prng, 10));
    }
}

static int make_file(struct fixture *self, const char *name)
{
    int fd = openat(self->dir_fd, name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    return fd;
}

/* Writes the winners to `parts` parts; those of the first one are fewest. */
static enum status write_parts(struct fixture *self, size_t parts)
{
    enum status status = STATUS_OK;

    for (size_t i = 0; status == STATUS_OK && i < parts; i++) {
        struct winner_part *part;
        self->part_fds[i] = make_file(self, "part");
        self->counts[i] = calloc(self->agencies + (size_t)1, sizeof(*self->counts[i]));
        assert_non_null(self->counts[i]);
        self->parts = i + 1;
        assert_int_equal(unlinkat(self->dir_fd, "part", 0), 0);
        struct winner_part_config config = {&fault_file_ops, self->part_fds[i], self->agencies,
                                            self->counts[i]};
        status = winner_part_create(&config, &part);
        if (status != STATUS_OK)
            return status;
        size_t from = self->count * i * i / (parts * parts);
        size_t to = self->count * (i + 1) * (i + 1) / (parts * parts);
        for (; status == STATUS_OK && from < to; from++)
            status = winner_part_add(part, &self->winners[from]);
        if (status == STATUS_OK)
            status = winner_part_flush(part);
        winner_part_destroy(part);
    }
    return status;
}

static enum status join(struct fixture *self)
{
    const struct winner_counts *counts[PARTS_MAX];

    for (size_t i = 0; i < self->parts; i++)
        counts[i] = self->counts[i];
    struct winner_join config = {.ops = &fault_file_ops,
                                 .part_fds = self->part_fds,
                                 .counts = counts,
                                 .parts = self->parts,
                                 .agencies = self->agencies,
                                 .winners_fd = make_file(self, WINNERS_NAME),
                                 .index_fd = make_file(self, WINNERS_INDEX_NAME)};
    self->drawn = (struct draw_drawn){.time_s = 1, .winner_number = 7574};
    enum status status = winner_files_join(&config, &self->drawn, &self->err);
    assert_int_equal(close(config.winners_fd), 0);
    assert_int_equal(close(config.index_fd), 0);
    return status;
}

static enum status check(struct fixture *self)
{
    return winner_files_check(&fault_file_ops, self->dir_fd, self->agencies, &self->drawn,
                              &self->err);
}

static enum status open_index(struct fixture *self, struct winner_index **out)
{
    return winner_index_open(&fault_file_ops, self->dir_fd, self->agencies, &self->drawn, out,
                             &self->err);
}

static void make_files(struct fixture *self, uint32_t agencies, size_t count, size_t parts)
{
    make_winners(self, agencies, count);
    assert_int_equal(write_parts(self, parts), STATUS_OK);
    assert_int_equal(join(self), STATUS_OK);
}

static void read_whole(struct fixture *self, const char *name, char **out, size_t *size)
{
    struct stat info;

    int fd = openat(self->dir_fd, name, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &info), 0);
    *size = (size_t)info.st_size;
    *out = malloc(*size + 1);
    assert_non_null(*out);
    assert_int_equal(read(fd, *out, *size), info.st_size);
    assert_int_equal(close(fd), 0);
}

static void write_whole(struct fixture *self, const char *name, const void *bytes, size_t size)
{
    int fd = make_file(self, name);

    assert_int_equal(write(fd, bytes, size), (ssize_t)size);
    assert_int_equal(close(fd), 0);
}

/* winners.csv has a line per winner, in order. */
static void assert_lines(struct fixture *self)
{
    char *text;
    size_t size;
    char *at;

    read_whole(self, WINNERS_NAME, &text, &size);
    at = text;
    for (size_t i = 0; i < self->count; i++) {
        char line[64];
        const struct winner *winner = &self->winners[i];
        int length = snprintf(line, sizeof(line), "%u,%.*s\r\n", winner->agency,
                              winner->document_size, winner->document);
        assert_true(size - (size_t)(at - text) >= (size_t)length);
        assert_memory_equal(at, line, length);
        at += length;
    }
    assert_int_equal(at - text, size);
    assert_int_equal(self->drawn.winners, self->count);
    assert_int_equal(self->drawn.winners_size, size);
    free(text);
}

/* The index has the documents of each agency, in order. */
static void assert_index(struct fixture *self)
{
    struct winner_index *index;

    uint64_t *at = calloc(self->agencies + (size_t)1, sizeof(*at));
    uint64_t *counts = calloc(self->agencies + (size_t)1, sizeof(*counts));
    assert_non_null(at);
    assert_non_null(counts);
    assert_int_equal(open_index(self, &index), STATUS_OK);
    for (size_t i = 0; i < self->count; i++) {
        const struct winner *winner = &self->winners[i];
        char text[WINNER_TEXT_MAX];
        size_t size = winner->document_size + (size_t)1;
        assert_int_equal(winner_index_read(index, winner->agency, at[winner->agency], text, size),
                         STATUS_OK);
        assert_memory_equal(text, winner->document, winner->document_size);
        assert_int_equal(text[size - 1], '\n');
        at[winner->agency] += size;
        counts[winner->agency]++;
    }
    for (uint32_t i = 1; i <= self->agencies; i++) {
        struct winner_documents documents = winner_index_of(index, i);
        assert_int_equal(documents.count, counts[i]);
        assert_int_equal(documents.size, at[i]);
        assert_int_equal(winner_index_read(index, i, at[i], NULL, 0), STATUS_OK);
    }
    assert_int_equal(winner_index_of(index, 0).size, 0);
    assert_int_equal(winner_index_of(index, self->agencies + 1).count, 0);
    winner_index_close(index);
    free(counts);
    free(at);
}

static void assert_files(struct fixture *self)
{
    assert_lines(self);
    assert_index(self);
    assert_int_equal(check(self), STATUS_OK);
}

static void test_many_agencies(void **state)
{
    struct fixture *self = *state;

    make_files(self, 10000, 30000, 3);
    assert_files(self);
}

/* More of an agency than its buffer has room for, several times over. */
static void test_large_groups(void **state)
{
    struct fixture *self = *state;

    make_files(self, 2, 50000, 4);
    assert_files(self);
}

static void test_one_agency(void **state)
{
    struct fixture *self = *state;

    make_files(self, 1, 5000, 1);
    assert_files(self);
}

static void test_no_winners(void **state)
{
    struct fixture *self = *state;

    make_files(self, 3, 0, 2);
    assert_int_equal(self->drawn.winners, 0);
    assert_int_equal(self->drawn.winners_crc, 0);
    assert_files(self);
    drop_parts(self); /* not even parts */
    assert_int_equal(join(self), STATUS_OK);
    assert_files(self);
    write_whole(self, WINNERS_NAME, "1,7\r\n", 5);
    assert_int_equal(check(self), STATUS_DAMAGED);
}

static void test_no_agencies(void **state)
{
    struct fixture *self = *state;

    make_files(self, 0, 0, 1);
    assert_files(self);
}

/* A part takes no winner that the index has no place for. */
static void test_part_refuses(void **state)
{
    struct fixture *self = *state;
    struct winner_part *part;
    struct winner winner = {.agency = 2, .document_size = 3, .document = "123"};

    make_winners(self, 2, 0);
    struct winner_counts counts[3] = {{0, 0}};
    struct winner_part_config config = {&fault_file_ops, make_file(self, "part"), 2, counts};
    assert_int_equal(winner_part_create(&config, &part), STATUS_OK);
    assert_int_equal(winner_part_add(part, &winner), STATUS_OK);
    winner.agency = 3;
    assert_int_equal(winner_part_add(part, &winner), STATUS_DAMAGED);
    winner.agency = 0;
    assert_int_equal(winner_part_add(part, &winner), STATUS_DAMAGED);
    winner.agency = 1;
    winner.document_size = 0;
    assert_int_equal(winner_part_add(part, &winner), STATUS_DAMAGED);
    winner.document_size = BET_DOCUMENT_MAX + 1;
    assert_int_equal(winner_part_add(part, &winner), STATUS_DAMAGED);
    assert_int_equal(counts[2].winners, 1);
    assert_int_equal(counts[2].bytes, 4);
    assert_int_equal(counts[0].winners + counts[1].winners, 0);
    winner_part_destroy(part);
    assert_int_equal(close(config.fd), 0);
}

/* A part that differs from its counts is refused, whatever differs. */
static void test_wrong_part(void **state)
{
    struct fixture *self = *state;
    struct winner item;
    struct winner good;
    int fd;

    make_winners(self, 5, 100);
    assert_int_equal(write_parts(self, 1), STATUS_OK);
    fd = self->part_fds[0];
    off_t at = 50 * (off_t)sizeof(item);
    assert_int_equal(pread(fd, &good, sizeof(good), at), sizeof(good));
    for (int i = 0; i < 6; i++) {
        item = good;
        if (i == 0)
            item.agency = 0;
        else if (i == 1)
            item.agency = 6;
        else if (i == 2)
            item.agency = good.agency == 1 ? 2 : 1;
        else if (i == 3)
            item.document_size = 0;
        else if (i == 4)
            item.document_size = BET_DOCUMENT_MAX + 1;
        else
            item.document_size = (uint8_t)(good.document_size == 1 ? 2 : good.document_size - 1);
        assert_int_equal(pwrite(fd, &item, sizeof(item), at), sizeof(item));
        assert_int_equal(join(self), STATUS_DAMAGED);
        assert_string_equal(self->err.text, "a part of the winners: damaged data");
        assert_int_equal(self->drawn.winners, 0);
    }
    assert_int_equal(pwrite(fd, &good, sizeof(good), at), sizeof(good));
    assert_int_equal(join(self), STATUS_OK);

    off_t size = 100 * (off_t)sizeof(item);
    assert_int_equal(pwrite(fd, &good, sizeof(good), size), sizeof(good)); /* one more */
    assert_int_equal(join(self), STATUS_DAMAGED);
    assert_int_equal(ftruncate(fd, size - (off_t)sizeof(item)), 0); /* one less */
    assert_int_equal(join(self), STATUS_DAMAGED);
    assert_int_equal(ftruncate(fd, size - 1), 0);
    assert_int_equal(join(self), STATUS_DAMAGED);
}

/* Nor does a part reach beyond the buffer of an agency that should have nothing. */
static void test_part_of_another_agency(void **state)
{
    struct fixture *self = *state;
    struct winner item = {.agency = 3, .document_size = 16, .document = "1234567890123456"};

    make_winners(self, 3, 1); /* not of agency 3 */
    assert_int_equal(write_parts(self, 1), STATUS_OK);
    assert_int_equal(pwrite(self->part_fds[0], &item, sizeof(item), 0), sizeof(item));
    assert_int_equal(join(self), STATUS_DAMAGED);
}

/* Both files are synced when the joining has ended. */
static void test_join_syncs(void **state)
{
    struct fixture *self = *state;

    make_files(self, 4, 20, 2);
    assert_int_equal(fault_count(FAULT_FDATASYNC), 2);
}

/* The documents of an index that was opened are all in the file. Returns how many bytes they have.
 */
static uint64_t read_all(struct fixture *self, struct winner_index *index)
{
    uint64_t size = 0;

    for (uint32_t i = 1; i <= self->agencies; i++) {
        struct winner_documents documents = winner_index_of(index, i);
        char *text = malloc((size_t)documents.size + 1);
        assert_non_null(text);
        assert_int_equal(winner_index_read(index, i, 0, text, (size_t)documents.size), STATUS_OK);
        free(text);
        size += documents.size;
    }
    return size;
}

/* The check finds every flipped bit of both files. The opening finds those of the head; with others
 * the index can still be read. */
static void test_every_flipped_bit(void **state)
{
    struct fixture *self = *state;
    const char *names[] = {WINNERS_NAME, WINNERS_INDEX_NAME};

    make_files(self, 4, 7, 2);
    for (size_t file = 0; file < 2; file++) {
        char *bytes;
        size_t size;
        read_whole(self, names[file], &bytes, &size);
        for (size_t bit = 0; bit < 8 * size; bit++) {
            struct winner_index *index = NULL;
            bytes[bit / 8] = (char)(bytes[bit / 8] ^ (1 << bit % 8));
            write_whole(self, names[file], bytes, size);
            assert_int_equal(check(self), STATUS_DAMAGED);
            assert_memory_equal(self->err.text, names[file], strlen(names[file]));
            enum status status = open_index(self, &index);
            if (status == STATUS_OK)
                assert_true(read_all(self, index) > 0);
            if (file == 1 && bit / 8 < winner_layout_head_size(self->agencies))
                assert_int_equal(status, STATUS_DAMAGED);
            winner_index_close(index);
            bytes[bit / 8] = (char)(bytes[bit / 8] ^ (1 << bit % 8));
        }
        write_whole(self, names[file], bytes, size);
        free(bytes);
    }
    assert_files(self);
}

/* Every other length of both files is refused. */
static void test_every_length(void **state)
{
    struct fixture *self = *state;
    const char *names[] = {WINNERS_NAME, WINNERS_INDEX_NAME};

    make_files(self, 3, 5, 1);
    for (size_t file = 0; file < 2; file++) {
        char *bytes;
        size_t size;
        read_whole(self, names[file], &bytes, &size);
        for (size_t length = 0; length <= size + 1; length++) {
            struct winner_index *index = NULL;
            bytes[size] = '\n';
            write_whole(self, names[file], bytes, length);
            assert_int_equal(check(self), length == size ? STATUS_OK : STATUS_DAMAGED);
            if (file == 1)
                assert_int_equal(open_index(self, &index),
                                 length == size ? STATUS_OK : STATUS_DAMAGED);
            winner_index_close(index);
        }
        write_whole(self, names[file], bytes, size);
        free(bytes);
    }
}

/* Files of another draw are not taken for those of this one. */
static void test_another_draw(void **state)
{
    struct fixture *self = *state;
    struct winner_index *index;

    make_files(self, 3, 5, 1);
    for (int i = 0; i < 4; i++) {
        struct draw_drawn drawn = self->drawn;
        uint32_t agencies = self->agencies;
        self->drawn.winners += i == 0;
        self->drawn.winners_size += i == 1;
        self->drawn.winners_crc += i == 2;
        self->agencies += i == 3;
        assert_int_equal(open_index(self, &index), STATUS_DAMAGED);
        assert_int_equal(check(self), STATUS_DAMAGED);
        self->drawn = drawn;
        self->agencies = agencies;
    }
    self->agencies = 2;
    assert_int_equal(open_index(self, &index), STATUS_DAMAGED);
    assert_string_equal(self->err.text, WINNERS_INDEX_NAME ": has another number of agencies");
    self->agencies = 3;
    assert_files(self);
}

/* Nor is damage missed that lies far into large files. */
static void test_damage_far_into_files(void **state)
{
    struct fixture *self = *state;
    const char *names[] = {WINNERS_NAME, WINNERS_INDEX_NAME};

    make_files(self, 2, 20000, 2);
    for (size_t file = 0; file < 2; file++) {
        char *bytes;
        size_t size;
        read_whole(self, names[file], &bytes, &size);
        assert_true(size > 100000);
        int fd = openat(self->dir_fd, names[file], O_WRONLY | O_CLOEXEC);
        assert_true(fd >= 0);
        for (size_t at = size - 1; at > 10000; at -= 9973) {
            char flipped = (char)(bytes[at] ^ 1);
            assert_int_equal(pwrite(fd, &flipped, 1, (off_t)at), 1);
            assert_int_equal(check(self), STATUS_DAMAGED);
            assert_int_equal(pwrite(fd, &bytes[at], 1, (off_t)at), 1);
        }
        assert_int_equal(close(fd), 0);
        free(bytes);
    }
    assert_files(self);
}

/* Tables that somebody made up, with correct checksums, are refused: none reaches beyond the file,
 * has gaps, or wraps. */
static void test_hostile_tables(void **state)
{
    struct fixture *self = *state;
    const uint64_t head_size = WINNER_HEADER_SIZE + 2 * WINNER_ENTRY_SIZE;
    const struct winner_group good[3] = {{0},
                                         {.at = head_size, .bytes = 4, .count = 2},
                                         {.at = head_size + 4, .bytes = 6, .count = 3}};
    struct winner_index *index;
    uint8_t file[WINNER_HEADER_SIZE + 2 * WINNER_ENTRY_SIZE + 10];
    const uint64_t values[] = {0,
                               1,
                               2,
                               3,
                               5,
                               7,
                               10,
                               11,
                               head_size,
                               head_size + 3,
                               UINT64_MAX,
                               INT64_MAX,
                               1u << 31,
                               UINT64_MAX - 3,
                               0u - head_size,
                               0u - head_size - 4};

    self->agencies = 2;
    self->drawn = (struct draw_drawn){.winners = 5};
    memcpy(file + head_size, "1\n2\n3\n4\n5\n", 10);
    winner_layout_encode(2, &self->drawn, good, file);
    write_whole(self, WINNERS_INDEX_NAME, file, sizeof(file));
    assert_int_equal(open_index(self, &index), STATUS_OK);
    assert_int_equal(read_all(self, index), 10);
    winner_index_close(index);
    for (unsigned place = 0; place < 6; place++) {
        for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
            struct winner_group groups[3];
            memcpy(groups, good, sizeof(groups));
            struct winner_group *group = &groups[1 + place / 3];
            uint64_t *field = place % 3 == 0   ? &group->at
                              : place % 3 == 1 ? &group->bytes
                                               : &group->count;
            if (*field == values[i])
                continue;
            *field = values[i];
            winner_layout_encode(2, &self->drawn, groups, file);
            write_whole(self, WINNERS_INDEX_NAME, file, sizeof(file));
            assert_int_equal(open_index(self, &index), STATUS_DAMAGED);
            assert_string_equal(self->err.text,
                                WINNERS_INDEX_NAME ": its table does not fit its size");
        }
    }
}

/* Sizes that wrap around to the right sum. */
static void test_wrapping_table(void **state)
{
    struct fixture *self = *state;
    const uint64_t head_size = WINNER_HEADER_SIZE + 2 * WINNER_ENTRY_SIZE;
    const uint64_t huge = UINT64_MAX - 5;
    const struct winner_group groups[3] = {{0},
                                           {.at = head_size, .bytes = huge, .count = huge / 2},
                                           {.at = head_size + huge, .bytes = 16, .count = 2}};
    struct winner_index *index;
    uint8_t file[WINNER_HEADER_SIZE + 2 * WINNER_ENTRY_SIZE + 10] = {0};

    self->agencies = 2;
    self->drawn = (struct draw_drawn){.winners = huge / 2 + 2};
    winner_layout_encode(2, &self->drawn, groups, file);
    write_whole(self, WINNERS_INDEX_NAME, file, sizeof(file));
    assert_int_equal(open_index(self, &index), STATUS_DAMAGED);
    assert_string_equal(self->err.text, WINNERS_INDEX_NAME ": its table does not fit its size");
}

/* Counts with the right sum that cannot be those of the bytes. */
static void test_impossible_counts(void **state)
{
    struct fixture *self = *state;
    const uint64_t head_size = WINNER_HEADER_SIZE + 2 * WINNER_ENTRY_SIZE;
    struct winner_index *index;
    uint8_t file[WINNER_HEADER_SIZE + 2 * WINNER_ENTRY_SIZE + 40];

    self->agencies = 2;
    self->drawn = (struct draw_drawn){.winners = 20};
    memset(file, '\n', sizeof(file));
    for (uint64_t first = 0; first <= 20; first++) {
        /* 20 bytes are 2 to 10 documents, and another 20 the others of 20: only 10 and 10 fit. */
        struct winner_group groups[3] = {{0},
                                         {.at = head_size, .bytes = 20, .count = first},
                                         {.at = head_size + 20, .bytes = 20, .count = 20 - first}};
        winner_layout_encode(2, &self->drawn, groups, file);
        write_whole(self, WINNERS_INDEX_NAME, file, sizeof(file));
        enum status status = open_index(self, &index);
        assert_int_equal(status, first == 10 ? STATUS_OK : STATUS_DAMAGED);
        if (status == STATUS_OK)
            winner_index_close(index);
    }
}

/* Somebody cuts an index that is in use, at every length: what is left can be read, and reading
 * what is gone says that it is damaged. */
static void test_cut_while_open(void **state)
{
    struct fixture *self = *state;
    struct winner_index *index;
    char text[8 * WINNER_TEXT_MAX];

    make_files(self, 1, 8, 1);
    assert_int_equal(open_index(self, &index), STATUS_OK);
    size_t size = (size_t)winner_index_of(index, 1).size;
    int fd = openat(self->dir_fd, WINNERS_INDEX_NAME, O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    for (size_t left = size; left-- > 0;) {
        off_t length = (off_t)(winner_layout_head_size(1) + left);
        assert_int_equal(ftruncate(fd, length), 0);
        assert_int_equal(winner_index_read(index, 1, 0, text, left), STATUS_OK);
        assert_int_equal(winner_index_read(index, 1, left, text, 1), STATUS_DAMAGED);
        assert_int_equal(winner_index_read(index, 1, 0, text, size), STATUS_DAMAGED);
    }
    assert_int_equal(close(fd), 0);
    winner_index_close(index);
    assert_int_equal(open_index(self, &index), STATUS_DAMAGED);
}

/* Somebody overwrites the table of an index that is in use: what was checked is what counts. */
static void test_overwritten(void **state)
{
    struct fixture *self = *state;
    struct winner_documents was[4];
    char text[20 * WINNER_TEXT_MAX];
    char again[20 * WINNER_TEXT_MAX];
    struct winner_index *index;
    char garbage[WINNER_HEADER_SIZE + 3 * WINNER_ENTRY_SIZE];

    make_files(self, 3, 20, 1);
    assert_int_equal(open_index(self, &index), STATUS_OK);
    for (uint32_t i = 1; i <= 3; i++)
        was[i] = winner_index_of(index, i);
    assert_int_equal(winner_index_read(index, 2, 0, text, (size_t)was[2].size), STATUS_OK);
    memset(garbage, 0x7f, sizeof(garbage));
    int fd = openat(self->dir_fd, WINNERS_INDEX_NAME, O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, garbage, sizeof(garbage)), sizeof(garbage));
    assert_int_equal(close(fd), 0);
    for (uint32_t i = 1; i <= 3; i++) {
        struct winner_documents is = winner_index_of(index, i);
        assert_int_equal(is.size, was[i].size);
        assert_int_equal(is.count, was[i].count);
    }
    assert_int_equal(winner_index_read(index, 2, 0, again, (size_t)was[2].size), STATUS_OK);
    assert_true(was[2].size > 0);
    assert_memory_equal(again, text, was[2].size);
    winner_index_close(index);
}

static void test_missing(void **state)
{
    struct fixture *self = *state;
    struct winner_index *index;

    make_files(self, 3, 5, 1);
    assert_int_equal(renameat(self->dir_fd, WINNERS_INDEX_NAME, self->dir_fd, "other"), 0);
    assert_int_equal(check(self), STATUS_NOTFOUND);
    assert_string_equal(self->err.text, WINNERS_INDEX_NAME ": No such file or directory");
    assert_int_equal(open_index(self, &index), STATUS_NOTFOUND);
    assert_int_equal(symlinkat("other", self->dir_fd, WINNERS_INDEX_NAME), 0);
    assert_int_equal(check(self), STATUS_IO);
    assert_int_equal(open_index(self, &index), STATUS_IO);
    assert_int_equal(unlinkat(self->dir_fd, WINNERS_INDEX_NAME, 0), 0);
    assert_int_equal(renameat(self->dir_fd, "other", self->dir_fd, WINNERS_INDEX_NAME), 0);
    assert_int_equal(unlinkat(self->dir_fd, WINNERS_NAME, 0), 0);
    assert_int_equal(check(self), STATUS_NOTFOUND);
    assert_string_equal(self->err.text, WINNERS_NAME ": No such file or directory");
    assert_int_equal(open_index(self, &index), STATUS_OK);
    winner_index_close(index);
}

/* A FIFO in the place of a file keeps nobody waiting, and is not it. */
static void test_fifos(void **state)
{
    static const char *const names[] = {WINNERS_NAME, WINNERS_INDEX_NAME};
    struct fixture *self = *state;
    struct winner_index *index;

    make_winners(self, 3, 5);
    assert_int_equal(write_parts(self, 1), STATUS_OK);
    (void)alarm(10);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(join(self), STATUS_OK);
        assert_int_equal(unlinkat(self->dir_fd, names[i], 0), 0);
        assert_int_equal(mkfifoat(self->dir_fd, names[i], 0600), 0);
        assert_int_not_equal(check(self), STATUS_OK);
        assert_int_equal(open_index(self, &index) == STATUS_OK, i == 0);
        if (i == 0)
            winner_index_close(index);
        assert_int_equal(unlinkat(self->dir_fd, names[i], 0), 0);
    }
    (void)alarm(0);
}

/* Everything, from the parts to the opened index. */
static enum status run_all(struct fixture *self)
{
    struct winner_index *index;

    drop_parts(self);
    enum status status = write_parts(self, 2);
    if (status == STATUS_OK)
        status = join(self);
    if (status == STATUS_OK)
        status = check(self);
    if (status != STATUS_OK)
        return status;
    status = open_index(self, &index);
    if (status == STATUS_OK) {
        char text[64];
        status = winner_index_read(index, 1, 0, text, sizeof(text));
        winner_index_close(index);
    }
    return status;
}

/* Whichever file operation fails, the failure is reported, and the next run succeeds. */
static void test_file_faults(void **state)
{
    struct fixture *self = *state;
    static const struct {
        unsigned op;
        enum fault_kind kind;
        int error;
        enum status status;
    } faults[] = {
        {FAULT_ANY, FAULT_ERROR, EIO, STATUS_IO},
        {FAULT_PWRITEV, FAULT_ERROR, ENOSPC, STATUS_NOSPACE},
        {FAULT_PWRITEV, FAULT_SHORT, ENOSPC, STATUS_NOSPACE},
        {FAULT_PREAD, FAULT_ERROR, EIO, STATUS_IO},
        {FAULT_OPENAT, FAULT_ERROR, ENOMEM, STATUS_NOMEM},
    };

    make_winners(self, 4, 6000);
    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
        unsigned after = 0;
        for (;; after++) {
            fault_plan(faults[i].op, after, faults[i].kind, faults[i].error, false);
            enum status status = run_all(self);
            bool has_struck = fault_end();
            assert_int_equal(status, has_struck ? faults[i].status : STATUS_OK);
            if (!has_struck)
                break;
        }
        assert_true(after > 0);
    }
    assert_files(self);
}

/* An interrupted call is made again. */
static void test_interrupted(void **state)
{
    struct fixture *self = *state;

    make_winners(self, 4, 100);
    for (unsigned after = 0;; after++) {
        fault_plan(FAULT_PWRITEV | FAULT_PREAD, after, FAULT_ERROR, EINTR, false);
        assert_int_equal(run_all(self), STATUS_OK);
        if (!fault_end())
            break;
    }
    assert_files(self);
}

static void test_no_memory(void **state)
{
    struct fixture *self = *state;
    unsigned failed = 0;

    make_winners(self, 4, 100);
    assert_int_equal(write_parts(self, 2), STATUS_OK);
    for (unsigned after = 0;; after++) {
        struct winner_index *index = NULL;
        alloc_fault_after(after);
        enum status status = join(self);
        if (status == STATUS_OK)
            status = check(self);
        if (status == STATUS_OK)
            status = open_index(self, &index);
        bool has_struck = alloc_fault_end();
        winner_index_close(index);
        assert_int_equal(status, has_struck ? STATUS_NOMEM : STATUS_OK);
        if (!has_struck)
            break;
        failed++;
    }
    assert_true(failed >= 7);
    struct winner_part *part;
    struct winner_part_config config = {&fault_file_ops, self->part_fds[0], 4, self->counts[0]};
    alloc_fault_after(0);
    assert_int_equal(winner_part_create(&config, &part), STATUS_NOMEM);
    assert_true(alloc_fault_end());
    winner_part_destroy(NULL);
    assert_files(self);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_many_agencies),
        CASE(test_large_groups),
        CASE(test_one_agency),
        CASE(test_no_winners),
        CASE(test_no_agencies),
        CASE(test_part_refuses),
        CASE(test_wrong_part),
        CASE(test_part_of_another_agency),
        CASE(test_join_syncs),
        CASE(test_every_flipped_bit),
        CASE(test_every_length),
        CASE(test_another_draw),
        CASE(test_damage_far_into_files),
        CASE(test_hostile_tables),
        CASE(test_wrapping_table),
        CASE(test_impossible_counts),
        CASE(test_cut_while_open),
        CASE(test_missing),
        CASE(test_file_faults),
        CASE(test_interrupted),
        CASE(test_no_memory),
        CASE(test_overwritten),
        CASE(test_fifos),
    };

    return cmocka_run_group_tests_name("winner_files", tests, NULL, NULL);
}
