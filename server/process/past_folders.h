/* past_folders.h - the draws that are over, in the folders of the data directory. */
#ifndef LOTTERY_PAST_FOLDERS_H
#define LOTTERY_PAST_FOLDERS_H

#include "data_dir.h"
#include "past_draws.h"

/* Reads the draw `id` from the folder of that name in the data directory `base`, or from the data
 * directory itself if the id is empty. Follows no symbolic link and changes nothing. As
 * past_draw_load_cb has it. */
enum status past_folders_load(const struct data_dir *base, const char *id, struct past_draw *out,
                              struct errbuf *err);

#endif
