#include "bets_fixture.h"

#include "cmocka_all.h"
#include "fake_clock.h"
#include "tmpdir.h"

#include <stdio.h>
#include <stdlib.h>

int bets_fixture_begin(void **state)
{
    struct bets_fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    fake_clock_begin(0);
    f->folder = tmpdir_make();
    (void)snprintf(f->path, sizeof(f->path), "%s/bets.csv", f->folder);
    *state = f;
    return 0;
}

int bets_fixture_end(void **state)
{
    struct bets_fixture *f = *state;

    bets_file_close(f->file);
    tmpdir_remove(f->folder);
    free(f);
    fake_clock_end();
    return 0;
}

void bets_fixture_write(const struct bets_fixture *f, const char *bytes, size_t size)
{
    FILE *file = fopen(f->path, "we");

    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

enum status bets_fixture_seek(struct bets_fixture *f, uint64_t row)
{
    enum status status = STATUS_OK;

    for (bool is_done = false; status == STATUS_OK && !is_done;)
        status = bets_file_seek(f->file, row, &is_done, &f->err);
    return status;
}
