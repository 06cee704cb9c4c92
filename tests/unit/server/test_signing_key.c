/* The key that signs: made at first need, loaded once, and what is logged of it. */
#include "capture.h"
#include "cmocka_all.h"
#include "log.h"
#include "seal_key.h"
#include "signing_key.h"
#include "tmpdir.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct fixture {
    char *path;
    struct data_dir data_dir;
    struct signing_key key;
    bool is_sealed; /* the draw */
    struct capture capture;
};

static int begin(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    f->path = tmpdir_make();
    int fd = open(f->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(fd >= 0);
    f->data_dir =
        (struct data_dir){.ops = &file_ops_system, .path = f->path, .fd = fd, .old_lock_fd = -1};
    log_set_level(LOG_INFO);
    *state = f;
    return 0;
}

static int end(void **state)
{
    struct fixture *f = *state;

    log_set_level(LOG_CRITICAL);
    assert_int_equal(close(f->data_dir.fd), 0);
    tmpdir_remove(f->path);
    free(f);
    return 0;
}

/* Prepares the key and expects so many log lines, the last of which has this in it. */
static void prepare(struct fixture *f, unsigned lines, const char *text)
{
    capture_begin(&f->capture);
    signing_key_prepare(&f->key, f->is_sealed);
    capture_end(&f->capture);
    assert_int_equal(f->capture.writes, lines);
    if (lines > 0)
        assert_non_null(strstr(f->capture.text, text));
    capture_free(&f->capture);
}

/* Without a setting it lies in the data directory, is made there, and stays the same. */
static void test_made(void **state)
{
    struct fixture *f = *state;
    char vkey[NOTE_VKEY_SIZE];
    char line[NOTE_VKEY_SIZE + 128];
    struct stat status;

    signing_key_init(&f->key, &f->data_dir, "");
    assert_string_equal(f->key.vkey, "");
    assert_int_equal(fstatat(f->data_dir.fd, SIGNING_KEY_NAME, &status, 0), -1);
    prepare(f, 1, "action: seal_key | result: success | vkey: lottery+");
    assert_int_equal(fstatat(f->data_dir.fd, SIGNING_KEY_NAME, &status, 0), 0);
    assert_int_equal(status.st_mode & 07777, 0600);
    memcpy(vkey, f->key.vkey, sizeof(vkey));
    prepare(f, 0, NULL); /* once */
    signing_key_init(&f->key, &f->data_dir, NULL);
    (void)snprintf(line, sizeof(line), "action: seal_key | result: success | vkey: %s", vkey);
    prepare(f, 1, line);
    assert_string_equal(f->key.vkey, vkey);
}

/* A file that is set is never made: it would be another key than the one that was meant. */
static void test_set(void **state)
{
    struct seal_key *key = NULL;
    struct fixture *f = *state;
    struct errbuf err;
    char path[512];

    (void)snprintf(path, sizeof(path), "%s/mine.pem", f->path);
    signing_key_init(&f->key, &f->data_dir, path);
    prepare(f, 1, "ERROR    action: seal_key | result: fail | reason: ");
    prepare(f, 0, NULL); /* not for each news */
    assert_string_equal(f->key.vkey, "");
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(seal_key_generate(AT_FDCWD, path, &key, &err), STATUS_OK);
    prepare(f, 1, "action: seal_key | result: success"); /* as soon as it is there */
    char vkey[NOTE_VKEY_SIZE];
    note_key_format(seal_key_public(key), vkey);
    assert_string_equal(f->key.vkey, vkey);
    seal_key_destroy(key);
    assert_int_equal(faccessat(f->data_dir.fd, SIGNING_KEY_NAME, F_OK, 0), -1);
}

/* A key that others may read, or that is none, is not replaced. */
static void test_bad(void **state)
{
    struct fixture *f = *state;
    char text[8] = {0};

    int fd = openat(f->data_dir.fd, SIGNING_KEY_NAME, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "nothing", 7), 7);
    assert_int_equal(close(fd), 0);
    signing_key_init(&f->key, &f->data_dir, "");
    prepare(f, 1, "action: seal_key | result: fail | reason: " SIGNING_KEY_NAME);
    fd = openat(f->data_dir.fd, SIGNING_KEY_NAME, O_RDONLY | O_CLOEXEC);
    assert_int_equal(read(fd, text, 8), 7);
    assert_string_equal(text, "nothing");
    assert_int_equal(close(fd), 0);
    assert_int_equal(unlinkat(f->data_dir.fd, SIGNING_KEY_NAME, 0), 0);
    prepare(f, 1, "action: seal_key | result: success");
    assert_int_equal(fchmodat(f->data_dir.fd, SIGNING_KEY_NAME, 0640, 0), 0);
    signing_key_init(&f->key, &f->data_dir, "");
    prepare(f, 1, "result: fail");
}

/* A draw that is sealed waits for the key of its seal. */
static void test_lost(void **state)
{
    struct seal_key *key = NULL;
    struct fixture *f = *state;
    struct errbuf err;

    f->is_sealed = true;
    signing_key_init(&f->key, &f->data_dir, "");
    prepare(f, 1, "ERROR    action: seal_key | result: fail | reason: " SIGNING_KEY_NAME);
    assert_int_equal(faccessat(f->data_dir.fd, SIGNING_KEY_NAME, F_OK, 0), -1);
    assert_int_equal(seal_key_generate(f->data_dir.fd, SIGNING_KEY_NAME, &key, &err), STATUS_OK);
    seal_key_destroy(key);
    prepare(f, 1, "action: seal_key | result: success"); /* it is back */
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {CASE(test_made), CASE(test_set), CASE(test_bad),
                                       CASE(test_lost)};

    return cmocka_run_group_tests_name("signing_key", tests, NULL, NULL);
}
