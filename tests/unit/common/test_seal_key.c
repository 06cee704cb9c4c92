#include "seal_key.h"

#include "cmocka_all.h"
#include "descriptors.h"
#include "key_file.h"
#include "signed_note.h"
#include "tmpdir.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME "seal-key.pem"

/* As `openssl genpkey -algorithm ed25519` writes it, of the bytes 0..31; and its verifier key. */
#define PEM                                                                                        \
    "-----BEGIN PRIVATE KEY-----\n"                                                                \
    "MC4CAQAwBQYDK2VwBCIEIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f\n"                           \
    "-----END PRIVATE KEY-----\n"
#define VKEY "lottery+d05eb7c1+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4"

struct fixture {
    char *folder;
    int dir_fd;
    struct errbuf err;
    struct seal_key *key; /* destroyed at the end; NULL at first */
};

static int begin(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    f->folder = tmpdir_make();
    f->dir_fd = open(f->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(f->dir_fd >= 0);
    *state = f;
    return 0;
}

static int end(void **state)
{
    struct fixture *f = *state;

    seal_key_destroy(f->key);
    (void)close(f->dir_fd);
    tmpdir_remove(f->folder);
    free(f);
    return 0;
}

static void put_file(const struct fixture *f, const char *name, const char *bytes, mode_t mode)
{
    int fd = openat(f->dir_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, strlen(bytes)), strlen(bytes));
    assert_int_equal(fchmod(fd, mode), 0);
    assert_int_equal(close(fd), 0);
}

static unsigned count_files(const struct fixture *f)
{
    DIR *folder = opendir(f->folder);
    unsigned count = 0;

    assert_non_null(folder);
    for (struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder))
        count += entry->d_name[0] != '.';
    assert_int_equal(closedir(folder), 0);
    return count;
}

/* Has the key in the fixture this verifier key? */
static void assert_vkey(const struct fixture *f, const char *expected)
{
    char vkey[NOTE_VKEY_SIZE];

    note_key_format(seal_key_public(f->key), vkey);
    assert_string_equal(vkey, expected);
}

/* A key that openssl(1) could have written, by both kinds of path. */
static void test_load(void **state)
{
    struct fixture *f = *state;
    char path[256];

    put_file(f, NAME, PEM, 0600);
    assert_int_equal(seal_key_load(f->dir_fd, NAME, &f->key, &f->err), STATUS_OK);
    assert_vkey(f, VKEY);
    seal_key_destroy(f->key);
    f->key = NULL;
    (void)snprintf(path, sizeof(path), "%s/%s", f->folder, NAME);
    assert_int_equal(chmod(path, 0400), 0);
    assert_int_equal(seal_key_load(f->dir_fd, path, &f->key, &f->err), STATUS_OK);
    assert_vkey(f, VKEY);
}

/* A file that anybody else can access is refused, whatever they can do. */
static void test_others_have_access(void **state)
{
    static const mode_t modes[] = {0640, 0620, 0610, 0604, 0602, 0601, 0644, 0666, 0777};
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        put_file(f, NAME, PEM, modes[i]);
        assert_int_equal(seal_key_load(f->dir_fd, NAME, &f->key, &f->err), STATUS_INVALID);
        assert_non_null(strstr(f->err.text, NAME ": others may access it (mode 0"));
        assert_null(f->key);
    }
}

/* What is not a key is refused, with the path and the reason, but nothing of the file. */
static void test_not_a_key(void **state)
{
    struct fixture *f = *state;
    unsigned descriptors = descriptors_count();
    char *large = malloc(KEY_FILE_MAX + 2);

    assert_non_null(large);
    assert_int_equal(seal_key_load(f->dir_fd, NAME, &f->key, &f->err), STATUS_NOTFOUND);
    assert_string_equal(f->err.text, NAME ": No such file or directory");
    put_file(f, NAME, "secret", 0600);
    assert_int_equal(seal_key_load(f->dir_fd, NAME, &f->key, &f->err), STATUS_INVALID);
    assert_string_equal(f->err.text, NAME ": no private key in PEM");
    put_file(f, NAME, "", 0600);
    assert_int_equal(seal_key_load(f->dir_fd, NAME, &f->key, &f->err), STATUS_INVALID);
    memset(large, '\n', KEY_FILE_MAX + 1);
    large[KEY_FILE_MAX + 1] = '\0';
    put_file(f, NAME, large, 0600);
    assert_int_equal(seal_key_load(f->dir_fd, NAME, &f->key, &f->err), STATUS_INVALID);
    assert_non_null(strstr(f->err.text, NAME ": larger than"));
    free(large);
    assert_int_equal(mkdirat(f->dir_fd, "folder", 0700), 0);
    assert_int_equal(seal_key_load(f->dir_fd, "folder", &f->key, &f->err), STATUS_INVALID);
    assert_string_equal(f->err.text, "folder: not a regular file");
    assert_int_equal(mkfifoat(f->dir_fd, "fifo", 0600), 0); /* it does not keep us waiting */
    assert_int_equal(seal_key_load(f->dir_fd, "fifo", &f->key, &f->err), STATUS_INVALID);
    assert_null(f->key);
    assert_int_equal(descriptors_count(), descriptors);
}

/* A new key has a file of its own with mode 0600, whatever the umask, and signs as the loaded one.
 */
static void test_generate(void **state)
{
    struct fixture *f = *state;
    mode_t mask = umask(0);
    struct buffer notes[2] = {{0}};
    char vkey[NOTE_VKEY_SIZE];
    struct signed_note note;
    struct stat info;

    enum status status = seal_key_generate(f->dir_fd, NAME, &f->key, &f->err);
    (void)umask(mask);
    assert_int_equal(status, STATUS_OK);
    assert_int_equal(fstatat(f->dir_fd, NAME, &info, 0), 0);
    assert_int_equal(info.st_mode & 07777, 0600);
    assert_int_equal(info.st_nlink, 1);
    assert_int_equal(count_files(f), 1);
    note_key_format(seal_key_public(f->key), vkey);
    assert_int_equal(seal_key_sign(f->key, text_of("text\n"), &notes[0]), STATUS_OK);
    seal_key_destroy(f->key);
    f->key = NULL;
    assert_int_equal(seal_key_load(f->dir_fd, NAME, &f->key, &f->err), STATUS_OK);
    assert_vkey(f, vkey);
    assert_int_equal(seal_key_sign(f->key, text_of("text\n"), &notes[1]), STATUS_OK);
    assert_int_equal(notes[0].size, notes[1].size);
    assert_memory_equal(notes[0].data, notes[1].data, notes[0].size);
    assert_int_equal(signed_note_parse((struct text){notes[0].data, notes[0].size}, &note, NULL),
                     STATUS_OK);
    assert_int_equal(signed_note_verify(&note, seal_key_public(f->key), NULL), STATUS_OK);
    buffer_fini(&notes[0]);
    buffer_fini(&notes[1]);
}

/* A file that is there stays, whatever it is. */
static void test_generate_replaces_nothing(void **state)
{
    struct fixture *f = *state;
    unsigned descriptors = descriptors_count();

    put_file(f, NAME, PEM, 0600);
    assert_int_equal(seal_key_generate(f->dir_fd, NAME, &f->key, &f->err), STATUS_INUSE);
    assert_string_equal(f->err.text, NAME ": File exists");
    assert_int_equal(symlinkat("nowhere", f->dir_fd, "link"), 0);
    assert_int_equal(seal_key_generate(f->dir_fd, "link", &f->key, &f->err), STATUS_INUSE);
    assert_null(f->key);
    assert_int_equal(count_files(f), 2);
    assert_int_equal(seal_key_load(f->dir_fd, NAME, &f->key, &f->err), STATUS_OK);
    assert_vkey(f, VKEY);
    assert_int_equal(descriptors_count(), descriptors);
}

/* Where there is no such directory, or no such name. */
static void test_generate_fails(void **state)
{
    struct fixture *f = *state;
    char long_name[PATH_MAX + 1] = "";
    unsigned descriptors = descriptors_count();

    assert_int_equal(seal_key_generate(f->dir_fd, "folder/" NAME, &f->key, &f->err),
                     STATUS_NOTFOUND);
    assert_string_equal(f->err.text, "folder/" NAME ": No such file or directory");
    memset(long_name, 'x', sizeof(long_name) - 1);
    assert_int_equal(seal_key_generate(f->dir_fd, long_name, &f->key, &f->err), STATUS_INVALID);
    assert_null(f->key);
    assert_int_equal(mkdirat(f->dir_fd, "folder", 0700), 0);
    assert_int_equal(seal_key_generate(f->dir_fd, "folder/" NAME, &f->key, &f->err), STATUS_OK);
    assert_int_equal(descriptors_count(), descriptors);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_load, begin, end),
        cmocka_unit_test_setup_teardown(test_others_have_access, begin, end),
        cmocka_unit_test_setup_teardown(test_not_a_key, begin, end),
        cmocka_unit_test_setup_teardown(test_generate, begin, end),
        cmocka_unit_test_setup_teardown(test_generate_replaces_nothing, begin, end),
        cmocka_unit_test_setup_teardown(test_generate_fails, begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
