/* metrics.h - stub */
#ifndef LOTTERY_OBSERVER_METRICS_H
#define LOTTERY_OBSERVER_METRICS_H
#include "buffer.h"
#include "status.h"
#include "view.h"
enum status metrics_write(const struct observer_view *view, struct buffer *out);
#endif
