/* winner_list.h - the winners that the server sends: logs and counts them, and writes them to a
 * file if the settings name one. After a broken connection they come again from the beginning.
 */
#ifndef LOTTERY_WINNER_LIST_H
#define LOTTERY_WINNER_LIST_H

#include "bets_file.h"
#include "errbuf.h"
#include "lottery.pb-c.h"
#include "status.h"
#include "winners_file.h"

#include <stdbool.h>
#include <stdint.h>

struct winner_list {
    uint64_t count;           /* winners received on this connection */
    uint64_t most;            /* the same, on any connection; those were logged */
    bool has_begun;           /* a message of them has come on this connection */
    bool is_written;          /* the file is complete */
    bool has_number;          /* the central has told the draw's number, ... */
    uint32_t number;          /* ... which is this one, ... */
    char source[512];         /* ... and where it is from; cut if it is longer */
    struct winners_file file; /* its fd is -1 if there is none */
};

/* Without a file. */
void winner_list_init(struct winner_list *list);

/* Makes the file for the winners; it must not take the place of the bets. If it cannot be written,
 * that is known before the draw. */
enum status winner_list_open(struct winner_list *list, const char *path,
                             const struct bets_file *bets, struct errbuf *err);

/* Removes a file that is not complete. */
void winner_list_close(struct winner_list *list);

/* The list begins, or begins again. */
void winner_list_restart(struct winner_list *list);

/* Logs how many winners there are and, if it was told, the number. */
void winner_list_sum_up(const struct winner_list *list);

/* Takes a message. *out_is_new: some of these winners had not come on any connection. An error of
 * the file, in *err, comes after the counting. Blocks on the file. */
enum status winner_list_take(struct winner_list *list, const Lottery__V1__Winners *winners,
                             bool *out_is_new, struct errbuf *err);

#endif
