/* settings_file.h - a settings file that a test writes, and an environment without settings. */
#ifndef LOTTERY_SETTINGS_FILE_H
#define LOTTERY_SETTINGS_FILE_H

#include <stddef.h>

struct settings_file {
    char *folder;
    char path[256];               /* of the file, which is not there before it is written */
    const char *const *variables; /* of the environment; borrowed */
    size_t count;                 /* of them */
};

/* Makes a folder for the file `name` and takes the variables out of the environment. */
void settings_file_begin(struct settings_file *file, const char *name, const char *const *variables,
                         size_t count);

/* Takes the variables out of the environment again and removes the folder. */
void settings_file_end(struct settings_file *file);

/* Replaces the file. */
void settings_file_write(const struct settings_file *file, const char *bytes, size_t size);

#endif
