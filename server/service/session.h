/* session.h - the conversation with one connection. */
#ifndef LOTTERY_SESSION_H
#define LOTTERY_SESSION_H

#include "list.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct past_draw;
struct request;
struct service;

/* What a session calls on its connection. */
struct session_events {
    /* Send one whole frame; the bytes are borrowed during the call. */
    void (*send)(void *owner, const uint8_t *frame, size_t size);
    /* Returns how many sent bytes have not left yet: no winners are sent while there are many. */
    size_t (*backlog)(void *owner);
    /* An answer was sent, so the session may take more messages. */
    void (*progress)(void *owner);
    /* The session sends nothing more: close once everything has left. */
    void (*finish)(void *owner);
};

enum session_state {
    SESSION_BETTING, /* takes bets */
    SESSION_WAITING, /* finished, waits for the draw */
    SESSION_SENDING, /* its winners are being sent */
    SESSION_CLOSED   /* takes no more messages; its last answer may still have to leave */
};

/* Who the peer has proved to be. */
enum session_proof {
    SESSION_PROOF_NONE,   /* nobody: each message says which agency it is about */
    SESSION_PROOF_AGENCY, /* an agency: messages about another one are refused */
    SESSION_PROOF_SERVER  /* the server itself, for its health check: it may only ask */
};

#define SESSION_REFUSALS_MAX 8 /* refused messages of a session that has no agency */

/* The caller provides the memory. It may read outstanding, outstanding_bytes, refused, agency and
 * state. */
struct session {
    struct service *service;
    const struct session_events *events;
    void *owner;
    struct list requests;     /* messages that have no answer yet */
    size_t outstanding;       /* how many there are */
    size_t outstanding_bytes; /* total size of their frames */
    size_t refused;           /* how many of them were refused and wait for earlier ones */
    struct list_node waiting; /* in service.waiting or, if it wants a Seal, in service.unsealed,
                                 while in SESSION_WAITING */
    bool wants_seal;          /* a Seal is to be sent before the next list of winners */
    uint64_t sent;            /* winners sent so far, while sending */
    uint64_t sent_bytes;      /* of their documents: where the next one begins */
    enum session_proof proof; /* as session_set_proof() was told, like the next one */
    uint32_t proven_agency;   /* whose certificate the peer has; 0 = no agency's */
    uint32_t agency;          /* 0 until the first message names one */
    bool is_counted;          /* the scoreboard counts it for the agency */
    const char *draw_id;      /* of the draw that the agency named with that message; borrowed from
                                 the service or `past`; NULL as long as there is no agency */
    struct past_draw *past;   /* that draw, if it is over and not the service's; else NULL */
    uint64_t received;        /* bets of the agency, as the ledger said last */
    uint32_t checksum;        /* of these */
    bool knows_received;      /* it has said so */
    uint32_t refusals;        /* refused messages as long as there is no agency */
    uint64_t owed;            /* Finished messages to answer with the winners */
    enum session_state state;
};

/* Begins a conversation. `events` and `owner` are borrowed until session_fini. */
void session_init(struct session *session, struct service *service,
                  const struct session_events *events, void *owner);

/* Says what the connection has proved: that the peer is `agency` (>= 1; otherwise 0). Before the
 * first message. Messages that do not fit are answered with UNKNOWN_AGENCY, and a detail that says
 * so. */
void session_set_proof(struct session *session, enum session_proof proof, uint32_t agency);

/* Ends it because the connection is gone. Operations that the ledger has already taken are
 * still stored and logged. May be called again. */
void session_fini(struct session *session);

/* The peer has sent bytes that are not a frame or not a message: closes the session with MALFORMED
 * as its last answer, after which events.finish is called. */
void session_malformed(struct session *session, const char *detail);

/* Sends more winners, if any are left. To be called when sent bytes have left. */
void session_continue(struct session *session);

/* Is there nothing left to answer? */
bool session_is_idle(const struct session *session);

/* What follows is for the handlers and the service. */

/* Starts to send the winners to a session that was waiting, once for each Finished. */
void session_send_winners(struct session *session);

/* Notes a Finished that was accepted: the session waits for the draw. If that is over, sends the
 * winners. With `wants_seal`, a Seal comes first, if the draw has one or will have one. */
void session_wait(struct session *session, bool wants_seal);

/* Closes the session because there is no memory for an answer. The agency will connect again. */
void session_give_up(struct session *session);

/* Closes the session at once: what is outstanding gets no answer. The agency will connect again. */
void session_abandon(struct session *session);

#endif
