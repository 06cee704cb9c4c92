/* draw_id.h - which ids a draw may have: the agency's and the server's settings, the server's
 * folders and its records all go by this rule. */
#ifndef LOTTERY_DRAW_ID_H
#define LOTTERY_DRAW_ID_H

#include <stdbool.h>

#define DRAW_ID_MAX 64 /* bytes of a draw's id: [A-Za-z0-9][A-Za-z0-9_-]* */

/* Is it such an id? The empty one is none. `current` is the name of a file that lies beside the
 * folders of draws, which are named after their ids. */
bool draw_id_is_valid(const char *id);

#endif
