/* draw_id.h - which ids a draw may have: the agency's and the server's settings, the server's
 * folders and records, and the texts of seals all go by this rule. */
#ifndef LOTTERY_DRAW_ID_H
#define LOTTERY_DRAW_ID_H

#include "text.h"

#include <stdbool.h>

#define DRAW_ID_MAX 64 /* bytes of a draw's id: [A-Za-z0-9][A-Za-z0-9_-]* */

/* Is it such an id? The empty one is none. `current` is the name of a file that lies beside the
 * folders of draws, which are named after their ids. */
bool draw_id_is_valid(struct text id);

/* What people and the texts of a seal are shown for an id, which may be empty: then `-`. */
static inline const char *draw_id_shown(const char *id)
{
    return id[0] != '\0' ? id : "-";
}

#endif
