/* ctl_call.h - one command and its whole answer. */
#ifndef LOTTERY_CTL_CALL_H
#define LOTTERY_CTL_CALL_H

#include "control.pb-c.h"
#include "ctl_link.h"

#define CTL_DOCUMENT_MAX 16 /* bytes */

struct ctl_agency {
    uint32_t id;
    uint64_t bets;
    bool has_finished;
};

struct ctl_winner {
    uint32_t agency;
    char document[CTL_DOCUMENT_MAX + 1]; /* not safe for a terminal */
};

/* A message about a file of a backup. */
struct ctl_file {
    Lottery__Control__V1__SnapshotFile *message; /* owned */
};

/* Texts are those of the server: not safe for a terminal. */
struct ctl_answer {
    Lottery__Control__V1__Result *result; /* owned; never NULL after a call that was OK */
    Lottery__Control__V1__Status *status; /* owned; NULL: none came */
    struct ctl_agency *agencies;          /* owned */
    size_t agencies_count;
    size_t agencies_capacity;
    struct ctl_winner *winners; /* owned */
    size_t winners_count;
    size_t winners_capacity;
    Lottery__Control__V1__Snapshot *snapshot; /* owned; NULL: none came */
    struct ctl_file *files;                   /* owned */
    size_t files_count;
    size_t files_capacity;
};

/* Connects if need be, sends the command and waits for its answer, for at most `limit_ms` without a
 * byte. OK when there is a result, whatever it says; else as the functions of ctl_link.h say, or
 * NOMEM; then the link is closed, and *out is empty. */
enum status ctl_call(struct ctl_link *link, Lottery__Control__V1__Opcode command,
                     const ProtobufCMessage *message, uint64_t limit_ms, struct ctl_answer *out,
                     struct errbuf *err);

/* Frees what it owns. */
void ctl_answer_fini(struct ctl_answer *answer);

#endif
