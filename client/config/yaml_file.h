/* yaml_file.h - a YAML file of settings: mappings of scalars, at most two deep, and lists of
 * scalars. */
#ifndef LOTTERY_YAML_FILE_H
#define LOTTERY_YAML_FILE_H

#include "errbuf.h"
#include "settings.h"

/* Reads the settings in the file into `target` (see settings_set); nested keys are joined by a dot,
 * and the values of a list by commas. The file may be empty, and absent unless it must exist. */
enum status yaml_file_read(const struct settings_sources *sources,
                           const struct settings_table *table, void *target, struct errbuf *err);

#endif
