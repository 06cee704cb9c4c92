/* standard_fds.h - descriptors 0 to 2, which a parent may have closed. */
#ifndef LOTTERY_STANDARD_FDS_H
#define LOTTERY_STANDARD_FDS_H

#include <stdbool.h>

/* Opens those of the descriptors 0 to 2 that are closed on /dev/null. To be called before anything
 * else is opened: otherwise the next file or socket gets such a number, and log lines are written
 * into it. Returns false when /dev/null cannot be opened; the program must not go on then. */
bool standard_fds_open(void);

#endif
