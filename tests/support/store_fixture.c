#include "store_fixture.h"

#include "bets_csv.h"
#include "cmocka_all.h"
#include "crc32c.h"
#include "fault_file_ops.h"
#include "log.h"
#include "seal_files.h"
#include "tmpdir.h"
#include "winner_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define AGENCIES_MAX 10000

const char *const folder_names[FOLDER_FILES] = {
    "bets.csv", "bets.journal",   WINNERS_NAME, WINNERS_INDEX_NAME,
    SEAL_NAME,  SEAL_LEAVES_NAME, RESULT_NAME};

struct draw_terms store_fixture_terms;

const struct commit_limits store_small_limits = {
    .inline_max = 200, .sync_after = 300, .journal_max = 900, .bets_max = 2000, .reserve = 4096};

int store_fixture_setup(void **state)
{
    fault_reset();
    store_fixture_terms = (struct draw_terms){0};
    log_set_level(LOG_CRITICAL);
    *state = tmpdir_make();
    return 0;
}

int store_fixture_teardown(void **state)
{
    fault_reset();
    tmpdir_remove(*state);
    return 0;
}

static void end_group(struct store_fixture *self)
{
    for (size_t i = 0; i < self->count; i++)
        free(self->lines[i]);
    self->count = 0;
}

static void close_all(struct store_fixture *self)
{
    store_close(self->store);
    self->store = NULL;
    end_group(self);
    draw_fini(&self->draw);
    data_dir_close(&self->data_dir);
}

bool store_fixture_has_damaged_bets;

/* What was recovered has the checksums of the lines that are there. */
static void check_checksums(const struct store_fixture *self)
{
    static uint32_t sums[AGENCIES_MAX + 1]; /* not allocated: tests without memory come here */
    char path[512];
    char *line = NULL;
    size_t capacity = 0;
    ssize_t size;

    if (store_fixture_has_damaged_bets)
        return;
    assert_true(self->draw.agencies <= AGENCIES_MAX);
    memset(sums, 0, ((size_t)self->draw.agencies + 1) * sizeof(*sums));
    (void)snprintf(path, sizeof(path), "%s/" BETS_NAME, self->dir);
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    while ((size = getline(&line, &capacity, file)) > 0) {
        unsigned long agency = strtoul(line, NULL, 10);
        assert_true(agency >= 1 && agency <= self->draw.agencies);
        sums[agency] = crc32c(sums[agency], line, (size_t)size);
    }
    for (uint32_t i = 1; i <= self->draw.agencies; i++)
        assert_int_equal(draw_checksum(&self->draw, i), sums[i]);
    (void)fclose(file);
    free(line);
}

enum status store_fixture_open(struct store_fixture *self, const char *dir,
                               const struct file_ops *ops, const struct commit_limits *limits,
                               uint32_t agencies)
{
    memset(self, 0, sizeof(*self));
    self->dir = dir;
    self->ops = ops;
    draw_init(&self->draw);
    enum status status = data_dir_open(dir, ops, &self->data_dir, &self->err);
    if (status != STATUS_OK)
        return status;
    struct store_csv_config config = {
        .data_dir = &self->data_dir,
        .opened = {.agencies = agencies,
                   .winner_number = store_fixture_terms.mode == DRAW_AUTO ? STORE_NUMBER : 0,
                   .terms = store_fixture_terms},
        .limits = limits};
    status = store_csv_open(&config, &self->draw, &self->store, &self->report, &self->err);
    if (status == STATUS_OK && self->draw.phase == DRAW_NEW) {
        struct draw_record opened = {.type = DRAW_OPENED, .opened = config.opened};
        (void)store_fixture_add_record(self, opened);
        status = store_fixture_commit(self);
    }
    if (status == STATUS_OK)
        check_checksums(self);
    else
        close_all(self);
    return status;
}

void store_fixture_close(struct store_fixture *self)
{
    close_all(self);
}

void store_fixture_kill(struct store_fixture *self)
{
    fault_plan(FAULT_ANY, 0, FAULT_ERROR, EIO, true);
    close_all(self);
    (void)fault_end();
}

static void write_document(uint32_t agency, uint64_t index, char out[BET_DOCUMENT_MAX + 1])
{
    (void)snprintf(out, BET_DOCUMENT_MAX + 1, "%" PRIu32 "D%" PRIu64, agency, index);
}

const struct bet *store_fixture_bets(uint32_t agency, uint64_t first, size_t count)
{
    static char documents[STORE_BATCH_MAX][BET_DOCUMENT_MAX + 1];
    static struct bet bets[STORE_BATCH_MAX];

    assert_true(count <= STORE_BATCH_MAX);
    for (size_t i = 0; i < count; i++) {
        uint64_t index = first + i;
        write_document(agency, index, documents[i]);
        bets[i] = (struct bet){
            .first_name = text_of(index % 3 == 0 ? "Ana, \"Nita\"" : "Jos\xc3\xa9"),
            .last_name = text_of("Paz"),
            .document = text_of(documents[i]),
            .birthdate = text_of("1999-12-31"),
            .number = index % 10 == 0 ? STORE_NUMBER : (uint32_t)(index % 100),
        };
    }
    return bets;
}

bool store_fixture_is_bet(const struct bet *bet, uint32_t agency, uint64_t index)
{
    const struct bet *wanted = store_fixture_bets(agency, index, 1);
    const struct text *is = &bet->first_name;
    const struct text *should = &wanted->first_name;

    for (size_t field = 0; field < 4; field++) {
        if (is[field].size != should[field].size ||
            memcmp(is[field].data, should[field].data, is[field].size) != 0)
            return false;
    }
    return bet->number == wanted->number;
}

/* Puts an accepted record, with `lines`, which it owns from now on, into the group. */
static enum status add(struct store_fixture *self, struct draw_record *record, char *lines,
                       size_t skip, size_t size)
{
    enum status status =
        store_append(self->store, record, lines != NULL ? lines + skip : NULL, size - skip);

    if (status != STATUS_OK) {
        draw_undo(&self->draw, record);
        free(lines);
        return status;
    }
    assert_true(self->count < STORE_GROUP_MAX);
    if (record->type == DRAW_CLOSING)
        self->draw.closed.extent = record->closed.extent; /* as the ledger does */
    self->records[self->count] = *record;
    self->lines[self->count++] = lines;
    return STATUS_OK;
}

enum status store_fixture_add_record(struct store_fixture *self, struct draw_record record)
{
    self->last = draw_apply(&self->draw, &record);
    if (!self->last.is_recorded)
        return self->last.status;
    return add(self, &record, NULL, 0, 0);
}

enum status store_fixture_add(struct store_fixture *self, uint32_t agency, uint64_t offset,
                              size_t count)
{
    struct draw_record record = {
        .type = DRAW_BETS, .bets = {.agency = agency, .count = (uint32_t)count, .offset = offset}};
    uint32_t known = draw_known(&self->draw, &record.bets);
    char *lines = NULL;

    /* Allocated by the C library, so that tests without memory do not fail here. */
    if (posix_memalign((void **)&lines, 16, count * store_csv_encoding.bet_max) != 0)
        return STATUS_NOMEM;
    size_t size =
        store_csv_encoding.encode(agency, store_fixture_bets(agency, offset, count), count, lines);
    size_t skip = known > 0 ? store_skip(self->store, lines, size, known) : 0;
    record.bets.checksum = crc32c(draw_checksum(&self->draw, agency), lines + skip, size - skip);
    self->last = draw_apply(&self->draw, &record);
    if (self->last.is_recorded)
        return add(self, &record, lines, skip, size);
    free(lines);
    return self->last.status;
}

enum status store_fixture_commit(struct store_fixture *self)
{
    enum status status = store_commit(self->store, &self->err);

    if (status == STATUS_NOSPACE || status == STATUS_IO || status == STATUS_NOMEM) {
        for (size_t i = self->count; i-- > 0;) {
            if (self->records[i].type != DRAW_OPENED)
                draw_undo(&self->draw, &self->records[i]);
        }
    }
    end_group(self);
    return status;
}

enum status store_fixture_append(struct store_fixture *self, uint32_t agency, uint64_t offset,
                                 size_t count)
{
    enum status status = store_fixture_add(self, agency, offset, count);

    return status == STATUS_OK ? store_fixture_commit(self) : status;
}

static enum status commit_record(struct store_fixture *self, struct draw_record record)
{
    enum status status = store_fixture_add_record(self, record);

    return status == STATUS_OK ? store_fixture_commit(self) : status;
}

enum status store_fixture_finish(struct store_fixture *self, uint32_t agency, uint64_t total)
{
    return commit_record(self,
                         (struct draw_record){.type = DRAW_FINISHED,
                                              .finished = {.agency = agency, .total = total}});
}

enum status store_fixture_end_draw(struct store_fixture *self)
{
    return commit_record(self, (struct draw_record){.type = DRAW_CLOSING,
                                                    .closed = {.time_s = 1700000000,
                                                               .by = DRAW_BY_ALL_FINISHED,
                                                               .salt = "0123456789"}});
}

enum status store_fixture_act(struct store_fixture *self, const char *text)
{
    return commit_record(
        self,
        (struct draw_record){.type = DRAW_ACT,
                             .act = {.time_s = 1700000003, .uid = 1000, .text = text_of(text)}});
}

enum status store_fixture_close_draw(struct store_fixture *self)
{
    return commit_record(self, (struct draw_record){.type = DRAW_CLOSING,
                                                    .closed = {.time_s = 1700000000,
                                                               .by = DRAW_BY_OPERATOR,
                                                               .uid = 1000,
                                                               .salt = "0123456789"}});
}

enum status store_fixture_publish(struct store_fixture *self, enum store_files files)
{
    size_t count = store_files_named(files);
    int fds[2];

    enum status status = store_open_files(self->store, files, fds, count, &self->err);
    if (status != STATUS_OK)
        return status;
    for (size_t i = 0; i < count; i++) {
        struct iovec part = {(void *)(uintptr_t) "not a seal", 10};
        if (status == STATUS_OK)
            status = file_write(self->ops, fds[i], &part, 1, 0);
        if (status == STATUS_OK && self->ops->fdatasync(fds[i]) < 0)
            status = status_from_errno(errno);
        (void)close(fds[i]);
    }
    return status == STATUS_OK ? store_publish_files(self->store, files, &self->err) : status;
}

enum status store_fixture_seal(struct store_fixture *self)
{
    enum status status = store_fixture_publish(self, STORE_SEAL);

    return status == STATUS_OK
               ? commit_record(self, (struct draw_record){.type = DRAW_SEALING,
                                                          .sealed = {.time_s = 1700000002,
                                                                     .root = STORE_ROOT}})
               : status;
}

enum status store_fixture_hold_draw(struct store_fixture *self)
{
    bool is_manual = self->draw.terms.mode == DRAW_MANUAL;
    struct draw_record record = {
        .type = DRAW_DRAWING,
        .drawn = {.time_s = 1700000001,
                  .winner_number = STORE_NUMBER,
                  .uid = is_manual ? 1000 : 0,
                  .source = is_manual ? text_of(STORE_SOURCE) : (struct text){NULL, 0}}};
    struct winner_join join = {
        .ops = self->ops, .agencies = self->draw.agencies, .winners_fd = -1, .index_fd = -1};
    int fds[2];

    enum status status = store_open_files(self->store, STORE_WINNERS, fds, 2, &self->err);
    if (status != STATUS_OK)
        return status;
    join.winners_fd = fds[0];
    join.index_fd = fds[1];
    status = winner_files_join(&join, &record.drawn, &self->err);
    (void)close(fds[0]);
    (void)close(fds[1]);
    if (status == STATUS_OK)
        status = store_publish_files(self->store, STORE_WINNERS, &self->err);
    return status == STATUS_OK ? commit_record(self, record) : status;
}

struct counting {
    uint32_t agencies;
    uint64_t *counts;
};

static bool count_bet(void *context, uint32_t agency, const struct bet *bet)
{
    struct counting *counting = context;

    return agency >= 1 && agency <= counting->agencies &&
           store_fixture_is_bet(bet, agency, counting->counts[agency]++);
}

bool store_fixture_count(struct store_fixture *self, uint32_t agencies, uint64_t *counts)
{
    struct counting counting = {agencies, counts};
    struct folder folder = folder_read(self->dir);
    size_t bad_at;

    memset(counts, 0, (agencies + 1) * sizeof(*counts));
    bool is_right = folder.bytes[BETS_FILE] != NULL &&
                    bets_csv_parse((char *)folder.bytes[BETS_FILE], folder.sizes[BETS_FILE],
                                   count_bet, &counting, &bad_at) == STATUS_OK;
    folder_free(&folder);
    return is_right;
}

static void path_of(const char *dir, const char *name, char out[512])
{
    (void)snprintf(out, 512, "%s/%s", dir, name);
}

struct folder folder_read(const char *dir)
{
    struct folder folder = {{NULL}, {0}};
    struct stat info;
    char path[512];

    for (size_t i = 0; i < FOLDER_FILES; i++) {
        path_of(dir, folder_names[i], path);
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
            continue;
        assert_int_equal(fstat(fd, &info), 0);
        folder.sizes[i] = (size_t)info.st_size;
        folder.bytes[i] = malloc(folder.sizes[i] + 1);
        assert_non_null(folder.bytes[i]);
        assert_int_equal(read(fd, folder.bytes[i], folder.sizes[i]), (ssize_t)folder.sizes[i]);
        assert_int_equal(close(fd), 0);
    }
    return folder;
}

/* How many files the folder has; with `removes`, removes them. */
static size_t count_files(const char *dir, bool removes)
{
    DIR *entries = opendir(dir);
    const struct dirent *entry;
    size_t count = 0;

    assert_non_null(entries);
    while ((entry = readdir(entries)) != NULL) {
        if (entry->d_name[0] == '.')
            continue;
        count++;
        if (removes)
            assert_int_equal(unlinkat(dirfd(entries), entry->d_name, 0), 0);
    }
    assert_int_equal(closedir(entries), 0);
    return count;
}

void folder_write(const char *dir, const struct folder *folder)
{
    char path[512];

    (void)count_files(dir, true);
    for (size_t i = 0; i < FOLDER_FILES; i++) {
        if (folder->bytes[i] == NULL)
            continue;
        path_of(dir, folder_names[i], path);
        int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
        assert_true(fd >= 0);
        assert_int_equal(write(fd, folder->bytes[i], folder->sizes[i]), (ssize_t)folder->sizes[i]);
        assert_int_equal(close(fd), 0);
    }
}

bool folder_equals(const char *dir, const struct folder *folder)
{
    struct folder now = folder_read(dir);
    bool is_equal = true;
    size_t count = 0;

    for (size_t i = 0; i < FOLDER_FILES; i++) {
        count += folder->bytes[i] != NULL;
        is_equal = is_equal && (now.bytes[i] == NULL) == (folder->bytes[i] == NULL) &&
                   now.sizes[i] == folder->sizes[i] &&
                   (now.sizes[i] == 0 || memcmp(now.bytes[i], folder->bytes[i], now.sizes[i]) == 0);
    }
    folder_free(&now);
    return is_equal && count_files(dir, false) == count;
}

void folder_free(struct folder *folder)
{
    for (size_t i = 0; i < FOLDER_FILES; i++)
        free(folder->bytes[i]);
    *folder = (struct folder){{NULL}, {0}};
}
