/* readiness.h - can the server do what it is for? Pure. */
#ifndef LOTTERY_OBSERVER_READINESS_H
#define LOTTERY_OBSERVER_READINESS_H

#include "errbuf.h"
#include "view.h"

#include <stdbool.h>

/* Is the server ready: its workers are up, what comes can be stored, and it does not stop? If not,
 * *reason has all that is missing, one reason a line, without a newline at the end. NULL: nobody
 * wants it. */
bool readiness(const struct observer_view *view, struct errbuf *reason);

#endif
