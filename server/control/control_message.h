/* control_message.h - the answers of proto/control.proto, as frames. Pure. */
#ifndef LOTTERY_CONTROL_MESSAGE_H
#define LOTTERY_CONTROL_MESSAGE_H

#include "control.h"
#include "control.pb-c.h"
#include "frame.h"

#include <stdint.h>

/* Each writes one frame to `out` and returns its size. What does not fit into a message by its
 * length is cut; none of them allocates or fails. */

/* `text` as in control_end(); it is made safe, as a value of the log is. */
size_t control_message_result(enum control_result result, const char *text, uint64_t instance,
                              uint8_t out[FRAME_MAX_SIZE]);

size_t control_message_status(const struct control_status *status, uint64_t instance,
                              uint8_t out[FRAME_MAX_SIZE]);

#define CONTROL_VKEY_MAX 255 /* bytes; a key for checking has about 60 */

/* A Status that is not sent, and what it points to: so it cannot be copied. */
struct control_status_message {
    Lottery__Control__V1__Status message;
    char draw[DRAW_ID_MAX + 1];
    char source[DRAW_TEXT_MAX + 1];
    char vkey[CONTROL_VKEY_MAX + 1];
    uint8_t root[DRAW_ROOT_SIZE];
};

/* The message that control_message_status() makes a frame of. */
void control_message_fill_status(const struct control_status *status, uint64_t instance,
                                 struct control_status_message *out);

/* At most CONTROL_PAGE_MAX rows. */
size_t control_message_agencies(const struct control_agency *rows, size_t count,
                                uint8_t out[FRAME_MAX_SIZE]);
size_t control_message_winners(const struct control_winner *rows, size_t count,
                               uint8_t out[FRAME_MAX_SIZE]);

/* Without the files. */
size_t control_message_snapshot(const struct control_snapshot *snapshot,
                                uint8_t out[FRAME_MAX_SIZE]);

#define CONTROL_NAME_MAX 128     /* bytes of a file's name */
#define CONTROL_CONTENT_MAX 8000 /* bytes of content in a frame */

/* With at most CONTROL_CONTENT_MAX bytes of content. */
size_t control_message_file(const struct control_file *file, uint8_t out[FRAME_MAX_SIZE]);

#endif
