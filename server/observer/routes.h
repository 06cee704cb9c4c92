/* routes.h - what the observer answers to which request. Pure: no HTTP library, no sockets. */
#ifndef LOTTERY_OBSERVER_ROUTES_H
#define LOTTERY_OBSERVER_ROUTES_H

#include "buffer.h"
#include "text.h"
#include "view.h"

#include <stdbool.h>

/* A request; borrowed during the call. */
struct request {
    const char *method;
    const char *path; /* without a query */
    bool has_host;    /* it says which host it is for, as HTTP/1.1 wants it */
    bool has_body;    /* it announces one, which nobody reads */
};

/* An answer. Its texts are static but for those in `body`. */
struct answer {
    unsigned code;      /* of HTTP: 200, 404, ... */
    const char *type;   /* Content-Type */
    const char *policy; /* Content-Security-Policy; NULL: none */
    const char *allow;  /* Allow, of a 405; NULL: none */
    struct buffer body; /* owned by the caller, who ends it with buffer_fini() */
    struct text fixed;  /* the body if it is static; `body` is empty then */
};

/* Fills *out with the answer. That to a HEAD has the body of a GET, which is not for sending. */
void routes_answer(const struct observer_view *view, const struct request *request,
                   struct answer *out);

#endif
