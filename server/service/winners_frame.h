/* winners_frame.h - sends the winners of a session, frame by frame. */
#ifndef LOTTERY_WINNERS_FRAME_H
#define LOTTERY_WINNERS_FRAME_H

#include "status.h"
#include "winner_files.h"

struct session;

/* Sends one frame with the next of the session's `winners` and counts them in it. DAMAGED, IO: they
 * are damaged or cannot be read, and nothing was sent. */
enum status winners_send_frame(struct session *session, const struct winner_documents *winners);

#endif
