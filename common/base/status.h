/* status.h - the only result type of the project.
 *
 * 0 is success. errno values and libuv codes are translated where they occur and not passed on; the
 * text for people goes into an errbuf (errbuf.h).
 */
#ifndef LOTTERY_STATUS_H
#define LOTTERY_STATUS_H

/* XX(NAME, text): the enum and the texts come from this list alone. */
#define STATUS_MAP(XX)                                                                             \
    XX(OK, "ok")                                                                                   \
    XX(NOMEM, "out of memory")                                                                     \
    XX(IO, "input/output error")                                                                   \
    XX(NOSPACE, "no space left")                                                                   \
    XX(INVALID, "invalid value")                                                                   \
    XX(NOTFOUND, "not found")                                                                      \
    XX(INUSE, "in use by another process")                                                         \
    XX(DAMAGED, "damaged data")                                                                    \
    XX(MALFORMED, "malformed message")                                                             \
    XX(STOPPED, "stopped")                                                                         \
    XX(GAP, "offset beyond what was received")                                                     \
    XX(CLOSED, "no more bets are taken")                                                           \
    XX(UNKNOWN_AGENCY, "unknown agency")                                                           \
    XX(INCOMPLETE, "total differs from what was received")                                         \
    XX(MISMATCH, "other bets than the central has")                                                \
    XX(UNCERTAIN, "what is on disk is not known")                                                  \
    XX(GONE, "the data directory is gone")                                                         \
    XX(UNTRUSTED, "not trusted")

enum status {
#define XX(name, text) STATUS_##name,
    STATUS_MAP(XX)
#undef XX
        STATUS_COUNT /* how many there are; not a status */
};

/* Returns the text of `status`, e.g. "no space left"; "?" when it is not one. Static, never NULL.
 */
const char *status_text(enum status status);

/* Translates a (positive) errno value; one without a status of its own becomes STATUS_IO. */
enum status status_from_errno(int error);

#endif
