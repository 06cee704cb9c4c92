/* operator_backup.h - what a copy of the draw has to have, as the operator's program is told. */
#ifndef LOTTERY_OPERATOR_BACKUP_H
#define LOTTERY_OPERATOR_BACKUP_H

#include "control.h"
#include "data_dir.h"
#include "errbuf.h"

/* Ends the request with the files of a copy: those of the snapshot that is open as `fd`, which
 * stays the caller's (see ledger_client_snapshot()), and what lies beside them in the data
 * directory. `lacks` is what else there is to say, in a sentence; empty: nothing. DAMAGED, NOMEM,
 * IO, ..., with a reason in *err: the request runs on. Blocks on the file, which is in memory. */
enum status operator_give_backup(const struct data_dir *data_dir, int fd, const char *lacks,
                                 struct control_request *request, struct errbuf *err);

#endif
