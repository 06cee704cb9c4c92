/* The file of winners: complete or not there, in place of the one before. */
#include "cmocka_all.h"
#include "tmpdir.h"
#include "winners_file.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MANY 40000 /* documents; several buffers of them */

struct fixture {
    char *folder;
    char path[256];
    struct winners_file *file; /* big */
    struct errbuf err;
};

static int begin(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    f->file = calloc(1, sizeof(*f->file));
    assert_non_null(f->file);
    f->folder = tmpdir_make();
    (void)snprintf(f->path, sizeof(f->path), "%s/winners.txt", f->folder);
    *state = f;
    return 0;
}

static int end(void **state)
{
    struct fixture *f = *state;

    tmpdir_remove(f->folder);
    free(f->file);
    free(f);
    return 0;
}

/* The file that stands there, with what it has. */
static void assert_content(const struct fixture *f, const char *expected)
{
    char text[256] = "";
    FILE *file = fopen(f->path, "re");

    assert_non_null(file);
    size_t size = fread(text, 1, sizeof(text) - 1, file);
    assert_int_equal(fclose(file), 0);
    text[size] = '\0';
    assert_string_equal(text, expected);
}

static void write_old(const struct fixture *f)
{
    FILE *file = fopen(f->path, "we");

    assert_non_null(file);
    assert_true(fputs("old\n", file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static int count_files(const struct fixture *f)
{
    DIR *folder = opendir(f->folder);
    int count = 0;

    assert_non_null(folder);
    for (const struct dirent *entry; (entry = readdir(folder)) != NULL;)
        count += entry->d_name[0] != '.';
    assert_int_equal(closedir(folder), 0);
    return count;
}

static enum status add(struct fixture *f, const char *document)
{
    return winners_file_add(f->file, text_of(document), &f->err);
}

/* The new file takes the old one's place at the commit, and not before. */
static void test_commit(void **state)
{
    struct fixture *f = *state;
    struct stat info;

    write_old(f);
    assert_int_equal(winners_file_init(f->file, f->path, &f->err), STATUS_OK);
    assert_int_equal(count_files(f), 2);
    assert_int_equal(winners_file_restart(f->file, &f->err), STATUS_OK);
    assert_int_equal(add(f, "30904465"), STATUS_OK);
    assert_int_equal(add(f, "A1"), STATUS_OK);
    assert_content(f, "old\n");
    assert_int_equal(winners_file_commit(f->file, &f->err), STATUS_OK);
    assert_content(f, "30904465\nA1\n");
    assert_int_equal(stat(f->path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0640);
    winners_file_fini(f->file);
    assert_int_equal(count_files(f), 1);
}

/* Without a commit the old file stays, and nothing else. */
static void test_no_commit(void **state)
{
    struct fixture *f = *state;

    write_old(f);
    assert_int_equal(winners_file_init(f->file, f->path, &f->err), STATUS_OK);
    for (int i = 0; i < MANY; i++)
        assert_int_equal(add(f, "30904465"), STATUS_OK);
    winners_file_fini(f->file);
    assert_content(f, "old\n");
    assert_int_equal(count_files(f), 1);
    winners_file_fini(f->file); /* again is fine */
}

/* The list comes again: what was there of it goes, even what was already written. */
static void test_restart(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(winners_file_init(f->file, f->path, &f->err), STATUS_OK);
    for (int i = 0; i < MANY; i++)
        assert_int_equal(add(f, "30904465"), STATUS_OK);
    assert_int_equal(winners_file_restart(f->file, &f->err), STATUS_OK);
    assert_int_equal(add(f, "7"), STATUS_OK);
    assert_int_equal(winners_file_commit(f->file, &f->err), STATUS_OK);
    assert_content(f, "7\n");
}

/* No winner is an empty file, not a missing one. */
static void test_no_winner(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(winners_file_init(f->file, f->path, &f->err), STATUS_OK);
    assert_int_equal(winners_file_commit(f->file, &f->err), STATUS_OK);
    assert_content(f, "");
}

/* Many documents are all there, in their order. */
static void test_many(void **state)
{
    struct fixture *f = *state;
    char document[16];

    assert_int_equal(winners_file_init(f->file, f->path, &f->err), STATUS_OK);
    for (int i = 0; i < MANY; i++) {
        (void)snprintf(document, sizeof(document), "%d", i);
        assert_int_equal(add(f, document), STATUS_OK);
    }
    assert_int_equal(winners_file_commit(f->file, &f->err), STATUS_OK);
    FILE *file = fopen(f->path, "re");
    assert_non_null(file);
    for (int i = 0; i < MANY; i++) {
        char line[32];
        (void)snprintf(document, sizeof(document), "%d\n", i);
        assert_non_null(fgets(line, sizeof(line), file));
        assert_string_equal(line, document);
    }
    assert_int_equal(fgetc(file), EOF);
    assert_int_equal(fclose(file), 0);
}

/* What a server sends cannot become two lines, or none. */
static void test_no_document(void **state)
{
    static const char *const bad[] = {"", "1\n2", "1 2", "\x7f", "1\r"};
    struct fixture *f = *state;

    assert_int_equal(winners_file_init(f->file, f->path, &f->err), STATUS_OK);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(add(f, bad[i]), STATUS_MALFORMED);
    winners_file_fini(f->file);
}

/* What cannot be written is known at the beginning, and named. */
static void test_bad_places(void **state)
{
    struct fixture *f = *state;
    char path[1000];
    char expected[400];

    (void)snprintf(path, sizeof(path), "%s/none/winners.txt", f->folder);
    assert_int_equal(winners_file_init(f->file, path, &f->err), STATUS_NOTFOUND);
    (void)snprintf(expected, sizeof(expected), "%s: No such file or directory", path);
    assert_string_equal(f->err.text, expected);
    winners_file_fini(f->file);
    assert_int_equal(winners_file_init(f->file, f->folder, &f->err), STATUS_INVALID);
    (void)snprintf(expected, sizeof(expected), "%s: not a regular file", f->folder);
    assert_string_equal(f->err.text, expected);
    memset(path, 'x', sizeof(path) - 1);
    path[sizeof(path) - 1] = '\0';
    assert_int_equal(winners_file_init(f->file, path, &f->err), STATUS_INVALID);
    winners_file_fini(f->file);
}

/* If it cannot get its name, the commit fails and the temporary file goes. */
static void test_commit_fails(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(winners_file_init(f->file, f->path, &f->err), STATUS_OK);
    assert_int_equal(mkdir(f->path, 0700), 0);
    assert_int_equal(add(f, "7"), STATUS_OK);
    assert_int_not_equal(winners_file_commit(f->file, &f->err), STATUS_OK);
    winners_file_fini(f->file);
    assert_int_equal(count_files(f), 1);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_commit), CASE(test_no_commit),   CASE(test_restart),    CASE(test_no_winner),
        CASE(test_many),   CASE(test_no_document), CASE(test_bad_places), CASE(test_commit_fails),
    };

    return cmocka_run_group_tests_name("winners_file", tests, NULL, NULL);
}
