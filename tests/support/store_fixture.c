#include "store_fixture.h"

#include "bets_csv.h"
#include "cmocka_all.h"
#include "fault_file_ops.h"
#include "log.h"
#include "tmpdir.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

const char *const folder_names[FOLDER_FILES] = {"bets.csv", "bets.journal", "winners.csv"};

int store_fixture_setup(void **state)
{
    fault_reset();
    log_set_level(LOG_CRITICAL);
    *state = tmpdir_make();
    return 0;
}

int store_fixture_teardown(void **state)
{
    tmpdir_remove(*state);
    return 0;
}

/* A test that expects this runs the store in a child process. */
static void store_fixture_on_fatal(const char *reason)
{
    (void)reason;
    _exit(STORE_FATAL_EXIT);
}

static void end_loop(struct store_fixture *self)
{
    if (self->loop == NULL)
        return;
    (void)uv_run(self->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(self->loop), 0);
    free(self->loop);
    self->loop = NULL;
}

enum status store_fixture_attach(struct store_fixture *self)
{
    self->store = NULL;
    self->loop = malloc(sizeof(*self->loop));
    if (self->loop == NULL)
        return STATUS_NOMEM;
    if (uv_loop_init(self->loop) != 0) {
        free(self->loop);
        self->loop = NULL;
        return STATUS_IO;
    }
    enum status status = store_csv_attach(self->data_dir, self->loop, store_fixture_on_fatal,
                                          &self->store, &self->err);
    if (status != STATUS_OK)
        end_loop(self);
    return status;
}

enum status store_fixture_open(struct store_fixture *self, const char *dir,
                               const struct file_ops *ops, uint32_t agencies)
{
    memset(self, 0, sizeof(*self));
    self->dir = dir;
    self->ops = ops;
    enum status status =
        data_dir_open(dir, agencies, ops, &self->data_dir, &self->report, &self->err);
    if (status != STATUS_OK)
        return status;
    status = store_fixture_attach(self);
    if (status != STATUS_OK) {
        data_dir_close(self->data_dir);
        self->data_dir = NULL;
    }
    return status;
}

void store_fixture_detach(struct store_fixture *self)
{
    store_csv_detach(self->store);
    self->store = NULL;
    end_loop(self);
}

void store_fixture_close(struct store_fixture *self)
{
    store_fixture_detach(self);
    data_dir_close(self->data_dir);
    self->data_dir = NULL;
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

static void store_fixture_on_done(struct store_op *op)
{
    struct store_call *call = (struct store_call *)op;

    call->calls++;
    if (call->ended != NULL)
        call->order = ++*call->ended;
}

static void prepare(struct store_call *call, unsigned *ended)
{
    memset(call, 0, sizeof(*call));
    call->op.done = store_fixture_on_done;
    call->ended = ended;
}

enum status store_call_append(struct store_fixture *self, struct store_call *call, unsigned *ended,
                              uint32_t agency, uint64_t offset, size_t count)
{
    prepare(call, ended);
    return store_append(self->store, &call->op, agency, offset,
                        count > 0 ? store_fixture_bets(agency, offset, count) : NULL, count);
}

void store_call_finish(struct store_fixture *self, struct store_call *call, unsigned *ended,
                       uint32_t agency, uint64_t total)
{
    prepare(call, ended);
    store_finish(self->store, &call->op, agency, total);
}

static enum status wait_for(struct store_fixture *self, struct store_call *call)
{
    while (call->calls == 0)
        (void)uv_run(self->loop, UV_RUN_ONCE);
    self->last = call->op;
    return call->op.status;
}

enum status store_fixture_append(struct store_fixture *self, uint32_t agency, uint64_t offset,
                                 size_t count)
{
    struct store_call call;

    enum status status = store_call_append(self, &call, NULL, agency, offset, count);
    return status == STATUS_OK ? wait_for(self, &call) : status;
}

enum status store_fixture_finish(struct store_fixture *self, uint32_t agency, uint64_t total)
{
    struct store_call call;

    store_call_finish(self, &call, NULL, agency, total);
    return wait_for(self, &call);
}

uint64_t store_fixture_received(struct store_fixture *self, uint32_t agency)
{
    return store_fixture_append(self, agency, 0, 0) == STATUS_OK ? self->last.received : UINT64_MAX;
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

static enum status count_lines(void *context, char *lines, size_t size, size_t *bad_at)
{
    return bets_csv_parse(lines, size, count_bet, context, bad_at);
}

bool store_fixture_count(struct store_fixture *self, uint32_t agencies, uint64_t *counts)
{
    struct counting counting = {agencies, counts};

    memset(counts, 0, (agencies + 1) * sizeof(*counts));
    return store_scan(self->store, 0, 1, count_lines, &counting, &self->err) == STATUS_OK;
}

static void path_of(const char *dir, size_t file, char out[512])
{
    (void)snprintf(out, 512, "%s/%s", dir, folder_names[file]);
}

struct folder folder_read(const char *dir)
{
    struct folder folder = {{NULL}, {0}};
    struct stat info;
    char path[512];

    for (size_t i = 0; i < FOLDER_FILES; i++) {
        path_of(dir, i, path);
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

void folder_write(const char *dir, const struct folder *folder)
{
    char path[512];

    for (size_t i = 0; i < FOLDER_FILES; i++) {
        path_of(dir, i, path);
        if (folder->bytes[i] == NULL) {
            (void)unlink(path);
            continue;
        }
        int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
        assert_true(fd >= 0);
        assert_int_equal(write(fd, folder->bytes[i], folder->sizes[i]), (ssize_t)folder->sizes[i]);
        assert_int_equal(close(fd), 0);
    }
}

bool folder_equals(const char *dir, const struct folder *folder)
{
    struct folder now = folder_read(dir);
    bool is_equal = true;

    for (size_t i = 0; i < FOLDER_FILES; i++)
        is_equal = is_equal && (now.bytes[i] == NULL) == (folder->bytes[i] == NULL) &&
                   now.sizes[i] == folder->sizes[i] &&
                   (now.sizes[i] == 0 || memcmp(now.bytes[i], folder->bytes[i], now.sizes[i]) == 0);
    folder_free(&now);
    return is_equal;
}

void folder_free(struct folder *folder)
{
    for (size_t i = 0; i < FOLDER_FILES; i++)
        free(folder->bytes[i]);
    *folder = (struct folder){{NULL}, {0}};
}
