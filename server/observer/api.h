/* api.h - the state of the server as JSON, for programs and for the page. Pure.
 *
 * Nothing in it is about bets that somebody has placed: there are counts, and the outcome.
 */
#ifndef LOTTERY_OBSERVER_API_H
#define LOTTERY_OBSERVER_API_H

#include "buffer.h"
#include "status.h"
#include "view.h"

/* Both append one line. NOMEM: a part of it may be there. */

/* The draw, as `lottery-ctl status --json` shows it, and after its members "server": what runs
 * here. The draw's phase is "unknown" while nothing is known about it, and in mode echo. The key
 * for checking its seal is null, as only the coordinator knows it. */
enum status api_write_status(const struct observer_view *view, struct buffer *out);

/* All agencies, as `lottery-ctl agencies --json` shows them, each with one member more: is it
 * connected? */
enum status api_write_agencies(const struct observer_view *view, struct buffer *out);

#endif
