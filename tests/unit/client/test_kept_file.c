/* A file that is kept: as a whole, in place of the one before, and nothing beside it. */
#include "cmocka_all.h"
#include "kept_file.h"
#include "tmpdir.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct fixture {
    char *folder;
    char path[256];
    struct kept_file file;
    struct errbuf err;
};

static int begin(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    f->folder = tmpdir_make();
    (void)snprintf(f->path, sizeof(f->path), "%s/seal.txt", f->folder);
    *state = f;
    return 0;
}

static int end(void **state)
{
    struct fixture *f = *state;

    tmpdir_remove(f->folder);
    free(f);
    return 0;
}

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

/* The first call makes nothing; each write takes the place of the one before. */
static void test_write(void **state)
{
    struct fixture *f = *state;
    struct stat info;

    assert_int_equal(kept_file_init(&f->file, f->path, &f->err), STATUS_OK);
    assert_int_equal(count_files(f), 0);
    assert_false(kept_file_exists(&f->file));
    assert_int_equal(kept_file_write(&f->file, text_of("seal\n"), &f->err), STATUS_OK);
    assert_true(kept_file_exists(&f->file));
    assert_content(f, "seal\n");
    assert_int_equal(kept_file_write(&f->file, text_of("seal\nresult\n"), &f->err), STATUS_OK);
    assert_content(f, "seal\nresult\n");
    assert_int_equal(stat(f->path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0640);
    assert_int_equal(count_files(f), 1);
}

/* What cannot be replaced is known at once. */
static void test_places(void **state)
{
    struct fixture *f = *state;
    char path[700];

    assert_int_equal(mkdir(f->path, 0700), 0);
    assert_int_equal(kept_file_init(&f->file, f->path, &f->err), STATUS_INVALID);
    assert_non_null(strstr(f->err.text, "seal.txt: not a regular file"));
    assert_int_equal(rmdir(f->path), 0);
    assert_int_equal(symlink("elsewhere", f->path), 0);
    assert_int_equal(kept_file_init(&f->file, f->path, &f->err), STATUS_INVALID);
    (void)snprintf(path, sizeof(path), "%s/none/seal.txt", f->folder);
    assert_int_equal(kept_file_init(&f->file, path, &f->err), STATUS_NOTFOUND);
    memset(path, 'x', sizeof(path));
    path[sizeof(path) - 1] = '\0';
    assert_int_equal(kept_file_init(&f->file, path, &f->err), STATUS_INVALID);
    assert_non_null(strstr(f->err.text, "too long"));
    assert_int_equal(count_files(f), 1);
}

/* A write that fails leaves nothing of its own: here a folder has taken the file's place. */
static void test_failed_write(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(kept_file_init(&f->file, f->path, &f->err), STATUS_OK);
    assert_int_equal(mkdir(f->path, 0700), 0);
    assert_int_not_equal(kept_file_write(&f->file, text_of("seal\n"), &f->err), STATUS_OK);
    assert_non_null(strstr(f->err.text, "seal.txt: "));
    assert_int_equal(count_files(f), 1);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_write),
        CASE(test_places),
        CASE(test_failed_write),
    };

    return cmocka_run_group_tests_name("kept_file", tests, NULL, NULL);
}
