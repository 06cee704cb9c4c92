/* session_files.h - what a session's draw has to send: that of the service, or one that is over. */
#ifndef LOTTERY_SESSION_FILES_H
#define LOTTERY_SESSION_FILES_H

#include "draw.h"
#include "draw_files.h"

struct session;

/* What is sent of the session's draw. */
const struct draw_files *session_files(const struct session *session);

/* The number of the session's draw, which has one, if it was not known before; otherwise NULL.
 * Valid until the next turn of the loop. */
const struct draw_drawn *session_drawn_to_tell(const struct session *session);

/* The session is gone, or is about to be: it has no draw any more. May be called again. */
void session_leave_draw(struct session *session);

#endif
