/* Reading the folders of draws that are over, as the store leaves them. */
#include "cmocka_all.h"
#include "descriptors.h"
#include "fault_file_ops.h"
#include "past_folders.h"
#include "past_state.h"
#include "store_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BETS 300 /* of agency 1; agency 2 has 7, the others none */

/* How the server of a draw ended. */
enum ending { CLEAN_STOP, KILLED, BEFORE_THE_CLOSING, BEFORE_THE_DRAW };

/* Works on a draw in `dir`/`name`, which is made, unless that is empty, up to this ending. */
static void make_draw(const char *dir, const char *name, enum ending ending)
{
    static struct store_fixture f;
    char path[512];

    (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
    if (name[0] != '\0')
        assert_int_equal(mkdir(path, 0750), 0);
    assert_int_equal(store_fixture_open(&f, path, &fault_file_ops, NULL, STORE_AGENCIES),
                     STATUS_OK);
    for (uint64_t i = 0; i < BETS; i += 100)
        assert_int_equal(store_fixture_append(&f, 1, i, 100), STATUS_OK);
    assert_int_equal(store_fixture_append(&f, 2, 0, 7), STATUS_OK);
    for (uint32_t agency = 1; agency <= STORE_AGENCIES; agency++)
        assert_int_equal(store_fixture_finish(&f, agency, draw_received(&f.draw, agency)),
                         STATUS_OK);
    if (ending != BEFORE_THE_CLOSING) {
        assert_int_equal(store_fixture_end_draw(&f), STATUS_OK);
        assert_int_equal(store_maintain(f.store, false, &f.err), STATUS_OK);
    }
    if (ending == CLEAN_STOP || ending == KILLED)
        assert_int_equal(store_fixture_hold_draw(&f), STATUS_OK);
    if (ending == KILLED)
        store_fixture_kill(&f);
    else
        store_fixture_close(&f);
}

struct loaded {
    enum status status;
    struct past_draw past;
    struct errbuf err;
};

static struct loaded load(const char *dir, const char *id)
{
    struct data_dir base = {.ops = &file_ops_system, .path = dir, .old_lock_fd = -1};
    struct loaded loaded = {.status = STATUS_OK};

    base.fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(base.fd >= 0);
    draw_init(&loaded.past.draw);
    loaded.status = past_folders_load(&base, id, &loaded.past, &loaded.err);
    (void)close(base.fd);
    return loaded;
}

static void unload(struct loaded *loaded)
{
    draw_fini(&loaded->past.draw);
    draw_files_close(&loaded->past.files);
}

/* Loading it comes to this, and leaves nothing open; a text says why it failed. */
static void assert_status(const char *dir, const char *id, enum status status)
{
    unsigned open_before = descriptors_count();
    struct loaded loaded = load(dir, id);

    if (loaded.status != status)
        fail_msg("%s: %s: %s", id, status_text(loaded.status), loaded.err.text);
    if (status != STATUS_OK)
        assert_true(loaded.err.text[0] != '\0');
    unload(&loaded);
    assert_int_equal(descriptors_count(), open_before);
}

static void assert_draw(const char *dir, const char *id)
{
    struct loaded loaded = load(dir, id);
    const struct draw *draw = &loaded.past.draw;

    if (loaded.status != STATUS_OK)
        fail_msg("%s: %s", id, loaded.err.text);
    assert_int_equal(draw->phase, DRAW_DRAWN);
    assert_int_equal(draw->agencies, STORE_AGENCIES);
    assert_int_equal(draw_received(draw, 1), BETS);
    assert_int_equal(draw_received(draw, 2), 7);
    assert_int_equal(draw_received(draw, 3), 0);
    assert_int_not_equal(draw_checksum(draw, 1), 0);
    assert_int_equal(draw->drawn.winner_number, STORE_NUMBER);
    assert_non_null(loaded.past.files.winners);
    assert_null(loaded.past.files.result);
    unload(&loaded);
}

/* A draw is found in its folder, and the one without an id in the data directory itself, however
 * the server ended. Nothing in the folder changes. */
static void test_draws(void **state)
{
    const char *dir = *state;
    char path[512];

    make_draw(dir, "", CLEAN_STOP);
    make_draw(dir, "clean", CLEAN_STOP);
    make_draw(dir, "killed", KILLED);
    assert_draw(dir, "");
    assert_draw(dir, "clean");
    (void)snprintf(path, sizeof(path), "%s/killed", dir);
    struct folder before = folder_read(path);
    assert_draw(dir, "killed");
    assert_true(folder_equals(path, &before));
    folder_free(&before);
    assert_status(dir, "killed", STATUS_OK);
    assert_status(dir, "", STATUS_OK);
}

/* What is not the folder of a draw that is over is none. */
static void test_none(void **state)
{
    const char *dir = *state;
    char path[512];
    char to[512];

    make_draw(dir, "open", BEFORE_THE_CLOSING);
    make_draw(dir, "closed", BEFORE_THE_DRAW);
    make_draw(dir, "drawn", CLEAN_STOP);
    (void)snprintf(path, sizeof(path), "%s/link", dir);
    assert_int_equal(symlink("drawn", path), 0);
    (void)snprintf(path, sizeof(path), "%s/empty", dir);
    assert_int_equal(mkdir(path, 0750), 0);
    (void)snprintf(path, sizeof(path), "%s/file", dir);
    assert_int_equal(mkfifo(path, 0600), 0);
    (void)snprintf(path, sizeof(path), "%s/linked", dir);
    assert_int_equal(mkdir(path, 0750), 0);
    (void)snprintf(path, sizeof(path), "%s/linked/bets.journal", dir);
    (void)snprintf(to, sizeof(to), "%s/drawn/bets.journal", dir);
    assert_int_equal(symlink(to, path), 0);
    assert_status(dir, "open", STATUS_NOTFOUND);
    assert_status(dir, "closed", STATUS_NOTFOUND);
    assert_status(dir, "missing", STATUS_NOTFOUND);
    assert_status(dir, "link", STATUS_NOTFOUND);
    assert_status(dir, "empty", STATUS_NOTFOUND);
    assert_status(dir, "file", STATUS_NOTFOUND);
    assert_status(dir, "linked", STATUS_DAMAGED);
    assert_status(dir, "", STATUS_NOTFOUND);
    assert_draw(dir, "drawn");
}

static void remove_file(const char *dir, const char *id, const char *name)
{
    char path[512];

    (void)snprintf(path, sizeof(path), "%s/%s/%s", dir, id, name);
    assert_int_equal(unlink(path), 0);
}

static void damage_file(const char *dir, const char *id, const char *name, off_t at)
{
    char path[512];
    char byte;

    (void)snprintf(path, sizeof(path), "%s/%s/%s", dir, id, name);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(pread(fd, &byte, 1, at), 1);
    byte = (char)(byte ^ 1);
    assert_int_equal(pwrite(fd, &byte, 1, at), 1);
    (void)close(fd);
}

/* A damaged folder is told from one that is not there. */
static void test_damaged(void **state)
{
    const char *dir = *state;

    make_draw(dir, "index", CLEAN_STOP);
    make_draw(dir, "table", CLEAN_STOP);
    make_draw(dir, "journal", CLEAN_STOP);
    make_draw(dir, "bets", KILLED);
    remove_file(dir, "index", "winners.index");
    damage_file(dir, "table", "winners.index", 20);
    damage_file(dir, "journal", "bets.journal", JOURNAL_START + 60);
    remove_file(dir, "bets", "bets.csv");
    assert_status(dir, "index", STATUS_DAMAGED);
    assert_status(dir, "table", STATUS_DAMAGED);
    assert_status(dir, "journal", STATUS_DAMAGED);
    assert_status(dir, "bets", STATUS_DAMAGED);
}

/* Every file operation that fails, with any memory that is missing, leaves nothing open. */
static void test_faults(void **state)
{
    const char *dir = *state;
    unsigned open_before = descriptors_count();
    unsigned failed = 0;

    make_draw(dir, "killed", KILLED);
    for (unsigned nth = 0;; nth++) {
        struct data_dir base = {.ops = &fault_file_ops, .path = dir, .old_lock_fd = -1};
        struct past_draw past = {.users = 0};
        struct errbuf err = {{0}};
        base.fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        draw_init(&past.draw);
        fault_plan(FAULT_ANY, nth, FAULT_ERROR, EIO, false);
        enum status status = past_folders_load(&base, "killed", &past, &err);
        bool has_failed = fault_end();
        (void)close(base.fd);
        draw_fini(&past.draw);
        draw_files_close(&past.files);
        assert_int_equal(descriptors_count(), open_before);
        if (!has_failed) {
            assert_int_equal(status, STATUS_OK);
            break;
        }
        assert_int_equal(status, STATUS_IO);
        assert_true(err.text[0] != '\0');
        failed++;
    }
    assert_true(failed > 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_draws, store_fixture_setup, store_fixture_teardown),
        cmocka_unit_test_setup_teardown(test_none, store_fixture_setup, store_fixture_teardown),
        cmocka_unit_test_setup_teardown(test_damaged, store_fixture_setup, store_fixture_teardown),
        cmocka_unit_test_setup_teardown(test_faults, store_fixture_setup, store_fixture_teardown),
    };

    return cmocka_run_group_tests_name("past_folders", tests, NULL, NULL);
}
