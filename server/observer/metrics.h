/* metrics.h - what the observer tells Prometheus. Pure.
 *
 * docs/observer.md lists the metrics. All are made from the view: the scoreboard and the ledger's
 * last news. What is not known is left out: in mode echo all about draw and store, and about the
 * draw until the ledger has told something.
 */
#ifndef LOTTERY_METRICS_H
#define LOTTERY_METRICS_H

#include "buffer.h"
#include "status.h"
#include "view.h"

/* Appends all metrics in the text format of Prometheus, version 0.0.4. Those of single agencies are
 * among them if the settings say so. STATUS_NOMEM: some of it may have been appended. */
enum status metrics_write(const struct observer_view *view, struct buffer *out);

#endif
