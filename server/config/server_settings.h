/* server_settings.h - the settings of the lottery central: config.ini (section [DEFAULT]) and the
 * environment, under the same names. The README has the table.
 */
#ifndef LOTTERY_SERVER_SETTINGS_H
#define LOTTERY_SERVER_SETTINGS_H

#include "errbuf.h"
#include "log.h"
#include "status.h"

#include <stdint.h>

#define SERVER_AGENCIES_MAX 10000

/* In the order of the choices in the table of settings. */
enum server_mode { SERVER_MODE_LOTTERY, SERVER_MODE_ECHO };

struct server_settings {
    uint32_t port;            /* TCP port; 0 = any free one, told in the log */
    char ip[512];             /* an IPv4 address to listen on; any other text: on all of them */
    uint32_t listen_backlog;  /* connections that may wait to be accepted */
    enum log_level log_level; /* lowest level that is logged */
    enum server_mode mode;    /* what it serves */
    uint32_t workers;         /* worker processes; 0 = one per core */
    uint32_t max_connections; /* at a time, in all */
    uint32_t max_connections_per_ip; /* at a time, from one address */
    uint32_t max_buffered;           /* bytes of a connection's messages that wait for the disk */
    int64_t handshake_timeout;       /* ns, until a connection has sent its first message */
    int64_t frame_timeout;  /* ns, for a message that has begun, and for answers to be read */
    int64_t idle_timeout;   /* ns, between messages of an agency that has not finished */
    uint32_t agencies;      /* ids 1..agencies; 0 = only wait, never hold a raffle */
    uint32_t winner_number; /* what a bet must have to win */
    char data_dir[512];     /* folder of bets.csv and winners.csv */
};

/* Fills *out from defaults, the file at `path` and the environment. The file may be absent.
 * Returns STATUS_INVALID with "file:line: KEY: reason" (or "environment: KEY: reason") in *err, or
 * STATUS_IO when the file is there and can not be read. Blocks on the file. */
enum status server_settings_load(const char *path, struct server_settings *out, struct errbuf *err);

/* "lottery" or "echo". */
const char *server_mode_name(enum server_mode mode);

/* Writes the `action: config` line. */
void server_settings_log(const struct server_settings *settings);

#endif
