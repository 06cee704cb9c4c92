/* control_session.h - the conversation with one peer: commands in, answers out. Knows no sockets.
 *
 * A peer sends one command at a time: the next one when it has the whole answer.
 */
#ifndef LOTTERY_CONTROL_SESSION_H
#define LOTTERY_CONTROL_SESSION_H

#include "control.h"
#include "frame.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct control_rule;

/* What a session calls on its connection, until control_session_leave(). */
struct control_session_events {
    /* Send one whole frame; the bytes are borrowed during the call. control_session_read() has to
     * follow when they have left. */
    void (*send)(void *owner, const uint8_t *frame, size_t size);
    /* The backend has ended a request; also called after control_session_leave(), and then the
     * session may be freed within the call. */
    void (*ended)(void *owner);
};

/* What control_session_init() needs; borrowed. */
struct control_session_config {
    const struct control_backend *backend;
    void *backend_owner;
    const struct control_session_events *events;
    void *owner;       /* handed to the events */
    uint64_t instance; /* see proto/control.proto */
    uint32_t uid;      /* of the peer */
};

enum control_session_state {
    CONTROL_SESSION_IDLE,    /* takes a command */
    CONTROL_SESSION_RUNNING, /* the backend has the request */
    CONTROL_SESSION_PAGING,  /* rows were sent, others follow when they have left */
    CONTROL_SESSION_ANSWERED /* the whole answer was sent, but has not left */
};

/* The caller provides the memory, and keeps it while control_session_is_running(). It may read
 * `state`. */
struct control_session {
    struct control_session_config config;
    enum control_session_state state;
    bool is_left;                    /* the peer is gone: nothing is sent */
    uint8_t command;                 /* the last one's opcode */
    const struct control_rule *rule; /* of it */
    struct control_request request;  /* points to the texts that follow */
    char source[DRAW_TEXT_MAX];
    char draw[DRAW_ID_MAX + 1];
};

void control_session_init(struct control_session *session,
                          const struct control_session_config *config);

/* Takes a frame, whose bytes are borrowed during the call. Returns NULL, or why the connection has
 * to be closed. */
const char *control_session_take(struct control_session *session, const struct frame *frame);

/* All that was sent has left. */
void control_session_read(struct control_session *session);

/* The peer gets no more answers. What runs goes on. */
void control_session_leave(struct control_session *session);

/* The server stops: tells a peer whose command has no answer, then as control_session_leave(). */
void control_session_stop(struct control_session *session);

/* Does the backend have the request? */
bool control_session_is_running(const struct control_session *session);

#endif
