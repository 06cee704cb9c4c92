/* api.h - stub */
#ifndef LOTTERY_OBSERVER_API_H
#define LOTTERY_OBSERVER_API_H
#include "buffer.h"
#include "status.h"
#include "view.h"
enum status api_write_status(const struct observer_view *view, struct buffer *out);
enum status api_write_agencies(const struct observer_view *view, struct buffer *out);
#endif
