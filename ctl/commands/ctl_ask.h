/* ctl_ask.h - the commands that only ask; and what all commands have in common. Calls block. */
#ifndef LOTTERY_CTL_ASK_H
#define LOTTERY_CTL_ASK_H

#include "ctl_call.h"

#include <stdbool.h>

#define CTL_EXIT_OK 0
#define CTL_EXIT_FAIL 1  /* refused, or the server cannot be reached; stderr says which and why */
#define CTL_EXIT_USAGE 2 /* a bad command line */

/* What the command line says, for all commands. */
struct ctl_options {
    const char *path; /* of the socket; borrowed */
    bool is_json;     /* for programs */
};

/* The commands. Each prints what it has to say, and returns the exit status. */
int ctl_ask_status(const struct ctl_options *options);
int ctl_ask_agencies(const struct ctl_options *options);
int ctl_ask_winners(const struct ctl_options *options);

/* Asks for the status: OK when there is one. Otherwise as ctl_call(), INVALID when the server
 * refuses; then *out is empty. */
enum status ctl_ask_for_status(struct ctl_link *link, struct ctl_answer *out, struct errbuf *err);

/* Sends a command: OK when it was done, or begins now (`next`, `reload`). Otherwise as ctl_call(),
 * INVALID when the server refuses or fails; then *out is empty, and *err has the reason. */
enum status ctl_ask(struct ctl_link *link, Lottery__Control__V1__Opcode command,
                    const ProtobufCMessage *message, uint64_t limit_ms, struct ctl_answer *out,
                    struct errbuf *err);

/* Says on stderr what went wrong, made safe for a terminal. Returns CTL_EXIT_FAIL. */
int ctl_fail(const char *text);

/* The exit status of a command that was successful; `shown` is what showing its answer has brought.
 * Fails if that is not OK, or if stdout could not be written. */
int ctl_finish(enum status shown);

#endif
