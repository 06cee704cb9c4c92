/* draws.h - the draws of a data directory: which is in force, and their folders.
 *
 * A draw with an id has its files in the folder of that name in the data directory; a draw without
 * one has them in the data directory itself. The file `current` has the id of the draw in force in
 * one line. While it is absent, no draw of this data directory ever had an id.
 */
#ifndef LOTTERY_STORE_DRAWS_H
#define LOTTERY_STORE_DRAWS_H

#include "data_dir.h"
#include "draw_id.h"

#define DRAWS_CURRENT "current"

/* Reads the id of the draw in force; "" when there is no `current`. INVALID when there is one that
 * is not an id in one line; IO, ...; *err says what to do, or why. Blocks. */
enum status draws_read_current(const struct data_dir *data_dir, char out_id[DRAW_ID_MAX + 1],
                               struct errbuf *err);

/* Makes this draw the one in force: replaces `current`, so that whenever the machine stops there is
 * the old one or the new one. On failure the old one stays, unless the status is UNCERTAIN: which
 * of the two is on disk is not known. *err names the file. Blocks for the disk. */
enum status draws_write_current(const struct data_dir *data_dir, const char *id,
                                struct errbuf *err);

/* Makes the folder of a draw, with mode 0750, and syncs the data directory. Something that has this
 * name already is left alone, and *out_is_made is false. *err names the folder. Blocks. */
enum status draws_make_folder(const struct data_dir *data_dir, const char *id, bool *out_is_made,
                              struct errbuf *err);

/* Removes the folder again, if it is empty. */
void draws_remove_folder(const struct data_dir *data_dir, const char *id);

#endif
