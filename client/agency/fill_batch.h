/* fill_batch.h - packs rows of the agency's file into a batch. */
#ifndef LOTTERY_FILL_BATCH_H
#define LOTTERY_FILL_BATCH_H

#include "batch.h"
#include "bets_checksum.h"
#include "bets_file.h"
#include "client_settings.h"
#include "errbuf.h"
#include "status.h"

#include <stdint.h>

/* The checksum of the rows before the current one, as a message has it. */
struct bets_checksum fill_batch_checksum(struct bets_file *file);

/* Begins a batch without rows, which asks for the agency's position. */
void fill_batch_ask(struct batch *batch, const struct client_settings *settings);

/* Begins a batch, and fills it with the rows from `row` on, the file's current one: as many as fit
 * and the settings allow. Fails as bets_file_peek() does, also if the file has become shorter. */
enum status fill_batch(struct batch *batch, struct bets_file *file, uint64_t row,
                       const struct client_settings *settings, struct errbuf *err);

#endif
