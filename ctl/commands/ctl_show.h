/* ctl_show.h - shows answers: tables for people, JSON in one line for programs.
 *
 * Functions that can write JSON return OK, or NOMEM: then a part may be written. Whether `out`
 * could be written is left to ferror().
 */
#ifndef LOTTERY_CTL_SHOW_H
#define LOTTERY_CTL_SHOW_H

#include "ctl_call.h"

#include <stdbool.h>
#include <stdio.h>

enum status ctl_show_status(FILE *out, const Lottery__Control__V1__Status *status, bool is_json);
enum status ctl_show_agencies(FILE *out, const struct ctl_answer *answer, bool is_json);
enum status ctl_show_winners(FILE *out, const struct ctl_answer *answer, bool is_json);

/* The lines of the status about the closing and the seal, and about the number: what `close` and
 * `draw` have brought. For people. */
void ctl_show_closed(FILE *out, const Lottery__Control__V1__Status *status);
void ctl_show_drawn(FILE *out, const Lottery__Control__V1__Status *status);

/* A backup that was made. */
struct ctl_backup {
    const char *path; /* where it is; not safe for a terminal */
    const Lottery__Control__V1__Snapshot *snapshot;
    uint64_t bytes; /* of all its files */
};
enum status ctl_show_backup(FILE *out, const struct ctl_backup *backup, bool is_json);

/* An error, as JSON: {"error": ...}. */
enum status ctl_show_error(FILE *out, const char *text);

/* The draw's name: its id, or what stands for none. Not safe for a terminal. */
const char *ctl_show_draw_name(const char *draw);

#endif
