#include "settings_file.h"

#include "cmocka_all.h"
#include "tmpdir.h"

#include <stdio.h>
#include <stdlib.h>

static void unset(const struct settings_file *file)
{
    for (size_t i = 0; i < file->count; i++)
        assert_int_equal(unsetenv(file->variables[i]), 0);
}

void settings_file_begin(struct settings_file *file, const char *name, const char *const *variables,
                         size_t count)
{
    file->folder = tmpdir_make();
    (void)snprintf(file->path, sizeof(file->path), "%s/%s", file->folder, name);
    file->variables = variables;
    file->count = count;
    unset(file);
}

void settings_file_end(struct settings_file *file)
{
    unset(file);
    tmpdir_remove(file->folder);
}

void settings_file_write(const struct settings_file *file, const char *bytes, size_t size)
{
    FILE *stream = fopen(file->path, "we");

    assert_non_null(stream);
    assert_int_equal(fwrite(bytes, 1, size, stream), size);
    assert_int_equal(fclose(stream), 0);
}
